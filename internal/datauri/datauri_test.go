package datauri_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat/internal/datauri"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type item struct{ mediaType, data string }

// readAll reads every item in a response.
func readAll(src io.Reader) (items []item, err error) {
	r := datauri.NewReader(src)
	for {
		i, err := r.Next()
		if err == io.EOF {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		data, err := io.ReadAll(i)
		if err != nil {
			return items, err
		}
		items = append(items, item{i.MediaType, string(data)})
	}
}

func TestReaderSpellings(t *testing.T) {
	for text, want := range map[string][]item{
		`{"result":"data:text/plain;base64,aGVsbG8="}`:                    {{"text/plain", "hello"}},
		`{"result":"data:text/plain;base64aGVsbG8="}`:                     {{"text/plain", "hello"}},
		`{"result":"data:text/plain;base64,aGVsbG8"}`:                     {{"text/plain", "hello"}},
		`{"result":"aGVsbG8="}`:                                           {{"", "hello"}},
		`{"result":"data:image\/png;base64,\/\/\/\u002f\u002B\u002b\/="}`: {{"image/png", "\xff\xff\xff\xfb\xef\xbf"[:5]}},
		`{"result":"data:;base64,"}`:                                      {{"", ""}},
		`{"result":""}`:                                                   {{"", ""}},
		`{"result":"aGVs\nbG8=\r\n"}`:                                     {{"", "hello"}},
		`{"result":"data:application/pdf;name=a.pdf;base64,aGVsbG8="}`:    {{"application/pdf;name=a.pdf", "hello"}},
		" {\n\"x\" : {\"a\":[1,\"]}\"]} ,\t\"result\" : [ [ \"YQ==\" , \"Yg==\" ] , [ ] , \"Yw==\" ] , \"y\" : null } \n": {{"", "a"}, {"", "b"}, {"", "c"}},
		`{"result":"DATA:image/png;BASE64,//+/"}`:         {{"image/png", "\xff\xff\xbf"}},
		`{"result":"data:image/png;base64,%2f%2F%2B%2f"}`: {{"image/png", "\xff\xff\xbf"}},
		`{"result":"data:image/png;base64,YQ%3D%3D"}`:     {{"image/png", "a"}},
		`{"result":"data:image/png;base64,__-_YQ"}`:       {{"image/png", "\xff\xff\xbfa"}},
		`{"result":["__-_YQ==","//+/YQ=="]}`:              {{"", "\xff\xff\xbfa"}, {"", "\xff\xff\xbfa"}},
		`{"result":[]}`:                                   nil,
		`{"result":[[]]}`:                                 nil,
		`{"\u0072esult":["YQ=="]}`:                        {{"", "a"}},
		`{"argumentError":null,"result":[]}`:              nil,
		`{"error":"","errors":[],"result":[]}`:            nil,
	} {
		for name, src := range map[string]io.Reader{
			"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)),
			"data with io.EOF": iotest.DataErrReader(strings.NewReader(text)),
		} {
			got, err := readAll(src)
			require.NoError(t, err, "%s %s", name, text)
			assert.Equal(t, want, got, "%s %s", name, text)
		}
	}
}

func TestReaderDocumentedSamples(t *testing.T) {
	items, err := readAll(strings.NewReader(`{"result": "data:text/plain;base64String"}`))
	require.NoError(t, err)
	want, _ := base64.RawStdEncoding.DecodeString("String")
	assert.Equal(t, []item{{"text/plain", string(want)}}, items)
	items, err = readAll(strings.NewReader(`{"result": [["data:application/x-tar;base64,base64String"]]}`))
	require.NoError(t, err)
	want, _ = base64.StdEncoding.DecodeString("base64String")
	assert.Equal(t, []item{{"application/x-tar", string(want)}}, items)
}

func TestReaderMalformed(t *testing.T) {
	var format *datauri.FormatError
	for _, text := range []string{
		`[]`, `"x"`, `true`, `{}`, `{"x":1}`, `{"result":1}`, `{"result":null}`, `{"result":{"a":"YQ=="}}`, `{"result":[1]}`,
		`{"result":["YQ==",]}`, `{"result":["YQ==" "Yg=="]}`, `{"result":[,]}`, `{"result":]}`, `{"result":["YQ=="]]}`,
		`{"result":["YQ=="}`, `{"result":["YQ=="]} x`, `{"result":["YQ=="],}`, `{"result":["YQ=="],"result":[]}`,
		`{"result":["Y!=="]}`, `{"result":["_/_/"]}`, `{"result":["YQ%3"]}`, `{"result":["YQ%zz"]}`, `{"result":["YQ%0a"]}`, `{"result":["\u012f"]}`, `{"result":["YQ==YQ=="]}`, `{"result":["data:text/plain,hello"]}`, `{"result":["\u00ff"]}`,
		`{"result":["\"YQ=="]}`, `{"result":["\x"]}`, `{"result" ["YQ=="]}`, `{result:["YQ=="]}`, `{"result":["YQ=="] "a":1}`,
		`{"result":` + strings.Repeat("[", 40) + `"YQ=="` + strings.Repeat("]", 40) + `}`,
		`{"x":"` + strings.Repeat("x", 100_000) + `","result":[]}`, `{"` + strings.Repeat("x", 100_000) + `":1,"result":[]}`,
		`{"x":}`, `{"x":[}],"result":[]}`,
	} {
		_, err := readAll(strings.NewReader(text))
		assert.ErrorAs(t, err, &format, "%.60s", text)
	}

	const complete = `{"a":[1],"result":[["data:application/x-tar;base64,YWJj","\/\u002f\/\/"]],"b":{"c":"d"}}`
	_, err := readAll(strings.NewReader(complete))
	require.NoError(t, err)
	for cut := range len(complete) {
		_, err := readAll(strings.NewReader(complete[:cut]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, complete[:cut])
		broken := errors.New("connection reset")
		_, err = readAll(io.MultiReader(strings.NewReader(complete[:cut]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, complete[:cut])
	}
}

func TestReaderRejectsLiteralLineBreak(t *testing.T) {
	// encoding/base64 skips line breaks, but JSON does not allow them in strings.
	code := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("abc"), 20_000))
	var format *datauri.FormatError
	for _, size := range []int{4, 8, 1000, 32 << 10, len(code)} {
		for breaks := 1; breaks < 9; breaks++ {
			for _, at := range []int{0, 1, size / 2, size} {
				text := code[:at] + strings.Repeat("\n", breaks) + code[at:size]
				for _, padding := range []string{"", "YQ==", "YQ", "YWI=", "YWI"} {
					_, err := readAll(strings.NewReader(`{"result":"` + text + padding + `"}`))
					require.ErrorAs(t, err, &format, "%d breaks at %d of %d", breaks, at, size)
				}
			}
		}
	}
}

func TestReaderServiceError(t *testing.T) {
	for _, text := range []string{
		`{"argumentError":"not-found"}`, `{"result":[],"argumentError":"not-found"}`, `{"result":["YQ=="],"x":1,"argumentError" : "not-found"}`,
		`{"ArgumentError":"not-found","result":["YQ=="]}`, `{"result":["YQ=="],"error":"boom"}`, `{"errorMessage":"boom","result":["YQ=="]}`, `{"Errors":[1],"result":[]}`,
	} {
		_, err := readAll(strings.NewReader(text))
		var serviceErr *datauri.ServiceError
		require.ErrorAs(t, err, &serviceErr, text)
		assert.Regexp(t, `(?i)^{"(argumentError":"not-found"|error(s|Message)?":("boom"|\[1\]))}$`, string(serviceErr.Response))
	}
}

func TestReaderErrorInsteadOfEOF(t *testing.T) {
	mismatch := errors.New("signature mismatch")
	items, err := readAll(io.MultiReader(strings.NewReader(`{"result":["YQ==","Yg=="]}`), iotest.ErrReader(mismatch)))
	require.ErrorIs(t, err, mismatch)
	assert.Len(t, items, 1, "the last item must not end with io.EOF")

	r := datauri.NewReader(io.MultiReader(strings.NewReader(`{"result":["YQ==","Yg=="]}`), iotest.ErrReader(mismatch)))
	_, err = r.Next()
	require.NoError(t, err)
	_, err = r.Next()
	require.NoError(t, err)
	_, err = r.Next() // skips the last item
	require.ErrorIs(t, err, mismatch)
}

func TestNextSkipsUnreadData(t *testing.T) {
	big := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 300_000))
	r := datauri.NewReader(strings.NewReader(`{"result":["` + big + `","data:a/b;base64,` + big + `","` + big + `\/","Yg=="]}`))
	for n := range 4 {
		i, err := r.Next()
		require.NoError(t, err)
		if n == 1 {
			assert.Equal(t, "a/b", i.MediaType)
			_, err = io.CopyN(io.Discard, i, 1000)
			require.NoError(t, err)
		}
		if n == 3 {
			data, err := io.ReadAll(i)
			require.NoError(t, err)
			assert.Equal(t, "b", string(data))
		}
	}
	_, err := r.Next()
	require.ErrorIs(t, err, io.EOF)
	_, err = r.Next()
	require.ErrorIs(t, err, io.EOF)
}

