package identomat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// callbackKey is the key in one of the two documented samples. The other sample has apikey123.
const callbackKey = "callback-api-key-123"

func callbackRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/callbacks/identomat", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func parseCallback(t *testing.T, body string) identomat.Callback {
	t.Helper()
	callback, err := identomat.ParseCallback(callbackRequest(body), []string{"apikey123", callbackKey})
	require.NoError(t, err)
	return callback
}

func TestParseCallbackSamples(t *testing.T) {
	otp := parseCallback(t, sample(t, "callbacks/one-time-password-request.json"))
	assert.Equal(t, identomat.CallbackOneTimePassword, otp.Type)
	assert.Equal(t, identomat.Token("wwb83rh1se22wd81z0tx8bqlerljq5kgf6rxem1q"), otp.SessionID)
	sms, ok := otp.SMS()
	assert.True(t, ok)
	assert.Equal(t, identomat.SMS{PhoneNumber: "+995512345678", Text: "Your code is 6867"}, sms)

	link := parseCallback(t, sample(t, "callbacks/share-session-link-via-sms.json"))
	assert.Equal(t, identomat.CallbackSessionLinkSMS, link.Type)
	sms, ok = link.SMS()
	assert.True(t, ok)
	var want struct{ Text, PhoneNumber, SessionLink string }
	require.NoError(t, json.Unmarshal([]byte(sample(t, "callbacks/share-session-link-via-sms.json")), &want))
	assert.Equal(t, identomat.SMS{PhoneNumber: want.PhoneNumber, Text: want.Text, SessionLink: want.SessionLink}, sms)
	assert.NotEmpty(t, sms.SessionLink)
}

func TestParseCallbackUnknownType(t *testing.T) {
	for body, want := range map[string]struct{ kind, session, raw string }{
		`{"callbackApiKey":"callback-api-key-123","type":"session-approved","sessionId":"s1","result":{"x":[1]}}`: {
			"session-approved", "s1", `{"result":{"x":[1]},"sessionId":"s1","type":"session-approved"}`},
		`{"callbackApiKey":"callback-api-key-123"}`:                                  {"", "", `{}`},
		"\xef\xbb\xbf" + `{"callbackApiKey":"callback-api-key-123","type":"marked"}`: {"marked", "", `{"type":"marked"}`},
		` {"callbackApiKey" : "callback-api-key-123", "type":7, "sessionId":null, "session_id":"s2"} `: {
			"", "", `{"session_id":"s2","sessionId":null,"type":7}`},
		`{"callbackApiKey":"callback-api-key-123","CALLBACKAPIKEY":"callback-api-key-123","type":"x"}`: {"x", "", `{"type":"x"}`},
	} {
		callback := parseCallback(t, body)
		assert.Equal(t, want.kind, string(callback.Type))
		assert.Equal(t, want.session, string(callback.SessionID))
		assert.JSONEq(t, want.raw, string(callback.Raw()))
		_, ok := callback.SMS()
		assert.False(t, ok)
	}
	assert.JSONEq(t, `{}`, string(identomat.Callback{}.Raw()))
}

func TestSMSNumbersAreTexts(t *testing.T) {
	for fields, want := range map[string]identomat.SMS{
		`"text":"Your code is 1","phoneNumber":995512345678`: {PhoneNumber: "995512345678", Text: "Your code is 1"},
		`"text":1234,"phoneNumber":"+995512345678"`:          {PhoneNumber: "+995512345678", Text: "1234"},
		`"text":"a","phoneNumber":99551234567800000012345`:   {PhoneNumber: "99551234567800000012345", Text: "a"},
		`"text":"a","phoneNumber":"1","sessionLink":7`:       {PhoneNumber: "1", Text: "a", SessionLink: "7"},
	} {
		callback := parseCallback(t, `{"callbackApiKey":"callback-api-key-123","type":"one-time-password-request",`+fields+`}`)
		sms, ok := callback.SMS()
		assert.True(t, ok, fields)
		assert.Equal(t, want, sms, fields)
	}
}

