package idenfy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

// quick is an option that retries without a noticeable delay.
var quick = identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 3, BaseDelay: 1})

var request = idenfy.SessionRequest{ClientID: "100000"}

func clientFor(t *testing.T, url string, opts ...idenfy.Option) *idenfy.Client {
	t.Helper()
	client, err := idenfy.NewClient(apiKey, apiSecret, append([]idenfy.Option{idenfy.WithBaseURL(url), quick}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestNewClientFromEnv(t *testing.T) {
	t.Setenv("IDENFY_API_KEY", "")
	t.Setenv("IDENFY_API_SECRET", apiSecret)
	_, err := idenfy.NewClientFromEnv()
	require.EqualError(t, err, "idenfy: IDENFY_API_KEY is not set")
	t.Setenv("IDENFY_API_KEY", apiKey)
	t.Setenv("IDENFY_API_SECRET", "")
	_, err = idenfy.NewClientFromEnv()
	require.EqualError(t, err, "idenfy: IDENFY_API_SECRET is not set")

	var user, password string
	url, count := serving(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		_, _ = io.WriteString(w, `{"authToken":"`+authToken+`","scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac"}`)
	})
	t.Setenv("IDENFY_API_SECRET", apiSecret)
	t.Setenv("IDENFY_BASE_URL", url)
	client, err := idenfy.NewClientFromEnv()
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.CreateSession(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, []string{apiKey, apiSecret}, []string{user, password})

	t.Setenv("IDENFY_BASE_URL", "http://unencrypted.example")
	_, err = idenfy.NewClientFromEnv()
	require.EqualError(t, err, "idenfy: the base URL must be https, except for a loopback host")
	_, err = idenfy.NewClientFromEnv(identomat.WithInsecureTestHosts("unencrypted.example"))
	require.NoError(t, err)
	t.Setenv("IDENFY_BASE_URL", "https://unreachable.example")
	client, err = idenfy.NewClientFromEnv(idenfy.WithBaseURL(url))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.CreateSession(t.Context(), request)
	require.NoError(t, err)
	assert.EqualValues(t, 2, count.Load())
}

// serving starts a server that handles requests with f. It returns the URL and the number of
// requests.
func serving(t *testing.T, f http.HandlerFunc) (url string, count *atomic.Int32) {
	t.Helper()
	count = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		count.Add(1)
		f(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, count
}

// hangUp is a handler that resets the connection instead of responding.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// cut sends what has been written so far and aborts the connection.
func cut(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func create(client *idenfy.Client, ctx context.Context) error {
	_, err := client.CreateSession(ctx, request)
	return err
}

func transportError(t *testing.T, err error) *identomat.TransportError {
	t.Helper()
	var lost *identomat.TransportError
	require.ErrorAs(t, err, &lost)
	assert.Equal(t, "idenfy/token", lost.Operation)
	return lost
}

func apiError(t *testing.T, err error) *idenfy.APIError {
	t.Helper()
	var api *idenfy.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, "idenfy/token", api.Operation)
	return api
}

func TestLostResponseIsNotRetried(t *testing.T) {
	for name, lose := range map[string]http.HandlerFunc{
		"no response": hangUp,
		"half a header": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				_, _ = io.WriteString(conn, "HTTP/1.1 201 Cre")
				_ = conn.Close()
			}
		},
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, tokenResponse[:40])
			cut(w)
		},
		"a whole session in half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, tokenResponse)
			cut(w)
		},
		"a broken chunk": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, tokenResponse[:40])
			cut(w)
		},
	} {
		url, sent := serving(t, lose)
		err := create(clientFor(t, url), t.Context())
		lost := transportError(t, err)
		assert.Equal(t, 1, lost.Attempts, name)
		assert.True(t, identomat.MaybeProcessed(err), name)
		assert.EqualValues(t, 1, sent.Load(), name)
		assert.True(t, strings.HasPrefix(lost.Error(), "identomat: idenfy/token: "), lost.Error())
		assert.True(t, strings.HasSuffix(lost.Error(), " (the service may have processed the request)"), lost.Error())
	}
}

