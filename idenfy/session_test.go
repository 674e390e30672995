package idenfy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

const (
	apiKey    = "unit-test-api-key"
	apiSecret = "unit-test-api-secret-äé"
)

// roundTrip is a RoundTripper that needs no network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func stubbed(t testing.TB, f roundTrip, opts ...idenfy.Option) *idenfy.Client {
	t.Helper()
	client, err := idenfy.NewClient(apiKey, apiSecret, append([]idenfy.Option{identomat.WithHTTPClient(&http.Client{Transport: f})}, opts...)...)
	require.NoError(t, err)
	return client
}

func response(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// answering returns a client that gets the same response to every request.
func answering(t testing.TB, status int, body string, opts ...idenfy.Option) *idenfy.Client {
	return stubbed(t, func(*http.Request) (*http.Response, error) { return response(status, body), nil }, opts...)
}

func page(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(data)
}

const tokenResponse = `{"authToken":"pgYQX0z2T8mtcpNj9I20uWVCLKNuG0vgr12f0wAC","scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac"}`

// sent returns the body of the HTTP request for req.
func sent(t testing.TB, req idenfy.SessionRequest, opts ...idenfy.Option) string {
	t.Helper()
	var body []byte
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		body, _ = io.ReadAll(r.Body)
		return response(201, tokenResponse), nil
	}, opts...)
	_, err := client.CreateSession(context.Background(), req)
	require.NoError(t, err)
	return string(body)
}

func TestCreateSessionSendsDocumentedCall(t *testing.T) {
	calls := 0
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		calls++
		assert.Equal(t, "POST", r.Method)
		assert.Equal(t, "https://ivs.idenfy.com/api/v2/token", r.URL.String())
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		key, secret, ok := r.BasicAuth()
		assert.True(t, ok)
		assert.Equal(t, apiKey, key)
		assert.Equal(t, apiSecret, secret)
		assert.Equal(t, "bank/1 identomat-go/"+identomat.Version, r.Header.Get("User-Agent"))
		return response(200, tokenResponse), nil
	}, identomat.WithUserAgent("bank/1"))
	_, err := client.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "100000"})
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
}

func pageRequest() idenfy.SessionRequest {
	return idenfy.SessionRequest{
		ClientID: "100000", FirstName: "John Tom", LastName: "Smith",
		SuccessURL: "https://www.my-company.com/idenfy/success", ErrorURL: "https://www.my-company.com/idenfy/fail",
		UnverifiedURL: "https://www.my-company.com/idenfy/unverified", CallbackURL: "https://mywebsite.com/idenfy/webhookendpoint",
		Locale: idenfy.English, ShowInstructions: new(true), ExpiryTime: new(600), SessionLength: new(600), Country: "lt",
		Documents: []idenfy.DocumentType{idenfy.Passport}, DateOfBirth: "1990-12-20", DateOfExpiry: "1990-12-20", DateOfIssue: "1990-12-20",
		Nationality: "lt", PersonalNumber: "123456789", DocumentNumber: "123456", Sex: idenfy.Male, Address: "Address",
		TokenType: idenfy.TokenIdentification, ExternalRef: "reference", UtilityBill: new(false),
		AdditionalSteps: json.RawMessage("null"), AdditionalData: json.RawMessage("null"), Questionnaire: "c8QgVx5xzspjVnQ4nJ7MCf",
	}
}

func TestDocumentedRequestsCanBeSent(t *testing.T) {
	assert.JSONEq(t, page(t, "request-minimal.json"), sent(t, idenfy.SessionRequest{ClientID: "100000"}))
	assert.JSONEq(t, page(t, "request-name.json"), sent(t, idenfy.SessionRequest{ClientID: "100000", FirstName: "John Tom", LastName: "Smith"}))
	assert.JSONEq(t, page(t, "request-full.repaired.json"), sent(t, pageRequest()))
}