// endless is an endless stream of base64.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

func TestReaderEscapesDoNotAllocate(t *testing.T) {
	for _, escaped := range []string{`\u002f`, `\/`, `%2F`} {
		text := `{"result":"` + strings.Repeat(escaped, 4000) + `"}`
		allocated := testing.AllocsPerRun(10, func() {
			i, err := datauri.NewReader(strings.NewReader(text)).Next()
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, i)
			require.NoError(t, err)
		})
		assert.Less(t, allocated, 20.0, escaped)
	}
}

func TestReaderMemoryIsConstant(t *testing.T) {
	const size = 64 << 20
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			src := io.MultiReader(strings.NewReader(`{"result":[["data:application/x-tar;base64,`), io.LimitReader(endless{}, size/3*4), strings.NewReader(`"]]}`))
			r := datauri.NewReader(src)
			i, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, i, make([]byte, 32<<10))
			if err != nil || n != size/3*3 {
				b.Fatal(n, err)
			}
		}
	}).AllocedBytesPerOp()
	assert.Less(t, allocated, int64(256<<10))
}

func FuzzReader(f *testing.F) {
	for _, text := range []string{
		`{"result": "data:text/plain;base64String"}`, `{"result":[["data:application\/x-tar;base64,YWJj","YQ=="]]}`,
		`{"argumentError":"session-not-found"}`, `{"result":[],"x":{"y":"\u0041"}}`,
	} {
		f.Add([]byte(text), 3)
	}
	for _, op := range []string{"get-session-main-document-face-photo", "get-question-file", "get-video-call-shots", "get-visual-markers"} {
		names, err := filepath.Glob("../../testdata/samples/" + op + "-*")
		require.NoError(f, err)
		require.NotEmpty(f, names)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(text, len(text)/2)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		items, err := readAll(bytes.NewReader(data))
		byByte, errByByte := readAll(iotest.OneByteReader(bytes.NewReader(data)))
		require.Equal(t, items, byByte)
		require.Equal(t, err == nil, errByByte == nil)
		if err != nil {
			return
		}
		assertSameAsDecoded(t, data, items)
		require.True(t, json.Valid(data) || strings.ContainsFunc(string(data), func(r rune) bool { return r < ' ' || r > '~' }), "%q", data)
		if cut > 0 && cut < len(bytes.TrimRight(data, " \t\r\n")) {
			_, err = readAll(bytes.NewReader(data[:cut]))
			require.Error(t, err, "%q", data[:cut])
		}
	})
}

