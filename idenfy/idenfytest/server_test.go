package idenfytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/idenfy/idenfytest"
)

// post posts a body with the correct keys and returns the response's status and body.
func post(t testing.TB, s *idenfytest.Server, body string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", s.URL+"/api/v2/token", strings.NewReader(body))
	require.NoError(t, err)
	req.SetBasicAuth(idenfytest.DefaultAPIKey, idenfytest.DefaultAPISecret)
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// sample returns a sample from iDenfy's documentation.
func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("../testdata/" + name)
	require.NoError(t, err)
	return string(data)
}

func TestDocumentedRequests(t *testing.T) {
	s := idenfytest.NewServer(t)
	for _, name := range []string{"request-minimal.json", "request-name.json", "request-full.repaired.json"} {
		status, body := post(t, s, sample(t, name))
		require.Equal(t, 201, status, body)
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		assert.Len(t, got["authToken"], 40)
		assert.Len(t, got["scanRef"], 36)
	}
	status, body := post(t, s, sample(t, "request-full.txt"))
	assert.Equal(t, 400, status)
	assert.JSONEq(t, `{"identifier":"JSON_ERROR","message":"The body is not a JSON object."}`, body, "the sample has a trailing comma")
	assert.Len(t, s.Sessions(), 3)
	assert.Len(t, s.Requests(), 4)
}

func TestDocumentedResponses(t *testing.T) {
	s := idenfytest.NewServer(t)
	// decode removes the members that differ between responses.
	decode := func(resp string) map[string]any {
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(resp), &got))
		delete(got, "authToken")
		delete(got, "scanRef")
		return got
	}
	_, body := post(t, s, sample(t, "request-minimal.json"))
	want := decode(sample(t, "response-no-fields.json"))
	delete(want, "personScanRef") // undocumented
	want["digitString"] = nil     // documented in the parameter table; the example differs
	want["unverifiedUrl"], want["questionnaire"] = nil, nil
	assert.Equal(t, want, decode(body))

	_, body = post(t, s, sample(t, "request-full.repaired.json"))
	want = decode(sample(t, "response-all-fields.txt"))
	want["digitString"], want["riskAssessmentProfile"], want["questionnaire"] = nil, nil, "c8QgVx5xzspjVnQ4nJ7MCf"
	want["allowedDocuments"] = map[string]any{"ALL": []any{"ID_CARD", "PASSPORT", "RESIDENCE_PERMIT", "DRIVER_LICENSE"}}
	assert.Equal(t, want, decode(body))

	_, body = post(t, s, `{"clientId":"1","generateDigitString":true,"checkLiveness":false,"fraudServices":["LID"]}`)
	assert.Contains(t, body, `"digitString":"89567412"`)
	assert.Contains(t, body, `"generateDigitString":true`)
	assert.Contains(t, body, `"checkLiveness":false,"fraudServices":["LID"]`)
}

