package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func identomatValidator(t *testing.T) *validator {
	t.Helper()
	data, err := os.ReadFile("../../" + identomatFile)
	require.NoError(t, err)
	v, err := newValidator(data)
	require.NoError(t, err)
	return v
}

func TestDescriptionsMatchTheCode(t *testing.T) {
	for _, d := range descriptions {
		description, err := d.describe("../..")
		require.NoError(t, err)
		data, err := indent(description)
		require.NoError(t, err)
		written, err := os.ReadFile("../../" + d.file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(written, data), "run go run ./tools/openapi")
	}
}

// TestCommentsKeepTheirMeaning looks at descriptions whose comments also say something to users of Go only.
func TestCommentsKeepTheirMeaning(t *testing.T) {
	root, err := readSource("../..")
	require.NoError(t, err)
	for field, description := range map[string]string{
		"FaceComparison.Similarity":     "From 0 to 1, or null if the faces could not be compared; `face1Statuses` and `face2Statuses` say why.",
		"GeneralConfig.SessionLifetime": "How long a session can be used, in minutes.",
		"Result.Outcome":                "What was decided. It is never empty.",
		"Result.Questionnaires":         "The answers, one entry for each questionnaire step.",
		"ScreeningHit.PersonID":         "The id of the entry.",
		"ScreeningMatch.PersonID":       "The id of the entry.",
	} {
		typ, name, _ := strings.Cut(field, ".")
		assert.Equal(t, description, root.fieldComment(typ, name), field)
	}
}

func TestDescriptionHasWhatTheInventoryLists(t *testing.T) {
	data, err := os.ReadFile("../../" + identomatFile)
	require.NoError(t, err)
	require.NoError(t, compare(io.Discard, data, "../../testdata/inventory.json"))
	lacking := bytes.Replace(data, []byte(`"skip_desktop": {`), []byte(`"skip_mobile": {`), 1)
	require.EqualError(t, compare(io.Discard, lacking, "../../testdata/inventory.json"), "the description lacks: flag skip_desktop")
}

func TestDocumentedSamplesMatch(t *testing.T) {
	n, err := identomatValidator(t).validateExamples()
	require.NoError(t, err)
	require.Equal(t, 96, n)
}

func TestWrongFolder(t *testing.T) {
	_, err := readSource(t.TempDir())
	assert.ErrorContains(t, err, "run this command from the root of the repository")
}

// TestWrongTypesInResponsesAreFound puts wrong types into the responses of the fake.
func TestWrongTypesInResponsesAreFound(t *testing.T) {
	v, srv := identomatValidator(t), identomattest.NewServer(t)
	form := url.Values{"company_key": {srv.CompanyKey}}.Encode()
	_, _, token := exchange(t, srv.WidgetURL+"/external-api/begin/", form)
	form += "&session_token=" + strings.Trim(string(token), `"`)
	for result, problem := range map[string]string{
		`{"result":"approved","similarity":0.93,"person":{"age":45}}`: "",
		`{"result":"approved","similarity":"high"}`:                   "got string, want number",
		`{"result":true}`:                                         "got boolean, want string",
		`{"result":"approved","person":["John"]}`:                 "got array, want object",
		`{"result":"approved","generalDocuments":[{"pages":{}}]}`: "got object, want array",
		`{"similarity":0.93}`:                                     "missing property 'result'",
	} {
		require.NoError(t, srv.SetResult(identomat.Token(strings.Trim(string(token), `"`)), result))
		req, resp, body := exchange(t, srv.WidgetURL+"/external-api/result/", form)
		err := v.response(req, []byte(form), resp, body)
		if problem == "" {
			assert.NoError(t, err, result)
			continue
		}
		assert.ErrorContains(t, err, problem, result)
	}
}

// exchange posts a form.
func exchange(t *testing.T, address, form string) (*http.Request, *http.Response, []byte) {
	t.Helper()
	resp, err := http.Post(address, "application/x-www-form-urlencoded", strings.NewReader(form))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.Request, resp, body
}

func TestWrongRequestsAreFound(t *testing.T) {
	v := identomatValidator(t)
	for _, test := range []struct{ path, contentType, body, problem string }{
		{"/external-api/result/", "application/json", `{"company_key":"k","session_token":"t"}`, ""},
		{"/external-api/result/", "application/json", `{"company_key":"k"}`, "missing property 'session_token'"},
		{"/external-api/result/", "application/x-www-form-urlencoded", `company_key=k&session_token=`, "minLength"},
		{"/external-api/begin/", "application/x-www-form-urlencoded", `{"company_key":"k"}`, ""},
		{"/external-api/begin/", "application/x-www-form-urlencoded", `company_key=k&flags={"skip_face":true}`, ""},
		{"/external-api/begin/", "application/x-www-form-urlencoded", `company_key=k&flags={"skip_face":"yes"}`, "got string, want boolean"},
		{"/external-api/begin/", "application/json", `{"company_key":"k","steps":[{"type":"liveness","flags":{"liveness":1}}]}`, "got number, want boolean"},
		{"/external-api/begin/", "application/json", `{"company_key":"k","steps":[{"type":"next-year","key":"n"}]}`, ""},
		{"/search-screening-person", "application/json", `{"companyKey":"k","query":{"fullName":"John Smith"}}`, "missing property 'scoreThreshold'"},
		{"/external-api/passport/", "multipart/form-data; boundary=b", part("company_key", "k") + file("image") + "--b--\r\n", ""},
		{"/external-api/passport/", "multipart/form-data; boundary=b", file("image") + part("company_key", "k") + "--b--\r\n", `the text part "company_key" comes after a file`},
		{"/external-api/passport/", "application/json", `{"company_key":"k","image":""}`, "application/json"},
	} {
		req, err := http.NewRequest(http.MethodPost, "https://example.com"+test.path, nil)
		require.NoError(t, err)
		req.Header.Set("Content-Type", test.contentType)
		err = v.request(req, []byte(test.body))
		if test.problem == "" {
			assert.NoError(t, err, test.body)
			continue
		}
		assert.ErrorContains(t, err, test.problem, test.body)
	}
}

func part(name, content string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n"
}

func file(name string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\r\n"
}
