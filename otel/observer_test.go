package identomatotel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/internal/operation"
	identomatotel "github.com/identomat-go/identomat/otel"
)

const (
	companyKey = "company-key-0123456789abcdef"
	token      = identomat.Token("k3v9q2m8x7c1b5n4z6a0s3d2f1g8h7j6l5p4o9i8")
)

type roundTrip func(*http.Request) (*http.Response, error)

// script is a transport. Each of its functions handles one request.
type script []roundTrip

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	next := (*s)[0]
	*s = (*s)[1:]
	return next(r)
}

func response(delay time.Duration, status int, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		time.Sleep(delay)
		header := http.Header{"Content-Type": {"application/json"}}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func reset(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection reset by peer")
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

type telemetry struct {
	tracers *sdktrace.TracerProvider
	spans   *tracetest.InMemoryExporter
	metrics *sdkmetric.ManualReader
	client  *identomat.Client
}

// newTelemetry returns a client with an observer. The round trips handle its requests in order.
func newTelemetry(t *testing.T, roundTrips ...roundTrip) telemetry {
	t.Helper()
	o := telemetry{spans: tracetest.NewInMemoryExporter(), metrics: sdkmetric.NewManualReader()}
	o.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans))
	observe, err := identomatotel.Observer(o.tracers, sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.metrics)))
	require.NoError(t, err)
	transport := script(roundTrips)
	o.client, err = identomat.NewClient(companyKey, identomat.WithObserver(observe),
		identomat.WithAttemptTimeout(5*time.Second), identomat.WithMaxResponseSize(4096), identomat.WithHTTPClient(&http.Client{Transport: &transport}))
	require.NoError(t, err)
	return o
}

func (o telemetry) collect(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, o.metrics.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	found := map[string]metricdata.Aggregation{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		found[m.Name+" "+m.Unit] = m.Data
	}
	return found
}

const approved = `{"result":"approved","person":{"first_name":"Wilhelmina","last_name":"Featherstone"}}`

// bodySize is the size of the form company_key=…&session_token=….
const bodySize = int64(len("company_key=") + len(companyKey) + len("&session_token=") + len(token))

func TestObserverCreatesChildSpanPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry(t, response(250*time.Millisecond, 503, `overloaded`), response(40*time.Millisecond, 200, approved))
		ctx, caller := o.tracers.Tracer("bank").Start(t.Context(), "onboard")
		start := time.Now()
		_, err := o.client.Sessions.Result(ctx, token)
		require.NoError(t, err)
		end := time.Now()

		spans := o.spans.GetSpans()
		require.Len(t, spans, 2)
		first, second := spans[0], spans[1]
		for _, span := range spans {
			assert.Equal(t, "identomat result/", span.Name)
			assert.Equal(t, trace.SpanKindClient, span.SpanKind)
			assert.Equal(t, caller.SpanContext().SpanID(), span.Parent.SpanID())
			assert.Equal(t, caller.SpanContext().TraceID(), span.SpanContext.TraceID())
			assert.Equal(t, identomat.Version, span.InstrumentationScope.Version)
		}
		assert.Equal(t, start, first.StartTime)
		assert.Equal(t, start.Add(250*time.Millisecond), first.EndTime)
		assert.Equal(t, end.Add(-40*time.Millisecond), second.StartTime)
		assert.Equal(t, end, second.EndTime)

		assert.ElementsMatch(t, []attribute.KeyValue{
			attribute.String("identomat.operation", "result/"),
			attribute.String("server.address", "widget.identomat.com"),
			attribute.Int("server.port", 443),
			attribute.String("http.request.method", "POST"),
			attribute.Int("http.response.status_code", 503),
			attribute.String("error.type", "503"),
			attribute.Int64("http.request.body.size", bodySize),
			attribute.Int("http.response.body.size", len("overloaded")),
		}, first.Attributes)
		assert.Equal(t, codes.Error, first.Status.Code)
		assert.Contains(t, first.Status.Description, "identomat: result/: ")
		assert.Contains(t, first.Status.Description, "HTTP 503")
		require.Len(t, first.Events, 1)
		assert.Equal(t, "retry", first.Events[0].Name)
		assert.Equal(t, first.EndTime, first.Events[0].Time)
		assert.Equal(t, []attribute.KeyValue{
			attribute.Float64("identomat.retry.delay", second.StartTime.Sub(first.EndTime).Seconds()),
		}, first.Events[0].Attributes)

		assert.ElementsMatch(t, []attribute.KeyValue{
			attribute.String("identomat.operation", "result/"),
			attribute.String("server.address", "widget.identomat.com"),
			attribute.Int("server.port", 443),
			attribute.String("http.request.method", "POST"),
			attribute.Int("http.response.status_code", 200),
			attribute.Int("http.request.resend_count", 1),
			attribute.Int64("http.request.body.size", bodySize),
			attribute.Int("http.response.body.size", len(approved)),
		}, second.Attributes)
		assert.Equal(t, sdktrace.Status{Code: codes.Unset}, second.Status)
		assert.Empty(t, second.Events)
	})
}

func TestObserverRecordsAttemptsAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry(t, response(250*time.Millisecond, 503, `overloaded`), response(40*time.Millisecond, 200, approved), response(0, 403, ``))
		_, err := o.client.Sessions.Result(t.Context(), token)
		require.NoError(t, err)
		_, err = o.client.Sessions.Result(t.Context(), token)
		require.Error(t, err)

		metrics := o.collect(t)
		operation := attribute.String("identomat.operation", "result/")
		attempt := func(attributes ...attribute.KeyValue) attribute.Set {
			return attribute.NewSet(append(attributes, operation,
				attribute.String("server.address", "widget.identomat.com"), attribute.Int("server.port", 443))...)
		}
		want := map[attribute.Set]float64{
			attempt(attribute.Int("http.response.status_code", 200)):                                        0.04,
			attempt(attribute.Int("http.response.status_code", 503), attribute.String("error.type", "503")): 0.25,
			attempt(attribute.Int("http.response.status_code", 403), attribute.String("error.type", "403")): 0,
		}
		histogram, ok := metrics["identomat.client.attempt.duration s"].(metricdata.Histogram[float64])
		require.True(t, ok)
		require.Len(t, histogram.DataPoints, len(want))
		for _, point := range histogram.DataPoints {
			require.Contains(t, want, point.Attributes)
			assert.Equal(t, uint64(1), point.Count)
			assert.InDelta(t, want[point.Attributes], point.Sum, 1e-9, "%v", point.Attributes)
			assert.Contains(t, point.Bounds, 60.0)
		}
		assertCounts(t, metrics["identomat.client.calls {call}"], map[attribute.Set]int64{
			attribute.NewSet(operation):                                        1,
			attribute.NewSet(operation, attribute.String("error.type", "403")): 1,
		})
	})
}

// assertCounts compares the values of a counter that are not 0.
func assertCounts(t *testing.T, counter metricdata.Aggregation, want map[attribute.Set]int64) {
	t.Helper()
	sum, ok := counter.(metricdata.Sum[int64])
	require.True(t, ok)
	assert.True(t, sum.IsMonotonic)
	got := map[attribute.Set]int64{}
	for _, point := range sum.DataPoints {
		if point.Value != 0 {
			got[point.Attributes] = point.Value
		}
	}
	assert.Equal(t, want, got)
}

func TestBillableCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry(t,
			response(0, 200, `"`+string(token)+`"`), // billed
			reset,                                   // maybe billed, not retried
			response(0, 200, `{"argumentError":"invalid-company-key"}`), // certainly not billed
			response(0, 200, approved),                                  // not billable
			response(0, 503, ``), response(0, 200, `{"result":[]}`),     // one search, with a retry
			response(0, 200, `"DOCUMENT_BLURRY"`), // processed, although refused
		)
		_, err := o.client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
		require.NoError(t, err)
		for range 2 {
			_, err = o.client.Sessions.Begin(t.Context(), identomat.BeginRequest{})
			require.Error(t, err)
		}
		_, err = o.client.Sessions.Result(t.Context(), token)
		require.NoError(t, err)
		for _, err := range o.client.Screening.Search(t.Context(), identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}) {
			require.NoError(t, err)
		}
		_, err = o.client.Documents.Passport(t.Context(), identomat.FileFromBytes([]byte("image")))
		require.ErrorIs(t, err, identomat.ErrImageRefused)
		assertCounts(t, o.collect(t)["identomat.client.billable.calls {call}"], map[attribute.Set]int64{
			attribute.NewSet(attribute.String("identomat.operation", "begin/"), attribute.String("identomat.processed", "yes")):                    1,
			attribute.NewSet(attribute.String("identomat.operation", "passport/"), attribute.String("identomat.processed", "yes")):                 1,
			attribute.NewSet(attribute.String("identomat.operation", "begin/"), attribute.String("identomat.processed", "maybe")):                  1,
			attribute.NewSet(attribute.String("identomat.operation", "search-screening-person"), attribute.String("identomat.processed", "yes")):   1,
			attribute.NewSet(attribute.String("identomat.operation", "search-screening-person"), attribute.String("identomat.processed", "maybe")): 1,
		})
	})
}

