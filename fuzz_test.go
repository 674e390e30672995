package identomat

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/signature"
	"github.com/identomat-go/identomat/internal/wire"
)

// inlaid is injected anywhere in a response; no error may show it.
const inlaid = "Zviad 7 Ąnonymous"

// sampleResponses returns the documented responses for an operation, and errors in every format.
func sampleResponses(tb testing.TB, op *operation.Operation) (texts []string) {
	tb.Helper()
	own := strings.ReplaceAll(strings.Trim(op.Name, "/"), "/", "-") + "-"
	entries, err := os.ReadDir("testdata/samples")
	require.NoError(tb, err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), own) {
			data, err := os.ReadFile("testdata/samples/" + entry.Name())
			require.NoError(tb, err)
			texts = append(texts, string(data))
		}
	}
	return append(texts,
		`"SESSION_NOT_FOUND"`, `{"argumentError":"session-not-found"}`, `{"internalError":"Illegal arguments","errorSourceGroup":"x"}`,
		`{"result":{},"ARGUMENTERROR":"a"}`, `{"result":"approved","result":"rejected"}`, `{}`, `[]`, `null`, `true`, ``,
		`<html>502 Bad Gateway</html>`, `{"result":true}`, `{"face_images":"x","result":"rejected","result":"approved"}`)
}

// classified is a classified response with the decoded value.
type classified struct {
	engine.Disposition
	decoded any
}

// classify classifies and decodes a response as the operation's method does.
func classify(op *operation.Operation, r *engine.Response, readErr error) classified {
	var into any
	switch op.Shape {
	case operation.Token:
		into = new(Token)
	case operation.Outcome:
		into = new(Result)
	case operation.Object:
		into = new(Document)
	default:
		into = new(json.RawMessage)
	}
	p := protocol{client: &Client{engine: new(engine.Engine)}, op: op, out: into}
	if op.Shape.IsMedia() {
		p.out = nil
	}
	return classified{p.Classify(r, readErr), into}
}

// FuzzClassify compares the classifier with a slow and literal implementation of its rules. Both must
// agree on what is a success. An error must not show a value from the response.
func FuzzClassify(f *testing.F) {
	for row, op := range operation.All() {
		for _, text := range sampleResponses(f, op) {
			f.Add(uint8(row), uint16(200), "application/json", []byte(text), uint16(len(text)/2))
			f.Add(uint8(row), uint16(502), "text/html; charset="+text[:len(text)/9], []byte(text), uint16(3))
		}
	}
	f.Fuzz(func(t *testing.T, row uint8, status uint16, contentType string, body []byte, cut uint16) {
		op := operation.All()[int(row)%len(operation.All())]
		if bytes.HasPrefix(body, []byte("\ufeff")) {
			return
		}
		newResponse := func(body []byte) *engine.Response {
			return &engine.Response{StatusCode: 100 + int(status)%500, Header: http.Header{"Content-Type": {contentType}}, Body: body}
		}
		verdict := classify(op, newResponse(bytes.Clone(body)), nil)
		if verdict.Err == nil {
			require.True(t, engine.IsSuccess(newResponse(nil).StatusCode))
			require.False(t, verdict.NotProcessed)
			assertPlainSuccess(t, op, body, verdict.decoded)
		} else {
			assertPlainRefusal(t, op, newResponse(nil).StatusCode, verdict.Disposition)
		}

		// A byte order mark or white space around JSON must not change the outcome.
		marked := classify(op, newResponse(slices.Concat([]byte("\ufeff"), body)), nil)
		require.Equal(t, kind(verdict.Err), kind(marked.Err))
		require.Equal(t, verdict.NotProcessed, marked.NotProcessed)
		spaced := classify(op, newResponse(slices.Concat([]byte("\r\n "), body, []byte("\t"))), nil)
		require.Equal(t, kind(verdict.Err), kind(spaced.Err))
		require.Equal(t, verdict.NotProcessed, spaced.NotProcessed)

		// An error must not contain a person's name, wherever the name is in the response.
		at := int(cut) % (len(body) + 1)
		named := newResponse(slices.Concat(body[:at], []byte(inlaid), body[at:]))
		at = int(cut) % (len(contentType) + 1)
		named.Header.Set("Content-Type", contentType[:at]+inlaid+contentType[at:])
		if err := classify(op, named, nil).Err; err != nil {
			e := err.(*APIError)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err)+strings.Join([]string{e.Code, e.Group, e.Sample, e.ContentType}, "\n"), inlaid)
		}

		// A body that was not read to the end is never a success.
		for end, want := range map[error]error{
			engine.ErrTooLarge: ErrTooLarge, &signature.Error{}: ErrSignatureMismatch, io.ErrUnexpectedEOF: nil,
		} {
			got := classify(op, newResponse(body), end)
			require.Equal(t, want, kind(got.Err))
			require.False(t, got.NotProcessed)
		}
		unsigned := classify(op, newResponse(body), &signature.Error{Missing: true})
		require.Error(t, unsigned.Err)
		require.Equal(t, verdict.NotProcessed, unsigned.NotProcessed)
	})
}

