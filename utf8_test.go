package identomat_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// Encoders silently replace invalid UTF-8, so a name in another encoding would be stored incorrectly. The
// SDK must refuse the request instead, even without validation.
func TestInvalidUTF8IsRefused(t *testing.T) {
	const bad = "M\xfcller" // ISO 8859-1
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was sent", r.URL.Path)
		return nil, io.EOF
	}, identomat.WithoutValidation())
	ctx := t.Context()
	begin := func(req identomat.BeginRequest) error { _, err := client.Sessions.Begin(ctx, req); return err }
	for _, c := range []struct {
		err           error
		path, message string
	}{
		{begin(identomat.BeginRequest{Name: bad}), "name", "is not UTF-8"},
		{begin(identomat.BeginRequest{ParentSessionID: bad}), "parent_session_id", "is not UTF-8"},
		{begin(identomat.BeginRequest{Flags: identomat.NewFlags().ReturnURL(bad)}), "flags.return_url", "is not UTF-8"},
		{begin(identomat.BeginRequest{Flags: identomat.NewFlags().Set(bad, true)}), "flags", "has a name that is not UTF-8"},
		{
			begin(identomat.BeginRequest{Steps: identomat.Steps{
				identomat.Liveness(), identomat.UserQuestionnaire("q").Ask(identomat.TextQuestion("k", identomat.Text{"en": bad})),
			}}),
			"steps[1].questions[0].title.en", "is not UTF-8",
		},
		{begin(identomat.BeginRequest{Extra: map[string]any{"note": bad}}), "Extra.note", "is not UTF-8"},
		{begin(identomat.BeginRequest{Extra: map[string]any{"note": []any{map[string]any{"by": bad}}}}), "Extra.note", "is not UTF-8"},
		{begin(identomat.BeginRequest{Extra: map[string]any{"note": map[string]any{bad: 1}}}), "Extra.note", "is not UTF-8"},
		{begin(identomat.BeginRequest{Extra: map[string]any{"note": latin1(bad)}}), "Extra.note", "is not UTF-8"},
		{begin(identomat.BeginRequest{Extra: map[string]any{bad: "x"}}), "Extra", "has a name that is not UTF-8"},
		{second(client.Sessions.Delete(ctx, bad)), "session_token", "is not UTF-8"},
		{client.VideoCalls.End(ctx, bad), "sessionId", "is not UTF-8"},
		{second(client.Screening.SearchPage(ctx, identomat.ScreeningQuery{FullName: bad, ScoreThreshold: 80}, 0, 10)), "query.fullName", "is not UTF-8"},
		{second(client.Blacklist.Add(ctx, identomat.BlacklistEntry{LastName: bad})), "query.lastName", "is not UTF-8"},
		{second(client.Groups.Create(ctx, identomat.CreateGroupRequest{Name: "g", MemberIDs: []string{"a", bad}})), "memberIds[1]", "is not UTF-8"},
		{second(client.Screening.Monitor(ctx, identomat.MonitorQuery{BirthdayTimeFrom: bad})), "query.birthdayTimeFrom", "is not UTF-8"},
		{second(client.Screening.Person(ctx, bad)), "personId", "is not UTF-8"},
		{client.Screening.Unmonitor(ctx, bad), "id", "is not UTF-8"},
		{second(client.Screening.ListMonitoredPage(ctx, identomat.MonitoredFilter{Extra: map[string]any{"a": bad}}, 0, 1)), "Extra.a", "is not UTF-8"},
		{client.Blacklist.Remove(ctx, bad), "id", "is not UTF-8"},
		{second(client.Blacklist.ListPage(ctx, identomat.BlacklistFilter{Extra: map[string]any{"a": bad}}, 0, 1)), "Extra.a", "is not UTF-8"},
		{client.Groups.Update(ctx, bad, identomat.UpdateGroupRequest{}), "groupId", "is not UTF-8"},
		{client.Groups.Delete(ctx, bad), "groupId", "is not UTF-8"},
		{second(client.Users.Create(ctx, identomat.CreateUserRequest{Email: bad})), "email", "is not UTF-8"},
		{second(client.Users.Create(ctx, identomat.CreateUserRequest{Password: bad})), "password", "is not UTF-8"},
		{second(client.Sessions.Config(ctx, bad)), "sessionConfigId", "is not UTF-8"},
		{second(client.Sessions.ExportPDF(ctx, bad, identomat.PDFParts{})), "sessionId", "is not UTF-8"},
		{second(client.Media.Face(ctx, bad)), "session_token", "is not UTF-8"},
		{second(client.Media.GeneralDocument(ctx, "t", bad)), "typeId", "is not UTF-8"},
		{second(client.Media.QuestionFile(ctx, "t", "s", bad, 0)), "questionKey", "is not UTF-8"},
		{second(client.Call(ctx, identomat.Endpoint{Name: "new"}, map[string]any{"a": bad})), "params", "is not UTF-8"},
	} {
		var invalid *identomat.ValidationError
		require.ErrorAs(t, c.err, &invalid, c.path)
		assert.Equal(t, []identomat.Problem{{Path: c.path, Message: c.message}}, invalid.Problems)
	}
}

