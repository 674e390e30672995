package identomat_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// faultTable returns the fault table: the outcome of every fault in every class of calls, with the
// default retries. Time is virtual.
//
// A row has six columns:
//
//   - the name of the fault,
//   - what the network, the service or the caller does in every attempt,
//   - how many requests are sent in each class: read, create, delete, upload, download, archive,
//   - the outcome: ok or the kind of error, whether the service may have processed the call, and
//     whether the connection is closed or kept for the next call,
//   - how long the call takes,
//   - the classes with another outcome.
//
// In addition, a download or an archive must leave files if and only if the call succeeds. callClasses
// returns the classes.
func faultTable() []faultRow {
	const s = time.Second
	return []faultRow{
		{"none", fault{},
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0), nil},

		// Connections.
		{"dial refused", fault{dial: refuse},
			sends{3, 3, 3, 3, 3, 3}, "transport, not processed, no connection", anyTime, nil},
		{"dial unanswered", fault{dial: hang},
			sends{3, 3, 3, 3, 3, 3}, "timeout, not processed, no connection", atLeast(180 * s), nil},
		{"TLS certificate of an unknown authority", fault{accept: untrusted()},
			sends{3, 3, 3, 3, 3, 3}, "transport, not processed, no connection", anyTime, nil},
		{"no TLS", fault{accept: withoutTLS},
			sends{3, 3, 3, 3, 3, 3}, "transport, not processed, no connection", anyTime, nil},
		{"reset during the TLS handshake", fault{accept: readSome},
			sends{3, 3, 3, 3, 3, 3}, "transport, not processed, no connection", anyTime, nil},
		{"idle connection closed", fault{before: (*memoryNetwork).closeAll},
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0), nil},
		{"reset before the request is read", fault{unread: true},
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},
		{"reset after the request is read", respond(thenReset),
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},
		{"closed after the request is read", respond(thenClose),
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},

		// Responses that are truncated, not HTTP, or without a length.
		{"reset in the header", cut(inHeader, thenReset),
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},
		{"reset early in the body", cut(earlyInBody, thenReset),
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},
		{"reset late in the body", cut(lateInBody, thenReset),
			sends{3, 1, 3, 1, 1, 1}, "transport, maybe processed, closed", anyTime, nil},
		{"closed late in the body", cut(lateInBody, thenClose),
			sends{3, 1, 3, 1, 1, 1}, "transport, maybe processed, closed", anyTime, nil},
		{"closed before the last chunk", respond(withoutLastChunk),
			sends{3, 1, 3, 1, 1, 1}, "transport, maybe processed, closed", anyTime, nil},
		{"not HTTP", respond(speakSMTP),
			sends{3, 1, 3, 1, 3, 3}, "transport, maybe processed, closed", anyTime, nil},
		{"body delimited by connection close", respond(speakHTTP10),
			sends{1, 1, 1, 1, 1, 1}, "ok, closed", anyTime, except{"download": "transport, maybe processed, closed"}},

		// Slow responses, and callers that give up.
		{"slow header", respond(slowHeader),
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(50 * s), nil},
		{"slow body", respond(slowBody),
			sends{3, 1, 3, 1, 1, 1}, "timeout, maybe processed, closed", atLeast(60 * s),
			except{"upload": "ok, kept", "download": "ok, kept", "archive": "ok, kept"}},
		{"no response", respond(silence),
			sends{3, 1, 3, 1, 3, 3}, "timeout, maybe processed, closed", atLeast(60 * s), nil},
		{"stalled body", respond(stall),
			sends{3, 1, 3, 1, 1, 1}, "timeout, maybe processed, closed", atLeast(60 * s), nil},
		{"canceled before the call", fault{}.canceledAfter(0),
			sends{0, 0, 0, 0, 0, 0}, "canceled, not processed, no connection", exactly(0), nil},
		{"canceled before the response", respond(silence).canceledAfter(5 * s),
			sends{1, 1, 1, 1, 1, 1}, "canceled, maybe processed, closed", exactly(5 * s), nil},
		{"canceled during the body", respond(stall).canceledAfter(5 * s),
			sends{1, 1, 1, 1, 1, 1}, "canceled, maybe processed, closed", exactly(5 * s), nil},
		{"canceled between attempts", respond(retryIn20s).canceledAfter(5 * s),
			sends{1, 1, 1, 1, 1, 1}, "canceled, maybe processed, kept", exactly(5 * s),
			except{"create": "canceled, not processed, kept", "upload": "canceled, not processed, kept"}},
		{"deadline before the response", respond(silence).deadlineAfter(10 * s),
			sends{1, 1, 1, 1, 1, 1}, "deadline, maybe processed, closed", exactly(10 * s), nil},
		{"deadline during the body", respond(stall).deadlineAfter(10 * s),
			sends{1, 1, 1, 1, 1, 1}, "deadline, maybe processed, closed", exactly(10 * s), nil},

		// Statuses.
		{"400", status("400 Bad Request"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"404", status("404 Not Found"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0),
			except{"download": "not-found, maybe processed, kept", "archive": "not-found, maybe processed, kept"}},
		{"408", status("408 Request Timeout"),
			sends{3, 1, 3, 1, 3, 3}, "unexpected, maybe processed, kept", anyTime, nil},
		{"421", status("421 Misdirected Request"),
			sends{3, 3, 3, 3, 3, 3}, "unexpected, not processed, closed", anyTime, nil},
		{"425", status("425 Too Early"),
			sends{3, 3, 3, 3, 3, 3}, "unexpected, not processed, kept", anyTime, nil},
		{"429", status("429 Too Many Requests"),
			sends{3, 3, 3, 3, 3, 3}, "rate-limited, not processed, kept", anyTime, nil},
		{"429, Retry-After: 7", retryAfter(7, "429 Too Many Requests"),
			sends{3, 3, 3, 3, 3, 3}, "rate-limited, not processed, kept", atLeast(14 * s), nil},
		{"429, Retry-After: 3600", retryAfter(3600, "429 Too Many Requests"),
			sends{1, 1, 1, 1, 1, 1}, "rate-limited, not processed, kept", exactly(0), nil},
		{"429, Retry-After beyond the deadline", retryAfter(10, "429 Too Many Requests").deadlineAfter(2 * s),
			sends{1, 1, 1, 1, 1, 1}, "rate-limited, not processed, kept", exactly(0), nil},
		{"500", status("500 Internal Server Error"),
			sends{3, 1, 3, 1, 3, 3}, "unexpected, maybe processed, kept", anyTime, nil},
		{"501", status("501 Not Implemented"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"502 from a proxy", always(badGateway),
			sends{3, 1, 3, 1, 3, 3}, "unexpected, maybe processed, kept", anyTime, nil},
		{"503", status("503 Service Unavailable"),
			sends{3, 1, 3, 1, 3, 3}, "unexpected, maybe processed, kept", anyTime, nil},
		{"503, Retry-After: 7", retryAfter(7, "503 Service Unavailable"),
			sends{3, 1, 3, 1, 3, 3}, "unexpected, maybe processed, kept", atLeastIfRetried(14 * s), nil},
		{"302 to the same origin", redirect("302 Found", "/external-api/result/"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"307 to another origin", redirect("307 Temporary Redirect", "http://127.0.0.1:1/"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},

		{"206", respond(partially),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},

		// Errors with status 200.
		{`"SESSION_NOT_FOUND"`, jsonBody(`"SESSION_NOT_FOUND"`),
			sends{1, 1, 1, 1, 1, 1}, "session-not-found, not processed, kept", exactly(0), nil},
		{`{"argumentError":…}`, jsonBody(`{"argumentError":"session-not-found"}`),
			sends{1, 1, 1, 1, 1, 1}, "session-not-found, not processed, kept", exactly(0), nil},
		{`{"internalError":…}`, jsonBody(`{"internalError":"Illegal arguments"}`),
			sends{1, 1, 1, 1, 1, 1}, "internal, maybe processed, kept", exactly(0), nil},
		{"login page", always(loginPage),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},

		// Bodies of an unexpected shape.
		{"{}", jsonBody("{}"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), except{"delete": "ok, kept"}},
		{"null", jsonBody("null"),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"empty body", jsonBody(""),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"truncated JSON", withBody(truncated),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"trailing garbage", withBody(trailingGarbage),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), except{"download": "ok, kept"}},
		{"bytes after the response", respond(sendTooMuch),
			sends{1, 1, 1, 1, 1, 1}, "ok, closed", exactly(0), nil},
		{"wrong Content-Type", respond(asHTML),
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0), nil},
		{"invalid UTF-8", withBody(invalidUTF8),
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0),
			except{"create": "unexpected, maybe processed, kept", "download": "unexpected, maybe processed, kept", "archive": "unexpected, maybe processed, kept"}},
		{"deep nesting", withBody(deeplyNested),
			sends{1, 1, 1, 1, 1, 1}, "unexpected, maybe processed, kept", exactly(0), nil},
		{"body over the limit", withBody(huge).limited(),
			sends{1, 1, 1, 1, 1, 1}, "too-large, maybe processed, closed", exactly(0), nil},
		{"body over the limit, in chunks", respond(hugeChunked).limited(),
			sends{1, 1, 1, 1, 1, 1}, "too-large, maybe processed, closed", exactly(0), nil},
		{"gzip bomb", respond(gzipBomb).limited(),
			sends{1, 1, 1, 1, 1, 1}, "too-large, maybe processed, kept", exactly(0), nil},

		// Signatures.
		{"correct signature", fault{}.signed().signatureRequired(),
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0), nil},
		{"wrong signature", respond(forged).signed(),
			sends{1, 1, 1, 1, 1, 1}, "signature, maybe processed, kept", exactly(0), nil},
		{"missing signature", respond(unsigned).signed().signatureRequired(),
			sends{1, 1, 1, 1, 1, 1}, "signature, maybe processed, kept", exactly(0), nil},
		{"missing signature, not required", respond(unsigned).signed(),
			sends{1, 1, 1, 1, 1, 1}, "ok, kept", exactly(0), nil},
		{"wrong signature on an error", respond(forgedError).signed(),
			sends{1, 1, 1, 1, 1, 1}, "signature, maybe processed, kept", exactly(0), nil},
		{"missing signature on an error", jsonBody(`"SESSION_NOT_FOUND"`).signed().signatureRequired(),
			sends{1, 1, 1, 1, 1, 1}, "session-not-found, not processed, kept", exactly(0), nil},
	}
}