// noResponse is a RoundTripper that reads the request and waits until the call gives up.
func noResponse(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeoutIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			sent++
			return noResponse(r)
		}, identomat.WithAttemptTimeout(5*time.Second))
		start := time.Now()
		lost := transportError(t, create(client, t.Context()))
		assert.True(t, lost.Timeout())
		assert.True(t, lost.MaybeProcessed)
		assert.NotErrorIs(t, lost, context.DeadlineExceeded, "the caller's context has no deadline")
		assert.Equal(t, 5*time.Second, time.Since(start))
		assert.Equal(t, 1, sent)
	})
}

func TestFailedConnectionIsRetried(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refusing := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	for _, url := range []string{refusing, untrusted.URL} {
		failed := transportError(t, create(clientFor(t, url), t.Context()))
		assert.Equal(t, 3, failed.Attempts)
		assert.False(t, failed.MaybeProcessed)
	}
}

func TestOnlyUnprocessedStatusIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{200, 204, 301, 302, 307, 400, 401, 402, 403, 404, 405, 408, 409, 421, 422, 425, 429, 500, 501, 502, 503, 504, 599} {
			for _, body := range []string{`{}`, `<html>`, ``, `{"identifier":"INTERNAL_ERROR","message":"x"}`, `{"message":"x"}`} {
				sent, want := 0, 1
				if status == 421 || status == 425 || status == 429 {
					want = 3
				}
				client := stubbed(t, func(*http.Request) (*http.Response, error) {
					sent++
					return response(status, body, "Retry-After", "1"), nil
				})
				api := apiError(t, create(client, t.Context()))
				assert.Equal(t, want, sent, "%d %s", status, body)
				assert.Equal(t, want, api.Attempts)
				assert.Equal(t, status, api.StatusCode)
			}
		}
	})
}

func TestRetryAfterRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, start := 0, time.Now()
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			assert.JSONEq(t, `{"clientId":"100000"}`, string(body))
			assert.NotEmpty(t, r.Header.Get("Authorization"))
			if sent++; sent == 1 {
				return response(429, `{"identifier":"TOO_MANY_REQUESTS"}`, "Retry-After", "7"), nil
			}
			return response(201, tokenResponse), nil
		}, identomat.WithRetry(identomat.RetryPolicy{BaseDelay: time.Millisecond}))
		require.NoError(t, create(client, t.Context()))
		assert.Equal(t, 2, sent)
		assert.InDelta(t, 7, time.Since(start).Seconds(), 0.01)
	})
}

