package idenfy_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

// silent returns a client that fails the test if it sends a request.
func silent(t *testing.T, opts ...idenfy.Option) *idenfy.Client {
	return stubbed(t, func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return response(200, tokenResponse), nil
	}, opts...)
}

func problems(t *testing.T, client *idenfy.Client, req idenfy.SessionRequest) []identomat.Problem {
	t.Helper()
	_, err := client.CreateSession(t.Context(), req)
	if err == nil {
		return nil
	}
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "idenfy/token", invalid.Operation)
	return invalid.Problems
}

func times(n int, s string) string { return strings.Repeat(s, n) }

// constraints are the documented rules, with values that just satisfy a rule, values that just
// violate it, and the message for a violation. é and 日 are one character but several bytes.
var constraints = []struct {
	path    string
	set     func(*idenfy.SessionRequest, string)
	inside  []string
	outside []string
	message string
}{
	{"clientId", func(r *idenfy.SessionRequest, s string) { r.ClientID = s },
		[]string{"1", times(100, "x"), "a b\t~\x7f"}, []string{times(101, "x")}, "must have at most 100 characters"},
	{"clientId", func(r *idenfy.SessionRequest, s string) { r.ClientID = s },
		[]string{"\x7f"}, []string{"\u0080", "é"}, "must be ASCII"},
	{"clientId", func(r *idenfy.SessionRequest, s string) { r.ClientID = s }, []string{" "}, []string{""}, "is required"},
	{"firstName", func(r *idenfy.SessionRequest, s string) { r.FirstName = s },
		[]string{"X", times(100, "é"), times(100, "日")}, []string{times(101, "x"), times(101, "é")}, "must have at most 100 characters"},
	{"lastName", func(r *idenfy.SessionRequest, s string) { r.LastName = s },
		[]string{"X", times(100, "é"), times(100, "日")}, []string{times(101, "x"), times(101, "é")}, "must have at most 100 characters"},
	{"firstName", func(r *idenfy.SessionRequest, s string) { r.FirstName = s },
		[]string{"O'Neill", "Jean-Luc", "Jr.", "Smith & Co", "a`b", `a\b`, "Ω", "Łukasz"}, forbiddenInNames(), `must have no digit and none of ~!@#$%^*()_+={}[]|:;",<>/?`},
	{"lastName", func(r *idenfy.SessionRequest, s string) { r.LastName = s },
		[]string{"O'Neill", "Jean-Luc", "Jr.", "Smith & Co", "a`b", `a\b`, "Ω", "Łukasz"}, forbiddenInNames(), `must have no digit and none of ~!@#$%^*()_+={}[]|:;",<>/?`},
	{"successUrl", func(r *idenfy.SessionRequest, s string) { r.SuccessURL = s },
		[]string{"a:b/c", times(2048, "é")}, []string{times(2049, "x")}, "must have at most 2048 characters"},
	{"errorUrl", func(r *idenfy.SessionRequest, s string) { r.ErrorURL = s },
		[]string{"a:b/c", times(2048, "é")}, []string{times(2049, "x")}, "must have at most 2048 characters"},
	{"unverifiedUrl", func(r *idenfy.SessionRequest, s string) { r.UnverifiedURL = s },
		[]string{"a:b/c", times(2048, "é")}, []string{times(2049, "x")}, "must have at most 2048 characters"},
	{"successUrl", func(r *idenfy.SessionRequest, s string) { r.SuccessURL = s },
		[]string{"a:b/c"}, []string{"a", "a:b/", "éééé"}, "must have at least 5 characters"},
	{"errorUrl", func(r *idenfy.SessionRequest, s string) { r.ErrorURL = s },
		[]string{"a:b/c"}, []string{"a", "a:b/", "éééé"}, "must have at least 5 characters"},
	{"unverifiedUrl", func(r *idenfy.SessionRequest, s string) { r.UnverifiedURL = s },
		[]string{"a:b/c"}, []string{"a", "a:b/", "éééé"}, "must have at least 5 characters"},
	{"country", func(r *idenfy.SessionRequest, s string) { r.Country = s },
		[]string{"lt", "LT", "zZ"}, []string{"l", "ltu", "l1", "é", "@A", "[a", "`a", "{a"}, "must be a country code of two letters"},
	{"nationality", func(r *idenfy.SessionRequest, s string) { r.Nationality = s },
		[]string{"lt", "LT", "Aa"}, []string{"l", "ltu", "l1", "é", "@A", "[a", "`a", "{a"}, "must be a country code of two letters"},
	{"dateOfBirth", func(r *idenfy.SessionRequest, s string) { r.DateOfBirth = identomat.Date(s) }, goodDates, badDates, "must be a date such as 1990-12-20"},
	{"dateOfExpiry", func(r *idenfy.SessionRequest, s string) { r.DateOfExpiry = identomat.Date(s) }, goodDates, badDates, "must be a date such as 1990-12-20"},
	{"dateOfIssue", func(r *idenfy.SessionRequest, s string) { r.DateOfIssue = identomat.Date(s) }, goodDates, badDates, "must be a date such as 1990-12-20"},
	{"personalNumber", func(r *idenfy.SessionRequest, s string) { r.PersonalNumber = s },
		[]string{"1", times(50, "1")}, []string{times(51, "1")}, "must have at most 50 characters"},
	{"personalNumber", func(r *idenfy.SessionRequest, s string) { r.PersonalNumber = s }, []string{"\x7f"}, []string{"\u0080"}, "must be ASCII"},
	{"documentNumber", func(r *idenfy.SessionRequest, s string) { r.DocumentNumber = s },
		[]string{"1", times(50, "1")}, []string{times(51, "1")}, "must have at most 50 characters"},
	{"documentNumber", func(r *idenfy.SessionRequest, s string) { r.DocumentNumber = s }, []string{"\x7f"}, []string{"\u0080"}, "must be ASCII"},
	{"address", func(r *idenfy.SessionRequest, s string) { r.Address = s },
		[]string{"x", times(255, "é")}, []string{times(256, "x"), times(256, "é")}, "must have at most 255 characters"},
	{"externalRef", func(r *idenfy.SessionRequest, s string) { r.ExternalRef = s },
		[]string{"1", times(40, "1")}, []string{times(41, "1")}, "must have at most 40 characters"},
	{"externalRef", func(r *idenfy.SessionRequest, s string) { r.ExternalRef = s }, []string{"\x7f"}, []string{"\u0080"}, "must be ASCII"},
	{"additionalSteps", func(r *idenfy.SessionRequest, s string) { r.AdditionalSteps = json.RawMessage(s) },
		[]string{"{}", " \n{\"a\":[]}", "null"}, []string{"[]", `"{}"`, "1", "true", " [{}]"}, "must be a JSON object"},
	{"additionalSteps", func(r *idenfy.SessionRequest, s string) { r.AdditionalSteps = json.RawMessage(s) },
		[]string{"{}"}, []string{"{", "{}{}", "x", " ", "{'a':1}", "nul"}, "cannot be encoded as JSON"},
	{"additionalSteps", func(r *idenfy.SessionRequest, s string) { r.AdditionalSteps = json.RawMessage(s) },
		[]string{`{"a":"é"}`}, []string{"{\"a\":\"\xff\"}"}, "is not UTF-8"},
	{"additionalData", func(r *idenfy.SessionRequest, s string) {
		r.AdditionalSteps, r.AdditionalData = json.RawMessage("{}"), json.RawMessage(s)
	}, []string{"{}", "null"}, []string{"[]", `"{}"`, "1"}, "must be a JSON object"},
	{"callbackUrl", func(r *idenfy.SessionRequest, s string) { r.CallbackURL = s },
		[]string{"https://a", "HTTPS://bank.example:8443/x?y=z#é"}, []string{"http://a", "https://", "https:a", "//a", "a", "ftp://a", "https://:443", "https://\x7f", " https://a"},
		"must be an https URL"},
	{"questionnaire", func(r *idenfy.SessionRequest, s string) { r.Questionnaire = s }, []string{times(3000, "é")}, []string{"\xff"}, "is not UTF-8"},
	{"riskAssessmentProfile", func(r *idenfy.SessionRequest, s string) { r.RiskAssessmentProfile = s }, []string{times(3000, "é")}, []string{"\xff"}, "is not UTF-8"},
	{"firstName", func(r *idenfy.SessionRequest, s string) { r.FirstName = s }, []string{"\ufffd"}, []string{"a\xc3"}, "is not UTF-8"},
}