func TestInvalidParameters(t *testing.T) {
	s := idenfytest.NewServer(t)
	long := func(n int) string { return strings.Repeat("é", n) }
	for body, want := range map[string]string{
		`{}`: "MISSING_VALUE", `{"clientId":null}`: "MISSING_VALUE", `{"clientId":""}`: "BAD_VALUE", `{"clientId":7}`: "BAD_VALUE", `{"clientId":"é"}`: "BAD_VALUE",
		`{"clientId":"` + strings.Repeat("x", 101) + `"}`: "BAD_VALUE",
		`{"clientId":"1","client_id":"1"}`:                "BAD_VALUE", `{"clientId":"1","Locale":"en"}`: "BAD_VALUE", `{"clientId":"1","clientId":"1"}`: "JSON_ERROR",
		`{"clientId":"1"}{}`: "JSON_ERROR", `{"clientId":"1",}`: "JSON_ERROR", `[]`: "JSON_ERROR", ``: "JSON_ERROR", `null`: "JSON_ERROR", "{\"clientId\":\"\xff\"}": "ENCODING_ERROR",
		`{"clientId":"1","firstName":""}`: "BAD_VALUE", `{"clientId":"1","firstName":"J0hn"}`: "BAD_VALUE", `{"clientId":"1","lastName":"a@b"}`: "BAD_VALUE",
		`{"clientId":"1","firstName":null}`: "BAD_VALUE", `{"clientId":"1","lastName":"` + long(101) + `"}`: "BAD_VALUE", `{"clientId":"1","successUrl":"abcd"}`: "BAD_VALUE",
		`{"clientId":"1","errorUrl":"` + long(2049) + `"}`: "BAD_VALUE", `{"clientId":"1","expiryTime":0}`: "BAD_VALUE", `{"clientId":"1","expiryTime":2592001}`: "BAD_VALUE",
		`{"clientId":"1","expiryTime":"600"}`: "BAD_VALUE", `{"clientId":"1","expiryTime":1.5}`: "BAD_VALUE", `{"clientId":"1","sessionLength":59}`: "BAD_VALUE",
		`{"clientId":"1","sessionLength":3601}`: "BAD_VALUE", `{"clientId":"1","showInstructions":"true"}`: "BAD_VALUE", `{"clientId":"1","checkLiveness":null}`: "BAD_VALUE",
		`{"clientId":"1","checkLiveness":1}`: "BAD_VALUE", `{"clientId":"1","country":"LTU"}`: "BAD_VALUE", `{"clientId":"1","documents":"PASSPORT"}`: "BAD_VALUE",
		`{"clientId":"1","documents":["OTHER"]}`: "BAD_VALUE", `{"clientId":"1","documents":[null]}`: "BAD_VALUE", `{"clientId":"1","documents":[7]}`: "BAD_VALUE",
		`{"clientId":"1","dateOfBirth":"20.12.1990"}`: "BAD_VALUE", `{"clientId":"1","sex":"X"}`: "BAD_VALUE", `{"clientId":"1","tokenType":"X"}`: "BAD_VALUE",
		`{"clientId":"1","externalRef":"` + strings.Repeat("x", 41) + `"}`: "BAD_VALUE", `{"clientId":"1","address":"` + long(256) + `"}`: "BAD_VALUE",
		`{"clientId":"1","personalNumber":""}`: "BAD_VALUE", `{"clientId":"1","callbackUrl":"http://a.example"}`: "BAD_VALUE", `{"clientId":"1","additionalSteps":[]}`: "BAD_VALUE",
		`{"clientId":"1","additionalSteps":"{}"}`: "BAD_VALUE", `{"clientId":"1","levenshteinTextMatchRatio":"0.8"}`: "BAD_VALUE", `{"clientId":"1","detectionTypes":["NOSE"]}`: "BAD_VALUE",
		`{"clientId":"1","utilityBill":true,"additionalSteps":{}}`: "VALIDATION_ERROR", `{"clientId":"1","additionalData":{}}`: "VALIDATION_ERROR",
		`{"clientId":"1","generateDigitString":true,"expiryTime":86401}`: "PARTNER_CONTRACT_ERROR",
	} {
		status, resp := post(t, s, body)
		assert.Equal(t, 400, status, body)
		assert.Contains(t, resp, `"identifier":"`+want+`"`, body)
	}
	assert.Empty(t, s.Sessions())
	ascii := func(n int) string { return strings.Repeat("x", n) }
	for _, body := range []string{
		`{"clientId":"1","utilityBill":true}`, `{"clientId":"1","utilityBill":true,"additionalSteps":null,"additionalData":null}`, `{"clientId":"1","documents":[],"country":"LT"}`,
		`{"clientId":"` + ascii(100) + `","firstName":"` + long(100) + `","lastName":"X","successUrl":"` + long(2048) + `","errorUrl":"a:b/c","sessionLength":3600,"expiryTime":2592000,
			"personalNumber":"` + ascii(50) + `","documentNumber":"1","externalRef":"` + ascii(40) + `"}`,
		`{"clientId":"1","locale":"xx","sessionLength":60,"expiryTime":1}`, `{"clientId":"1","address":"` + long(255) + `","additionalSteps":{"A":[]},"additionalData":{},"utilityBill":false}`} {
		status, resp := post(t, s, body)
		assert.Equal(t, 201, status, resp)
	}
	open := idenfytest.NewServer(t, idenfytest.AllowUnknown())
	status, resp := post(t, open, `{"clientId":"1","dummyStatus":"APPROVED","documents":["OTHER","null"],"authToken":"mine"}`)
	assert.Equal(t, 201, status)
	assert.Contains(t, resp, `"dummyStatus":"APPROVED"`)
	assert.Equal(t, 1, strings.Count(resp, "authToken"))
}

