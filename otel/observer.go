package identomatotel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/identomat-go/identomat"
)

const scope = "github.com/identomat-go/identomat/otel"

// The semantic conventions have no names for these attributes. Their url.template comes closest to an
// endpoint, but an event has only the URL's host.
const (
	// OperationKey is the endpoint, such as result/.
	OperationKey = attribute.Key("identomat.operation")
	// ProcessedKey says whether a billable call was processed: "yes", or "maybe" if
	// [identomat.MaybeProcessed] is true for its error.
	ProcessedKey = attribute.Key("identomat.processed")
)

var (
	processed      = ProcessedKey.String("yes")
	maybeProcessed = ProcessedKey.String("maybe")
)

// durationBuckets are the bucket boundaries in seconds that the semantic conventions give for HTTP
// clients, extended upward because reading a video may take a long time.
var durationBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}

// billable holds the endpoints that may be billed. For Identomat, they are those of the operation table.
var billable = map[string]bool{
	"begin/": true, "compare-faces": true,
	"search-screening-person": true, "get-screening-person-details": true, "monitor-screening-query": true,
	"card/front/": true, "card/back/": true, "license/front/": true, "license/back/": true,
	"residence/front/": true, "residence/back/": true, "passport/": true,
	"idenfy/token": true,
}

// Observer returns a function for [identomat.WithObserver], which several clients may share. For every
// attempt of a call, the function creates a client span as a child of the caller's span and records
// the first of these metrics. For every call that has ended, it also records the others.
//
//   - identomat.client.attempt.duration: a histogram in seconds, with the attributes
//     identomat.operation, server.address, server.port, http.response.status_code and error.type
//   - identomat.client.calls: a counter with identomat.operation and error.type
//   - identomat.client.billable.calls: a counter of the calls that were billed or may have been, with
//     identomat.operation and identomat.processed. Each page of a search counts, and so does a refused
//     image, and each attempt of a search that may have been processed and is retried.
//
// error.type is set only for failures, and has one of a few values: the cause (session_not_found), the
// status (503), or what was wrong with the exchange (timeout, transport, canceled, internal_error,
// unexpected_response, response_too_large, signature_mismatch, _OTHER).
func Observer(tracers trace.TracerProvider, meters metric.MeterProvider) (func(identomat.Event), error) {
	tracer := tracers.Tracer(scope, trace.WithInstrumentationVersion(identomat.Version), trace.WithSchemaURL(semconv.SchemaURL))
	meter := newMeter(meters)
	durations, err1 := meter.Float64Histogram("identomat.client.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of an attempt of a call."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	calls, err2 := meter.Int64Counter("identomat.client.calls", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that have ended."))
	billed, err3 := meter.Int64Counter("identomat.client.billable.calls", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that were billed, or may have been."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("identomatotel: %w", err)
	}
	// Start each counter at 0: Prometheus sees no increase in a counter that first appears with the value 1.
	for name := range billable {
		billed.Add(context.Background(), 0, metric.WithAttributes(OperationKey.String(name), processed))
		billed.Add(context.Background(), 0, metric.WithAttributes(OperationKey.String(name), maybeProcessed))
	}
	return func(e identomat.Event) {
		operation := OperationKey.String(e.Operation)
		outcome := []attribute.KeyValue{operation}
		if e.Err != nil {
			outcome = append(outcome, semconv.ErrorTypeKey.String(errorType(e)))
		}
		attempt := append(outcome[:len(outcome):len(outcome)], server(e.Host)...)
		if e.StatusCode != 0 {
			attempt = append(attempt, semconv.HTTPResponseStatusCode(e.StatusCode))
		}
		record(tracer, e, attempt)
		durations.Record(e.Context, e.Duration.Seconds(), metric.WithAttributes(attempt...))
		if e.WillRetry {
			if billable[e.Operation] && identomat.MaybeProcessed(e.Err) {
				billed.Add(e.Context, 1, metric.WithAttributes(operation, maybeProcessed))
			}
			return
		}
		calls.Add(e.Context, 1, metric.WithAttributes(outcome...))
		switch {
		case !billable[e.Operation]:
		case e.Err == nil, errors.Is(e.Err, identomat.ErrImageRefused):
			billed.Add(e.Context, 1, metric.WithAttributes(operation, processed))
		case identomat.MaybeProcessed(e.Err):
			billed.Add(e.Context, 1, metric.WithAttributes(operation, maybeProcessed))
		}
	}, nil
}

func newMeter(meters metric.MeterProvider) metric.Meter {
	return meters.Meter(scope, metric.WithInstrumentationVersion(identomat.Version), metric.WithSchemaURL(semconv.SchemaURL))
}

// server returns the attributes of the host. A URL without a port has the scheme https.
func server(host string) []attribute.KeyValue {
	address, port, err := net.SplitHostPort(host)
	if err != nil {
		address, port = host, "443"
	}
	number, _ := strconv.Atoi(port) // the URL of a request has a valid port
	return []attribute.KeyValue{semconv.ServerAddress(address), semconv.ServerPort(number)}
}

// record creates the span after the attempt, with the times of the attempt. The requests therefore
// carry no traceparent header, and the service learns nothing about your traces.
func record(tracer trace.Tracer, e identomat.Event, attempt []attribute.KeyValue) {
	end := e.Start.Add(e.Duration)
	_, span := tracer.Start(e.Context, "identomat "+e.Operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.Start), trace.WithAttributes(attempt...), trace.WithAttributes(
			semconv.HTTPRequestMethodPost,
			semconv.HTTPRequestBodySize(int(e.BytesSent)),
			semconv.HTTPResponseBodySize(int(e.BytesReceived)),
		))
	if e.Attempt > 1 {
		span.SetAttributes(semconv.HTTPRequestResendCount(e.Attempt - 1))
	}
	if e.Err != nil {
		// The SDK's errors hold no data that was sent or received.
		span.SetStatus(codes.Error, e.Err.Error())
	}
	if e.WillRetry {
		span.AddEvent("retry", trace.WithTimestamp(end),
			trace.WithAttributes(attribute.Float64("identomat.retry.delay", e.RetryIn.Seconds())))
	}
	span.End(trace.WithTimestamp(end))
}

// causes are the errors that the service reports, mostly with status 200. ErrFacePhotoNotFound stands
// before ErrNotFound, which it also is.
var causes = []struct {
	err  error
	name string
}{
	{identomat.ErrSessionNotFound, "session_not_found"},
	{identomat.ErrSessionInvalid, "session_invalid"},
	{identomat.ErrWrongParameters, "wrong_parameters"},
	{identomat.ErrInvalidKey, "invalid_key"},
	{identomat.ErrFacePhotoNotFound, "face_photo_not_found"},
	{identomat.ErrNotFound, "not_found"},
	{identomat.ErrAlreadyExists, "already_exists"},
	{identomat.ErrInvalidEmailFormat, "invalid_email_format"},
	{identomat.ErrPasswordTooShort, "password_too_short"},
	{identomat.ErrInvalidRights, "invalid_rights"},
	{identomat.ErrUserAlreadyExists, "user_already_exists"},
	{identomat.ErrImageRefused, "image_refused"},
	{identomat.ErrSignatureMismatch, "signature_mismatch"},
}

// errorType returns one of a few values, because metrics use it as an attribute. Codes that the SDK
// does not know are only in the span's status.
func errorType(e identomat.Event) string {
	for _, c := range causes {
		if errors.Is(e.Err, c.err) {
			return c.name
		}
	}
	var sendErr *identomat.TransportError
	switch {
	case e.StatusCode >= 400:
		return strconv.Itoa(e.StatusCode)
	case errors.Is(e.Err, identomat.ErrInternal):
		return "internal_error"
	case errors.Is(e.Err, identomat.ErrUnexpectedResponse):
		return "unexpected_response"
	case errors.Is(e.Err, identomat.ErrTooLarge):
		return "response_too_large"
	case errors.Is(e.Err, context.Canceled):
		return "canceled"
	case errors.As(e.Err, &sendErr) && sendErr.Timeout():
		return "timeout"
	case errors.As(e.Err, &sendErr):
		return "transport"
	default:
		return semconv.ErrorTypeOther.Value.AsString()
	}
}
