package identomat_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests check retries, timeouts, redirects, connections, options and observers. Responses are
// literal.

func TestBeginLostResponseSentOnce(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		hangUp(w, r)
	}))
	defer server.Close()
	_, err := clientFor(t, server.URL).Sessions.Begin(t.Context(), identomat.BeginRequest{})
	var lost *identomat.TransportError
	require.ErrorAs(t, err, &lost)
	assert.Equal(t, "begin/", lost.Operation)
	assert.Equal(t, 1, lost.Attempts)
	assert.True(t, lost.MaybeProcessed)
	assert.EqualValues(t, 1, sent.Load())
}

func TestResultLostResponseRetried(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch sent.Add(1) {
		case 1:
			hangUp(w, r)
		case 2: // a truncated response
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"result":"appr`)
		default:
			_, _ = io.WriteString(w, `{"result":"approved"}`)
		}
	}))
	defer server.Close()
	result, err := clientFor(t, server.URL).Sessions.Result(t.Context(), token)
	require.NoError(t, err)
	assert.True(t, result.Approved())
	assert.EqualValues(t, 3, sent.Load())
}

// The first attempt deletes the session, so the second does not find it.
func TestDeleteLostResponseMaybeProcessed(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent.Add(1) == 1 {
			hangUp(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"argumentError":"session-not-found"}`)
	}))
	defer server.Close()
	err := remove(clientFor(t, server.URL), t.Context())
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	var api *identomat.APIError
	require.ErrorAs(t, err, &api)
	assert.Equal(t, 2, api.Attempts)
	assert.True(t, api.MaybeProcessed)
}

func TestBeginNotSentRetried(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("unexpected request") }))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()

	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("unexpected request") }))
	defer plain.Close()

	for name, url := range map[string]string{
		"refused": "http://127.0.0.1:1", "certificate": untrusted.URL, "no TLS": "https" + plain.URL[len("http"):],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := clientFor(t, url).Sessions.Begin(t.Context(), identomat.BeginRequest{})
			var failed *identomat.TransportError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, 3, failed.Attempts)
			assert.False(t, failed.MaybeProcessed)
		})
	}
}

func TestRetryAfterBeyondDeadlineReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i, call := range []func(*identomat.Client, context.Context) error{begin, getResult, remove, getResult, begin} {
			// The last two delays are below the cap, so only the deadline prevents a retry.
			wait, limit, after := "3600", time.Duration(0), time.Hour
			if i >= 3 {
				wait, limit, after = "10", time.Minute, 10*time.Second
			}
			var sent int
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				sent++
				return newResponse(429, "<html>", "Retry-After", wait), nil
			}, identomat.WithRetry(identomat.RetryPolicy{MaxDelay: limit}))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			start := time.Now()
			err := call(client, ctx)
			cancel()
			require.ErrorIs(t, err, identomat.ErrRateLimited)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
			var api *identomat.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, 429, api.StatusCode)
			assert.Equal(t, after, api.RetryAfter)
			assert.Equal(t, 1, api.Attempts)
			assert.Zero(t, time.Since(start))
			assert.Equal(t, 1, sent)
		}
	})
}

func TestRetryAfterHonored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, header := range []func() string{
			func() string { return "7" },
			func() string { return time.Now().Add(7 * time.Second).UTC().Format(http.TimeFormat) },
		} {
			start := time.Now()
			var sent int
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				if sent++; sent == 1 {
					return newResponse(429, "", "Retry-After", header()), nil
				}
				return newResponse(200, tokenResponse), nil
			}, identomat.WithRetry(identomat.RetryPolicy{MaxDelay: 10 * time.Second, BaseDelay: time.Millisecond}))
			require.NoError(t, begin(client, t.Context()))
			assert.Equal(t, 2, sent)
			assert.InDelta(t, 7, time.Since(start).Seconds(), 0.002)
		}
	})
}

// The service's clock and the client's clock differ by an hour.
func TestRetryAfterMeasuredByDateOfResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, apart := range []time.Duration{-time.Hour, time.Hour} {
			start := time.Now()
			sent := 0
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				if sent++; sent == 1 {
					date := time.Now().UTC().Add(apart)
					return newResponse(429, "", "Date", date.Format(http.TimeFormat), "Retry-After", date.Add(7*time.Second).Format(http.TimeFormat)), nil
				}
				return newResponse(200, tokenResponse), nil
			}, identomat.WithRetry(identomat.RetryPolicy{MaxDelay: 10 * time.Second, BaseDelay: time.Millisecond}))
			require.NoError(t, begin(client, t.Context()))
			assert.Equal(t, 2, sent)
			assert.InDelta(t, 7, time.Since(start).Seconds(), 0.002)
		}
	})
}

func TestRetryAfterOverCapOrInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]int{
			"11": 1, "99999999999999999999999": 1, "18446744073709551615": 1,
			"-5": 3, "soon": 3, "": 3, "1e3": 3, "Mon, 01 Jan 1990 00:00:00 GMT": 3,
		} {
			var sent int
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				sent++
				return newResponse(503, "", "Retry-After", header), nil
			}, identomat.WithRetry(identomat.RetryPolicy{MaxDelay: 10 * time.Second}))
			start := time.Now()
			require.ErrorIs(t, getResult(client, t.Context()), identomat.ErrUnexpectedResponse)
			assert.Equal(t, want, sent, header)
			assert.LessOrEqual(t, time.Since(start), 2*time.Second, header)
		}
	})
}

func TestBackoffDoublesWithJitterUpToCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(policy identomat.RetryPolicy, header ...string) (waits []time.Duration) {
			var last time.Time
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				if !last.IsZero() {
					waits = append(waits, time.Since(last))
				}
				last = time.Now()
				return newResponse(503, "", header...), nil
			}, identomat.WithRetry(policy))
			require.Error(t, getResult(client, t.Context()))
			return waits
		}
		longest := make([]time.Duration, 6)
		distinct := map[time.Duration]bool{}
		for range 60 {
			for i, wait := range waits(identomat.RetryPolicy{MaxAttempts: 7, BaseDelay: time.Second, MaxDelay: 10 * time.Second}) {
				longest[i] = max(longest[i], wait)
				distinct[wait] = true
			}
		}
		assert.Greater(t, len(distinct), 250)
		for i, ceiling := range []time.Duration{1, 2, 4, 8, 10, 10} {
			assert.LessOrEqual(t, longest[i], ceiling*time.Second)
			assert.Greater(t, longest[i], ceiling*time.Second*6/10, "the longest of 60 random delays is close to the ceiling")
		}
		for _, wait := range waits(identomat.RetryPolicy{MaxAttempts: 5, MaxDelay: 10 * time.Second}, "Retry-After", "9") {
			assert.Greater(t, wait, 9*time.Second, "jitter is added to Retry-After")
			assert.LessOrEqual(t, wait, 10*time.Second)
		}
		for _, wait := range waits(identomat.RetryPolicy{MaxAttempts: 40, BaseDelay: 1, MaxDelay: 1<<63 - 1}) {
			assert.Positive(t, wait)
		}
	})
}

func TestHTTPClientTimeoutIsNotContextDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memoryNetwork{respond: func(url.Values) string { time.Sleep(time.Minute); return "" }}
		impatient := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: network.dial}}
		start := time.Now()
		err := begin(clientFor(t, "http://localhost", identomat.WithHTTPClient(impatient)), t.Context())
		assert.Equal(t, 20*time.Second, time.Since(start))
		var timeout *identomat.TransportError
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.True(t, timeout.MaybeProcessed)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Minute) // let the server's goroutine end
	})
}

// trickle is a body that returns 1 KiB per second until the request's context ends.
type trickle struct{ ctx context.Context }

func (b trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(p, strings.Repeat(jpeg, 1<<10/len(jpeg))), nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (trickle) Close() error { return nil }

// The body neither stalls nor ends, so the attempt timeout does not apply.
func TestHTTPClientTimeoutBoundsMediaRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := identomat.NewClient(companyKey, identomat.WithAttemptTimeout(5*time.Second), identomat.WithHTTPClient(&http.Client{
			Timeout: time.Minute,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				resp := newResponse(200, "", "Content-Type", "image/jpeg")
				resp.Body, resp.ContentLength = trickle{r.Context()}, 1<<30
				return resp, nil
			}),
		}))
		require.NoError(t, err)
		start := time.Now()
		media, err := client.Media.FaceVideo(t.Context(), token)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, media)
		assert.Equal(t, time.Minute, time.Since(start))
		var timeout *identomat.TransportError
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
	})
}

// parentContext counts the derived contexts that have not been released.
type parentContext struct {
	context.Context
	mu   sync.Mutex
	open int
}

func (*parentContext) Done() <-chan struct{} { return neverDone }
func (*parentContext) Value(any) any         { return nil }

var neverDone = make(chan struct{})

func (c *parentContext) AfterFunc(func()) func() bool {
	c.count(1)
	return sync.OnceValue(func() bool { c.count(-1); return true })
}

func (c *parentContext) count(n int) { c.mu.Lock(); c.open += n; c.mu.Unlock() }

func TestCallReleasesItsContexts(t *testing.T) {
	calls := map[string]func(context.Context, *identomat.Client){
		"begin":  func(ctx context.Context, c *identomat.Client) { _ = begin(c, ctx) },
		"upload": func(ctx context.Context, c *identomat.Client) { _, _ = c.Documents.Passport(ctx, image()) },
		"media": func(ctx context.Context, c *identomat.Client) {
			if media, err := c.Media.FaceVideo(ctx, token); err == nil {
				_, _ = io.Copy(io.Discard, media) // to the end, without Close
			}
		},
		"closed early": func(ctx context.Context, c *identomat.Client) {
			if media, err := c.Media.FaceVideo(ctx, token); err == nil {
				_ = media.Close()
			}
		},
		"archive left early": func(ctx context.Context, c *identomat.Client) {
			if media, err := c.VideoCalls.Videos(ctx, token); err == nil {
				for range media.Files() {
					break
				}
			}
		},
	}
	responses := map[string]roundTrip{
		"picture": func(*http.Request) (*http.Response, error) {
			return newResponse(200, picture(100_000), "Content-Type", "image/jpeg"), nil
		},
		"archive": func(*http.Request) (*http.Response, error) {
			return newResponse(200, entries(t, file("one.jpg"), file("two.jpg")), "Content-Type", "application/x-tar"), nil
		},
		"JSON":            func(*http.Request) (*http.Response, error) { return newResponse(200, tokenResponse), nil },
		"error status":    func(*http.Request) (*http.Response, error) { return newResponse(500, "<html>"), nil },
		"transport error": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"truncated picture": func(*http.Request) (*http.Response, error) {
			resp := newResponse(200, picture(100_000), "Content-Type", "image/jpeg")
			resp.ContentLength++
			return resp, nil
		},
	}
	for response, rt := range responses {
		for name, call := range calls {
			client, err := identomat.NewClient(companyKey, quick, identomat.WithHTTPClient(&http.Client{Timeout: time.Hour, Transport: rt}))
			require.NoError(t, err)
			ctx := &parentContext{Context: context.Background()}
			call(ctx, client)
			assert.Zero(t, ctx.open, "%s, response: %s", name, response)
		}
	}
}

func TestServerWithoutTLSIsSchemeMismatch(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	err := begin(clientFor(t, "https"+strings.TrimPrefix(plain.URL, "http"), quick), t.Context())
	require.ErrorIs(t, err, http.ErrSchemeMismatch)
	assert.NotErrorAs(t, err, new(tls.RecordHeaderError), "a RecordHeaderError would expose the connection")
	assert.False(t, identomat.MaybeProcessed(err))
}

// A RoundTripper may read the request body even after RoundTrip has returned. By then, the SDK must leave
// the body alone. If RoundTrip read none of it, later reads must fail.
func TestRequestBodyReadAfterRoundTrip(t *testing.T) {
	for _, begun := range []bool{false, true} {
		over, done := make(chan struct{}), make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		err := begin(stubbed(t, func(r *http.Request) (*http.Response, error) {
			if begun {
				_, _ = r.Body.Read(make([]byte, 1))
			}
			go func() {
				<-over
				_, err := io.Copy(io.Discard, r.Body)
				done <- err
			}()
			cancel()
			return nil, r.Context().Err()
		}), ctx)
		close(over)
		assert.Equal(t, begun, <-done == nil)
		assert.Equal(t, begun, identomat.MaybeProcessed(err))
	}
}

func TestRoundTripperWithoutResponse(t *testing.T) {
	err := begin(stubbed(t, func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return nil, nil
	}, quick), t.Context())
	var lost *identomat.TransportError
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.MaybeProcessed, "the RoundTripper may have sent the request")
	assert.Equal(t, 1, lost.Attempts)

	client := stubbed(t, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, quick)
	assert.ErrorIs(t, begin(client, t.Context()), identomat.ErrUnexpectedResponse)
	_, err = client.Media.FaceVideo(t.Context(), token)
	assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
}

func TestCookieJarUnused(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var sent []string
	client, err := identomat.NewClient(companyKey, identomat.WithHTTPClient(&http.Client{
		Jar: jar,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("Cookie"))
			return newResponse(200, tokenResponse, "Set-Cookie", "route=one; Path=/"), nil
		}),
	}))
	require.NoError(t, err)
	require.NoError(t, begin(client, t.Context()))
	require.NoError(t, begin(client, t.Context()))
	assert.Equal(t, []string{"", ""}, sent)
}

// With GetBody, net/http would retry HTTP/2 requests by itself, and hide why the stream was reset.
func TestRequestHasNoGetBody(t *testing.T) {
	for _, opts := range [][]identomat.Option{nil, {identomat.WithHMAC(secretKey)}} {
		client := stubbed(t, func(r *http.Request) (*http.Response, error) {
			assert.Nil(t, r.GetBody)
			return newResponse(200, tokenResponse), nil
		}, opts...)
		require.NoError(t, begin(client, t.Context()))
	}
}

// A RoundTripper that fails before it reads the body has sent nothing. An open circuit breaker is an
// example. If the RoundTripper reads the body after it has returned, it gets no data.
func TestRoundTripperErrorBeforeBodyReadNotProcessed(t *testing.T) {
	open := errors.New("the circuit breaker is open")
	for _, opts := range [][]identomat.Option{{quick}, {quick, identomat.WithHMAC(secretKey)}} {
		for _, call := range []func(*identomat.Client) error{
			func(c *identomat.Client) error { return begin(c, t.Context()) },
			func(c *identomat.Client) error {
				_, err := c.Documents.Passport(t.Context(), image())
				return err
			},
		} {
			sent := 0
			err := call(stubbed(t, func(*http.Request) (*http.Response, error) { sent++; return nil, open }, opts...))
			require.ErrorIs(t, err, open)
			assert.False(t, identomat.MaybeProcessed(err))
			assert.Equal(t, 3, sent)
		}
	}
}

// A protocol that is registered with an http.Transport reports nothing to the trace.
func TestRegisteredProtocolMaybeProcessed(t *testing.T) {
	for _, opts := range [][]identomat.Option{nil, {identomat.WithHMAC(secretKey)}} {
		for maybeProcessed, respond := range map[bool]roundTrip{
			true: lostResponse, false: func(*http.Request) (*http.Response, error) { return nil, errors.New("no connection") },
		} {
			sent := 0
			transport := &http.Transport{}
			transport.RegisterProtocol("https", roundTrip(func(r *http.Request) (*http.Response, error) {
				sent++
				return respond(r)
			}))
			client := clientFor(t, "https://identomat.example", append(opts, identomat.WithHTTPClient(&http.Client{Transport: transport}))...)
			assert.Equal(t, maybeProcessed, identomat.MaybeProcessed(begin(client, t.Context())))
			assert.Equal(t, maybeProcessed, sent == 1)
		}
	}
}

func TestProxyFuncErrorNotProcessed(t *testing.T) {
	failed := errors.New("no proxy")
	proxied := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, failed }}}
	for _, opts := range [][]identomat.Option{nil, {identomat.WithHMAC(secretKey)}} {
		err := begin(clientFor(t, "https://identomat.example", append(opts, identomat.WithHTTPClient(proxied))...), t.Context())
		var notSent *identomat.TransportError
		require.ErrorAs(t, err, &notSent)
		require.ErrorIs(t, err, failed)
		assert.Equal(t, 3, notSent.Attempts)
		assert.False(t, notSent.MaybeProcessed)
	}
}

// Some firewalls refuse a request without an Accept header.
func TestRequestHasAcceptHeader(t *testing.T) {
	var accepts []string
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		accepts = append(accepts, r.Header.Get("Accept"))
		return newResponse(429, ""), nil
	}, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	require.Error(t, begin(client, t.Context()))
	_, err := face(t.Context(), client)
	require.Error(t, err)
	_, err = client.Documents.Passport(t.Context(), image())
	require.Error(t, err)
	assert.Equal(t, []string{"*/*", "*/*", "*/*"}, accepts)
}

// The SDK never sends a Range header, so a partial response is an error.
func TestPartialContentIsUnexpected(t *testing.T) {
	for body, call := range map[string]func(*identomat.Client, context.Context) error{
		`{"result":"approved"}`: getResult, tokenResponse: begin, "true": remove,
	} {
		err := call(responding(t, 206, body, false, "Content-Range", "bytes 0-20/1000"), t.Context())
		assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
	}
}

// A RoundTripper with a fallback may lose the response on one transport and then fail to connect on the
// next. So a dial error does not prove that nothing was sent.
func TestDialErrorAfterBodyReadIsMaybeProcessed(t *testing.T) {
	sent := 0
	fallback := func(r *http.Request) (*http.Response, error) {
		sent++
		_, _ = io.Copy(io.Discard, r.Body)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	err := begin(stubbed(t, fallback, quick), t.Context())
	var lost *identomat.TransportError
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.MaybeProcessed)
	assert.Equal(t, 1, sent)
	_, err = stubbed(t, fallback, quick).Documents.Passport(t.Context(), image())
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.MaybeProcessed)
	assert.Equal(t, 2, sent, "requests of begin and of the upload")

	sent = 0
	refused := func(*http.Request) (*http.Response, error) {
		sent++
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	err = begin(stubbed(t, refused, quick), t.Context())
	require.ErrorAs(t, err, &lost)
	assert.False(t, lost.MaybeProcessed)
	assert.Equal(t, 3, sent)

	require.ErrorAs(t, begin(stubbed(t, lostResponse, quick), t.Context()), &lost)
	assert.True(t, lost.MaybeProcessed)
	assert.Equal(t, 1, lost.Attempts)
}

func TestURLRewriteOfRoundTripperAffectsOneCall(t *testing.T) {
	var hosts []string
	client := stubbed(t, func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		r.URL.Host = "elsewhere.example"
		return newResponse(200, `{"result":"approved"}`), nil
	})
	require.NoError(t, getResult(client, t.Context()))
	require.NoError(t, getResult(client, t.Context()))
	assert.Equal(t, []string{"widget.identomat.com", "widget.identomat.com"}, hosts)
}

func TestMalformedHTTPNotQuoted(t *testing.T) {
	for _, raw := range []string{
		`{"person":{"first_name":"Wilhelmina"}}` + "\n", "HTTP/1.1 200 OK\r\n{\"person\":\"Wilhelmina\"}\r\n\r\n", "HTTP/1.1 Wilhelmina OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: Wilhelmina\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Wilhelmina\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://x/%zz?name=Wilhelmina\r\nContent-Length: 0\r\n\r\n",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, raw)
				_ = conn.Close()
			}
		}()
		err = begin(clientFor(t, "http://"+listener.Addr().String()), t.Context())
		require.Error(t, err)
		for e := err; e != nil; e = errors.Unwrap(e) {
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, e), "Wilhelmina")
		}
		require.NoError(t, listener.Close())
	}
}

// Responses without a length are read into pooled buffers. A Result must not keep such a buffer.
func TestResultsDoNotShareBuffers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.(http.Flusher).Flush()
		fmt.Fprintf(w, `{"result":"approved","name":%q}`, r.Form.Get("session_token"))
	}))
	defer server.Close()
	client := clientFor(t, server.URL)
	first, err := client.Sessions.Result(t.Context(), "first")
	require.NoError(t, err)
	raw := string(first.Raw())
	_, err = client.Sessions.Result(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, raw, string(first.Raw()))
	assert.Contains(t, raw, "first")
}

func TestOptionsTakeEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{0: time.Minute, 7 * time.Second: 7 * time.Second} {
			opts := []identomat.Option{}
			if timeout > 0 {
				opts = append(opts, identomat.WithAttemptTimeout(timeout))
			}
			start := time.Now()
			require.Error(t, begin(stubbed(t, noResponse, opts...), t.Context()))
			assert.Equal(t, want, time.Since(start))
		}
		var agent string
		seen := func(r *http.Request) (*http.Response, error) {
			agent = r.Header.Get("User-Agent")
			return newResponse(200, tokenResponse), nil
		}
		require.NoError(t, begin(stubbed(t, seen, identomat.WithUserAgent("bank/2.1")), t.Context()))
		assert.Equal(t, "bank/2.1 identomat-go/"+identomat.Version, agent)

		sent := 0
		fail := func(*http.Request) (*http.Response, error) { sent++; return newResponse(500, ""), nil }
		require.Error(t, getResult(stubbed(t, fail), t.Context()))
		assert.Equal(t, 3, sent, "default of MaxAttempts")
	})
}

func TestLimiterErrorAndCauseShowNoSecret(t *testing.T) {
	leak := fmt.Errorf("limiter of %s", companyKey)
	_, err := mustClient(t, identomat.WithRateLimiter(&limiter{err: leak})).Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, leak)
	assert.NotContains(t, err.Error(), companyKey)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(fmt.Errorf("customer %s left", string(token))) })
		client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, `{"result":"in_progress"}`), nil })
		_, err := client.Sessions.Wait(ctx, token)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotContains(t, fmt.Sprintf("%v %#v", err, err), string(token))
	})
}

func mustClient(t *testing.T, opts ...identomat.Option) *identomat.Client {
	t.Helper()
	client, err := identomat.NewClient(companyKey, opts...)
	require.NoError(t, err)
	return client
}

func TestStatusRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type sends struct{ begin, result, delete int }
		for status, want := range map[int]sends{
			400: {1, 1, 1}, 403: {1, 1, 1}, 404: {1, 1, 1}, 409: {1, 1, 1}, 501: {1, 1, 1}, 302: {1, 1, 1},
			408: {1, 3, 3}, 421: {3, 3, 3}, 425: {3, 3, 3}, 429: {3, 3, 3}, 500: {1, 3, 3}, 502: {1, 3, 3}, 503: {1, 3, 3}, 504: {1, 3, 3},
		} {
			count := func(call func(*identomat.Client, context.Context) error) (sent int) {
				client := stubbed(t, func(*http.Request) (*http.Response, error) {
					sent++
					return newResponse(status, "<html>"), nil
				})
				require.Error(t, call(client, t.Context()))
				return sent
			}
			assert.Equal(t, want, sends{count(begin), count(getResult), count(remove)}, status)
		}
	})
}

func TestAttemptTimeoutRetriedIfSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			call func(*identomat.Client, context.Context) error
			want int
		}{"begin": {begin, 1}, "result": {getResult, 3}} {
			sent := 0
			client := stubbed(t, func(r *http.Request) (*http.Response, error) {
				sent++
				return noResponse(r)
			}, identomat.WithAttemptTimeout(5*time.Second))
			start := time.Now()
			err := c.call(client, t.Context())
			var timeout *identomat.TransportError
			require.ErrorAs(t, err, &timeout, name)
			assert.True(t, timeout.Timeout())
			assert.True(t, timeout.MaybeProcessed)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has no deadline")
			assert.Equal(t, c.want, sent)
			assert.GreaterOrEqual(t, time.Since(start), time.Duration(c.want)*5*time.Second)
		}
	})
}

func TestContextEndsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := getResult(stubbed(t, noResponse), ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(start))

		// The context ended before the call.
		sent := false
		err = begin(stubbed(t, func(*http.Request) (*http.Response, error) { sent = true; return nil, io.EOF }), ctx)
		var notSent *identomat.TransportError
		require.ErrorAs(t, err, &notSent)
		assert.False(t, sent)
		assert.Zero(t, notSent.Attempts)
		assert.False(t, notSent.MaybeProcessed)

		// The error must wrap the cause and context.Canceled.
		cause := errors.New("shutting down")
		ctx2, cancel2 := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel2(cause) })
		err = getResult(stubbed(t, noResponse), ctx2)
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestContextEndsBackoffAndKeepsLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(503, "", "Retry-After", "20"), nil
		})
		start := time.Now()
		err := getResult(client, ctx)
		assert.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		var api *identomat.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, 503, api.StatusCode)
		var transport *identomat.TransportError
		require.ErrorAs(t, err, &transport)
		assert.Equal(t, 1, transport.Attempts)
	})
}

func TestTokenBucketBoundsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			sent.Add(1)
			return newResponse(429, ""), nil
		})
		const calls = 1000
		for range calls {
			require.ErrorIs(t, begin(client, t.Context()), identomat.ErrRateLimited)
		}
		assert.LessOrEqual(t, sent.Load(), int64(calls*12/10))
		assert.Greater(t, sent.Load(), int64(calls))
	})
}

func TestRedirectsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, signed := range []bool{false, true} {
			elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				t.Errorf("%d: the target of the redirect received %s %s: %s", status, r.Method, r.URL, body)
			}))
			var sent atomic.Int32
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent.Add(1)
				to := elsewhere.URL
				if r.URL.Path == "/external-api/delete/" {
					to = server.URL // a redirect to the same origin must not be followed, either
				}
				http.Redirect(w, r, to+"/x", status)
			}))
			opts := []identomat.Option{identomat.WithHTTPClient(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }})}
			if signed {
				opts = append(opts, identomat.WithHMAC(secretKey))
			}
			client := clientFor(t, server.URL, opts...)
			for _, call := range []func(*identomat.Client, context.Context) error{begin, getResult, remove} {
				err := call(client, t.Context())
				require.ErrorIs(t, err, identomat.ErrUnexpectedResponse)
				var api *identomat.APIError
				require.ErrorAs(t, err, &api)
				assert.Equal(t, status, api.StatusCode)
			}
			assert.EqualValues(t, 3, sent.Load())
			client.CloseIdleConnections()
			server.Close()
			elsewhere.Close()
		}
	}
}

func TestConnectionReusedAfterErrors(t *testing.T) {
	// With the real clock, the test would be flaky, because net/http closes a connection if its writing
	// goroutine does not run for 50 ms.
	synctest.Test(t, func(t *testing.T) {
		responses := []string{
			literal("502 Bad Gateway", "", strings.Repeat("x", 40_000)),
			literal("200 OK", "", `{"argumentError":"session-not-found"}`),
			literal("404 Not Found", "", ""),
			literal("200 OK", "", `<html>`),
			literal("308 Permanent Redirect", "Location: /\r\n", ""),
			literalChunked("", `{"result":"approved"}`),
		}
		var next atomic.Int32
		network := &memoryNetwork{respond: func(url.Values) string { return responses[int(next.Add(1)-1)%len(responses)] }}
		client := clientFor(t, "http://localhost", identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}),
			identomat.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: network.dial}}))
		for range 3 * len(responses) {
			_ = getResult(client, t.Context())
		}
		assert.EqualValues(t, 3*len(responses), next.Load())
		assert.Len(t, network.conns, 1)
	})
}

func TestObserverAndLoggerSeeEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var events []identomat.Event
		var logged bytes.Buffer
		sent := 0
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			if sent++; sent == 1 {
				return newResponse(503, "busy"), nil
			}
			return newResponse(200, `{"result":"approved"}`), nil
		},
			identomat.WithObserver(func(e identomat.Event) { events = append(events, e) }),
			identomat.WithLogger(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		require.NoError(t, getResult(client, context.WithValue(t.Context(), key{}, "span")))
		require.Len(t, events, 2)
		first, second := events[0], events[1]
		assert.Equal(t, "span", first.Context.Value(key{}))
		assert.Equal(t, "result/", first.Operation)
		assert.Equal(t, []int{1, 503, 2, 200}, []int{first.Attempt, first.StatusCode, second.Attempt, second.StatusCode})
		require.ErrorIs(t, first.Err, identomat.ErrUnexpectedResponse)
		assert.True(t, first.WillRetry)
		assert.Equal(t, first.RetryIn, second.Start.Sub(first.Start))
		require.NoError(t, second.Err)
		assert.False(t, second.WillRetry)
		assert.EqualValues(t, len("company_key="+companyKey+"&session_token="+string(token)), second.BytesSent)
		assert.EqualValues(t, len(`{"result":"approved"}`), second.BytesReceived)

		lines := bytes.Split(bytes.TrimSpace(logged.Bytes()), []byte("\n"))
		require.Len(t, lines, 2)
		var line map[string]any
		require.NoError(t, json.Unmarshal(lines[0], &line))
		assert.Equal(t, "WARN", line["level"])
		assert.Equal(t, "result/", line["operation"])
		assert.EqualValues(t, 503, line["status"])
		require.NoError(t, json.Unmarshal(lines[1], &line))
		assert.Equal(t, "DEBUG", line["level"])
	})
}

// Programs ask for media that a session may lack, so its absence is no warning.
func TestLoggerMissingMediaIsInfo(t *testing.T) {
	level := func(status int, body string, call func(*identomat.Client) error) any {
		var logged bytes.Buffer
		client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(status, body), nil },
			identomat.WithLogger(slog.New(slog.NewJSONHandler(&logged, nil))))
		require.Error(t, call(client))
		var line map[string]any
		require.NoError(t, json.Unmarshal(logged.Bytes(), &line))
		return line["level"]
	}
	face := func(c *identomat.Client) error { _, err := c.Media.Face(t.Context(), token); return err }
	photo := func(c *identomat.Client) error { _, err := c.Media.DocumentFacePhoto(t.Context(), token); return err }
	file := func(c *identomat.Client) error {
		_, err := c.Media.QuestionFile(t.Context(), token, "q", "a", 1)
		return err
	}
	result := func(c *identomat.Client) error { return getResult(c, t.Context()) }
	assert.Equal(t, "INFO", level(404, "", face))
	assert.Equal(t, "INFO", level(200, `{"argumentError":"face-photo-not-found"}`, photo))
	assert.Equal(t, "INFO", level(200, `{"argumentError":"wrong-parameters"}`, file))
	assert.Equal(t, "WARN", level(200, `{"argumentError":"wrong-parameters"}`, result))
	assert.Equal(t, "WARN", level(200, `{"argumentError":"session-not-found"}`, file))
	assert.Equal(t, "WARN", level(404, "", result), "a wrong path")
}

func TestRateLimiterCalledBeforeEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, sent := &limiter{}, 0
		client := stubbed(t, func(*http.Request) (*http.Response, error) { sent++; return newResponse(500, ""), nil }, identomat.WithRateLimiter(l))
		require.Error(t, getResult(client, t.Context()))
		assert.Equal(t, 3, l.waits)
		assert.Equal(t, 3, sent)

		l.err = errors.New("would exceed the deadline")
		err := begin(client, t.Context())
		require.ErrorIs(t, err, l.err)
		assert.Equal(t, 3, sent)
		var notSent *identomat.TransportError
		require.ErrorAs(t, err, &notSent)
		assert.Zero(t, notSent.Attempts)
	})
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("session_token") == "" {
			w.WriteHeader(400)
			return
		}
		fmt.Fprintf(w, `{"result":"rejected","name":%q}`, r.Form.Get("session_token"))
	}))
	defer server.Close()
	client := clientFor(t, server.URL, identomat.WithHMAC(secretKey))
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			for j := range 10 {
				token := identomat.Token(fmt.Sprintf("token%d-%d", i, j))
				result, err := client.Sessions.Result(t.Context(), token)
				if assert.NoError(t, err) {
					assert.Equal(t, string(token), result.Name)
				}
			}
		})
	}
	group.Wait()
}

func TestUnencryptedURLRequiresLoopback(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://widget.identomat.com": true, "https://x.example:8443/": true, "http://127.0.0.1:1": true,
		"http://localhost": true, "http://[::1]:8080": true, "http://127.9.9.9": true,
		"http://widget.identomat.com": false, "http://10.0.0.1": false, "ftp://127.0.0.1": false, "": false,
		"widget.identomat.com": false, "https://": false, "https://u:hunter2@x.example": false,
		"https://x.example/path": false, "https://x.example?a=hunter2": false, "https://x.example/#a": false,
		"http://localhost.evil.example": false, "https://hunter2\x7f": false, "mailto:x@y": false,
	} {
		for _, option := range []func(string) identomat.Option{identomat.WithWidgetURL, identomat.WithAPIURL} {
			_, err := identomat.NewClient(companyKey, option(base))
			assert.Equal(t, ok, err == nil, "%s: %v", base, err)
			if err != nil {
				assert.NotContains(t, err.Error(), "hunter2")
			}
		}
	}
}

func TestOptionsCheckTheirValues(t *testing.T) {
	for name, opt := range map[string]identomat.Option{
		"nil option": nil, "empty secret": identomat.WithHMAC(""), "secret with a newline": identomat.WithHMAC("abc\n"),
		"nil client": identomat.WithHTTPClient(nil), "attempts": identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: -1}),
		"delay": identomat.WithRetry(identomat.RetryPolicy{MaxDelay: -1}), "timeout": identomat.WithAttemptTimeout(0),
		"size": identomat.WithMaxResponseSize(0), "limiter": identomat.WithRateLimiter(nil), "logger": identomat.WithLogger(nil),
		"observer": identomat.WithObserver(nil), "agent": identomat.WithUserAgent("a\r\nX: y"), "no agent": identomat.WithUserAgent(""),
	} {
		_, err := identomat.NewClient(companyKey, opt)
		assert.Error(t, err, name)
	}
	for _, key := range []string{"", "a\x00b", "key\n", "\tkey", " key", "a\x7f"} {
		_, err := identomat.NewClient(key)
		assert.Error(t, err)
	}
	_, err := identomat.NewClient(companyKey, identomat.WithUserAgent("bank/1.0"), identomat.WithUserAgent("bank/2.0"))
	assert.NoError(t, err)
}

func TestNewClientFromEnvOptionsOverrideEnvironment(t *testing.T) {
	t.Setenv("IDENTOMAT_COMPANY_KEY", "")
	_, err := identomat.NewClientFromEnv()
	require.ErrorContains(t, err, "IDENTOMAT_COMPANY_KEY")

	var signed atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed.Store(r.Header.Get("Authorization") != "")
		_, _ = io.WriteString(w, tokenResponse)
	}))
	defer server.Close()
	t.Setenv("IDENTOMAT_COMPANY_KEY", companyKey)
	t.Setenv("IDENTOMAT_SECRET_KEY", secretKey)
	t.Setenv("IDENTOMAT_WIDGET_URL", server.URL)
	t.Setenv("IDENTOMAT_API_URL", server.URL)
	client, err := identomat.NewClientFromEnv()
	require.NoError(t, err)
	require.NoError(t, begin(client, t.Context()))
	assert.True(t, signed.Load())
	client.CloseIdleConnections()

	t.Setenv("IDENTOMAT_WIDGET_URL", "http://unencrypted.example")
	_, err = identomat.NewClientFromEnv()
	require.Error(t, err)
	t.Setenv("IDENTOMAT_WIDGET_URL", "https://unreachable.example")
	client, err = identomat.NewClientFromEnv(identomat.WithWidgetURL(server.URL))
	require.NoError(t, err)
	require.NoError(t, begin(client, t.Context()))
	client.CloseIdleConnections()
}

// A sandbox in a container network has a host name, but no certificate.
func TestInsecureTestHosts(t *testing.T) {
	widgetURL, apiURL := identomat.WithWidgetURL("http://sandbox:8080"), identomat.WithAPIURL("http://Sandbox:8081")
	allowed := identomat.WithInsecureTestHosts("other", "sandbox")
	var called []string
	transport := identomat.WithHTTPClient(&http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		called = append(called, req.URL.String())
		return newResponse(200, tokenResponse), nil
	})})
	for _, opts := range [][]identomat.Option{{widgetURL, apiURL, allowed, transport}, {allowed, widgetURL, apiURL, transport}} {
		called = nil
		client, err := identomat.NewClient(companyKey, opts...)
		require.NoError(t, err)
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(session.URL, "http://sandbox:8080/?session_token="))
		_, _ = client.Users.List(t.Context())
		assert.Equal(t, []string{"http://sandbox:8080/external-api/begin/", "http://Sandbox:8081/list-users"}, called)
	}

	for want, opts := range map[string][]identomat.Option{
		"identomat: the widget URL must be https, except for a loopback host": {widgetURL},
		"identomat: the API URL must be https, except for a loopback host":    {identomat.WithAPIURL("http://sandbox.example"), allowed},
	} {
		_, err := identomat.NewClient(companyKey, opts...)
		require.EqualError(t, err, want)
	}
	for _, name := range []string{"", "sandbox:8080", "http://sandbox", "sandbox,other", "a b", "::1"} {
		_, err := identomat.NewClient(companyKey, identomat.WithInsecureTestHosts("sandbox", name))
		require.EqualError(t, err, "identomat: WithInsecureTestHosts: a test host must be a host name without a scheme or port", name)
	}
	for _, name := range []string{"widget.identomat.com", "External-API.Identomat.com", "identomat.com", "ivs.idenfy.com"} {
		_, err := identomat.NewClient(companyKey, identomat.WithInsecureTestHosts(name))
		require.EqualError(t, err, "identomat: WithInsecureTestHosts: a host of the service cannot be a test host", name)
	}

	t.Setenv("IDENTOMAT_COMPANY_KEY", companyKey)
	t.Setenv("IDENTOMAT_WIDGET_URL", "http://sandbox:8080")
	t.Setenv("IDENTOMAT_API_URL", "http://sandbox-api:8081")
	_, err := identomat.NewClientFromEnv()
	require.Error(t, err)
	t.Setenv("IDENTOMAT_INSECURE_TEST_HOSTS", "sandbox,sandbox-api")
	client, err := identomat.NewClientFromEnv()
	require.NoError(t, err)
	assert.Equal(t, "http://sandbox:8080", client.WidgetURL())
}

func TestClientWidgetURL(t *testing.T) {
	for option, want := range map[string]string{
		"":                             "https://widget.identomat.com",
		"https://widget.example":       "https://widget.example",
		"https://widget.example:8443/": "https://widget.example:8443",
		"http://127.0.0.1:8080":        "http://127.0.0.1:8080",
	} {
		var opts []identomat.Option
		if option != "" {
			opts = append(opts, identomat.WithWidgetURL(option))
		}
		client, err := identomat.NewClient(companyKey, opts...)
		require.NoError(t, err)
		assert.Equal(t, want, client.WidgetURL())
	}
}

func TestHTTPClientTLSConfigUsed(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tokenResponse) }))
	defer server.Close()
	own := server.Client()
	own.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS13
	require.NoError(t, begin(clientFor(t, server.URL, identomat.WithHTTPClient(own)), t.Context()))
}

// Responses from a stub often have no ContentLength.
func TestStubWithoutContentLength(t *testing.T) {
	for body, call := range map[string]func(*identomat.Client) error{
		`{"result":"approved"}`: func(c *identomat.Client) error { return getResult(c, t.Context()) },
		"\xff\xd8\xff\xe0\x00\x10JFIF": func(c *identomat.Client) error {
			face, err := c.Media.Face(t.Context(), token)
			if err != nil {
				return err
			}
			_, err = face.WriteTo(io.Discard)
			return err
		},
	} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			resp := newResponse(http.StatusOK, body)
			resp.ContentLength = 0
			return resp, nil
		})
		assert.NoError(t, call(client))
	}
}