// faultRow is a row in the fault table.
type faultRow struct {
	name    string
	fault   fault
	sends   sends
	outcome string
	took    duration
	except  except
}

// sends is the number of requests in each class. A literal without one of the numbers does not compile.
type sends struct{ read, create, delete, upload, download, archive int }

func (s sends) of(class int) int {
	return [...]int{s.read, s.create, s.delete, s.upload, s.download, s.archive}[class]
}

// except maps classes to outcomes that differ from the row's.
type except map[string]string

// cell returns the expected outcome for a class, and whether the call succeeds.
func (r faultRow) cell(i int, class callClass) (cell string, ok bool) {
	outcome := r.outcome
	if other, found := r.except[class.name]; found {
		outcome = other
	}
	return fmt.Sprintf("%d: %s", r.sends.of(i), outcome), strings.HasPrefix(outcome, "ok,")
}

// duration limits how long a call takes.
type duration struct {
	least, most time.Duration
	ifRetried   bool // the limits apply to calls that are retried; other calls take no time
}

var anyTime = atLeast(0)

func exactly(d time.Duration) duration { return duration{least: d, most: d} }
func atLeast(d time.Duration) duration { return duration{least: d, most: 1 << 62} }
func atLeastIfRetried(d time.Duration) duration {
	return duration{least: d, most: 1 << 62, ifRetried: true}
}