func TestErrorsMatchTheirCauses(t *testing.T) {
	all := map[string]error{
		"OutOfCredits": idenfy.ErrOutOfCredits, "RateLimited": identomat.ErrRateLimited, "Unauthorized": idenfy.ErrUnauthorized, "Forbidden": idenfy.ErrForbidden,
		"Conflict": idenfy.ErrConflict, "Internal": identomat.ErrInternal, "BadValue": idenfy.ErrBadValue,
		"MissingValue": idenfy.ErrMissingValue, "Validation": idenfy.ErrValidation,
		"PartnerContract": idenfy.ErrPartnerContract, "Partner": idenfy.ErrPartner,
		"Permissions": idenfy.ErrPermissions, "UnexpectedResponse": identomat.ErrUnexpectedResponse,
		"TooLarge": identomat.ErrTooLarge,
	}
	for _, c := range []struct {
		status         int
		body           string
		is             string // names of the error variables that match, without Err
		identifier     string
		message        string
		maybeProcessed bool
		text           string
	}{
		{400, `{"identifier":"INTERNAL_ERROR","message":"m"}`, "Internal", "INTERNAL_ERROR", "m", true, "internal service error (HTTP 400, INTERNAL_ERROR)"},
		{400, `{"identifier":"BAD_VALUE","message":"Field 'country' must be a valid ISO 3166-1 alpha-2 code."}`, "BadValue", "BAD_VALUE", "Field 'country' must be a valid ISO 3166-1 alpha-2 code.", false, "bad value (HTTP 400, BAD_VALUE)"},
		{400, `{"identifier":"MISSING_VALUE","message":"m"}`, "MissingValue", "MISSING_VALUE", "m", false, "missing value (HTTP 400, MISSING_VALUE)"},
		{401, `{"identifier":"UNAUTHORIZED","message":"m"}`, "Unauthorized", "UNAUTHORIZED", "m", false, "unauthorized (HTTP 401, UNAUTHORIZED)"},
		{400, `{"identifier":"UNAUTHORIZED","message":"m"}`, "Unauthorized", "UNAUTHORIZED", "m", false, "unauthorized (HTTP 400, UNAUTHORIZED)"},
		{400, `{"identifier":"ENCODING_ERROR","message":"m"}`, "", "ENCODING_ERROR", "m", false, "ENCODING_ERROR (HTTP 400)"},
		{400, `{"identifier":"JSON_ERROR","message":"m"}`, "", "JSON_ERROR", "m", false, "JSON_ERROR (HTTP 400)"},
		{400, `{"identifier":"TOKEN_NOT_VALID","message":"m"}`, "", "TOKEN_NOT_VALID", "m", false, "TOKEN_NOT_VALID (HTTP 400)"},
		{400, `{"identifier":"PARTNER_CONTRACT_ERROR","message":"m"}`, "PartnerContract", "PARTNER_CONTRACT_ERROR", "m", false, "not in the contract (HTTP 400, PARTNER_CONTRACT_ERROR)"},
		{400, `{"message":"Token has not expired yet.","identifier":"PARTNER_ERROR","documentation":"https://x","severity":"NOT_SEVERE"}`, "Partner", "PARTNER_ERROR", "Token has not expired yet.", false, "partner error (HTTP 400, PARTNER_ERROR)"},
		{405, `{"identifier":"METHOD_NOT_ALLOWED","message":"m"}`, "", "METHOD_NOT_ALLOWED", "m", false, "METHOD_NOT_ALLOWED (HTTP 405)"},
		{403, `{"identifier":"PERMISSIONS_ERROR","message":"m"}`, "Permissions Forbidden", "PERMISSIONS_ERROR", "m", false, "no permission (HTTP 403, PERMISSIONS_ERROR)"},
		{400, `{"identifier":"TOO_MANY_REQUESTS","message":"m"}`, "RateLimited", "TOO_MANY_REQUESTS", "m", false, "rate limited (HTTP 400, TOO_MANY_REQUESTS)"},
		{429, ``, "RateLimited UnexpectedResponse", "", "", false, "rate limited (HTTP 429, text/html, 3 attempts): empty response"},
		{400, `{"identifier":"VALIDATION_ERROR","message":"m"}`, "Validation", "VALIDATION_ERROR", "m", false, "service validation error (HTTP 400, VALIDATION_ERROR)"},

		{400, `{"identifier":"PERMISSIONS_ERROR","message":"Partner reached token limit."}`, "OutOfCredits", "PERMISSIONS_ERROR", "Partner reached token limit.", false, "out of credits (HTTP 400, PERMISSIONS_ERROR)"},
		{402, `{"identifier":"PERMISSIONS_ERROR","message":"m"}`, "OutOfCredits", "PERMISSIONS_ERROR", "m", false, "out of credits (HTTP 402, PERMISSIONS_ERROR)"},
		{429, `{"identifier":"PERMISSIONS_ERROR","message":"Partner reached token limit."}`, "OutOfCredits RateLimited", "PERMISSIONS_ERROR", "Partner reached token limit.", false, "out of credits (HTTP 429, PERMISSIONS_ERROR)"},
		{402, `{"message":"Action not allowed due to lack of funds or exceeded limit."}`, "OutOfCredits", "", "Action not allowed due to lack of funds or exceeded limit.", false, "out of credits (HTTP 402)"},
		{401, `{"message":"Invalid authorization credentials"}`, "Unauthorized", "", "Invalid authorization credentials", false, "unauthorized (HTTP 401)"},
		{403, `{"message":"Partner inactive"}`, "Forbidden", "", "Partner inactive", false, "forbidden (HTTP 403)"},
		{409, `{"message":"m"}`, "Conflict", "", "m", false, "conflict (HTTP 409)"},
		{404, `{"message":"m"}`, "", "", "m", false, "service error (HTTP 404)"},
		{400, `{"message":"An error occurred while parsing"}`, "", "", "An error occurred while parsing", false, "service error (HTTP 400)"},
		{400, `{"identifier":"BRAND_NEW","message":"m"}`, "", "BRAND_NEW", "m", false, "BRAND_NEW (HTTP 400)"},
		{400, `{"message":{"country":["Invalid."]},"identifier":"INVALID"}`, "", "INVALID", `{"country":["Invalid."]}`, false, "INVALID (HTTP 400)"},
		{400, `{"message":{"country":["Invalid."]}}`, "", "", `{"country":["Invalid."]}`, false, "service error (HTTP 400)"},
		{400, `{"identifier":"not a constant","message":"m"}`, "", "", "m", false, "service error (HTTP 400)"},
		{200, `{"identifier":"BAD_VALUE","message":"m"}`, "BadValue", "BAD_VALUE", "m", true, "bad value (HTTP 200, BAD_VALUE)"},
		{500, `{"identifier":"BAD_VALUE","message":"m"}`, "BadValue", "BAD_VALUE", "m", true, "bad value (HTTP 500, BAD_VALUE)"},
		{408, `{"identifier":"BAD_VALUE","message":"m"}`, "BadValue", "BAD_VALUE", "m", true, "bad value (HTTP 408, BAD_VALUE)"},

		{402, `<html>payment</html>`, "OutOfCredits UnexpectedResponse", "", "", true, "out of credits (HTTP 402, text/html): 20 bytes: html"},
		{403, `<html>Access denied | cloudflare</html>`, "Forbidden UnexpectedResponse", "", "", true, "forbidden (HTTP 403, text/html): 39 bytes: html access denied cloudflare html"},
		{502, `<html>Bad Gateway</html>`, "UnexpectedResponse", "", "", true, "unexpected response (HTTP 502, text/html): 24 bytes: html bad gateway html"},
		{400, ``, "UnexpectedResponse", "", "", true, "unexpected response (HTTP 400, text/html): empty response"},
		{400, `{"identifier":7}`, "UnexpectedResponse", "", "", true, `unexpected response (HTTP 400, text/html): 16 bytes: {"identifier":…}`},
		{400, `{"identifier":"BAD_VALUE"`, "UnexpectedResponse", "", "", true, `unexpected response (HTTP 400, text/html): 25 bytes: {"identifier":"…"`},
		{400, `[{"identifier":"BAD_VALUE"}]`, "UnexpectedResponse", "", "", true, `unexpected response (HTTP 400, text/html): 28 bytes: [{"identifier":"…"}]`},
		{302, ``, "UnexpectedResponse", "", "", true, "unexpected response (HTTP 302, text/html): empty response"},
		{200, `{"message":"Token created successfully"}`, "UnexpectedResponse", "", "", true, `unexpected response (HTTP 200, text/html): 40 bytes: {"message":"…"}`},
	} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return response(c.status, c.body, "Content-Type", "text/html; charset=utf-8"), nil
		}, quick)
		err := create(client, t.Context())
		api := apiError(t, err)
		for name, sentinel := range all {
			assert.Equal(t, strings.Contains(" "+c.is+" ", " "+name+" "), errors.Is(err, sentinel), "%s %s is Err%s", c.body, err, name)
		}
		assert.NotErrorIs(t, err, nil)
		assert.Equal(t, c.status, api.StatusCode)
		assert.Equal(t, slices.Contains([]int{408, 429, 500, 502}, c.status), identomat.IsTemporary(err), c.body)
		assert.Equal(t, c.identifier, api.Code)
		assert.Equal(t, c.message, api.Message())
		assert.Equal(t, c.maybeProcessed, identomat.MaybeProcessed(fmt.Errorf("no session: %w", err)), c.body)
		assert.Equal(t, "identomat: idenfy/token: "+c.text, err.Error())
	}
	var line bytes.Buffer
	slog.New(slog.NewTextHandler(&line, nil)).Info("x", "err", idenfy.APIError{APIError: identomat.APIError{Operation: "idenfy/token", StatusCode: 403, Code: "NEW", Attempts: 2, MaybeProcessed: true}})
	assert.Contains(t, line.String(), ` err="identomat: idenfy/token: forbidden (HTTP 403, NEW`)
	made := &idenfy.APIError{APIError: identomat.APIError{StatusCode: 400, Code: "PERMISSIONS_ERROR"}}
	assert.ErrorIs(t, made, idenfy.ErrPermissions, "an error made in a test")
	assert.NotErrorIs(t, made, identomat.ErrRateLimited)
}