// Prometheus sees no increase in a counter that starts with the first call.
func TestBillableCallsStartAtZero(t *testing.T) {
	counter, ok := newTelemetry(t).collect(t)["identomat.client.billable.calls {call}"].(metricdata.Sum[int64])
	require.True(t, ok)
	var found []string
	for _, point := range counter.DataPoints {
		assert.Zero(t, point.Value)
		name, _ := point.Attributes.Value("identomat.operation")
		processed, _ := point.Attributes.Value("identomat.processed")
		found = append(found, name.AsString()+" "+processed.AsString())
	}
	want := []string{"idenfy/token yes", "idenfy/token maybe"}
	for _, op := range operation.All() {
		if op.Billable {
			want = append(want, op.Name+" yes", op.Name+" maybe")
		}
	}
	assert.ElementsMatch(t, want, found)
}

func TestSpanHasTimesOfAttempt(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	observe, err := identomatotel.Observer(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), sdkmetric.NewMeterProvider())
	require.NoError(t, err)
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	observe(identomat.Event{Context: t.Context(), Operation: "begin/", Attempt: 1, Start: start, Duration: 80 * time.Millisecond, StatusCode: 200})
	require.Len(t, spans.GetSpans(), 1)
	assert.Equal(t, start, spans.GetSpans()[0].StartTime)
	assert.Equal(t, start.Add(80*time.Millisecond), spans.GetSpans()[0].EndTime)
}

func TestErrorType(t *testing.T) {
	for _, test := range []struct {
		name      string
		roundTrip roundTrip
		want      string
	}{
		{"service error with status 200", response(0, 200, `{"argumentError":"session-not-found"}`), "session_not_found"},
		{"other spelling of a service error", response(0, 200, `{"argumentError":"SESSION_NOT_FOUND"}`), "session_not_found"},
		{"missing face", response(0, 200, `{"argumentError":"face-photo-not-found"}`), "face_photo_not_found"},
		{"service error with status 403", response(0, 403, `{"argumentError":"invalid-access"}`), "invalid_key"},
		{"unknown service error", response(0, 200, `{"argumentError":"code-of-tomorrow"}`), "_OTHER"},
		{"internal error", response(0, 200, `{"internalError":"no"}`), "internal_error"},
		{"login page", response(0, 200, `<html>Please sign in</html>`), "unexpected_response"},
		{"large response", response(0, 200, `{"result":"approved","x":"`+strings.Repeat("x", 4096)+`"}`), "response_too_large"},
		{"status 403", response(0, 403, ``), "403"},
		{"status 429", response(0, 429, ``), "429"},
		{"timeout", hang, "timeout"},
		{"connection reset", reset, "transport"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newTelemetry(t, test.roundTrip, test.roundTrip, test.roundTrip)
				_, err := o.client.Sessions.Result(t.Context(), token)
				require.Error(t, err)
				spans := o.spans.GetSpans()
				require.NotEmpty(t, spans)
				for _, span := range spans {
					assert.Contains(t, span.Attributes, attribute.String("error.type", test.want))
					assert.Equal(t, codes.Error, span.Status.Code)
				}
			})
		})
	}
}