// dataURI matches the media type, the comma (or the character in its place), and the base64.
var dataURI = regexp.MustCompile(`(?is)^data:(.*?);base64(.?)(.*)$`)

// assertSameAsDecoded requires items to be what encoding/json finds in the response. It skips data
// URIs without a comma before the data.
func assertSameAsDecoded(t *testing.T, data []byte, items []item) {
	var document struct {
		Result any `json:"result"`
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || json.Unmarshal(data, &document) != nil {
		return
	}
	var texts []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	walk(document.Result)
	require.Len(t, items, len(texts), "%q", data)
	unwrap := strings.NewReplacer("\r", "", "\n", "", "\t", "")
	toStandard := strings.NewReplacer("-", "+", "_", "/")
	for i, text := range texts {
		mediaType := ""
		encoded, err := url.PathUnescape(unwrap.Replace(text))
		require.NoError(t, err, "%q", text)
		if parts := dataURI.FindStringSubmatch(encoded); parts != nil {
			if parts[2] != "," {
				continue
			}
			mediaType, encoded = parts[1], parts[3]
		}
		want, err := base64.RawStdEncoding.DecodeString(toStandard.Replace(strings.TrimRight(encoded, "=")))
		require.NoError(t, err, "%q", text)
		require.Equal(t, item{mediaType, string(want)}, items[i], "%q", text)
	}
}