func (d duration) check(t *testing.T, sends int, took time.Duration, name string) {
	t.Helper()
	if d.ifRetried && sends == 1 {
		d = exactly(0)
	}
	assert.GreaterOrEqual(t, took, d.least, "duration: %s", name)
	assert.LessOrEqual(t, took, d.most, "duration: %s", name)
}

// TestFaultTable makes the calls in the fault table. If longTests is set, it makes all of them.
// Otherwise it tries every fault with create, which must not be sent twice, and with one other class,
// which rotates. With -v, it prints every row.
func TestFaultTable(t *testing.T) {
	// net/http logs a message if an idle connection receives bytes.
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	classes := callClasses(t)
	cells, all, names := 0, 0, map[string]bool{}
	for i, row := range faultTable() {
		require.False(t, names[row.name], "%q has two rows", row.name)
		names[row.name] = true
		for name := range row.except {
			require.True(t, isClass(classes, name), "%q: there is no class %q", row.name, name)
		}
		t.Run(row.name, func(t *testing.T) {
			var line strings.Builder
			for j, class := range classes {
				all++
				if sampled := class.name == "create" || j == []int{0, 2, 3, 4, 5}[i%5]; !longTests && !sampled {
					continue
				}
				cells++
				want, ok := row.cell(j, class)
				var got callResult
				synctest.Test(t, func(t *testing.T) { got = callWithFault(t, row.fault, class, classes) })
				assert.Equal(t, want, got.cell, class.name)
				assert.Empty(t, got.problems, class.name)
				assert.Equal(t, ok && class.files, got.files, "%s: files are left if and only if the call succeeds", class.name)
				row.took.check(t, row.sends.of(j), got.took, class.name)
				fmt.Fprintf(&line, "\n    %-9s %s, %s", class.name, got.cell, got.took)
			}
			t.Log(line.String())
		})
	}
	t.Logf("%d faults in %d classes of calls, %d of %d cells", len(names), len(classes), cells, all)
}