// The alerting rules leave failures out by these names.
func TestErrorTypeOfEachCause(t *testing.T) {
	for want, err := range map[string]error{
		"session_not_found": identomat.ErrSessionNotFound, "session_invalid": identomat.ErrSessionInvalid,
		"wrong_parameters": identomat.ErrWrongParameters, "invalid_key": identomat.ErrInvalidKey,
		"face_photo_not_found": identomat.ErrFacePhotoNotFound, "not_found": identomat.ErrNotFound,
		"already_exists": identomat.ErrAlreadyExists, "invalid_email_format": identomat.ErrInvalidEmailFormat,
		"password_too_short": identomat.ErrPasswordTooShort, "invalid_rights": identomat.ErrInvalidRights,
		"user_already_exists": identomat.ErrUserAlreadyExists, "image_refused": identomat.ErrImageRefused,
		"signature_mismatch": identomat.ErrSignatureMismatch,
	} {
		spans := tracetest.NewInMemoryExporter()
		observe, observerErr := identomatotel.Observer(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), sdkmetric.NewMeterProvider())
		require.NoError(t, observerErr)
		observe(identomat.Event{Context: t.Context(), Err: err})
		require.Len(t, spans.GetSpans(), 1)
		assert.Contains(t, spans.GetSpans()[0].Attributes, attribute.String("error.type", want))
	}
}

func TestErrorTypeOfCanceledCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := newTelemetry(t, func(r *http.Request) (*http.Response, error) {
		cancel()
		return nil, r.Context().Err()
	})
	_, err := o.client.Sessions.Result(ctx, token)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, o.spans.GetSpans(), 1)
	assert.Contains(t, o.spans.GetSpans()[0].Attributes, attribute.String("error.type", "canceled"))
}

func TestErrorTypeOfWrongSignature(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC())
	spans := tracetest.NewInMemoryExporter()
	observe, err := identomatotel.Observer(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), sdkmetric.NewMeterProvider())
	require.NoError(t, err)
	server.Fault("begin/", identomattest.WrongSignature(), 1)
	_, err = server.Client(identomat.WithObserver(observe)).Sessions.Begin(t.Context(), identomat.BeginRequest{})
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	require.Len(t, spans.GetSpans(), 1)
	assert.Contains(t, spans.GetSpans()[0].Attributes, attribute.String("error.type", "signature_mismatch"))
	assert.Contains(t, spans.GetSpans()[0].Attributes, attribute.String("server.address", "127.0.0.1"))
}

func TestObserverExportsNoRequestOrResponseData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const person = `{"first_name":"Wilhelmina","last_name":"Featherstone","document":"AB0002261"`
		echo := func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy refused %s with key %s for Wilhelmina", r.URL, companyKey)
		}
		o := newTelemetry(t,
			response(0, 200, `"`+string(token)+`"`),
			response(0, 200, approved),
			response(0, 500, person),
			response(0, 200, `{"internalError":"no Wilhelmina Featherstone with `+companyKey+`"}`),
			echo, echo, echo, echo, echo,
		)
		begin := identomat.BeginRequest{ClientUserID: "user-Wilhelmina", Name: "Wilhelmina Featherstone"}
		_, err := o.client.Sessions.Begin(t.Context(), begin)
		require.NoError(t, err)
		_, err = o.client.Sessions.Result(t.Context(), token)
		require.NoError(t, err)
		_, err = o.client.Sessions.Result(t.Context(), token)
		require.Error(t, err)
		_, err = o.client.Sessions.Begin(t.Context(), begin)
		require.Error(t, err)
		for range o.client.Screening.Search(t.Context(), identomat.ScreeningQuery{FullName: "Wilhelmina Featherstone", ScoreThreshold: 80}) {
		}

		var all metricdata.ResourceMetrics
		require.NoError(t, o.metrics.Collect(context.Background(), &all))
		metrics, err := json.Marshal(all)
		require.NoError(t, err)
		exported := fmt.Sprintf("%+v\n%s", o.spans.GetSpans(), metrics)
		require.Contains(t, exported, "identomat begin/")
		require.Contains(t, exported, "identomat search-screening-person")
		require.Contains(t, exported, "identomat.client.billable.calls")
		for _, secret := range []string{companyKey, string(token), "ilhelmina", "eatherstone", "AB0002261", "https://", "session_token"} {
			assert.NotContains(t, strings.ReplaceAll(exported, "https://opentelemetry.io/schemas/", ""), secret)
		}
	})
}