func TestStatusOfTruncatedRefusalCounts(t *testing.T) {
	url, sent := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(402)
		_, _ = io.WriteString(w, `{"message":"Action`)
		cut(w)
	})
	err := create(clientFor(t, url), t.Context())
	require.ErrorIs(t, err, idenfy.ErrOutOfCredits)
	assert.True(t, apiError(t, err).MaybeProcessed)
	assert.EqualValues(t, 1, sent.Load())
}

func TestSessionNeedsStatus2xx(t *testing.T) {
	for _, body := range []string{tokenResponse, page(t, "response-no-fields.json")} {
		for _, status := range []int{300, 302, 304, 399, 400, 404, 500, 503, 599} {
			session, err := answering(t, status, body).CreateSession(t.Context(), request)
			api := apiError(t, err)
			assert.Nil(t, session)
			assert.Equal(t, status, api.StatusCode)
			assert.True(t, body != tokenResponse || api.MaybeProcessed, "%d: not an error in iDenfy's form", status)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere, arrived := serving(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, path := range []string{elsewhere + "/x", "/api/v2/token"} {
			url, sent := serving(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, path, status) })
			err := create(clientFor(t, url, identomat.WithHTTPClient(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }})), t.Context())
			require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
			assert.Equal(t, status, apiError(t, err).StatusCode)
			assert.EqualValues(t, 1, sent.Load())
			assert.Zero(t, arrived.Load())
		}
	}
}

