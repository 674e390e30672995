package identomat_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// freezeParams has the parameters of an endpoint that the SDK does not know.
type freezeParams struct {
	Token  identomat.Token `json:"token"`
	Reason string          `json:"reason,omitzero"`
	Days   int             `json:"days,omitzero"`
	From   time.Time       `json:"from,omitzero"`
	Groups []string        `json:"groups,omitzero"`
	Notify struct {
		SMS bool `json:"sms"`
	} `json:"notify"`
	Comment *string `json:"comment,omitempty"`
	Nothing *int    `json:"nothing"`
	Local   string  `json:"-"`
}

func TestCallRequest(t *testing.T) {
	const widget, api = "https://widget.identomat.com/external-api/", "https://external-api.identomat.com/"
	comment := "ფრთხილად"
	params := freezeParams{
		Token: token, Days: 30, From: time.Date(2024, time.June, 20, 11, 33, 0, 0, time.FixedZone("+04", 4*60*60)),
		Groups: []string{}, Comment: &comment, Local: "not sent",
	}
	params.Notify.SMS = true
	const encoded = `,"token":"` + string(token) + `","days":30,"from":"2024-06-20T11:33:00+04:00","groups":[],` +
		`"notify":{"sms":true},"comment":"ფრთხილად","nothing":null}`
	for name, c := range map[string]struct {
		endpoint identomat.Endpoint
		params   any
		url      string
		body     string
	}{
		"API host, no parameters":      {identomat.Endpoint{Name: "list-labels"}, nil, api + "list-labels", `{"companyKey":"` + companyKey + `"}`},
		"widget host, no parameters":   {identomat.Endpoint{Name: "freeze/", Host: identomat.WidgetHost}, nil, widget + "freeze/", `{"company_key":"` + companyKey + `"}`},
		"path with several elements":   {identomat.Endpoint{Name: "v2/labels/list-3/", Host: identomat.WidgetHost}, nil, widget + "v2/labels/list-3/", `{"company_key":"` + companyKey + `"}`},
		"API host, map":                {identomat.Endpoint{Name: "freeze"}, map[string]any{"b": 1.5, "a": []string{"x"}, "c": nil}, api + "freeze", `{"companyKey":"` + companyKey + `","a":["x"],"b":1.5,"c":null}`},
		"widget host, map":             {identomat.Endpoint{Name: "freeze/", Host: identomat.WidgetHost}, map[string]any{"a": true}, widget + "freeze/", `{"company_key":"` + companyKey + `","a":true}`},
		"empty map":                    {identomat.Endpoint{Name: "freeze"}, map[string]any{}, api + "freeze", `{"companyKey":"` + companyKey + `"}`},
		"key name of the other host":   {identomat.Endpoint{Name: "freeze"}, map[string]any{"company_key": "x"}, api + "freeze", `{"companyKey":"` + companyKey + `","company_key":"x"}`},
		"API host, struct":             {identomat.Endpoint{Name: "freeze"}, params, api + "freeze", `{"companyKey":"` + companyKey + `"` + encoded},
		"widget host, struct":          {identomat.Endpoint{Name: "freeze/", Host: identomat.WidgetHost}, params, widget + "freeze/", `{"company_key":"` + companyKey + `"` + encoded},
		"pointer to a struct":          {identomat.Endpoint{Name: "freeze"}, &params, api + "freeze", `{"companyKey":"` + companyKey + `"` + encoded},
		"struct with zero values":      {identomat.Endpoint{Name: "freeze"}, freezeParams{}, api + "freeze", `{"companyKey":"` + companyKey + `","token":"","notify":{"sms":false},"nothing":null}`},
		"flags and steps of a session": {identomat.Endpoint{Name: "freeze"}, map[string]any{"flags": identomat.NewFlags().SkipFace(true), "steps": identomat.Steps{identomat.Liveness()}}, api + "freeze", `{"companyKey":"` + companyKey + `","flags":{"skip_face":true},"steps":[{"type":"liveness","key":"liveness"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]identomat.Option{nil, {identomat.WithHMAC(secretKey)}} {
				sent := 0
				_, err := stubbed(t, func(r *http.Request) (*http.Response, error) {
					sent++
					data, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					assert.Equal(t, http.MethodPost, r.Method)
					assert.Equal(t, c.url, r.URL.String())
					assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
					assert.Equal(t, c.body, string(data))
					if opts != nil {
						assert.Equal(t, sign(secretKey, c.body), r.Header.Get("Authorization"))
					}
					return newResponse(200, `{"result":true}`), nil
				}, opts...).Call(t.Context(), c.endpoint, c.params)
				require.NoError(t, err)
				assert.Equal(t, 1, sent)
			}
		})
	}
}

func TestCallResponse(t *testing.T) {
	for _, c := range []struct{ response, onAPI, onWidget string }{
		{`{"result":{"id":"l1"}}`, `{"id":"l1"}`, `{"result":{"id":"l1"}}`},
		{`{"result":[1,2],"argumentError":null}`, `[1,2]`, `{"result":[1,2],"argumentError":null}`},
		{`{"result":"frozen"}`, `"frozen"`, `{"result":"frozen"}`},
		{`{"result":null}`, `null`, `{"result":null}`},
		{` {"res\u0075lt" : 1.50 } `, `1.50`, `{"res\u0075lt" : 1.50 }`},
		{`{"labels":[]}`, `{"labels":[]}`, `{"labels":[]}`},
		{`{"x":{"result":1}}`, `{"x":{"result":1}}`, `{"x":{"result":1}}`},
		{`{}`, `{}`, `{}`},
		{`[{"id":1}]`, `[{"id":1}]`, `[{"id":1}]`},
		{`true`, `true`, `true`},
		{`17`, `17`, `17`},
		{`"two words"`, `"two words"`, `"two words"`},
		{tokenResponse, tokenResponse, tokenResponse},
	} {
		for _, chunked := range []bool{false, true} {
			client := responding(t, 200, c.response, chunked)
			got, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze"}, nil)
			require.NoError(t, err, c.response)
			assert.Equal(t, c.onAPI, string(got))
			got, err = client.Call(t.Context(), identomat.Endpoint{Name: "freeze/", Host: identomat.WidgetHost}, nil)
			require.NoError(t, err, c.response)
			assert.Equal(t, c.onWidget, string(got))
		}
	}
}

func TestCallErrors(t *testing.T) {
	for _, c := range []struct {
		status         int
		body, code     string
		want           error // nil if the SDK does not know the code
		maybeProcessed bool
	}{
		{200, `{"argumentError":"wrong-parameters","errorSourceGroup":"server"}`, "wrong-parameters", identomat.ErrWrongParameters, false},
		{200, `"SESSION_NOT_FOUND"`, "SESSION_NOT_FOUND", identomat.ErrSessionNotFound, false},
		{200, `{"result":"SESSION_NOT_FOUND"}`, "SESSION_NOT_FOUND", identomat.ErrSessionNotFound, false},
		{200, `{"result":1,"argumentError":"access-denied"}`, "access-denied", identomat.ErrInvalidKey, false},
		{200, `{"internalError":"x"}`, "", identomat.ErrInternal, true},
		{200, `{"argumentError":"already-frozen"}`, "already-frozen", nil, true},
		{200, `"ALREADY_FROZEN"`, "ALREADY_FROZEN", nil, true},
		{200, ``, "", identomat.ErrUnexpectedResponse, true},
		{200, `<html>Sign in</html>`, "", identomat.ErrUnexpectedResponse, true},
		{200, `{"result":1`, "", identomat.ErrUnexpectedResponse, true},
		{200, `{"result":1,"result":2}`, "", identomat.ErrUnexpectedResponse, true},
		{200, `{"Result":1}`, "", identomat.ErrUnexpectedResponse, true},
		{500, `{"result":1}`, "", identomat.ErrUnexpectedResponse, true},
		{404, `"two words"`, "", identomat.ErrUnexpectedResponse, true},
		{400, `{"argumentError":"wrong-parameters"}`, "wrong-parameters", identomat.ErrWrongParameters, false},
		{429, ``, "", identomat.ErrRateLimited, false},
	} {
		for _, endpoint := range []identomat.Endpoint{{Name: "freeze"}, {Name: "freeze/", Host: identomat.WidgetHost}} {
			client, mock := mocked(t)
			url := apiURL + endpoint.Name
			if endpoint.Host == identomat.WidgetHost {
				url = "https://widget.identomat.com/external-api/" + endpoint.Name
			}
			answers(mock, url, c.status, "application/json", c.body)
			got, err := client.Call(t.Context(), endpoint, nil)
			assert.Empty(t, got)
			var api *identomat.APIError
			require.ErrorAs(t, err, &api, "%d %s", c.status, c.body)
			if c.want != nil {
				require.ErrorIs(t, err, c.want, "%d %s", c.status, c.body)
			} else {
				require.NotErrorIs(t, err, identomat.ErrUnexpectedResponse)
			}
			assert.Equal(t, []any{endpoint.Name, c.status, c.code, 1, c.maybeProcessed},
				[]any{api.Operation, api.StatusCode, api.Code, api.Attempts, api.MaybeProcessed}, "%d %s", c.status, c.body)
		}
	}
}

func TestCallIsRetriedOnlyIfRetryable(t *testing.T) {
	const always = 3
	for name, c := range map[string]struct {
		fail                    roundTrip
		retryable, notRetryable int // attempts
		maybeProcessed          bool
	}{
		"lost response": {lostResponse, always, 1, true},
		"HTTP 503":      {func(*http.Request) (*http.Response, error) { return newResponse(503, ""), nil }, always, 1, true},
		"HTTP 501":      {func(*http.Request) (*http.Response, error) { return newResponse(501, ""), nil }, 1, 1, true},
		"HTTP 429":      {func(*http.Request) (*http.Response, error) { return newResponse(429, ""), nil }, always, always, false},
		"no connection": {func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}, always, always, false},
		"refusal": {func(*http.Request) (*http.Response, error) { return newResponse(200, `"COMPANY_KEY_INVALID"`), nil }, 1, 1, false},
	} {
		for _, retryable := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				client := stubbed(t, func(r *http.Request) (*http.Response, error) { sent++; return c.fail(r) }, quick)
				_, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze", Retryable: retryable}, map[string]any{"a": 1})
				require.Error(t, err, name)
				want := c.notRetryable
				if retryable {
					want = c.retryable
				}
				assert.Equal(t, want, sent, "%s, retryable %t", name, retryable)
				assert.Equal(t, c.maybeProcessed, identomat.MaybeProcessed(err), name)
			})
		}
	}
	// A retry sends the same request.
	var bodies []string
	got, err := stubbed(t, func(r *http.Request) (*http.Response, error) {
		data, err := io.ReadAll(r.Body)
		if bodies = append(bodies, string(data)); err == nil && len(bodies) < 3 {
			err = io.ErrUnexpectedEOF
		}
		return newResponse(200, `{"result":"done"}`), err
	}, quick).Call(t.Context(), identomat.Endpoint{Name: "freeze", Retryable: true}, map[string]any{"a": 1})
	require.NoError(t, err)
	assert.Equal(t, `"done"`, string(got))
	request := `{"companyKey":"` + companyKey + `","a":1}`
	assert.Equal(t, []string{request, request, request}, bodies)
}

func TestCallRefusesMalformedName(t *testing.T) {
	for _, name := range []string{
		"", "/", "/freeze", "freeze//now", "freeze/ ", "Freeze", "freeze_now", "freeze?x=1", "freeze#x", "freeze%2e", "../freeze", ".", "a/../b",
		"https://attacker.example/", "@attacker.example", "freeze\r\nX: y", "გაყინვა", "freeze\\now", "a:b", "v2/freeze",
	} {
		for _, host := range []identomat.Host{identomat.APIHost, identomat.WidgetHost} {
			for _, opts := range [][]identomat.Option{nil, {identomat.WithoutValidation()}} {
				client, mock := mocked(t, opts...)
				_, err := client.Call(t.Context(), identomat.Endpoint{Name: name, Host: host}, nil)
				assertProblems(t, err, "Call", "Endpoint.Name")
				assert.Zero(t, mock.GetTotalCallCount())
			}
		}
	}
}

func TestCallRefusesParamsThatCannotBeSent(t *testing.T) {
	masked := privateUser()
	for name, c := range map[string]struct {
		host   identomat.Host
		params any
		want   []string
	}{
		"company key in a map":      {identomat.APIHost, map[string]any{"companyKey": "other", "a": 1}, []string{"params.companyKey"}},
		"company key of the widget": {identomat.WidgetHost, map[string]any{"company_key": "other"}, []string{"params.company_key"}},
		"company key in a struct": {identomat.APIHost, struct {
			Key string `json:"companyKey"`
		}{"other"}, []string{"params.companyKey"}},
		"not an object":      {identomat.APIHost, []string{"other"}, []string{"params"}},
		"nil pointer":        {identomat.APIHost, (*freezeParams)(nil), []string{"params"}},
		"no JSON form":       {identomat.WidgetHost, map[string]any{"b": make(chan int), "c": 1}, []string{"params"}},
		"masked type":        {identomat.APIHost, map[string]any{"user": masked}, []string{"params"}},
		"invalid UTF-8":      {identomat.APIHost, map[string]any{"user": "other\xe9"}, []string{"params"}},
		"masked type itself": {identomat.APIHost, masked, []string{"params"}},
	} {
		for _, opts := range [][]identomat.Option{nil, {identomat.WithoutValidation()}} {
			client, mock := mocked(t, opts...)
			endpoint := map[identomat.Host]string{identomat.APIHost: "freeze", identomat.WidgetHost: "freeze/"}[c.host]
			_, err := client.Call(t.Context(), identomat.Endpoint{Name: endpoint, Host: c.host}, c.params)
			require.Error(t, err, name)
			assertProblems(t, err, endpoint, c.want...)
			assert.NotContains(t, err.Error(), "other")
			assert.Zero(t, mock.GetTotalCallCount())
		}
	}
}

func TestCallIsBoundedSignedAndObserved(t *testing.T) {
	respond := func(text string, header ...string) roundTrip {
		return func(*http.Request) (*http.Response, error) { return newResponse(200, text, header...), nil }
	}
	freeze := identomat.Endpoint{Name: "freeze"}
	_, err := stubbed(t, respond(`{"result":true}`), identomat.WithMaxResponseSize(10)).Call(t.Context(), freeze, nil)
	require.ErrorIs(t, err, identomat.ErrTooLarge)
	_, err = stubbed(t, respond(`{"result":true}`), signing()...).Call(t.Context(), freeze, nil)
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	got, err := stubbed(t, respond(`{"result":true}`, "Authorization", sign(secretKey, `{"result":true}`)), signing()...).Call(t.Context(), freeze, nil)
	require.NoError(t, err)
	assert.Equal(t, "true", string(got))

	var events []identomat.Event
	_, err = stubbed(t, respond(`{"result":true}`), identomat.WithObserver(func(e identomat.Event) { events = append(events, e) })).
		Call(t.Context(), freeze, nil)
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, []any{"freeze", "external-api.identomat.com", 1, 200}, []any{events[0].Operation, events[0].Host, events[0].Attempt, events[0].StatusCode})

	// An error must not show a parameter.
	for _, fault := range []roundTrip{
		func(r *http.Request) (*http.Response, error) {
			data, _ := io.ReadAll(r.Body)
			return nil, &dumpError{"request", string(data)}
		},
		func(r *http.Request) (*http.Response, error) {
			data, _ := io.ReadAll(r.Body)
			return newResponse(500, string(data)), nil
		},
		respond(`{"argumentError":"Rustaveli"}`), respond(`{"errorSourceGroup":"F00-AB-77","argumentError":"x-y"}`),
	} {
		_, err = stubbed(t, fault, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1})).Call(t.Context(), freeze, map[string]any{
			"name": "Wilhelmina Featherstone", "address": map[string]any{"street": []string{"Rustaveli"}}, "document": "F00-AB-77",
		})
		require.Error(t, err)
		assertSecret(t, printings(t, err), "the error of a call")
	}
}

func TestCallSendsEachParameterOnce(t *testing.T) {
	client, mock := mocked(t)
	var sent string
	mock.RegisterResponder("POST", apiURL+"freeze", func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent = string(body)
		return newResponse(200, `{"result":true}`), err
	})
	_, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze"}, json.RawMessage(`{"a":1,"\u0061":2,"b":3}`))
	require.NoError(t, err)
	assert.Equal(t, `{"companyKey":"`+companyKey+`","a":2,"b":3}`, sent)
}
