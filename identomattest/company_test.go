package identomattest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeyInsideAnotherIsMasked sends a secret that begins with another company's key.
func TestKeyInsideAnotherIsMasked(t *testing.T) {
	srv := NewServer(t, WithCompanies(
		Company{Name: "a", CompanyKey: "bank-key"},
		Company{Name: "b", CompanyKey: "other-key", SecretKey: "bank-key-of-b"},
	))
	post(t, srv.WidgetURL+"/external-api/begin/", asJSON, `{"company_key":"bank-key","name":"bank-key-of-b"}`)
	assert.Equal(t, "***", srv.Requests()[0].Parameters["name"])
}

func TestCompaniesAreSeparate(t *testing.T) {
	srv := NewServer(t, WithCompanies(
		Company{Name: "bank", CompanyKey: "bank-key", SecretKey: "bank-secret", RequireHMAC: true},
		Company{Name: "lending", CompanyKey: "lending-key"},
	))
	assert.Equal(t, "bank-key", srv.CompanyKey)
	beginBody := `{"company_key":"bank-key"}`
	signed := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, beginBody)
	signed.Header.Set("Authorization", authorization(signBody("bank-secret", []byte(beginBody))))
	resp := send(t, signed)
	require.Regexp(t, `^"[0-9a-z]{40}"$`, resp.body)
	assert.Equal(t, authorization(signBody("bank-secret", []byte(resp.body))), resp.header.Get("Authorization"))
	token := strings.Trim(resp.body, `"`)

	// The other company's secret does not sign for the bank.
	forged := request(t, srv.WidgetURL+"/external-api/begin/", asJSON, beginBody)
	forged.Header.Set("Authorization", authorization(signBody(DefaultSecretKey, []byte(beginBody))))
	assert.Equal(t, `"COMPANY_KEY_INVALID"`, send(t, forged).body)

	lending := func(address, members string) string { return post(t, address, asJSON, `{`+members+`}`).body }
	assert.Equal(t, errNoSession, lending(srv.WidgetURL+"/external-api/result/", `"company_key":"lending-key","session_token":"`+token+`"`))
	assert.Equal(t, errNoSession, lending(srv.WidgetURL+"/external-api/begin/", `"company_key":"lending-key","parent_session_id":"`+token+`"`))
	for _, call := range []string{`make-group?"name":"staff"`, `create-user?"email":"a@example.com","password":"12345678"`,
		`add-blacklist-record?"query":{"firstName":"A","reason":"b"}`, `monitor-screening-query?"query":{"fullName":"A"}`} {
		path, members, _ := strings.Cut(call, "?")
		assert.Contains(t, lending(srv.APIURL+"/"+path, `"companyKey":"lending-key",`+members), `"result"`, path)
	}
	for path, empty := range map[string]string{
		"list-groups": `{"result":[]}`, "list-users": `"username":"administrator@company.example"`,
		"list-blacklist-records": `"total":0`, "list-screening-monitoring-records": `"total":0`,
	} {
		body := `{"companyKey":"bank-key"}`
		req := request(t, srv.APIURL+"/"+path, asJSON, body)
		req.Header.Set("Authorization", authorization(signBody("bank-secret", []byte(body))))
		resp := send(t, req)
		assert.Contains(t, resp.body, empty, path)
		assert.NotContains(t, resp.body, "a@example.com")
	}
	assert.Equal(t, "bank", srv.Requests()[0].Company)
	assert.Equal(t, "lending", srv.Requests()[2].Company)
	assert.Contains(t, control(t, srv, "GET", "sessions/"+token, "").body, `"company": "bank"`)
	assert.NotContains(t, control(t, srv, "GET", "requests", "").body, "lending-key")
}

func TestCompanyMistakes(t *testing.T) {
	for text, companies := range map[string][]Company{
		"there is no company":                                                   {},
		"a company key, secret key or callback key is empty":                    {{Name: "a"}},
		"a company key, secret key or callback key has fewer than 8 characters": {{Name: "a", CompanyKey: "bank-key", SecretKey: "secret1"}},
		"a company has no name":                                                 {{Name: "a", CompanyKey: "bank-key"}, {CompanyKey: "lending-key"}},
		`two companies have the name or the company key of "b"`:                 {{Name: "a", CompanyKey: "bank-key"}, {Name: "b", CompanyKey: "bank-key"}},
		`the callback URL of "a" is not an http URL`:                            {{Name: "a", CompanyKey: "bank-key", CallbackURL: "bank.example"}},
		`the limit of "a" is negative`:                                          {{Name: "a", CompanyKey: "bank-key", RequestsPerMinute: -1}},
	} {
		_, err := Start(WithCompanies(companies...))
		assert.EqualError(t, err, "identomattest: "+text)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	srv := NewServer(t, WithCompanies(Company{CompanyKey: "bank-key", RequestsPerMinute: 2}), WithClock(func() time.Time { return time.Unix(1e9, 0) }))
	list := func() httpResponse { return post(t, srv.APIURL+"/list-groups", asJSON, `{"companyKey":"bank-key"}`) }
	assert.Equal(t, http.StatusOK, list().status)
	srv.Advance(20 * time.Second)
	assert.Equal(t, http.StatusOK, list().status)
	limited := list()
	assert.Equal(t, http.StatusTooManyRequests, limited.status)
	assert.Equal(t, "40", limited.header.Get("Retry-After"))
	assert.Equal(t, "the company has reached its limit of 2 requests per minute", limited.header.Get("X-Sandbox-Refusal"))
	assert.False(t, srv.Requests()[2].Processed)
	assert.Equal(t, "limit of requests", srv.Requests()[2].Fault)
	srv.Advance(40 * time.Second)
	assert.Equal(t, http.StatusOK, list().status)
	assert.Equal(t, http.StatusTooManyRequests, list().status)
}