func TestMaxDigitStringExpiry(t *testing.T) {
	s := idenfytest.NewServer(t, idenfytest.WithMaxDigitStringExpiry(172800))
	status, resp := post(t, s, `{"clientId":"1","generateDigitString":true,"expiryTime":172800}`)
	assert.Equal(t, 201, status, resp)
	status, resp = post(t, s, `{"clientId":"1","generateDigitString":true,"expiryTime":172801}`)
	assert.Equal(t, 400, status)
	assert.Contains(t, resp, `"identifier":"PARTNER_CONTRACT_ERROR"`)
	status, resp = post(t, idenfytest.NewServer(t), `{"clientId":"1","generateDigitString":true,"expiryTime":86400}`)
	assert.Equal(t, 201, status, resp)
}

func TestCallbackURLScheme(t *testing.T) {
	s := idenfytest.NewServer(t)
	for url, want := range map[string]int{"HTTPS://a.example": 201, "https://a": 201, "https://": 400, "HTTP://a.example": 400, "httpss://a.example": 400} {
		status, resp := post(t, s, `{"clientId":"1","callbackUrl":"`+url+`"}`)
		assert.Equal(t, want, status, "%s %s", url, resp)
	}
}

func TestKeysMethodAndEncoding(t *testing.T) {
	s := idenfytest.NewServer(t)
	for name, change := range map[string]func(*http.Request){
		"no keys":    func(r *http.Request) { r.Header.Del("Authorization") },
		"key":        func(r *http.Request) { r.SetBasicAuth("x", idenfytest.DefaultAPISecret) },
		"secret":     func(r *http.Request) { r.SetBasicAuth(idenfytest.DefaultAPIKey, "x") },
		"the scheme": func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
	} {
		status, resp := post(t, s, `{"clientId":"1"}`, change)
		assert.Equal(t, 401, status, name)
		assert.JSONEq(t, `{"message":"Invalid authorization credentials"}`, resp, name)
	}
	status, resp := post(t, s, `{"clientId":"1"}`, func(r *http.Request) { r.Method = "PUT" })
	assert.Equal(t, 405, status)
	assert.Contains(t, resp, "METHOD_NOT_ALLOWED")
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
		status, resp = post(t, s, `{"clientId":"1"}`, func(r *http.Request) { r.Header.Set("Content-Type", contentType) })
		assert.Equal(t, 400, status)
		assert.Contains(t, resp, "JSON_ERROR")
	}
	status, _ = post(t, s, `{"clientId":"1"}`, func(r *http.Request) { r.URL.RawQuery = "a=b" })
	assert.Equal(t, 400, status)
	assert.Empty(t, s.Sessions())
	var authorized []bool
	for _, r := range s.Requests() {
		authorized = append(authorized, r.Authorized)
	}
	assert.Equal(t, []bool{false, false, false, false, true, true, true, true, true}, authorized)
}