func TestRepairedSamplesMatchDocumentedSamples(t *testing.T) {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	broken := squeeze(page(t, "request-full.txt"))
	assert.False(t, json.Valid([]byte(broken)), "the page has a trailing comma")
	assert.Equal(t, strings.Replace(broken, ",}", "}", 1), squeeze(page(t, "request-full.repaired.json")))
	twice := squeeze(page(t, "response-all-fields.txt"))
	second := `,"callbackUrl":"https://mywebsite.com/idenfy/webhookendpoint"}`
	require.True(t, strings.HasSuffix(twice, second))
	assert.Equal(t, strings.TrimSuffix(twice, second)+"}", squeeze(page(t, "response-all-fields.repaired.json")))
}

// everything returns a request in which no field is zero.
func everything() idenfy.SessionRequest {
	return idenfy.SessionRequest{
		ClientID: "c-1", FirstName: "Ana María", LastName: "O'Neill-Žukauskas", SuccessURL: "https://a.example/s?x=1&y=<2>",
		ErrorURL: "https://a.example/e", UnverifiedURL: "https://a.example/u", Locale: idenfy.Lithuanian, ShowInstructions: new(false),
		ExpiryTime: new(2592000), SessionLength: new(3599), Country: "LT", Documents: []idenfy.DocumentType{idenfy.IDCard, idenfy.Visa},
		DateOfBirth: "1990-12-20", DateOfExpiry: "2031-01-02", DateOfIssue: "2021-01-02", Nationality: "GE", PersonalNumber: "39012200000",
		DocumentNumber: "AB1", Sex: idenfy.Female, GenerateDigitString: new(false), Address: "Gedimino pr. 1, Vilnius",
		TokenType: idenfy.TokenDocument, ExternalRef: "ref/1", UtilityBill: new(false),
		AdditionalSteps: json.RawMessage(`{"ALL": {"ALL": {"UTILITY_BILL": {"type": "EXTRACT"}}}}`),
		AdditionalData:  json.RawMessage(`{"UTILITY_BILL": {"ssn": "123-45-6789"}}`),
		CallbackURL:     "https://a.example/w", Questionnaire: "q1", RiskAssessmentProfile: "e8cadb52",
		CheckLiveness: new(true), ReviewSuccessful: new(false), ReviewFailed: new(true), DriverLicenseBack: new(false),
		AutoAMLMonitoring: new(true), FraudServices: []idenfy.FraudService{idenfy.AMLNamesCheck, idenfy.LID, idenfy.AMLNews},
		CheckIPProxy: new(false), CheckFaceBlacklist: new(true), CheckDocFaceBlacklist: new(false), CheckDuplicateFaces: new(true),
		CheckDuplicateDocFaces: new(false), NFCRequired: new(true), LevenshteinTextMatchRatio: new(0.8), LevenshteinMRZMatchRatio: new(float64(1)),
		DetectionTypes: []idenfy.DetectionType{idenfy.DetectEyes, idenfy.DetectFace},
		Extra:          map[string]any{"ageLimit": 18, "theme": map[string]any{"dark": nil}},
	}
}

const everythingOnTheWire = `{
	"clientId": "c-1", "firstName": "Ana María", "lastName": "O'Neill-Žukauskas", "successUrl": "https://a.example/s?x=1&y=<2>",
	"errorUrl": "https://a.example/e", "unverifiedUrl": "https://a.example/u", "locale": "lt", "showInstructions": false,
	"expiryTime": 2592000, "sessionLength": 3599, "country": "LT", "documents": ["ID_CARD", "VISA"],
	"dateOfBirth": "1990-12-20", "dateOfExpiry": "2031-01-02", "dateOfIssue": "2021-01-02", "nationality": "GE",
	"personalNumber": "39012200000", "documentNumber": "AB1", "sex": "F", "generateDigitString": false,
	"address": "Gedimino pr. 1, Vilnius", "tokenType": "DOCUMENT", "externalRef": "ref/1", "utilityBill": false,
	"additionalSteps": {"ALL": {"ALL": {"UTILITY_BILL": {"type": "EXTRACT"}}}},
	"additionalData": {"UTILITY_BILL": {"ssn": "123-45-6789"}},
	"callbackUrl": "https://a.example/w", "questionnaire": "q1", "riskAssessmentProfile": "e8cadb52",
	"checkLiveness": true, "reviewSuccessful": false, "reviewFailed": true, "driverLicenseBack": false, "autoAmlMonitoring": true,
	"fraudServices": ["AML_NAMES_CHECK", "LID", "AML_NEWS"], "checkIpProxy": false, "checkFaceBlacklist": true,
	"checkDocFaceBlacklist": false, "checkDuplicateFaces": true, "checkDuplicateDocFaces": false, "nfcRequired": true,
	"levenshteinTextMatchRatio": 0.8, "levenshteinMrzMatchRatio": 1, "detectionTypes": ["EYES", "FACE"],
	"ageLimit": 18, "theme": {"dark": null}}`