// callClass is a class of calls, with one call as an example, and the correct response.
type callClass struct {
	name, path        string
	contentType, body string
	files             bool // the call writes files
	call              func(ctx context.Context, c *identomat.Client, dir string) error
}

// callClasses returns the classes in the order of sends. A create must not be processed twice,
// and an upload is billable; all other calls are safe to retry.
func callClasses(t *testing.T) []callClass {
	without := func(call func(*identomat.Client, context.Context) error) func(context.Context, *identomat.Client, string) error {
		return func(ctx context.Context, c *identomat.Client, _ string) error { return call(c, ctx) }
	}
	upload := func(ctx context.Context, c *identomat.Client, _ string) error {
		_, err := c.Documents.Passport(ctx, image())
		return err
	}
	download := func(ctx context.Context, c *identomat.Client, dir string) error {
		media, err := face(ctx, c)
		if err == nil {
			_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
		}
		return err
	}
	archive := func(ctx context.Context, c *identomat.Client, dir string) error {
		for archive, err := range c.VideoCalls.Shots(ctx, token) {
			if err != nil {
				return err
			}
			if _, err := archive.ExtractTo(filepath.Join(dir, "shots")); err != nil {
				return err
			}
		}
		return nil
	}
	return []callClass{
		{"read", "/external-api/result/", "application/json", `{"result":"approved"}`, false, without(getResult)},
		{"create", "/external-api/begin/", "application/json", tokenResponse, false, without(begin)},
		{"delete", "/external-api/delete/", "application/json", `true`, false, without(remove)},
		{"upload", "/external-api/passport/", "application/json", documentResponse, false, upload},
		{"download", "/external-api/result/face/", "image/jpeg", picture(30_000), true, download},
		{"archive", "/get-video-call-shots", "application/json", dataURIs(archived(t, "a/1.jpg", picture(20_000))), true, archive},
	}
}

func isClass(classes []callClass, name string) bool {
	for _, class := range classes {
		if class.name == name {
			return true
		}
	}
	return false
}

// callResult is the outcome of a call with a fault.
type callResult struct {
	cell     string
	files    bool // the call left files
	took     time.Duration
	problems []string
}