var (
	goodDates = []string{"1990-12-20", "2024-02-29", "0001-01-01", "9999-12-31"}
	badDates  = []string{"1990-12-32", "2023-02-29", "1990-13-01", "1990-00-01", "90-12-20", "1990-1-02", "1990/12/20", "20-12-1990", "1990-12-20T00:00:00Z", " 1990-12-20", "1990-12-20\n", "x"}
)

func forbiddenInNames() (names []string) {
	for _, c := range `~!@#$%^*()_+={}[]|:;",<>/?0123456789٣` {
		names = append(names, "a"+string(c)+"b", string(c))
	}
	return names
}

func TestConstraintsHoldToTheCharacter(t *testing.T) {
	for _, c := range constraints {
		for _, value := range c.inside {
			req := idenfy.SessionRequest{ClientID: "1"}
			c.set(&req, value)
			sent(t, req)
		}
		for _, value := range c.outside {
			req := idenfy.SessionRequest{ClientID: "1"}
			c.set(&req, value)
			assert.Equal(t, []identomat.Problem{{Path: c.path, Message: c.message}}, problems(t, silent(t), req), "%s %q", c.path, value)
		}
	}
}

func TestNumbersAreBounded(t *testing.T) {
	for _, c := range []struct {
		path            string
		set             func(*idenfy.SessionRequest, *int)
		inside, outside []int
		message         string
	}{
		{"expiryTime", func(r *idenfy.SessionRequest, n *int) { r.ExpiryTime = n }, []int{1, 2592000}, []int{0, -1, 2592001}, "must be 1 to 2592000 seconds"},
		// iDenfy's page excludes 60 and 3600, but its OpenAPI file does not.
		{"sessionLength", func(r *idenfy.SessionRequest, n *int) { r.SessionLength = n }, []int{60, 61, 3599, 3600}, []int{0, 59, 3601, -60}, "must be 60 to 3600 seconds"},
		{"expiryTime", func(r *idenfy.SessionRequest, n *int) { r.ExpiryTime, r.GenerateDigitString = n, new(true) }, []int{1, 86400}, []int{86401, 2592000}, "must be at most 86400 with generateDigitString"},
	} {
		for _, n := range c.inside {
			req := idenfy.SessionRequest{ClientID: "1"}
			c.set(&req, &n)
			sent(t, req)
		}
		for _, n := range c.outside {
			req := idenfy.SessionRequest{ClientID: "1"}
			c.set(&req, &n)
			assert.Equal(t, []identomat.Problem{{Path: c.path, Message: c.message}}, problems(t, silent(t), req), "%s %d", c.path, n)
		}
	}
	for _, r := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		assert.Equal(t, []identomat.Problem{{Path: "levenshteinTextMatchRatio", Message: "cannot be encoded as JSON"}, {Path: "levenshteinMrzMatchRatio", Message: "cannot be encoded as JSON"}},
			problems(t, silent(t, identomat.WithoutValidation()), idenfy.SessionRequest{ClientID: "1", LevenshteinTextMatchRatio: &r, LevenshteinMRZMatchRatio: &r}))
	}
	sent(t, idenfy.SessionRequest{ClientID: "1", LevenshteinTextMatchRatio: new(-1.5), LevenshteinMRZMatchRatio: new(7.0)}) // no range is documented
}

