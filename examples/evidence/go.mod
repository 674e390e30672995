module github.com/identomat-go/identomat/examples/evidence

go 1.26.0

require (
	filippo.io/age v1.3.2
	github.com/identomat-go/identomat v0.1.0
	github.com/identomat-go/identomat/evidence/seal v0.1.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	filippo.io/hpke v0.4.0 // indirect
	github.com/digitorus/pkcs7 v0.0.0-20250730155240-ffadbf3f398c // indirect
	github.com/digitorus/timestamp v0.0.0-20250524132541-c45532741eea // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace (
	github.com/identomat-go/identomat => ../..
	github.com/identomat-go/identomat/evidence/seal => ../../evidence/seal
)