// callWithFault makes a call with a fault. Then it makes a call without a fault, to find out whether the
// connection was kept.
func callWithFault(t *testing.T, f fault, class callClass, classes []callClass) (got callResult) {
	network := &memoryNetwork{fault: f, classes: map[string]callClass{}}
	for _, c := range classes {
		network.classes[c.path] = c
	}
	client, closeIdle := faultClient(t, network)
	defer closeIdle()
	dir := t.TempDir()
	if f.before != nil {
		require.NoError(t, getResult(client, t.Context()))
		synctest.Wait()
		f.before(network)
		synctest.Wait()
		network.sends = nil
	}

	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if f.caller != nil {
		ctx, cancel = f.caller(ctx)
	}
	start := time.Now()
	err := class.call(ctx, client, dir)
	got.took = time.Since(start)
	cancel()
	time.Sleep(10 * time.Minute) // longer than any delay in the service

	sends, last := network.endFault()
	attempts, processed := sends, ""
	var api *identomat.APIError
	var transported *identomat.TransportError
	maybe := map[bool]string{true: "maybe processed, ", false: "not processed, "}[identomat.MaybeProcessed(err)]
	switch {
	case errors.As(err, &transported):
		attempts, processed = transported.Attempts, maybe
	case errors.As(err, &api):
		attempts, processed = api.Attempts, maybe
	case err != nil:
		got.problems = append(got.problems, fmt.Sprintf("unexpected error type %T", err))
	}
	if sends != attempts {
		got.problems = append(got.problems, fmt.Sprintf("the error has Attempts = %d after %d requests", attempts, sends))
	}
	for _, word := range []string{companyKey, secretKey, string(token)} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), word) {
			got.problems = append(got.problems, "the error shows a secret")
		}
	}

	connection := "no connection"
	if last != 0 {
		if err := getResult(client, t.Context()); err != nil {
			got.problems = append(got.problems, "the next call failed: "+err.Error())
		}
		connection = "closed"
		if _, next := network.endFault(); next == last {
			connection = "kept"
		}
	}
	got.problems = append(got.problems, network.malformed...)
	got.cell = fmt.Sprintf("%d: %s, %s%s", sends, errorKind(err), processed, connection)
	got.files = len(filesIn(t, dir)) > 0
	return got
}

// faultClient returns a client for the network, with the options of the network's fault.
func faultClient(t *testing.T, n *memoryNetwork) (client *identomat.Client, closeIdle func()) {
	transport := &http.Transport{DialContext: n.dial, TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	base := "http://localhost"
	if n.fault.accept != nil {
		base = "https://localhost"
	}
	opts := []identomat.Option{identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithWidgetURL(base), identomat.WithAPIURL(base)}
	if n.fault.signs {
		var hmac []identomat.HMACOption
		if n.fault.requires {
			hmac = append(hmac, identomat.RequireSignedResponses())
		}
		opts = append(opts, identomat.WithHMAC(secretKey, hmac...))
	}
	client, err := identomat.NewClient(companyKey, append(opts, n.fault.opts...)...)
	require.NoError(t, err)
	return client, transport.CloseIdleConnections
}

// errorKind returns the kind of an error. If a caller cannot classify the error, it returns the type,
// such as *errors.errorString.
func errorKind(err error) string {
	for _, kind := range []struct {
		target error
		name   string
	}{
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "deadline"},
		{identomat.ErrSignatureMismatch, "signature"},
		{identomat.ErrTooLarge, "too-large"},
		{identomat.ErrRateLimited, "rate-limited"},
		{identomat.ErrSessionNotFound, "session-not-found"},
		{identomat.ErrNotFound, "not-found"},
		{identomat.ErrInternal, "internal"},
		{identomat.ErrUnexpectedResponse, "unexpected"},
	} {
		if errors.Is(err, kind.target) {
			return kind.name
		}
	}
	var transport *identomat.TransportError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &transport) && transport.Timeout():
		return "timeout"
	case errors.As(err, &transport):
		return "transport"
	}
	return fmt.Sprintf("%T", err)
}

// fault is what the network, the service or the caller does in every attempt.
type fault struct {
	// dial returns the error from dialing.
	dial func(ctx context.Context) error
	// accept handles a connection from a client that uses TLS.
	accept func(net.Conn)
	// If unread is set, the service reads nothing and resets the connection while the client is writing.
	unread bool
	// respond writes a literal HTTP response and reports whether the connection can be used again. If
	// respond is nil, the response is correct.
	respond func(conn *serverConn, class callClass) bool
	// before runs between a successful call and the call with the fault, while the connection is idle.
	// If it is nil, there is no successful call first.
	before func(n *memoryNetwork)
	// caller returns the context for the call.
	caller func(ctx context.Context) (context.Context, context.CancelFunc)
	// If signs is set, both sides sign. If requires is set, the client refuses unsigned responses.
	signs, requires bool
	opts            []identomat.Option
}

func (f fault) canceledAfter(d time.Duration) fault {
	f.caller = func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		if d == 0 {
			cancel()
		}
		time.AfterFunc(d, cancel)
		return ctx, cancel
	}
	return f
}

func (f fault) deadlineAfter(d time.Duration) fault {
	f.caller = func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	return f
}