func TestCallbackKeyAndSessionMayBeNumbers(t *testing.T) {
	callback, err := identomat.ParseCallback(callbackRequest(`{"callbackApiKey":12345678901234567890,"sessionId":4711}`), []string{"12345678901234567890"})
	require.NoError(t, err)
	assert.Equal(t, "4711", string(callback.SessionID))
	for _, body := range []string{`{"callbackApiKey":1234567890123456789}`, `{"callbackApiKey":12345678901234567890.0}`, `{"callbackApiKey":1.234567890123456789e19}`} {
		_, err := identomat.ParseCallback(callbackRequest(body), []string{"12345678901234567890"})
		assert.ErrorContains(t, err, "callbackApiKey is missing or wrong", body)
	}
}

// After a 200, nobody would notice that the customer received no code.
func TestUnreadableSMSIsRejected(t *testing.T) {
	for _, fields := range []string{
		`"text":"Your code is 1"`, `"phoneNumber":"+995"`, `"text":"","phoneNumber":"+995"`, `"text":["a"],"phoneNumber":"+995"`,
		`"Text":"a","phoneNumber":"+995"`, `"text":"a","phoneNumber":null`, `"text":"a","phoneNumber":{"e164":"+995"}`,
		`"text":"a","phoneNumber":9.95512345678e11`, `"text":true,"phoneNumber":"+995"`,
	} {
		for _, kind := range []string{"one-time-password-request", "share-session-link-via-sms"} {
			var observed error
			handler, err := identomat.CallbackHandler([]string{callbackKey},
				func(context.Context, identomat.Callback) error { t.Error("handled"); return nil },
				identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
			require.NoError(t, err)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, callbackRequest(`{"callbackApiKey":"callback-api-key-123","type":"`+kind+`",`+fields+`}`))
			assert.Equal(t, 400, w.Code, fields)
			assert.EqualError(t, observed, "identomat: callback rejected: the SMS has no readable phoneNumber or text")
		}
	}
}

func TestOtherCallbacksNeedNoSMS(t *testing.T) {
	for _, kind := range []string{"email-one-time-password-request", "share-session-link-via-email", "session-approved"} {
		_, ok := parseCallback(t, `{"callbackApiKey":"callback-api-key-123","type":"`+kind+`"}`).SMS()
		assert.False(t, ok)
	}
}

func TestCallbackContentCoding(t *testing.T) {
	for _, coding := range []string{"identity", "none", "UTF-8", "utf-8, identity", ""} {
		r := callbackRequest(`{"callbackApiKey":"callback-api-key-123"}`)
		r.Header.Set("Content-Encoding", coding)
		_, err := identomat.ParseCallback(r, []string{callbackKey})
		assert.NoError(t, err, coding)
	}
	for coding, named := range map[string]string{"gzip": "gzip", "BR": "br", "identity, zstd": "zstd"} {
		r := callbackRequest(`{"callbackApiKey":"callback-api-key-123"}`)
		r.Header.Add("Content-Encoding", "identity")
		r.Header.Add("Content-Encoding", coding)
		_, err := identomat.ParseCallback(r, []string{callbackKey})
		var rejected *identomat.CallbackError
		require.ErrorAs(t, err, &rejected, coding)
		assert.Equal(t, identomat.CallbackError{StatusCode: 415, Reason: "the body is compressed with " + named}, *rejected)
	}
}

// Senders add parameters to the media type, and some are malformed.
func TestCallbackContentTypeParameters(t *testing.T) {
	for _, contentType := range []string{"application/json;charset=utf-8", "Application/JSON; charset", "application/json; charset=utf-8; charset=UTF-8"} {
		r := callbackRequest(`{"callbackApiKey":"callback-api-key-123"}`)
		r.Header.Set("Content-Type", contentType)
		_, err := identomat.ParseCallback(r, []string{callbackKey})
		assert.NoError(t, err, contentType)
	}
}

func TestCallbackSizeLimit(t *testing.T) {
	const body = `{"callbackApiKey":"callback-api-key-123"}`
	for limit, opts := range map[int][]identomat.CallbackOption{
		1_048_576: {discardErrors},
		100:       {discardErrors, identomat.WithMaxCallbackSize(100)},
	} {
		handler, err := identomat.CallbackHandler([]string{callbackKey},
			func(context.Context, identomat.Callback) error { return nil }, opts...)
		require.NoError(t, err)
		for size, status := range map[int]int{limit: 200, limit + 1: 413} {
			for _, length := range []int64{int64(size), -1} { // -1 stands for a chunked body
				r := callbackRequest(body + strings.Repeat(" ", size-len(body)))
				r.ContentLength = length
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				assert.Equal(t, status, w.Code, "%d of %d bytes", size, limit)
			}
		}
	}
}