func TestClientSendsAllParameters(t *testing.T) {
	s := idenfytest.NewServer(t)
	session, err := s.Client().CreateSession(t.Context(), idenfy.SessionRequest{
		ClientID: "c-1", FirstName: "Ana María", LastName: "O'Neill", SuccessURL: "https://a.example/s", ErrorURL: "https://a.example/e", UnverifiedURL: "https://a.example/u",
		Locale: idenfy.Thai, ShowInstructions: new(false), ExpiryTime: new(86400), SessionLength: new(61), Country: "LT", Documents: []idenfy.DocumentType{idenfy.DiplomaticID},
		DateOfBirth: "1990-12-20", DateOfExpiry: "1990-12-20", DateOfIssue: "1990-12-20", Nationality: "ge", PersonalNumber: "1", DocumentNumber: "2", Sex: idenfy.Female,
		GenerateDigitString: new(true), Address: "x", TokenType: idenfy.TokenVideoCall, ExternalRef: "r", UtilityBill: new(false), AdditionalSteps: json.RawMessage(`{"a":1}`),
		AdditionalData: json.RawMessage(`{"b":2}`), CallbackURL: "https://a.example", Questionnaire: "q", RiskAssessmentProfile: "p", CheckLiveness: new(true),
		ReviewSuccessful: new(true), ReviewFailed: new(true), DriverLicenseBack: new(true), AutoAMLMonitoring: new(true), FraudServices: []idenfy.FraudService{idenfy.LID},
		CheckIPProxy: new(true), CheckFaceBlacklist: new(true), CheckDocFaceBlacklist: new(true), CheckDuplicateFaces: new(true), CheckDuplicateDocFaces: new(true),
		NFCRequired: new(true), LevenshteinTextMatchRatio: new(0.5), LevenshteinMRZMatchRatio: new(0.25), DetectionTypes: []idenfy.DetectionType{idenfy.DetectEyes},
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"ANA MARÍA", "O'NEILL", "89567412", "r"}, []string{session.FirstName, session.LastName, session.DigitString, session.ExternalRef})
	assert.Equal(t, new(0.25), session.LevenshteinMRZMatchRatio)
	assert.Equal(t, []idenfytest.Session{{
		AuthToken: string(session.AuthToken), ScanRef: session.ScanRef, ClientID: "c-1", ExternalRef: "r", CallbackURL: "https://a.example",
	}}, s.Sessions())
	var keys map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(s.Requests()[0].Body, &keys))
	assert.Len(t, keys, 44)
}

func create(s *idenfytest.Server, opts ...idenfy.Option) error {
	quick := identomat.WithRetry(identomat.RetryPolicy{BaseDelay: 1})
	client := s.Client(append([]idenfy.Option{quick}, opts...)...)
	defer client.CloseIdleConnections()
	_, err := client.CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "1"})
	return err
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault             idenfytest.Fault
		is                error // nil means a TransportError
		requests, created int
		maybeProcessed    bool
	}{
		{idenfytest.ResetBeforeRead(), nil, 1, 0, true},
		{idenfytest.ResetAfterRead(), nil, 1, 1, true},
		{idenfytest.Truncated(20), nil, 1, 1, true},
		{idenfytest.Truncated(0), nil, 1, 1, true},
		{idenfytest.Truncated(100_000), nil, 1, 1, true},
		{idenfytest.HTTPStatus(500), identomat.ErrUnexpectedResponse, 1, 0, true},
		{idenfytest.HTTPStatus(503).AfterProcessing(), identomat.ErrUnexpectedResponse, 1, 1, true},
		{idenfytest.HTMLPage(200), identomat.ErrUnexpectedResponse, 1, 0, true},
		{idenfytest.HTMLPage(502).AfterProcessing(), identomat.ErrUnexpectedResponse, 1, 1, true},
		{idenfytest.Response(200, "application/json", ""), identomat.ErrUnexpectedResponse, 1, 0, true},
		{idenfytest.Response(200, "", "{}"), identomat.ErrUnexpectedResponse, 1, 0, true},
		{idenfytest.Redirect(307, "/api/v2/token"), identomat.ErrUnexpectedResponse, 1, 0, true},
		{idenfytest.OutOfCredits(), idenfy.ErrOutOfCredits, 1, 0, false},
		{idenfytest.APIError(402, "", "Action not allowed due to lack of funds or exceeded limit."), idenfy.ErrOutOfCredits, 1, 0, false},
		{idenfytest.APIError(403, "", "Partner inactive"), idenfy.ErrForbidden, 1, 0, false},
		{idenfytest.APIError(400, "INTERNAL_ERROR", "x"), identomat.ErrInternal, 1, 0, true},
		{idenfytest.TooManyRequests(0), identomat.ErrRateLimited, 3, 0, false},
		{idenfytest.TooManyRequests(time.Hour), identomat.ErrRateLimited, 1, 0, false},
	} {
		s := idenfytest.NewServer(t)
		s.Fault(c.fault, 0)
		err := create(s)
		var transportErr *identomat.TransportError
		var api *idenfy.APIError
		if c.is == nil {
			require.ErrorAs(t, err, &transportErr, c.fault)
			assert.Equal(t, c.maybeProcessed, transportErr.MaybeProcessed, c.fault)
		} else {
			require.ErrorIs(t, err, c.is, c.fault)
			require.ErrorAs(t, err, &api)
			assert.Equal(t, c.maybeProcessed, api.MaybeProcessed, c.fault)
		}
		assert.Len(t, s.Requests(), c.requests, c.fault)
		assert.Len(t, s.Sessions(), c.created, c.fault)
		s.ClearFaults()
		require.NoError(t, create(s), "no fault is left")
	}
}