// limited returns the fault with a client that accepts at most 64 KiB of JSON and 128 KiB of media.
func (f fault) limited() fault {
	f.opts = []identomat.Option{identomat.WithMaxResponseSize(64 << 10), identomat.WithMaxMediaSize(128 << 10)}
	return f
}

func (f fault) signed() fault            { f.signs = true; return f }
func (f fault) signatureRequired() fault { f.requires = true; return f }

// Faults in dialing and in the TLS handshake

func refuse(context.Context) error { return syscall.ECONNREFUSED }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// untrusted returns an accept function that uses a certificate from an unknown authority.
func untrusted() func(net.Conn) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	return func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() }
}

func withoutTLS(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 4096))
	_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent plain HTTP\n")
}

func readSome(conn net.Conn) { _, _ = conn.Read(make([]byte, 100)) }

// Responses that are the same for every class

func respond(f func(*serverConn, callClass) bool) fault { return fault{respond: f} }

// always returns a fault that sends a literal response.
func always(response string) fault {
	return respond(func(conn *serverConn, _ callClass) bool { return conn.send(response) })
}

func status(line string, header ...string) fault {
	return always(literal(line, "Content-Type: text/html\r\n"+strings.Join(header, ""), "<html><h1>"+line+"</h1></html>"))
}

func retryAfter(seconds int, line string) fault {
	return status(line, fmt.Sprintf("Retry-After: %d\r\n", seconds))
}

func redirect(line, location string) fault {
	return always(literal(line, "Location: "+location+"\r\n", ""))
}

func jsonBody(body string) fault {
	return always(literal("200 OK", "Content-Type: application/json\r\n", body))
}

var (
	badGateway = literal("502 Bad Gateway", "Server: nginx\r\nContent-Type: text/html\r\n",
		"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>\n")
	loginPage = literal("200 OK", "Content-Type: text/html\r\n", "<html><form>Please log in</form></html>")
)

// retryIn20s sends a retryable status: 503, or 429 for create and upload, which are not retried after
// a 503.
func retryIn20s(conn *serverConn, c callClass) bool {
	line := "503 Service Unavailable"
	if c.name == "create" || c.name == "upload" {
		line = "429 Too Many Requests"
	}
	return conn.send(literal(line, "Retry-After: 20\r\n", ""))
}

// Responses that are truncated, late, or not HTTP

func correctly(conn *serverConn, c callClass) bool { return conn.send(conn.correct(c)) }

func thenReset(conn *serverConn, _ callClass) bool { conn.reset(); return false }

func thenClose(conn *serverConn, _ callClass) bool { _ = conn.Close(); return false }

// cut returns a fault that sends the correct response up to an offset and then calls end. at returns
// the offset, given the response and the index where its body begins.
func cut(at func(response string, body int) int, end func(*serverConn, callClass) bool) fault {
	return respond(func(conn *serverConn, c callClass) bool {
		response := conn.correct(c)
		conn.send(response[:at(response, strings.Index(response, "\r\n\r\n")+4)])
		return end(conn, c)
	})
}

func inHeader(_ string, body int) int       { return body - 3 }
func earlyInBody(_ string, body int) int    { return body + 2 }
func lateInBody(response string, _ int) int { return len(response) - 2 }

func withoutLastChunk(conn *serverConn, c callClass) bool {
	conn.send(strings.TrimSuffix(literalChunked(contentType(c), c.body), "0\r\n\r\n"))
	return thenClose(conn, c)
}

func speakSMTP(conn *serverConn, c callClass) bool {
	conn.send("220 mail.example ESMTP\r\n")
	return thenClose(conn, c)
}

func speakHTTP10(conn *serverConn, c callClass) bool {
	conn.send("HTTP/1.0 200 OK\r\n" + contentType(c) + "\r\n" + c.body)
	return thenClose(conn, c)
}

// silence sends nothing and reads until the client closes the connection.
func silence(conn *serverConn, _ callClass) bool {
	_, _ = io.Copy(io.Discard, conn)
	return false
}

// stall sends all but the last three bytes of the response.
func stall(conn *serverConn, c callClass) bool {
	response := conn.correct(c)
	conn.send(response[:len(response)-3])
	return silence(conn, c)
}

func slowHeader(conn *serverConn, c callClass) bool {
	time.Sleep(50 * time.Second)
	return correctly(conn, c)
}