func TestCallbackRejected(t *testing.T) {
	const good = `{"callbackApiKey":"callback-api-key-123","type":"x","sessionId":"s"}`
	tests := map[string]struct {
		change func(*http.Request)
		body   string
		status int
	}{
		"GET":                {func(r *http.Request) { r.Method = http.MethodGet }, good, 405},
		"PUT":                {func(r *http.Request) { r.Method = http.MethodPut }, good, 405},
		"no content type":    {func(r *http.Request) { r.Header.Del("Content-Type") }, good, 415},
		"form":               {func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, good, 415},
		"compressed body":    {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, good, 415},
		"no body":            {nil, ``, 400},
		"list":               {nil, `[]`, 400},
		"null":               {nil, `null`, 400},
		"truncated body":     {nil, good[:len(good)-1], 400},
		"second value":       {nil, good + `{}`, 400},
		"deep nesting":       {nil, `{"callbackApiKey":"callback-api-key-123","x":` + strings.Repeat("[", 100_000), 400},
		"no key":             {nil, `{"type":"x","sessionId":"s"}`, 403},
		"empty key":          {nil, `{"callbackApiKey":"","type":"x"}`, 403},
		"wrong key":          {nil, `{"callbackApiKey":"callback-api-key-124","type":"x"}`, 403},
		"longer key":         {nil, `{"callbackApiKey":"callback-api-key-1234","type":"x"}`, 403},
		"key in a list":      {nil, `{"callbackApiKey":["callback-api-key-123"],"type":"x"}`, 403},
		"nested key":         {nil, `{"data":{"callbackApiKey":"callback-api-key-123"}}`, 403},
		"misspelt name":      {nil, `{"callbackapikey":"callback-api-key-123","type":"x"}`, 403},
		"two keys":           {nil, `{"callbackApiKey":"other-callback-key","callbackApiKey":"callback-api-key-123","type":"x"}`, 400},
		"two types":          {nil, `{"callbackApiKey":"callback-api-key-123","type":"x","t\u0079pe":"y"}`, 400},
		"two sessions":       {nil, `{"callbackApiKey":"callback-api-key-123","type":"x","sessionId":"s","sessionId":"t"}`, 400},
		"two texts":          {nil, `{"callbackApiKey":"callback-api-key-123","type":"x","phoneNumber":"1","text":"1","text":"2"}`, 400},
		"two phone numbers":  {nil, `{"callbackApiKey":"callback-api-key-123","type":"x","phoneNumber":"1","phoneNumber":null}`, 400},
		"two links":          {nil, `{"callbackApiKey":"callback-api-key-123","type":"x","sessionLink":"1","sessionLink":"2"}`, 400},
		"null key":           {nil, `{"callbackApiKey":null}`, 403},
		"10 MiB value":       {nil, `{"callbackApiKey":"callback-api-key-123","x":"` + strings.Repeat("a", 10<<20) + `"}`, 413},
		"10 MiB white space": {nil, good + strings.Repeat(" ", 10<<20), 413},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			handled := false
			var observed error
			handler, err := identomat.CallbackHandler([]string{callbackKey},
				func(context.Context, identomat.Callback) error { handled = true; return nil },
				identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
			require.NoError(t, err)
			request := func() *http.Request {
				r := callbackRequest(test.body)
				if test.change != nil {
					test.change(r)
				}
				return r
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, request())
			assert.Equal(t, test.status, w.Code)
			assert.False(t, handled)
			assert.Equal(t, test.status == 405, w.Header().Get("Allow") == "POST")

			callback, err := identomat.ParseCallback(request(), []string{callbackKey})
			for _, err := range []error{err, observed} {
				var rejection *identomat.CallbackError
				require.ErrorAs(t, err, &rejection)
				assert.Equal(t, test.status, rejection.StatusCode)
				assert.NotContains(t, err.Error(), "callback-api-key")
			}
			assert.Equal(t, identomat.Callback{}, callback)
		})
	}
}