// kind returns the sentinel that an error matches.
func kind(err error) error {
	if api, ok := errors.AsType[*APIError](err); ok {
		return api.kind
	}
	return err
}

func assertPlainRefusal(t *testing.T, op *operation.Operation, status int, verdict engine.Disposition) {
	var api *APIError
	require.ErrorAs(t, verdict.Err, &api)
	require.Equal(t, status, api.StatusCode)
	if verdict.NotProcessed {
		require.Less(t, status, 500)
		require.Error(t, response.Cause(api.Code))
		require.NotErrorIs(t, api, ErrUnexpectedResponse)
	}
	if api.Code != "" {
		require.True(t, response.IsCode(api.Code) || errors.Is(api, ErrImageRefused), api.Code)
		require.True(t, response.Cause(api.Code) != nil || op.Shape != operation.Token, "begin/ shows only known codes")
	}
}

// topMembers returns the members of an object, including duplicates. It uses encoding/json.
func topMembers(t *testing.T, object []byte) (names []string, values []json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(object))
	brace, err := dec.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), brace)
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		names, values = append(names, name.(string)), append(values, value)
	}
	return names, values
}

// assertPlainSuccess requires a response that was classified as a success to have the shape in the
// operation table.
func assertPlainSuccess(t *testing.T, op *operation.Operation, body []byte, decoded any) {
	require.True(t, json.Valid(body), "%q", body)
	require.NotContains(t, []operation.Shape{operation.Binary, operation.DataURI}, op.Shape, "media is never classified as a success")
	text := string(wire.Trim(body))
	var code string
	if json.Unmarshal(body, &code) == nil && text[0] == '"' {
		require.Equal(t, operation.Token, op.Shape, "%q", body)
		require.NoError(t, response.Cause(code))
		require.Equal(t, code, string(*decoded.(*Token)))
		require.GreaterOrEqual(t, len(code), 8)
		require.Regexp(t, `^([0-9A-Za-z-]*([0-9][A-Za-z]|[A-Za-z][0-9])[0-9A-Za-z-]*|[a-z]{40})$`, code)
		return
	}
	if text[0] != '{' {
		require.True(t, text == "true" && op.Shape == operation.Done ||
			text[0] == '[' && strings.TrimSpace(text[1:len(text)-1]) == "" && (op.Shape == operation.Done || op.Shape == operation.Empty), "%s %q", op.Name, body)
		return
	}
	names, values := topMembers(t, body)
	results, result, isFailure := 0, json.RawMessage(nil), false
	for i, name := range names {
		plain := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
		isBlank := regexp.MustCompile(`^(null|false|0|""|\{\s*\}|\[\s*\])$`).Match(values[i])
		isFailure = isFailure || strings.HasPrefix(plain, "error") && !isBlank
		switch {
		case strings.EqualFold(name, "argumentError"), strings.EqualFold(name, "internalError"):
			require.Equal(t, "null", string(values[i]), "%q", body)
		case strings.EqualFold(name, "result"):
			results++
			result = values[i]
			require.Equal(t, "result", name)
		}
	}
	require.LessOrEqual(t, results, 1, "two results: %q", body)
	var word string
	_ = json.Unmarshal(result, &word)
	require.NoError(t, response.Cause(word), "%q", body)
	require.False(t, isFailure && (strings.EqualFold(word, "approved") && op.Shape != operation.Done || op.Shape == operation.Result), "%q", body)
	switch op.Shape {
	case operation.Outcome:
		r := decoded.(*Result)
		require.NotEmpty(t, word)
		require.Equal(t, strings.EqualFold(word, "approved"), r.Approved(), "%q", body)
		require.True(t, strings.EqualFold(word, string(r.Outcome)), "%q", body)
	case operation.True:
		require.Equal(t, "true", string(result))
	case operation.Result:
		require.NotNil(t, result, "%q", body)
		require.NotEqual(t, "null", string(result))
	case operation.Empty:
		require.Contains(t, []string{"", "true", "null", "{}", "[]"}, string(result), "%q", body)
		require.Equal(t, results, min(1, len(names)), "%q", body)
	case operation.Done:
		require.NotEqual(t, "false", string(result), "%q", body)
		require.False(t, isFailure && !strings.HasPrefix(string(result), `"`), "%q", body)
	case operation.Object:
		require.NotEmpty(t, names)
	default:
		t.Fatalf("%s takes no object: %q", op.Name, body)
	}
}