// latin1 is a text that encodes itself.
type latin1 []byte

func (l latin1) MarshalText() ([]byte, error) { return l, nil }

func second[T any](_ T, err error) error { return err }

func TestValidUTF8IsSentUnchanged(t *testing.T) {
	const text = "Müller \ufffd \\ufffd ჟ"
	var sent []byte
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		sent, _ = io.ReadAll(r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tokenResponse))}, nil
	})
	_, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{
		Name: text, Flags: identomat.NewFlags().Set("note", text), Extra: map[string]any{"a": []string{text}, "b": json.RawMessage(`"\ufffd"`)},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `{"company_key":"`+companyKey+`","name":"Müller `+"\ufffd"+` \\ufffd ჟ","flags":{"note":"Müller `+"\ufffd"+` \\ufffd ჟ"},
		"a":["Müller `+"\ufffd"+` \\ufffd ჟ"],"b":"`+"\ufffd"+`"}`, string(sent))
}

// Keys are copied by hand or read from files. It is easy to overlook extra characters, and the service
// would only respond that the key is wrong.
func TestUnusableKeysAreRefused(t *testing.T) {
	handle := func(context.Context, identomat.Callback) error { return nil }
	for key, want := range map[string]string{
		"a\xffb":                "is not UTF-8",
		"key\u200b123456":       "contains an invisible or control character",
		"\ufeffkey123456":       "contains an invisible or control character",
		"key1\n23456":           "contains an invisible or control character",
		"key123456\n":           "begins or ends with white space",
		"\u00a0key123456":       "begins or ends with white space",
		`"key123456"`:           "is in quotes",
		"\u201ckey123456\u201d": "is in quotes",
	} {
		t.Setenv(identomat.EnvCompanyKey, key)
		signed, err := http.NewRequest("POST", "https://api.example/", strings.NewReader("{}"))
		require.NoError(t, err)
		for _, c := range []struct {
			name string
			err  error
		}{
			{"company key", second(identomat.NewClient(key))},
			{"company key", second(identomat.NewClientFromEnv())},
			{"secret key", second(identomat.NewClient("key", identomat.WithHMAC(key)))},
			{"secret key", second(identomat.NewHMACTransport(key, nil).RoundTrip(signed))},
			{"callback API key", second(identomat.CallbackHandler([]string{"old", key}, handle))},
			{"callback API key", second(identomat.ParseCallback(callbackRequest("{}"), []string{key}))},
		} {
			assert.EqualError(t, c.err, "identomat: the "+c.name+" "+want, "%q", key)
		}
	}
}

func TestCompanyKeyCharacters(t *testing.T) {
	const (
		space     = "identomat: the company key begins or ends with white space"
		invisible = "identomat: the company key contains an invisible or control character"
		quotes    = "identomat: the company key is in quotes"
	)
	for key, want := range map[string]string{
		"":          "identomat: the company key is empty",
		"key\xff":   "identomat: the company key is not UTF-8",
		" key":      space,
		"key\n":     space,
		"key\r\n":   space,
		"\tkey":     space,
		"key\u00a0": space, // no-break space
		"\u3000key": space, // ideographic space
		" ":         space,

		"\ufeffkey":     invisible, // byte order mark
		"key\ufeff":     invisible,
		"k\u200bey":     invisible, // zero width space
		"key\u200d":     invisible, // zero width joiner
		"\u200cke y":    invisible, // zero width non-joiner
		"k\u2060ey":     invisible, // word joiner
		"k\u00adey":     invisible, // soft hyphen
		"\u202ekey":     invisible, // right-to-left override
		"k\u00a0ey":     invisible,
		"k\ney":         invisible,
		"k\x00ey":       invisible,
		"k\x7fey":       invisible,
		"k\u0080ey":     invisible, // C1 control
		"k\u2028ey":     invisible, // line separator
		"\ufeff\"key\"": invisible,

		`"key"`: quotes,
		"'key'": quotes,
		"`key`": quotes,
		"“key”": quotes,
		"„key“": quotes,
		"«key»": quotes,
		`""`:    quotes,
	} {
		assert.EqualError(t, second(identomat.NewClient(key)), want, "%q", key)
	}
	for _, key := range []string{"k", "key", "a key", `k"e"y`, `"key`, "key'", `"`, "ключ", "კოდი", "a+/=:!{}"} {
		assert.NoError(t, second(identomat.NewClient(key)), "%q", key)
	}
}