// The client announces 10 MiB and sends 2000 bytes. The handler must respond once the limit of
// 1000 bytes is exceeded, without waiting for the rest.
func TestCallbackHandlerStopsReadingAtLimit(t *testing.T) {
	handler, err := identomat.CallbackHandler([]string{callbackKey},
		func(context.Context, identomat.Callback) error { return nil }, identomat.WithMaxCallbackSize(1000), discardErrors)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n%s",
		strings.Repeat(" ", 2000))
	require.NoError(t, err)
	response, err := io.ReadAll(conn) // returns because the server closes the connection
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(response, []byte("HTTP/1.1 413 ")), "%.40s", response)
}

var discardErrors = identomat.WithCallbackErrors(func(context.Context, error) {})

func TestCallbackHandlerAcceptsEveryKey(t *testing.T) {
	calls := 0
	handler, err := identomat.CallbackHandler([]string{"old-callback-key", "new-callback-key"},
		func(context.Context, identomat.Callback) error { calls++; return nil }, discardErrors)
	require.NoError(t, err)
	for key, status := range map[string]int{"old-callback-key": 200, "new-callback-key": 200, "other-callback-key": 403} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, callbackRequest(`{"callbackApiKey":"`+key+`","type":"x"}`))
		assert.Equal(t, status, w.Code, key)
	}
	assert.Equal(t, 2, calls)
}

func TestCallbackHandlerFailureIs500(t *testing.T) {
	for name, handle := range map[string]func(context.Context, identomat.Callback) error{
		"error": func(context.Context, identomat.Callback) error { return errors.New("the database is down") },
		"panic": func(context.Context, identomat.Callback) error {
			var m map[string]int
			//lint:ignore SA5000 the panic is intended
			m["x"] = 1
			return nil
		},
		"abort": func(context.Context, identomat.Callback) error { panic(http.ErrAbortHandler) },
	} {
		var observed error
		handler, err := identomat.CallbackHandler([]string{callbackKey}, handle,
			identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
		require.NoError(t, err)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, callbackRequest(sample(t, "callbacks/one-time-password-request.json")))
		assert.Equal(t, 500, w.Code, name)
		assert.Equal(t, "Internal Server Error\n", w.Body.String())
		require.Error(t, observed, name)
		if name == "panic" {
			assert.Contains(t, observed.Error(), "assignment to entry in nil map")
			assert.Contains(t, observed.Error(), "callback_test.go")
		}
	}
}

// faultyError is an error whose text panics.
type faultyError struct{ text string }

func (e *faultyError) Error() string {
	if e.text == "" {
		return ""
	}
	panic("panic with " + e.text)
}

// A handler may return a typed nil pointer by mistake.
func TestCallbackHandlerErrorPanics(t *testing.T) {
	for _, failure := range []error{(*faultyError)(nil), &faultyError{"4821"}} {
		var observed []error
		handler, err := identomat.CallbackHandler([]string{callbackKey},
			func(context.Context, identomat.Callback) error { return failure },
			identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = append(observed, err) }))
		require.NoError(t, err)
		w := httptest.NewRecorder()
		require.NotPanics(t, func() {
			handler.ServeHTTP(w, callbackRequest(`{"callbackApiKey":"callback-api-key-123","type":"x","text":"code 4821"}`))
		})
		assert.Equal(t, 500, w.Code)
		require.Len(t, observed, 1)
		assert.Contains(t, observed[0].Error(), "whose text panics")
		assert.NotContains(t, observed[0].Error(), "4821")
	}
}