func TestAllDocumentedParametersAreSent(t *testing.T) {
	assert.JSONEq(t, everythingOnTheWire, sent(t, everything()))
	var keys map[string]any
	require.NoError(t, json.Unmarshal([]byte(everythingOnTheWire), &keys))
	assert.Len(t, keys, 44+2)
}

func TestOnlyZeroFieldsAreOmitted(t *testing.T) {
	assert.JSONEq(t, `{"clientId":"1"}`, sent(t, idenfy.SessionRequest{ClientID: "1"}))
	assert.JSONEq(t, `{"clientId":"1"}`, sent(t, idenfy.SessionRequest{ClientID: "1", AdditionalSteps: json.RawMessage{}, Extra: map[string]any{}}))
	for name, set := range map[string]func(*idenfy.SessionRequest, *bool){
		"showInstructions":       func(r *idenfy.SessionRequest, b *bool) { r.ShowInstructions = b },
		"generateDigitString":    func(r *idenfy.SessionRequest, b *bool) { r.GenerateDigitString = b },
		"utilityBill":            func(r *idenfy.SessionRequest, b *bool) { r.UtilityBill = b },
		"checkLiveness":          func(r *idenfy.SessionRequest, b *bool) { r.CheckLiveness = b },
		"reviewSuccessful":       func(r *idenfy.SessionRequest, b *bool) { r.ReviewSuccessful = b },
		"reviewFailed":           func(r *idenfy.SessionRequest, b *bool) { r.ReviewFailed = b },
		"driverLicenseBack":      func(r *idenfy.SessionRequest, b *bool) { r.DriverLicenseBack = b },
		"autoAmlMonitoring":      func(r *idenfy.SessionRequest, b *bool) { r.AutoAMLMonitoring = b },
		"checkIpProxy":           func(r *idenfy.SessionRequest, b *bool) { r.CheckIPProxy = b },
		"checkFaceBlacklist":     func(r *idenfy.SessionRequest, b *bool) { r.CheckFaceBlacklist = b },
		"checkDocFaceBlacklist":  func(r *idenfy.SessionRequest, b *bool) { r.CheckDocFaceBlacklist = b },
		"checkDuplicateFaces":    func(r *idenfy.SessionRequest, b *bool) { r.CheckDuplicateFaces = b },
		"checkDuplicateDocFaces": func(r *idenfy.SessionRequest, b *bool) { r.CheckDuplicateDocFaces = b },
		"nfcRequired":            func(r *idenfy.SessionRequest, b *bool) { r.NFCRequired = b },
	} {
		for _, value := range []bool{true, false} {
			req := idenfy.SessionRequest{ClientID: "1"}
			set(&req, &value)
			assert.JSONEq(t, fmt.Sprintf(`{"clientId":"1",%q:%v}`, name, value), sent(t, req))
		}
	}
	assert.JSONEq(t, `{"clientId":"1","documents":[],"fraudServices":[],"detectionTypes":[],"levenshteinTextMatchRatio":0,"levenshteinMrzMatchRatio":0}`,
		sent(t, idenfy.SessionRequest{
			ClientID: "1", Documents: []idenfy.DocumentType{}, FraudServices: []idenfy.FraudService{}, DetectionTypes: []idenfy.DetectionType{},
			LevenshteinTextMatchRatio: new(0.0), LevenshteinMRZMatchRatio: new(0.0),
		}))
}

