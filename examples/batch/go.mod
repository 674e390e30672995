module github.com/identomat-go/identomat/examples/batch

go 1.26.0

require (
	github.com/identomat-go/identomat v0.0.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	golang.org/x/time v0.16.0
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/identomat-go/identomat => ../..