func TestMaxDigitStringExpiryCanBeRaised(t *testing.T) {
	req := idenfy.SessionRequest{ClientID: "1", GenerateDigitString: new(true), ExpiryTime: new(172800)}
	raised := idenfy.WithMaxDigitStringExpiry(172800)
	sent(t, req, raised)
	req.ExpiryTime = new(172801)
	assert.Equal(t, []identomat.Problem{{Path: "expiryTime", Message: "must be at most 172800 with generateDigitString"}}, problems(t, silent(t, raised), req))
	sent(t, idenfy.SessionRequest{ClientID: "1", GenerateDigitString: new(false), ExpiryTime: new(172800)})
	sent(t, idenfy.SessionRequest{ClientID: "1", GenerateDigitString: new(true)})
}

func TestParametersThatExcludeOrNeedEachOther(t *testing.T) {
	object, null := json.RawMessage("{}"), json.RawMessage(" null ")
	both := []identomat.Problem{{Path: "utilityBill", Message: "cannot be used together with additionalSteps"}}
	alone := []identomat.Problem{{Path: "additionalData", Message: "must be used with additionalSteps"}}
	for _, c := range []struct {
		req  idenfy.SessionRequest
		want []identomat.Problem
	}{
		{idenfy.SessionRequest{UtilityBill: new(true), AdditionalSteps: object}, both},
		{idenfy.SessionRequest{UtilityBill: new(false), AdditionalSteps: object}, nil},
		{idenfy.SessionRequest{UtilityBill: new(true), AdditionalSteps: null}, nil},
		{idenfy.SessionRequest{UtilityBill: new(true)}, nil},
		{idenfy.SessionRequest{AdditionalData: object}, alone},
		{idenfy.SessionRequest{AdditionalData: object, AdditionalSteps: null}, alone},
		{idenfy.SessionRequest{AdditionalData: null}, nil},
		{idenfy.SessionRequest{AdditionalData: object, AdditionalSteps: object}, nil},
		{idenfy.SessionRequest{UtilityBill: new(true), AdditionalData: object}, alone},
	} {
		c.req.ClientID = "1"
		if c.want == nil {
			sent(t, c.req)
			continue
		}
		assert.Equal(t, c.want, problems(t, silent(t), c.req))
	}
}