func decoded(t testing.TB, status int, body string) *idenfy.Session {
	t.Helper()
	session, err := answering(t, status, body).CreateSession(context.Background(), idenfy.SessionRequest{ClientID: "100000"})
	require.NoError(t, err)
	return session
}

func TestResponseWithAllFieldsIsDecoded(t *testing.T) {
	for _, name := range []string{"response-all-fields.txt", "response-all-fields.repaired.json"} {
		s := decoded(t, 200, page(t, name))
		assert.Equal(t, "Token created successfully", s.Message)
		assert.Equal(t, "pgYQX0z2T8mtcpNj9I20uWVCLKNuG0vgr12f0wAC", string(s.AuthToken))
		assert.Equal(t, "ec6a7108-8c26-11e9-9758-309c231b1bac", s.ScanRef)
		assert.Equal(t, []string{"100000", "JOHN TOM", "SMITH", "lt", "lt", "123456789", "123456", "4823657", "Address", "reference", "", ""},
			[]string{s.ClientID, s.FirstName, s.LastName, s.Country, s.Nationality, s.PersonalNumber, s.DocumentNumber, s.DigitString, s.Address, s.ExternalRef, s.Questionnaire, s.PersonScanRef})
		assert.Equal(t, []string{
			"https://www.my-company.com/idenfy/success", "https://www.my-company.com/idenfy/fail",
			"https://www.my-company.com/idenfy/unverified", "https://mywebsite.com/idenfy/webhookendpoint",
			"e8cadb52-d429-4dc2-b788-99dfbbe8a4ab",
		}, []string{s.SuccessURL, s.ErrorURL, s.UnverifiedURL, s.CallbackURL, s.RiskAssessmentProfile})
		assert.Equal(t, idenfy.English, s.Locale)
		assert.Equal(t, new(true), s.ShowInstructions)
		assert.Equal(t, new(600), s.ExpiryTime)
		assert.Equal(t, new(600), s.SessionLength)
		assert.Equal(t, []idenfy.DocumentType{"PASSPORT"}, s.Documents)
		assert.Equal(t, map[string][]idenfy.DocumentType{"ALL": {"ID_CARD", "PASSPORT", "DRIVER_LICENSE", "RESIDENCE_PERMIT"}}, s.AllowedDocuments)
		assert.Equal(t, []identomat.Date{"1990-12-20", "1990-12-20", "1990-12-20"}, []identomat.Date{s.DateOfBirth, s.DateOfExpiry, s.DateOfIssue})
		assert.Equal(t, idenfy.Male, s.Sex)
		assert.Equal(t, idenfy.TokenIdentification, s.TokenType)
		assert.Equal(t, new(false), s.UtilityBill)
		assert.Nil(t, s.AdditionalSteps)
		assert.Nil(t, s.AdditionalData)
		assert.Nil(t, s.GenerateDigitString)
		assert.Equal(t, page(t, name), string(s.Raw()))
	}
}

func TestResponseWithoutFieldsIsDecoded(t *testing.T) {
	s := decoded(t, 201, page(t, "response-no-fields.json"))
	assert.Equal(t, "LEWCd6xHTW2auHrst9MEqZN8tUgKsUQ8hSMNYoLI", string(s.AuthToken))
	assert.Equal(t, "9b11acb2-8c27-11e9-9758-309c231b1bac", s.ScanRef)
	assert.Equal(t, "100000", s.PersonScanRef)
	assert.Equal(t, []string{"", "", "", "", "", "", "", "", "", "", ""}, []string{
		s.FirstName, s.LastName, s.SuccessURL, s.ErrorURL, s.UnverifiedURL, s.Country, string(s.DateOfBirth), string(s.Sex), s.Address, s.CallbackURL, s.RiskAssessmentProfile,
	})
	assert.Equal(t, []*int{new(3600), new(300)}, []*int{s.ExpiryTime, s.SessionLength}, "the environment's defaults")
	assert.Equal(t, []idenfy.DocumentType{idenfy.IDCard, idenfy.Passport, idenfy.ResidencePermit, idenfy.DriverLicense}, s.Documents)
}