// FuzzAnswer compares an answer of any type with the value that encoding/json decodes.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		`"yes"`, `"John\u0020Doe"`, `["a","b"]`, `[]`, `[null,1]`, `{"en":"Yes","ka":"დიახ"}`, `{"":"x"}`, `{"ka":"b","az":"a"}`, `{"en":1}`, `{"":null,"en":"x"}`,
		`true`, `false`, `null`, `0`, `-1.50`, `1e999`, `{}`, `"\ud800"`, ` 7 `,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		body := `{"result":"approved","questionnaires":[{"key":"step","questions":[{"key":"other","answer":1},{"key":"q","answer":` + text + `}]}]}`
		var r Result
		if !json.Valid([]byte(text)) || json.Unmarshal([]byte(body), &r) != nil {
			return
		}
		a := r.Answer("step", "q")
		require.Equal(t, strings.Trim(text, " \t\r\n"), string(a.Raw()), "Raw must return the text unchanged")
		require.False(t, r.Answer("step", "x").Exists())
		require.False(t, r.Answer("q", "step").Exists())
		var value any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&value))
		truth, isBool := a.Bool()
		number, isNumber := a.Number()
		require.Equal(t, value != nil, a.Exists())
		switch v := value.(type) {
		case nil:
			require.True(t, a.Text() == "" && a.Choices() == nil && a.Languages() == nil && !isBool && !isNumber)
		case string:
			require.Equal(t, v, a.Text())
			require.Equal(t, []string{v}, a.Choices())
			require.True(t, a.Languages() == nil && !isBool && !isNumber)
		case bool:
			require.Equal(t, strconv.FormatBool(v), a.Text())
			require.True(t, isBool && v == truth && !isNumber && a.Choices() == nil && a.Languages() == nil)
		case json.Number:
			require.Equal(t, v.String(), a.Text())
			want, err := strconv.ParseFloat(v.String(), 64)
			require.Equal(t, err == nil, isNumber, "%s: Number is false if the text is not a float64", v)
			require.True(t, !isNumber || want == number && !math.IsInf(number, 0))
			require.True(t, !isBool && a.Choices() == nil && a.Languages() == nil)
		case []any:
			require.Empty(t, a.Text())
			require.True(t, a.Languages() == nil && !isBool && !isNumber)
			if !slices.ContainsFunc(v, func(item any) bool { _, isText := item.(string); return !isText && item != nil }) {
				require.Len(t, a.Choices(), len(v))
			} else {
				require.Nil(t, a.Choices())
			}
		case map[string]any:
			require.True(t, a.Choices() == nil && !isBool && !isNumber)
			for language, text := range a.Languages() {
				if want, isText := v[language].(string); isText {
					require.Equal(t, want, text)
				}
			}
			if _, plain := v[""]; !plain && len(a.Languages()) > 0 {
				if want, isText := v["en"].(string); isText {
					require.Equal(t, want, a.Text())
				}
			}
		}
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", a, a, r), "John")
	})
}