func TestFaultOrderAndCount(t *testing.T) {
	s := idenfytest.NewServer(t)
	s.Fault(idenfytest.TooManyRequests(0), 2)
	s.Fault(idenfytest.HTTPStatus(500), 1)
	require.ErrorIs(t, create(s), identomat.ErrUnexpectedResponse)
	require.NoError(t, create(s))
	var statuses []int
	for _, r := range s.Requests() {
		statuses = append(statuses, r.Status)
	}
	assert.Equal(t, []int{429, 429, 500, 201}, statuses)
}

func TestSlowHeaders(t *testing.T) {
	s := idenfytest.NewServer(t)
	s.Fault(idenfytest.SlowHeaders(0), 1)
	done := make(chan error)
	go func() { done <- create(s) }()
	for len(s.Requests()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("the response was not held back: %v", err)
		default:
		}
	}
	s.Release()
	require.NoError(t, <-done)
	s.Fault(idenfytest.SlowHeaders(time.Millisecond), 1)
	require.NoError(t, create(s))
	s.Fault(idenfytest.SlowHeaders(0), 1)
	var transportErr *identomat.TransportError
	require.ErrorAs(t, create(s, identomat.WithAttemptTimeout(2*time.Second)), &transportErr)
	assert.True(t, transportErr.Timeout())
	assert.Len(t, s.Sessions(), 3, "the session was created")
	s.Fault(idenfytest.SlowHeaders(0), 1)
	go func() { done <- create(s) }()
	for len(s.Requests()) < 4 {
		runtime.Gosched()
	}
	s.Close()
	s.Close()
	require.Error(t, <-done)
}

func TestWithCredits(t *testing.T) {
	s := idenfytest.NewServer(t, idenfytest.WithCredits(2))
	require.NoError(t, create(s))
	require.NoError(t, create(s))
	require.ErrorIs(t, create(s), idenfy.ErrOutOfCredits)
	assert.Len(t, s.Requests(), 3)
}

func TestRedirectPage(t *testing.T) {
	s := idenfytest.NewServer(t)
	session, err := s.Client().CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "1"})
	require.NoError(t, err)
	for address, want := range map[string]int{session.RedirectURL(): 200, s.URL + "/api/v2/redirect?authToken=x": 404, s.URL + "/api/v2/redirect": 404, s.URL + "/": 404} {
		resp, err := http.Get(address)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode)
		assert.Equal(t, want == 200, strings.Contains(string(body), session.ScanRef))
	}
}

