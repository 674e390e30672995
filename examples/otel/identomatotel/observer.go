// Package identomatotel records the calls of an identomat.Client as OpenTelemetry spans and
// metrics. Copy it into your service.
//
// It exports operation names, status codes, sizes, times and the SDK's errors. It exports no
// bodies, URLs, tokens or keys.
package identomatotel

import (
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/identomat-go/identomat"
)

const scope = "github.com/identomat-go/identomat/examples/otel/identomatotel"

// OperationKey is the attribute that names the endpoint, such as result/. The semantic conventions
// define no such attribute. Their closest one, url.template, needs the URL, which an event does not
// hold.
const OperationKey = attribute.Key("identomat.operation")

// durationBuckets are the bucket boundaries in seconds that the semantic conventions give for HTTP
// clients, extended upward because reading an image may take a long time.
var durationBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}

// Observer returns a function for [identomat.WithObserver]. For every attempt of a call, the
// function creates a client span as a child of the caller's span and records these metrics:
//
//   - identomat.client.attempt.duration, a histogram in seconds
//   - identomat.client.retries, the number of attempts that were followed by a retry
//   - identomat.client.io, the bytes of request and response bodies, by network.io.direction
//
// All metrics have the operation as an attribute; the histogram also has the status code and
// error.type.
func Observer(tracers trace.TracerProvider, meters metric.MeterProvider) (func(identomat.Event), error) {
	tracer := tracers.Tracer(scope, trace.WithInstrumentationVersion(identomat.Version), trace.WithSchemaURL(semconv.SchemaURL))
	meter := meters.Meter(scope, metric.WithInstrumentationVersion(identomat.Version), metric.WithSchemaURL(semconv.SchemaURL))
	durations, err1 := meter.Float64Histogram("identomat.client.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of an attempt of a call."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	retries, err2 := meter.Int64Counter("identomat.client.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("Attempts that were followed by a retry."))
	traffic, err3 := meter.Int64Counter("identomat.client.io", metric.WithUnit("By"),
		metric.WithDescription("Bytes of request and response bodies."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("identomatotel: %w", err)
	}
	return func(e identomat.Event) {
		operation := OperationKey.String(e.Operation)
		outcome := []attribute.KeyValue{operation}
		if e.StatusCode != 0 {
			outcome = append(outcome, semconv.HTTPResponseStatusCode(e.StatusCode))
		}
		if e.Err != nil {
			outcome = append(outcome, semconv.ErrorTypeKey.String(errorType(e)))
		}
		record(tracer, e, outcome)
		durations.Record(e.Context, e.Duration.Seconds(), metric.WithAttributes(outcome...))
		if e.WillRetry {
			retries.Add(e.Context, 1, metric.WithAttributes(operation))
		}
		traffic.Add(e.Context, e.BytesSent, metric.WithAttributes(operation, semconv.NetworkIODirectionTransmit))
		traffic.Add(e.Context, e.BytesReceived, metric.WithAttributes(operation, semconv.NetworkIODirectionReceive))
	}, nil
}

// record creates the span after the attempt, with the times of the attempt. The requests therefore
// carry no traceparent header, and the service learns nothing about your traces.
func record(tracer trace.Tracer, e identomat.Event, outcome []attribute.KeyValue) {
	end := e.Start.Add(e.Duration)
	_, span := tracer.Start(e.Context, "identomat "+e.Operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.Start), trace.WithAttributes(outcome...), trace.WithAttributes(
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

// errorType returns one of a few values, because metrics use it as an attribute.
func errorType(e identomat.Event) string {
	var apiErr *identomat.APIError
	var sendErr *identomat.TransportError
	switch {
	case e.StatusCode >= 400:
		return strconv.Itoa(e.StatusCode)
	case errors.As(e.Err, &apiErr) && apiErr.Code != "":
		return apiErr.Code // the service reports most errors with status 200
	case errors.Is(e.Err, identomat.ErrUnexpectedResponse):
		return "unexpected_response"
	case errors.Is(e.Err, identomat.ErrSignatureMismatch):
		return "signature_mismatch"
	case errors.As(e.Err, &sendErr) && sendErr.Timeout():
		return "timeout"
	case errors.As(e.Err, &sendErr):
		return "transport"
	default:
		return semconv.ErrorTypeOther.Value.AsString()
	}
}