func TestAllProblemsAreReportedInFieldOrder(t *testing.T) {
	_, err := silent(t).CreateSession(t.Context(), idenfy.SessionRequest{
		FirstName: "J0hn", ErrorURL: "x", ExpiryTime: new(90000000), Country: "LTU",
		DateOfBirth: "1.1.1990", GenerateDigitString: new(true), CallbackURL: "http://a", UtilityBill: new(true), AdditionalSteps: json.RawMessage("[]"),
		Extra: map[string]any{"sex": "M", "": 1},
	})
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	var paths []string
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	assert.Equal(t, []string{
		"clientId", "firstName", "errorUrl", "expiryTime", "expiryTime", "country", "dateOfBirth", "utilityBill", "additionalSteps", "callbackUrl", "Extra", "Extra.sex",
	}, paths)
	assert.True(t, strings.HasPrefix(err.Error(), "identomat: idenfy/token: invalid request: clientId: is required; firstName: must have no digit"), err.Error())
}

func TestExtraCannotOverrideField(t *testing.T) {
	var keys map[string]any
	require.NoError(t, json.Unmarshal([]byte(everythingOnTheWire), &keys))
	delete(keys, "ageLimit")
	delete(keys, "theme")
	require.Len(t, keys, 44)
	for key := range keys {
		for _, opts := range [][]idenfy.Option{nil, {identomat.WithoutValidation()}} {
			req := idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{key: "x"}}
			assert.Equal(t, []identomat.Problem{{Path: "Extra." + key, Message: "has a field of its own"}}, problems(t, silent(t, opts...), req))
		}
	}
	for name, value := range map[string]any{"f": func() {}, "c": make(chan int), "n": math.NaN(), "r": json.RawMessage("{")} {
		req := idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{name: value}}
		assert.Equal(t, []identomat.Problem{{Path: "Extra." + name, Message: "cannot be encoded as JSON"}}, problems(t, silent(t, identomat.WithoutValidation()), req))
	}
	assert.Equal(t, []identomat.Problem{{Path: "Extra", Message: "has a name that is not UTF-8"}},
		problems(t, silent(t), idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{"a\xff": 1}}))
	assert.JSONEq(t, `{"clientId":"1","dummyStatus":"APPROVED","x":null}`, sent(t, idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{"dummyStatus": "APPROVED", "x": nil}}))
}