// The one-time password is 0000, which occurs in nearly every address in a stack trace. The stack must
// be kept anyway.
func TestCallbackHandlerPanicKeepsStack(t *testing.T) {
	var observed error
	handler, err := identomat.CallbackHandler([]string{callbackKey},
		func(context.Context, identomat.Callback) error { panic("x") },
		identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
	require.NoError(t, err)
	handler.ServeHTTP(httptest.NewRecorder(), callbackRequest(
		`{"callbackApiKey":"callback-api-key-123","type":"one-time-password-request","phoneNumber":"+995","text":"Your code is 0000"}`))
	require.Error(t, observed)
	assert.Contains(t, observed.Error(), "TestCallbackHandlerPanicKeepsStack.func1\n")
	assert.Regexp(t, `callback_test\.go:\d+\n`, observed.Error())
	assert.NotRegexp(t, `[(+]0x`, observed.Error(), "the stack must contain neither arguments nor addresses")
}

func TestCallbackValuesAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)

	body := sample(t, "callbacks/one-time-password-request.json")
	secrets := []string{callbackKey, "6867", "+995512345678", "wwb83rh1se22wd81z0tx8bqlerljq5kgf6rxem1q"}
	for name, handle := range map[string]func(context.Context, identomat.Callback) error{
		"error with the text": func(_ context.Context, c identomat.Callback) error {
			sms, _ := c.SMS()
			return fmt.Errorf("could not send %s to the customer", sms.Text)
		},
		"error with the number": func(_ context.Context, c identomat.Callback) error {
			sms, _ := c.SMS()
			return &dumpError{Request: sms.PhoneNumber}
		},
		"error with the session": func(_ context.Context, c identomat.Callback) error {
			return errors.New("no row for " + string(c.SessionID))
		},
		"error with the key":      func(context.Context, identomat.Callback) error { return errors.New(callbackKey) },
		"error with the callback": func(_ context.Context, c identomat.Callback) error { return fmt.Errorf("%v %+v %#v", c, c, &c) },
		"panic with the text": func(_ context.Context, c identomat.Callback) error {
			sms, _ := c.SMS()
			panic(sms.Text)
		},
		"panic with a part of the text": func(_ context.Context, c identomat.Callback) error {
			sms, _ := c.SMS()
			panic(strings.TrimPrefix(sms.Text, "Your code is "))
		},
		"runtime panic with the code": func(_ context.Context, c identomat.Callback) error {
			sms, _ := c.SMS()
			code, err := strconv.Atoi(strings.TrimPrefix(sms.Text, "Your code is "))
			return fmt.Errorf("%w %d", err, make([]int, 3)[code])
		},
		"panic with an error": func(_ context.Context, c identomat.Callback) error {
			panic(errors.New(string(c.Raw())))
		},
	} {
		log.Reset()
		handler, err := identomat.CallbackHandler([]string{callbackKey}, handle)
		require.NoError(t, err)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, callbackRequest(body))
		assert.Equal(t, 500, w.Code)
		assert.NotEmpty(t, log.String(), name)
		// Times and line numbers may contain a secret's digits by chance.
		logged := timeOrLine.ReplaceAllString(log.String(), "")
		assert.NotContains(t, logged, ".go:")
		for _, secret := range secrets {
			assert.NotContains(t, logged+w.Body.String(), secret, name)
		}
	}
}

// timeOrLine matches the time in a log entry, and the file and line in a stack frame.
var timeOrLine = regexp.MustCompile(`\btime=\S+|\\n\\t.*?\.(go|s):\d+`)

func TestNestedCallbackValuesAreWithheld(t *testing.T) {
	const body = `{"callbackApiKey":"callback-api-key-123","type":"email-one-time-password-request","data":{"to":["nino@example.com"],"code":918273,"text":"Your code is 6867"}}`
	for _, secret := range []string{"nino@example.com", "918273", "6867"} {
		var observed error
		handler, err := identomat.CallbackHandler([]string{callbackKey},
			func(context.Context, identomat.Callback) error { return errors.New("the gateway refused " + secret) },
			identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
		require.NoError(t, err)
		handler.ServeHTTP(httptest.NewRecorder(), callbackRequest(body))
		require.Error(t, observed)
		assert.NotContains(t, observed.Error(), secret)
	}
}

func TestCallbackHandlerInvalidSettings(t *testing.T) {
	handle := func(context.Context, identomat.Callback) error { return nil }
	for want, newHandler := range map[string]func() (http.Handler, error){
		"no callback API key": func() (http.Handler, error) { return identomat.CallbackHandler(nil, handle) },
		"key is empty":        func() (http.Handler, error) { return identomat.CallbackHandler([]string{callbackKey, ""}, handle) },
		"white space":         func() (http.Handler, error) { return identomat.CallbackHandler([]string{callbackKey + "\n"}, handle) },
		"handle is nil":       func() (http.Handler, error) { return identomat.CallbackHandler([]string{callbackKey}, nil) },
		"option is nil":       func() (http.Handler, error) { return identomat.CallbackHandler([]string{callbackKey}, handle, nil) },
		"must be positive": func() (http.Handler, error) {
			return identomat.CallbackHandler([]string{callbackKey}, handle, identomat.WithMaxCallbackSize(0))
		},
		"function is nil": func() (http.Handler, error) {
			return identomat.CallbackHandler([]string{callbackKey}, handle, identomat.WithCallbackErrors(nil))
		},
	} {
		handler, err := newHandler()
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, fmt.Sprint(err), callbackKey)
		assert.Nil(t, handler)
	}
	_, err := identomat.ParseCallback(callbackRequest(`{"callbackApiKey":""}`), nil)
	assert.ErrorContains(t, err, "no callback API key")
	_, err = identomat.ParseCallback(callbackRequest(`{"callbackApiKey":""}`), []string{""})
	assert.ErrorContains(t, err, "key is empty")
}