func TestResponseSizeIsLimited(t *testing.T) {
	padded := func(n int) string { return tokenResponse + strings.Repeat(" ", n-len(tokenResponse)) }
	for _, chunked := range []bool{false, true} {
		for size, ok := range map[int]bool{1000: true, 1001: false} {
			url, sent := serving(t, func(w http.ResponseWriter, _ *http.Request) {
				if chunked {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, padded(size))
			})
			err := create(clientFor(t, url, identomat.WithMaxResponseSize(1000)), t.Context())
			assert.EqualValues(t, 1, sent.Load())
			if ok {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, identomat.ErrTooLarge)
			assert.True(t, apiError(t, err).MaybeProcessed)
		}
	}
	require.NoError(t, create(answering(t, 200, padded(1<<20)), t.Context()))
	require.ErrorIs(t, create(answering(t, 200, padded(1<<20+1)), t.Context()), identomat.ErrTooLarge)
	many := strings.Replace(tokenResponse, "{", "{"+strings.Repeat(`"a":{},`, 10_001), 1)
	require.ErrorIs(t, create(answering(t, 200, many), t.Context()), identomat.ErrTooLarge)
	many = strings.Replace(tokenResponse, "{", "{"+strings.Repeat(`"a":{},`, 9_999), 1)
	require.NoError(t, create(answering(t, 200, many), t.Context()))
	deep := strings.Replace(tokenResponse, "{", `{"a":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+",", 1)
	require.ErrorIs(t, create(answering(t, 200, deep), t.Context()), identomat.ErrUnexpectedResponse)
}

func TestGzipBombIsLimited(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, err := io.Copy(zip, io.LimitReader(zeros{}, 8<<20))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	url, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	require.ErrorIs(t, create(clientFor(t, url), t.Context()), identomat.ErrTooLarge)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGuardIsCalledBeforeSending(t *testing.T) {
	mine := errors.New("client 100000 has an open session")
	type key struct{}
	var asked []string
	guard := idenfy.WithGuard(func(ctx context.Context, clientID string) error {
		assert.Equal(t, "value", ctx.Value(key{}))
		if asked = append(asked, clientID); clientID == "100000" {
			return mine
		}
		return nil
	})
	ctx := context.WithValue(t.Context(), key{}, "value")
	err := create(silent(t, guard), ctx)
	require.ErrorIs(t, err, mine)
	lost := transportError(t, err)
	assert.Zero(t, lost.Attempts)
	assert.False(t, lost.MaybeProcessed)
	assert.NotContains(t, err.Error(), "100000")
	_, err = answering(t, 200, tokenResponse, guard).CreateSession(ctx, idenfy.SessionRequest{ClientID: "200000"})
	require.NoError(t, err)
	_, err = silent(t, guard).CreateSession(ctx, idenfy.SessionRequest{})
	require.Error(t, err)
	assert.Equal(t, []string{"100000", "200000"}, asked, "an invalid request must not reach the guard")
}

func TestCallerContextEndsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		client := stubbed(t, noResponse)
		start := time.Now()
		err := create(client, ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, transportError(t, err).MaybeProcessed)
		assert.Equal(t, 3*time.Second, time.Since(start))
		later, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start = time.Now()
		err = create(client, later)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, transportError(t, err).Timeout())
		assert.Equal(t, identomat.DefaultAttemptTimeout, time.Since(start), "a later deadline does not extend the attempt")
		err = create(silent(t), ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.False(t, transportError(t, err).MaybeProcessed)
	})
}

type limiter struct{ waits int }

func (l *limiter) Wait(context.Context) error { l.waits++; return nil }

func TestObserversLoggersAndLimitersSeeEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []identomat.Event
		var logged bytes.Buffer
		limit, sent := &limiter{}, 0
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			if sent++; sent == 1 {
				return response(429, `{"identifier":"TOO_MANY_REQUESTS","message":"m"}`), nil
			}
			return response(201, tokenResponse), nil
		}, identomat.WithObserver(func(e identomat.Event) { events = append(events, e) }), identomat.WithRateLimiter(limit),
			identomat.WithLogger(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		require.NoError(t, create(client, t.Context()))
		assert.Equal(t, 2, limit.waits)
		require.Len(t, events, 2)
		assert.Equal(t, []string{"idenfy/token", "idenfy/token"}, []string{events[0].Operation, events[1].Operation})
		assert.Equal(t, []int{1, 429, 2, 201}, []int{events[0].Attempt, events[0].StatusCode, events[1].Attempt, events[1].StatusCode})
		assert.EqualValues(t, len(`{"clientId":"100000"}`), events[0].BytesSent)
		assert.EqualValues(t, len(tokenResponse), events[1].BytesReceived)
		require.ErrorIs(t, events[0].Err, identomat.ErrRateLimited)
		assert.True(t, events[0].WillRetry)
		require.NoError(t, events[1].Err)
		lines := bytes.Split(bytes.TrimSpace(logged.Bytes()), []byte("\n"))
		require.Len(t, lines, 2)
		for i, want := range []string{"WARN idenfy call failed 429", "DEBUG idenfy call 201"} {
			var line map[string]any
			require.NoError(t, json.Unmarshal(lines[i], &line))
			assert.Equal(t, want, fmt.Sprint(line["level"], " ", line["msg"], " ", line["status"]))
			assert.Equal(t, "idenfy/token", line["operation"])
		}
	})
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct{ ClientID string }
		_ = json.NewDecoder(r.Body).Decode(&req)
		fmt.Fprintf(w, `{"authToken":"t-%s","scanRef":"s","clientId":%q}`, req.ClientID, req.ClientID)
	}))
	defer server.Close()
	client := clientFor(t, server.URL)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			id := fmt.Sprint(i)
			session, err := client.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: id})
			if assert.NoError(t, err) {
				assert.Equal(t, "t-"+id, string(session.AuthToken))
				assert.Equal(t, id, session.ClientID)
			}
		})
	}
	group.Wait()
}

func TestOptionsAndKeysAreChecked(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://ivs.idenfy.com": true, "https://x.example:8443/": true, "http://127.0.0.1:1": true, "http://localhost": true, "http://[::1]:8080": true,
		"http://ivs.idenfy.com": false, "http://10.0.0.1": false, "ftp://127.0.0.1": false, "": false, "ivs.idenfy.com": false, "https://": false,
		"https://u:hunter2@x.example": false, "https://x.example/hunter2": false, "https://x.example?a=hunter2": false, "https://x.example/#a": false,
		"http://localhost.evil.example": false, "https://hunter2\x7f": false,
	} {
		_, err := idenfy.NewClient(apiKey, apiSecret, idenfy.WithBaseURL(base))
		assert.Equal(t, ok, err == nil, "%s: %v", base, err)
		if err != nil {
			assert.NotContains(t, err.Error(), "hunter2")
			assert.True(t, strings.HasPrefix(err.Error(), "idenfy: "))
		}
	}
	for name, opt := range map[string]idenfy.Option{
		"nil option": nil, "client": identomat.WithHTTPClient(nil), "attempts": identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: -1}),
		"timeout": identomat.WithAttemptTimeout(0), "size": identomat.WithMaxResponseSize(0), "limiter": identomat.WithRateLimiter(nil), "logger": identomat.WithLogger(nil),
		"observer": identomat.WithObserver(nil), "agent": identomat.WithUserAgent("a\r\nX: y"), "no agent": identomat.WithUserAgent(""), "guard": idenfy.WithGuard(nil),
		"digits": idenfy.WithMaxDigitStringExpiry(0),
	} {
		_, err := idenfy.NewClient(apiKey, apiSecret, opt)
		assert.Error(t, err, name)
	}
	for _, bad := range []string{"", "hunter2\n", " hunter2", "hun\x00ter2", "hunter2\x7f"} {
		_, err := idenfy.NewClient(bad, apiSecret)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
		_, err = idenfy.NewClient(apiKey, bad)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	_, err := idenfy.NewClient("a:b", apiSecret)
	require.Error(t, err, "a key with a colon must be refused")
	_, err = idenfy.NewClient(apiKey, "a:b")
	require.NoError(t, err)
}

func TestOptionsOfOtherClientAreRefused(t *testing.T) {
	for name, opt := range map[string]idenfy.Option{
		"WithHMAC": identomat.WithHMAC("k"), "WithWidgetURL": identomat.WithWidgetURL("https://x.example"),
		"WithAPIURL": identomat.WithAPIURL("https://x.example"), "WithMaxMediaSize": identomat.WithMaxMediaSize(1),
	} {
		_, err := idenfy.NewClient(apiKey, apiSecret, opt)
		require.EqualError(t, err, "idenfy: identomat."+name+" is not an option of this client")
	}
	for name, opt := range map[string]identomat.Option{
		"WithBaseURL": idenfy.WithBaseURL("https://x.example"), "WithGuard": idenfy.WithGuard(func(context.Context, string) error { return nil }),
		"WithMaxDigitStringExpiry": idenfy.WithMaxDigitStringExpiry(1),
	} {
		_, err := identomat.NewClient("k", opt)
		require.EqualError(t, err, "identomat: idenfy."+name+" is not an option of this client")
	}
}

func TestHTTPClientIsNotModified(t *testing.T) {
	own := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) { return response(200, tokenResponse), nil })}
	client, err := idenfy.NewClient(apiKey, apiSecret, identomat.WithHTTPClient(own))
	require.NoError(t, err)
	require.NoError(t, create(client, t.Context()))
	assert.IsType(t, roundTrip(nil), own.Transport)
	client, err = idenfy.NewClient(apiKey, apiSecret, identomat.WithHTTPClient(&http.Client{}), idenfy.WithBaseURL("http://127.0.0.1:1"), quick)
	require.NoError(t, err)
	require.Error(t, create(client, t.Context()), "a client without a transport uses the default one")
}

func TestCloseIdleConnectionsOfDefaultTransport(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := clientFor(t, server.URL, identomat.WithHTTPClient(&http.Client{}))
	for range 2 {
		_, err := client.CreateSession(t.Context(), request)
		require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
		client.CloseIdleConnections()
	}
	assert.EqualValues(t, 2, opened.Load())
}