// FuzzTarName extracts an entry with any name, type and link. All results must be regular files or
// folders below the target folder, with names that mean the same on every system.
func FuzzTarName(f *testing.F) {
	for _, name := range []string{
		"videos/1.mp4", "../../etc/passwd", "/etc/passwd", `..\..\windows`, `C:\x`, "a/../../b", "./.", "..", "", "a:b", "con", "a\x00b",
		"\u202egnp.exe", "a//b", strings.Repeat("a/", 120), strings.Repeat("n", 1100), "\xff\xfe", "\u2025/x", "d/",
	} {
		for _, kind := range []byte{tar.TypeReg, tar.TypeSymlink, tar.TypeLink, tar.TypeDir, tar.TypeChar} {
			f.Add(name, "../outside", kind)
		}
	}
	f.Add("old/form", "", byte(0)) // the type of a regular file before POSIX
	f.Fuzz(func(t *testing.T, name, link string, kind byte) {
		clean := cleanName(name)
		require.Equal(t, clean, cleanName(clean), "cleanName must be idempotent")
		if clean != "" {
			require.True(t, fs.ValidPath(clean) && filepath.IsLocal(clean), "%q", clean)
			require.False(t, strings.ContainsFunc(clean, func(r rune) bool { return strings.ContainsRune(`\:`, r) || !unicode.IsGraphic(r) }), "%q", clean)
		}

		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		header := &tar.Header{Typeflag: kind, Name: name, Linkname: link, Mode: 0o777}
		if kind == tar.TypeReg {
			header.Size, header.Linkname = 4, ""
		}
		if w.WriteHeader(header) != nil {
			return
		}
		if kind == tar.TypeReg {
			_, _ = io.WriteString(w, "text")
		}
		// If the first entry left a link behind, the second entry must not be written through it.
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "last/one", Size: 4}))
		_, _ = io.WriteString(w, "last")
		require.NoError(t, w.Close())

		client, err := NewClient("k", WithHTTPClient(&http.Client{Transport: answering(archive.Bytes())}))
		require.NoError(t, err)
		media, err := client.VideoCalls.Videos(t.Context(), "token")
		if err != nil {
			return // some names make the archive look like text
		}
		folder := t.TempDir()
		dir := filepath.Join(folder, "in", "here")
		n, err := media.ExtractTo(dir)
		var made []string
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			switch {
			case entry.IsDir():
			case entry.Type().IsRegular():
				inside, err := filepath.Rel(dir, path)
				require.NoError(t, err)
				made = append(made, filepath.ToSlash(inside))
			default:
				t.Errorf("%q is neither a file nor a folder", path)
			}
			return nil
		}))
		if err != nil {
			require.Zero(t, n)
			require.Empty(t, made)
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			require.Empty(t, entries, "no folder must be left")
			return
		}
		want := []string{"last/one"}
		if (kind == tar.TypeReg || kind == 0) && clean != "" && !strings.HasSuffix(name, "/") {
			want = append([]string{clean}, want...)
		}
		require.Equal(t, len(want), n)
		isLong := func(element string) bool { return len(element) > maxElement }
		if slices.ContainsFunc(strings.Split(clean, "/"), isLong) || strings.HasPrefix(strings.ToLower(clean), "last") {
			require.Len(t, made, n) // the name may have been changed
			return
		}
		require.ElementsMatch(t, want, made)
	})
}

// answering is a RoundTripper that always returns the same body.
type answering []byte

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Header: http.Header{}, ContentLength: int64(len(a)), Body: io.NopCloser(bytes.NewReader(a)),
	}, nil
}
