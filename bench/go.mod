module github.com/identomat-go/identomat/bench

go 1.26.0

replace github.com/identomat-go/identomat => ..

require (
	github.com/digitalocean/godo v1.236.0
	github.com/google/go-github/v89 v89.0.0
	github.com/hashicorp/go-retryablehttp v0.7.8
	github.com/identomat-go/identomat v0.0.0
	github.com/openai/openai-go/v3 v3.95.0
	github.com/stripe/stripe-go/v85 v85.0.0
	resty.dev/v3 v3.0.0-rc.4
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/oauth2 v0.27.0 // indirect
	golang.org/x/time v0.6.0 // indirect
)
