package identomattest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Deep nesting could exhaust the stack, and thousands of parameters could take too long.
func TestOversizedRequestsAreRefused(t *testing.T) {
	server, err := Start()
	require.NoError(t, err)
	defer server.Close()
	var names, parts strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&names, `"n%d":1,`, i)
		fmt.Fprintf(&parts, "--b\r\nContent-Disposition: form-data; name=\"n%d\"\r\n\r\n1\r\n", i)
	}
	for contentType, bodies := range map[string][]string{
		"application/json": {
			strings.Repeat("[", 4<<20), strings.Repeat(`{"a":`, 1<<20), `{` + names.String() + `"z":1}`,
			`{"company_key":"` + server.CompanyKey + `","flags":{"x":1e999}}`,
		},
		"multipart/form-data; boundary=b": {parts.String() + "--b--\r\n"},
	} {
		for _, body := range bodies {
			resp, err := http.Post(server.WidgetURL+"/external-api/begin/", contentType, strings.NewReader(body))
			require.NoError(t, err)
			data, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Contains(t, string(data), "argumentError")
		}
	}
	for _, request := range server.Requests() {
		assert.NotContains(t, fmt.Sprint(request), "unsupported value")
	}
	resp, err := http.Get(server.WidgetURL + "/_sandbox/requests")
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.NotEmpty(t, data, "a value that JSON cannot encode must not break the list of requests")
}

func TestMisspelledSecretsAreMasked(t *testing.T) {
	server, err := Start()
	require.NoError(t, err)
	defer server.Close()
	for _, name := range []string{"Password", "passwrd", "company-key", "companykey", "Secret_Key", "pass_word"} {
		resp, err := http.Post(server.APIURL+"/create-user", "application/json", strings.NewReader(`{"`+name+`":"Sup3rSecret!"}`))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	assert.NotContains(t, fmt.Sprintf("%v %+v", server.Requests(), server.Requests()), "Sup3rSecret!")
}

func TestRequestsKeepsLatest(t *testing.T) {
	srv := NewServer(t)
	for range maxRequests + 3 {
		srv.record(&Request{Operation: "result/"})
	}
	srv.record(&Request{Operation: "delete/"})
	requests := srv.Requests()
	assert.Len(t, requests, 10_000)
	assert.Equal(t, "delete/", requests[9_999].Operation)
	assert.Equal(t, 10_003, srv.Count("result/"), "the count includes forgotten requests")
	srv.ClearRequests()
	assert.Empty(t, srv.Requests())
	assert.Zero(t, srv.Count("result/"))
}
