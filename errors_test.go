package identomat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

func TestIsTemporary(t *testing.T) {
	transport := func(err error) error { return &identomat.TransportError{Operation: "result/", Attempts: 3, Err: err} }
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                        {nil, false},
		"error of another package":   {io.ErrUnexpectedEOF, false},
		"validation error":           {&identomat.ValidationError{Operation: "begin/"}, false},
		"callback error":             {&identomat.CallbackError{StatusCode: 503}, false},
		"sentinel":                   {identomat.ErrRateLimited, false},
		"connection lost":            {transport(io.ErrUnexpectedEOF), true},
		"not sent":                   {transport(errors.New("connection refused")), true},
		"maybe processed":            {&identomat.TransportError{MaybeProcessed: true, Err: io.EOF}, true},
		"wrapped transport error":    {fmt.Errorf("fetching the result: %w", transport(io.EOF)), true},
		"joined transport error":     {errors.Join(io.EOF, transport(io.EOF)), true},
		"context canceled":           {transport(context.Canceled), false},
		"deadline of the context":    {transport(context.DeadlineExceeded), false},
		"wrapped end of the context": {transport(fmt.Errorf("limiter: %w", context.Canceled)), false},
		"error and end of context":   {errors.Join(&identomat.APIError{StatusCode: 503}, context.DeadlineExceeded), false},
		"HTTP 503 with a code":       {&identomat.APIError{StatusCode: 503, Code: "wrong-parameters"}, true},
		"HTTP 200 with a code":       {&identomat.APIError{StatusCode: 200, Code: "session-not-found"}, false},
		"wrapped HTTP 503":           {fmt.Errorf("fetching the result: %w", &identomat.APIError{StatusCode: 503}), true},
	} {
		assert.Equal(t, c.want, identomat.IsTemporary(c.err), name)
	}
	for status := 100; status < 600; status++ {
		want := status == 408 || status == 421 || status == 425 || status == 429 || status >= 500 && status != 501
		assert.Equal(t, want, identomat.IsTemporary(&identomat.APIError{StatusCode: status}), status)
	}
}

// TestIsTemporaryAfterCalls checks errors that calls return. The SDK's timeouts are temporary, but the
// end of the caller's context is not.
func TestIsTemporaryAfterCalls(t *testing.T) {
	wait := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	respond := func(status int, body string) roundTrip {
		return func(*http.Request) (*http.Response, error) { return newResponse(status, body), nil }
	}
	for name, c := range map[string]struct {
		trip roundTrip
		ctx  time.Duration // timeout of the context
		want bool
	}{
		"attempt timeout": {wait, time.Hour, true}, "context timeout": {wait, time.Second, false},
		"reset":    {func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, time.Hour, true},
		"HTTP 503": {respond(503, "busy"), time.Hour, true}, "HTTP 501": {respond(501, ""), time.Hour, false},
		"page": {respond(200, "<html>"), time.Hour, false}, "refusal": {respond(200, `"SESSION_NOT_FOUND"`), time.Hour, false},
		"unsigned response": {respond(200, `{"result":"approved"}`), time.Hour, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.ctx)
			defer cancel()
			err := getResult(stubbed(t, c.trip, append(signing(), identomat.WithAttemptTimeout(10*time.Second))...), ctx)
			require.Error(t, err, name)
			assert.Equal(t, c.want, identomat.IsTemporary(err), "%s: %s", name, err)
		})
	}
}

func TestErrorCodeSurvivesWordsOfTheRequest(t *testing.T) {
	for code, name := range map[string]string{"access-denied": "denied", "new-code": "new"} { // a known code and a short one
		client := responding(t, 200, `{"argumentError":"`+code+`"}`, false)
		_, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze"}, map[string]any{"name": name})
		var api *identomat.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, code, api.Code)
	}
}

// TestCodeThatRepeatsSecretIsNotShown responds with keys and parameters where codes belong.
func TestCodeThatRepeatsSecretIsNotShown(t *testing.T) {
	for name, echo := range map[string]string{
		"company key": strings.ToUpper(companyKey), "secret key": strings.ToUpper(secretKey), "text": "rustaveli-street",
		"text in an array": "no-featherstone", "text below": "NO_WILHELMINA_HERE", "text in an object": "no-such-jacqueline",
	} {
		for _, body := range []string{`{"argumentError":"` + echo + `"}`, `{"argumentError":"x-y","errorSourceGroup":"` + echo + `"}`} {
			client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(400, body), nil }, identomat.WithHMAC(secretKey))
			_, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze"}, map[string]any{
				"street": "rustaveli", "names": []any{"first", "featherstone", []string{"wilhelmina"}, map[string]any{"x": "jacqueline"}},
			})
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.NotContains(t, api.Code+api.Group, echo, name)
			assert.NotContains(t, fmt.Sprintf("%v %#v", err, err), echo, name)
		}
	}
	client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, `"`+companyKey+`"`), nil })
	_, err := client.Documents.Passport(t.Context(), identomat.FileFromBytes([]byte(picture(10))))
	require.Error(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %#v", err, err), companyKey, "an upload, whose fields are not held")
}

func TestErrorCodeIsBounded(t *testing.T) {
	client := responding(t, 200, `{"argumentError":"`+strings.Repeat("-", 300)+`not-found"}`, false)
	_, err := client.Call(t.Context(), identomat.Endpoint{Name: "freeze"}, nil)
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Empty(t, api.Code)
}

// A log index refuses an attribute that is a text in one record and a group in another.
func TestErrorsAreTextsInLogs(t *testing.T) {
	for _, err := range []error{
		&identomat.APIError{Operation: "begin/", StatusCode: 500, MaybeProcessed: true},
		&identomat.TransportError{Operation: "begin/", MaybeProcessed: true, Err: io.ErrUnexpectedEOF},
		&identomat.ValidationError{Operation: "begin/"},
	} {
		var line bytes.Buffer
		slog.New(slog.NewJSONHandler(&line, nil)).Info("x", "error", err)
		var record map[string]any
		require.NoError(t, json.Unmarshal(line.Bytes(), &record))
		assert.Equal(t, err.Error(), record["error"])
	}
}