// If copies of a callback arrive at the same time, the handler is called for each copy.
func TestReplayedCallbackIsHandledEachTime(t *testing.T) {
	var calls atomic.Int32
	handler, err := identomat.CallbackHandler([]string{callbackKey},
		func(context.Context, identomat.Callback) error { calls.Add(1); return nil })
	require.NoError(t, err)
	done := make(chan int)
	for range 100 {
		go func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, callbackRequest(`{"callbackApiKey":"callback-api-key-123","type":"x","sessionId":"s"}`))
			done <- w.Code
		}()
	}
	for range 100 {
		assert.Equal(t, 200, <-done)
	}
	assert.EqualValues(t, 100, calls.Load())
}

func FuzzCallback(f *testing.F) {
	for _, body := range []string{
		`{"callbackApiKey":"callback-api-key-123","type":"x","sessionId":"s","text":"t","phoneNumber":"+995"}`,
		`{"callbackApiKey":"callback-api-key-123","callbackApiKey":"other"}`, `{"callbackApiKey":"other","callbackApiKey":"callback-api-key-123"}`,
		`{"callbackapikey":"callback-api-key-123"}`, `{}`, `null`, `[]`, `{"a":1}{"b":2}`, "\xff", `{"type":"\ud800"}`,
		`{"callbackApiKey":"callback-api-key-123","type":["x"],"sessionId":{}}`,
		`{"callbackApiKey":"callback-api-key-123","type":"x","n":[1e999,-0,1.50]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		callback, err := identomat.ParseCallback(callbackRequest(body), []string{callbackKey})
		if err != nil {
			var rejection *identomat.CallbackError
			require.ErrorAs(t, err, &rejection)
			require.Equal(t, identomat.Callback{}, callback)
			return
		}
		// Numbers are compared as text, because a float64 cannot hold all of them.
		decode := func(text []byte) (members map[string]any, err error) {
			if !json.Valid(text) {
				return nil, errors.New("not JSON")
			}
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			return members, d.Decode(&members)
		}
		members, err := decode([]byte(body))
		require.NoError(t, err, "an accepted body must be JSON")
		require.Equal(t, callbackKey, members["callbackApiKey"], "an accepted body must contain the key")
		raw, err := decode(callback.Raw())
		require.NoError(t, err)
		for name, value := range raw {
			require.False(t, strings.EqualFold(name, "callbackApiKey"))
			require.Equal(t, members[name], value)
		}
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", callback, callback, callback), callbackKey)
		sms, ok := callback.SMS()
		require.Equal(t, ok, sms.PhoneNumber != "" && sms.Text != "" &&
			(callback.Type == identomat.CallbackOneTimePassword || callback.Type == identomat.CallbackSessionLinkSMS))
	})
}

// A failing handler must not cost much more than a successful one, even if the callback contains many
// strings.
func TestFailedHandlerOfLargeCallbackIsCheap(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const texts = 40_000
	var body strings.Builder
	body.WriteString(`{"callbackApiKey":"callback-api-key-123","type":"x","list":["a text"`)
	for i := range texts {
		fmt.Fprintf(&body, `,"text %d / %d"`, i, i)
	}
	body.WriteString("]}")
	for _, text := range []string{"the database is down", strings.Repeat("the database is down. ", 10_000)} {
		failure := errors.New(text)
		handler, err := identomat.CallbackHandler([]string{callbackKey}, func(context.Context, identomat.Callback) error { return failure }, discardErrors)
		require.NoError(t, err)
		allocations := testing.AllocsPerRun(1, func() { handler.ServeHTTP(httptest.NewRecorder(), callbackRequest(body.String())) })
		t.Logf("%.1f allocations per string", allocations/texts)
		assert.Less(t, allocations, 3.0*texts)
	}
}