func TestWebhooks(t *testing.T) {
	s := idenfytest.NewServer(t, idenfytest.WithSigningKey("another-signing-key"))
	session, err := s.Client().CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "user-1", ExternalRef: `r"1`})
	require.NoError(t, err)
	var got *idenfy.Webhook
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if got, err = idenfy.ParseWebhook(r, []string{s.SigningKey}); err != nil {
			w.WriteHeader(403)
		}
	}))
	defer site.Close()
	for _, c := range []struct {
		webhook  idenfytest.Webhook
		overall  idenfy.Overall
		approved bool
	}{
		{idenfytest.Approved(session.ScanRef), "APPROVED", true},
		{idenfytest.Approved(session.ScanRef).Automatic(), "APPROVED", false},
		{idenfytest.Denied(session.ScanRef), "DENIED", false},
		{idenfytest.Suspected(session.ScanRef, "NAME", "DATE_OF_BIRTH"), "SUSPECTED", false},
		{idenfytest.Webhook{ScanRef: session.ScanRef, Overall: "REVIEWING"}, "REVIEWING", false},
		{idenfytest.Expired(session.ScanRef), "EXPIRED", false},
	} {
		status, err := s.SendWebhook(t.Context(), site.URL, c.webhook)
		require.NoError(t, err)
		require.Equal(t, 200, status)
		assert.Equal(t, c.overall, got.Status.Overall)
		assert.Equal(t, c.approved, got.Approved())
		assert.Equal(t, []string{session.ScanRef, "user-1", `r"1`}, []string{got.ScanRef, got.ClientID, got.ExternalRef})
		assert.Equal(t, time.Minute, got.FinishTime.Sub(got.StartTime))
	}
	assert.True(t, got.Ended(), "the session expired")
	assert.NotContains(t, string(got.Raw()), `"final"`)
	assert.Equal(t, "IDENTIFICATION_EXPIRED", got.EventType)
	_, err = s.SendWebhook(t.Context(), site.URL, idenfytest.Suspected(session.ScanRef, "NAME"))
	require.NoError(t, err)
	assert.Equal(t, []string{"NAME"}, got.Status.MismatchTags)
	body, err := s.WebhookBody(idenfytest.Approved(session.ScanRef))
	require.NoError(t, err)
	for signature, want := range map[string]int{"": 403, "x": 403, idenfytest.Sign("not the key", body): 403, idenfytest.Sign(s.SigningKey, body): 200} {
		status, err := s.SendRawWebhook(t.Context(), site.URL, body, signature)
		require.NoError(t, err)
		assert.Equal(t, want, status)
	}
	_, err = s.SendWebhook(t.Context(), site.URL, idenfytest.Approved("unknown"))
	require.Error(t, err)
	_, err = s.SendRawWebhook(t.Context(), "http://127.0.0.1:1", body, "")
	require.Error(t, err)
	_, err = s.SendRawWebhook(t.Context(), "://", body, "")
	var bad *url.Error
	require.ErrorAs(t, err, &bad)
}

func TestWithKeys(t *testing.T) {
	s := idenfytest.NewServer(t, idenfytest.WithKeys("key", "secret"))
	require.NoError(t, create(s))
	status, _ := post(t, s, `{"clientId":"1"}`)
	assert.Equal(t, 401, status)
	assert.Equal(t, []string{"key", "secret"}, []string{s.APIKey, s.APISecret})
	standalone, err := idenfytest.Start()
	require.NoError(t, err)
	defer standalone.Close()
	assert.Panics(t, func() { standalone.Client(nil) })
}

func ExampleServer_Fault() {
	server, err := idenfytest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	server.Fault(idenfytest.ResetAfterRead(), 1) // the session is created, but the response is lost
	_, err = server.Client().CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "user-12345"})
	var transportErr *identomat.TransportError
	fmt.Println(errors.As(err, &transportErr) && transportErr.MaybeProcessed, len(server.Sessions()), len(server.Requests()))
	// Output: true 1 1
}

// FuzzToken checks that the fake handles any body, and that it creates a session only if the body has
// a clientId.
func FuzzToken(f *testing.F) {
	for _, name := range []string{"request-minimal.json", "request-full.txt", "request-full.repaired.json"} {
		f.Add(sample(f, name))
	}
	f.Add(`{"clientId":"1","documents":[null],"additionalSteps":{"a":[1e400]}}`)
	s, err := idenfytest.Start(idenfytest.AllowUnknown())
	require.NoError(f, err)
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, body string) {
		status, resp := post(t, s, body)
		var got map[string]json.RawMessage // RawMessage because a number can be out of range
		if status != 201 && status != 400 || json.Unmarshal([]byte(resp), &got) != nil {
			t.Fatalf("%d %s", status, resp)
		}
		if id := string(got["clientId"]); status == 201 && (len(id) < 3 || id[0] != '"' || !strings.Contains(resp, `"authToken":"`)) {
			t.Fatal("the fake created a session without a clientId")
		}
	})
}