func TestResponseContainsRequest(t *testing.T) {
	body := strings.Replace(everythingOnTheWire, "{", `{"authToken":"t","scanRef":"s",`, 1)
	s := decoded(t, 200, body)
	want := everything()
	want.Extra = nil
	assert.Equal(t, want, s.SessionRequest)
	assert.JSONEq(t, "18", string(s.Extra()["ageLimit"]))
	assert.Len(t, s.Extra(), 2)
}

func TestUnexpectedValuesDoNotHideSession(t *testing.T) {
	s := decoded(t, 200, `{"authToken":"t","scanRef":"s","country":["lt","lv"],"expiryTime":"soon","showInstructions":"yes","documents":["A",1],
		"allowedDocuments":[],"digitString":4823657,"clientId":7,"sessionLength":600.5,"checkLiveness":1,"unheardOf":{"a":[]},"redirectUrl":null,
		"message":{"text":"x"},"additionalSteps":[],"levenshteinTextMatchRatio":"0.8"}`)
	assert.Equal(t, []string{"t", "s", "4823657", "7", "", ""}, []string{string(s.AuthToken), s.ScanRef, s.DigitString, s.ClientID, s.Country, s.Message})
	assert.Nil(t, s.ExpiryTime)
	assert.Nil(t, s.SessionLength)
	assert.Nil(t, s.ShowInstructions)
	assert.Nil(t, s.CheckLiveness)
	assert.Equal(t, []idenfy.DocumentType{"A", "1"}, s.Documents)
	assert.Empty(t, s.AllowedDocuments)
	assert.Equal(t, new(0.8), s.LevenshteinTextMatchRatio)
	assert.JSONEq(t, `["lt","lv"]`, string(s.Extra()["country"]))
	assert.ElementsMatch(t, []string{"country", "expiryTime", "showInstructions", "sessionLength", "checkLiveness", "unheardOf", "redirectUrl", "message"},
		slices.Collect(maps.Keys(s.Extra())))
}

func TestResponseWithoutReferencesIsRefused(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, body := range []string{
		`{}`, `{"authToken":"t"}`, `{"scanRef":"s"}`, `{"authToken":"","scanRef":"s"}`, `{"authToken":"t","scanRef":""}`, `{"authToken":null,"scanRef":"s"}`,
		`{"authToken":"t","scanRef":null}`, `{"authToken":7,"scanRef":"s"}`, `{"authToken":"t","scanRef":["s"]}`, `{"authToken":"no such thing","scanRef":"s"}`,
		`{"AuthToken":"t","ScanRef":"s"}`, `{"authtoken":"t","scanref":"s"}`, `{"data":` + tokenResponse + `}`, `[` + tokenResponse + `]`, `"` + "token" + `"`,
		tokenResponse + tokenResponse, tokenResponse + "x", tokenResponse[:60], "", "null", "true", "7", `<html><body>Sign in</body></html>`, "\ufeff\ufeff" + tokenResponse,
		`{"authToken":"t","scanRef":"s","authToken":"u"}`, `{"authToken":"t","scanRef":"s","scanRef":"r"}`, `{"authToken":"t","scanRef":"s",}`,
		`{"authToken":"` + long + `","scanRef":"s"}`, `{"authToken":"t","scanRef":"` + long + `"}`, `{"authToken":"\u0000","scanRef":"s"}`,
		"{\"authToken\":\"t\xff\",\"scanRef\":\"s\"}", `{"authToken":"` + apiKey + `","scanRef":"s"}`, `{"authToken":"t","scanRef":"` + apiKey + `"}`,
	} {
		for _, status := range []int{200, 201, 202, 204} {
			_, err := answering(t, status, body).CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "1"})
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse, "%d %s", status, body)
			var api *idenfy.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, status, api.StatusCode)
			assert.True(t, api.MaybeProcessed, "a session may exist")
			assert.Equal(t, 1, api.Attempts)
		}
	}
	assert.Equal(t, "t", string(decoded(t, 299, `{"authToken":"t","scanRef":"s","authToken":"t"}`).AuthToken), "the same value twice is not ambiguous")
	assert.Len(t, decoded(t, 299, `{"authToken":"`+long[1:]+`","scanRef":"s"}`).AuthToken, 256)
}