func TestInvalidUTF8IsNeverSent(t *testing.T) {
	req := idenfy.SessionRequest{ClientID: "1\xff", Locale: "\xff", Documents: []idenfy.DocumentType{"PASSPORT", "\xff"}}
	assert.Equal(t, []identomat.Problem{
		{Path: "clientId", Message: "is not UTF-8"}, {Path: "locale", Message: "is not UTF-8"}, {Path: "documents[1]", Message: "is not UTF-8"},
	}, problems(t, silent(t, identomat.WithoutValidation()), req))
}

func TestInvalidUTF8InExtraIsNeverSent(t *testing.T) {
	for _, value := range []any{
		"a\xff", []string{"a", "\xff"}, []any{1, "\xff"}, map[string]any{"k": "\xff"}, map[string]any{"k\xff": 1}, map[string]any{"k": []any{map[string]any{"k": "\xff"}}},
		json.RawMessage("\"\xff\""),
	} {
		req := idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{"note": value}}
		assert.Equal(t, []identomat.Problem{{Path: "Extra.note", Message: "is not UTF-8"}}, problems(t, silent(t, identomat.WithoutValidation()), req))
	}
	loop := map[string]any{}
	loop["loop"] = loop
	assert.Equal(t, []identomat.Problem{{Path: "Extra.note", Message: "cannot be encoded as JSON"}},
		problems(t, silent(t), idenfy.SessionRequest{ClientID: "1", Extra: map[string]any{"note": loop}}))
	assert.JSONEq(t, `{"clientId":"1","note":{"k":["é","\ufffd",null]}}`, sent(t, idenfy.SessionRequest{
		ClientID: "1", Extra: map[string]any{"note": map[string]any{"k": []any{"é", "\ufffd", nil}}},
	}))
}

// Validation accepts unlisted values: iDenfy shows English for a locale that it does not support,
// and its lists grow.
func TestValuesThatAreNotListedAreSent(t *testing.T) {
	assert.JSONEq(t, `{"clientId":"1","locale":"ka","documents":["OTHER"],"tokenType":"NEW","sex":"X","fraudServices":["NEW"],"detectionTypes":["NEW"]}`,
		sent(t, idenfy.SessionRequest{
			ClientID: "1", Locale: "ka", Documents: []idenfy.DocumentType{"OTHER"}, TokenType: "NEW", Sex: "X",
			FraudServices: []idenfy.FraudService{"NEW"}, DetectionTypes: []idenfy.DetectionType{"NEW"},
		}))
}

func TestValidationCanBeTurnedOff(t *testing.T) {
	assert.JSONEq(t, `{"firstName":"4","sessionLength":7,"utilityBill":true,"additionalSteps":[]}`, sent(t, idenfy.SessionRequest{
		FirstName: "4", SessionLength: new(7), UtilityBill: new(true), AdditionalSteps: json.RawMessage("[]"),
	}, identomat.WithoutValidation()))
}

func TestRequestIsNotModified(t *testing.T) {
	req, want := everything(), everything()
	sent(t, req)
	assert.Equal(t, want, req)
}

func TestUnusableKeysAreRefused(t *testing.T) {
	for key, want := range map[string]string{
		"key\u200b123456": "contains an invisible or control character",
		"\ufeffkey123456": "contains an invisible or control character",
		"key123456\r\n":   "begins or ends with white space",
		`"key123456"`:     "is in quotes",
	} {
		_, err := idenfy.NewClient(key, "secret")
		assert.EqualError(t, err, "idenfy: the API key "+want)
		_, err = idenfy.NewClient("key", key)
		assert.EqualError(t, err, "idenfy: the API secret "+want)
		_, err = idenfy.ParseWebhook(signed("{}"), []string{"old", key})
		assert.EqualError(t, err, "idenfy: the signing key "+want)
	}
}