// slowBody sends a quarter of the body every 40 seconds.
func slowBody(conn *serverConn, c callClass) bool {
	header, body, _ := strings.Cut(conn.correct(c), "\r\n\r\n")
	conn.send(header + "\r\n\r\n")
	for n := (len(body) + 3) / 4; body != ""; body = body[min(n, len(body)):] {
		time.Sleep(40 * time.Second)
		if !conn.send(body[:min(n, len(body))]) {
			return false
		}
	}
	return true
}

func sendTooMuch(conn *serverConn, c callClass) bool {
	return conn.send(conn.correct(c) + "</html>")
}

func partially(conn *serverConn, c callClass) bool {
	return conn.send(literal("206 Partial Content", contentType(c), c.body))
}

func asHTML(conn *serverConn, c callClass) bool {
	return conn.send(literal("200 OK", "Content-Type: text/html; charset=utf-8\r\n", c.body))
}

// Bodies

func contentType(c callClass) string { return "Content-Type: " + c.contentType + "\r\n" }

// withBody returns a fault that sends another body with the correct response's Content-Type.
func withBody(body func(c callClass) string) fault {
	return respond(func(conn *serverConn, c callClass) bool {
		return conn.send(literal("200 OK", contentType(c), body(c)))
	})
}

func truncated(c callClass) string {
	return map[string]string{
		"read":     `{"result":"approved","person":{"first`,
		"create":   tokenResponse[:30],
		"delete":   `{"result":"appr`,
		"upload":   `{"person":{"first_name":"JO`,
		"download": `{"argumentError":"session-not-f`,
		"archive":  c.body[:len(c.body)-2],
	}[c.name]
}

func trailingGarbage(c callClass) string { return c.body + "</html>" }

func invalidUTF8(c callClass) string {
	return map[string]string{
		"read":     "{\"result\":\"approved\",\"name\":\"\xff\xfe\"}",
		"create":   tokenResponse[:20] + "\xff" + tokenResponse[20:],
		"delete":   "{\"result\":\"approved\",\"name\":\"\xff\xfe\"}",
		"upload":   "{\"person\":{\"first_name\":\"\xff\xfe\"}}",
		"download": "{\"result\":\"\xff\xfe\"}",
		"archive":  "{\"result\":[[\"data:application/x-tar;base64,\xff\xfeAA\"]]}",
	}[c.name]
}

func deeplyNested(c callClass) string {
	nested := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	return map[string]string{
		"read":     `{"result":"approved","x":` + nested + `}`,
		"create":   nested,
		"delete":   `{"result":"approved","x":` + nested + `}`,
		"upload":   `{"person":{"x":` + nested + `}}`,
		"download": nested,
		"archive":  `{"result":` + nested + `}`,
	}[c.name]
}

// huge returns a body of 2 MiB that is correct except for its size.
func huge(c callClass) string {
	const n = 2 << 20
	switch c.name {
	case "create":
		return tokenResponse + strings.Repeat(" ", n)
	case "upload":
		return `{"person":{"first_name":"` + strings.Repeat("x", n) + `"}}`
	case "download":
		return jpeg + strings.Repeat("\x00", n)
	case "archive":
		return `{"result":[["data:application/x-tar;base64,` + strings.Repeat("A", n) + `"]]}`
	}
	return `{"result":"approved","x":"` + strings.Repeat("x", n) + `"}`
}

func hugeChunked(conn *serverConn, c callClass) bool {
	return conn.send(literalChunked(contentType(c), huge(c)))
}

func gzipBomb(conn *serverConn, c callClass) bool {
	return conn.send(literal("200 OK", "Content-Encoding: gzip\r\n"+contentType(c), compressed(huge(c))))
}

// Signatures

func unsigned(conn *serverConn, c callClass) bool {
	return conn.send(literal("200 OK", contentType(c), c.body))
}

func forged(conn *serverConn, c callClass) bool { return forge(conn, c, c.body) }

func forgedError(conn *serverConn, c callClass) bool { return forge(conn, c, `"SESSION_NOT_FOUND"`) }

// forge sends a body with a signature that uses the wrong key.
func forge(conn *serverConn, c callClass, body string) bool {
	return conn.send(literal("200 OK", contentType(c)+"Authorization: "+sign("another key", body)+"\r\n", body))
}