func TestSessionIsDecodedFromRaw(t *testing.T) {
	s := decoded(t, 200, page(t, "response-no-fields.json"))
	var decoded idenfy.Session
	require.NoError(t, json.Unmarshal(s.Raw(), &decoded))
	assert.Equal(t, s.ScanRef, decoded.ScanRef)
	assert.Equal(t, s.RedirectURL(), decoded.RedirectURL())
	assert.Error(t, json.Unmarshal([]byte(`{"scanRef":"s"}`), &decoded))
	data := bytes.Clone(s.Raw())
	require.NoError(t, decoded.UnmarshalJSON(data))
	clear(data)
	assert.Equal(t, string(s.Raw()), string(decoded.Raw()), "the session keeps a copy")
}

func TestURLsContainEscapedToken(t *testing.T) {
	s := decoded(t, 200, `{"authToken":"a&b=c/d?e%20+#","scanRef":"s"}`)
	assert.Equal(t, "https://ivs.idenfy.com/api/v2/redirect?authToken=a%26b%3Dc%2Fd%3Fe%2520%2B%23", s.RedirectURL())
	iframe, err := s.IframeURL("")
	require.NoError(t, err)
	assert.Equal(t, "https://ui.idenfy.com/?authToken=a%26b%3Dc%2Fd%3Fe%2520%2B%23", iframe)
	iframe, err = s.IframeURL("l&t")
	require.NoError(t, err)
	assert.Equal(t, "https://ui.idenfy.com/?authToken=a%26b%3Dc%2Fd%3Fe%2520%2B%23&lang=l%26t", iframe)
	iframe, err = s.IframeURL(idenfy.Lithuanian)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(iframe, "&lang=lt"))

	client := answering(t, 200, tokenResponse, idenfy.WithBaseURL("https://proxy.example:8443/"))
	s, err = client.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "1"})
	require.NoError(t, err)
	assert.Equal(t, "https://proxy.example:8443/api/v2/redirect?authToken=pgYQX0z2T8mtcpNj9I20uWVCLKNuG0vgr12f0wAC", s.RedirectURL())
}

func TestIframeURLRefusesSessionThatRedirects(t *testing.T) {
	const to = "https://bank.example/"
	for _, req := range []idenfy.SessionRequest{
		{ClientID: "1", SuccessURL: to}, {ClientID: "1", ErrorURL: to}, {ClientID: "1", UnverifiedURL: to},
		{ClientID: "1", SuccessURL: "https://ui.idenfy.com/result?status=success"},
	} {
		s, err := answering(t, 200, tokenResponse).CreateSession(t.Context(), req) // the response does not contain the URL
		require.NoError(t, err)
		url, err := s.IframeURL(idenfy.English)
		require.ErrorIs(t, err, idenfy.ErrNotForIframe)
		assert.Empty(t, url)
	}
	for _, name := range []string{"successUrl", "errorUrl", "unverifiedUrl"} {
		_, err := decoded(t, 200, `{"authToken":"t","scanRef":"s","`+name+`":"`+to+`"}`).IframeURL("")
		require.ErrorIs(t, err, idenfy.ErrNotForIframe, "a URL from the environment")
		_, err = decoded(t, 200, `{"authToken":"t","scanRef":"s","`+name+`":"https://ui.idenfy.com/result?status=fail"}`).IframeURL("")
		require.NoError(t, err, "the documented default")
	}
}
