package identomat_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// returnRequest returns the request that a customer's browser sends to the return URL. The body is a form.
func returnRequest(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func TestSessionTokenFromReturn(t *testing.T) {
	want := string(token)
	for name, r := range map[string]*http.Request{
		"redirect":                  returnRequest("GET", "/kyc/return?session_token="+want, ""),
		"return_url with a query":   returnRequest("GET", "/kyc/return?user=1&session_token="+want, ""),
		"form from embedded widget": returnRequest("POST", "/kyc/done", "session_token="+want+"&csrf=x"),
		"form and another query":    returnRequest("POST", "/kyc/done?session_token=other", "session_token="+want),
		"escaped token":             returnRequest("GET", "/kyc/return?session_token=%34"+want[1:], ""),
		"escaped name":              returnRequest("GET", "/kyc/return?session%5ftoken="+want, ""),
		"malformed value before":    returnRequest("GET", "/kyc/return?utm=50%off&session_token="+want, ""),
		"malformed value after":     returnRequest("GET", "/kyc/return?session_token="+want+"&utm=50%off", ""),
		"malformed name":            returnRequest("GET", "/kyc/return?50%off&session_token="+want, ""),
		"semicolon":                 returnRequest("GET", "/kyc/return?a=1;b=2&session_token="+want, ""),
		"no names":                  returnRequest("GET", "/kyc/return?&&=&session_token="+want, ""),
		"form and malformed query":  returnRequest("POST", "/kyc/done?utm=50%off", "session_token="+want),
		"malformed field":           returnRequest("POST", "/kyc/done", "utm=50%off&session_token="+want),
	} {
		got, err := identomat.SessionTokenFromReturn(r)
		require.NoError(t, err, name)
		assert.Equal(t, want, string(got), name)
	}
	// This token is the example in the Developer guide.
	got, err := identomat.SessionTokenFromReturn(returnRequest("GET", "/kyc/return?session_token=abc123xyz", ""))
	require.NoError(t, err)
	assert.Equal(t, "abc123xyz", string(got))
}

func TestSessionTokenFromReturnErrors(t *testing.T) {
	good := string(token)
	for want, requests := range map[string][]*http.Request{
		"is missing": {
			returnRequest("GET", "/kyc/return", ""), returnRequest("GET", "/kyc/return?token="+good, ""), returnRequest("POST", "/kyc/done", "csrf=x"),
			returnRequest("POST", "/kyc/done?session_token="+good, ""), returnRequest("GET", "/kyc/return?Session_Token="+good, ""),
			returnRequest("GET", "/kyc/return?x=1;session_token="+good, ""),
		},
		"is duplicated": {
			returnRequest("GET", "/kyc/return?session_token="+good+"&session_token="+good, ""),
			returnRequest("GET", "/kyc/return?session_token="+good+"&session_token=%zz", ""),
			returnRequest("GET", "/kyc/return?session_token="+good+"&session_token=a;b", ""),
		},
		"is not a token": {
			returnRequest("GET", "/kyc/return?session_token=", ""), returnRequest("GET", "/kyc/return?session_token=SESSION_NOT_FOUND", ""),
			returnRequest("GET", "/kyc/return?session_token=ERROR_1001", ""), returnRequest("GET", "/kyc/return?session_token=error-500", ""),
			returnRequest("GET", "/kyc/return?session_token=%3Cscript%3Ealert(1)%3C/script%3E", ""),
			returnRequest("GET", "/kyc/return?session_token=..%2F..%2Fetc%2Fpasswd0000", ""),
			returnRequest("GET", "/kyc/return?session_token="+good+"%0d%0aSet-Cookie:x", ""),
			returnRequest("GET", "/kyc/return?session_token="+strings.Repeat("a1", 200), ""),
			returnRequest("GET", "/kyc/return?session_token=%zz", ""), returnRequest("GET", "/kyc/return?session_token="+good+"%f", ""),
			returnRequest("GET", "/kyc/return?session_token="+good+";x=1", ""),
		},
		"are malformed or too large": {
			returnRequest("POST", "/kyc/done", "session_token=%zz"), returnRequest("POST", "/kyc/done", strings.Repeat("a=b&", 4<<20)),
		},
		"neither GET nor POST": {returnRequest("PUT", "/kyc/return?session_token="+good, ""), returnRequest("DELETE", "/?session_token="+good, "")},
	} {
		for _, r := range requests {
			got, err := identomat.SessionTokenFromReturn(r)
			if assert.Error(t, err, want) {
				assert.Contains(t, err.Error(), want)
				assert.NotContains(t, err.Error(), good)
				assert.NotContains(t, err.Error(), "script")
			}
			assert.Empty(t, string(got))
		}
	}
}
