// Package identomatotel makes spans and metrics of the calls of an identomat.Client. Copy it
// into your service.
//
// Nothing is exported but the name of the operation, statuses, sizes, times and the SDK's
// errors: no body, no URL and so no query, no token, no key.
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

// OperationKey is the attribute that names the endpoint, such as result/. The semantic
// conventions have none for it; their url.template would need the URL.
const OperationKey = attribute.Key("identomat.operation")

// seconds are the bounds of the buckets of durations: those of the semantic conventions
// for HTTP clients, and beyond them, because reading an image may take long.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}

// Observer returns a function for [identomat.WithObserver]. For every attempt of a call it
// makes a client span below the caller's span, and records
//
//   - identomat.client.attempt.duration, a histogram in seconds
//   - identomat.client.retries, the number of attempts that another one follows
//   - identomat.client.io, the bytes of bodies, by network.io.direction
//
// The metrics are told apart by operation and, for the histogram, by status and error.type.
func Observer(tracers trace.TracerProvider, meters metric.MeterProvider) (func(identomat.Event), error) {
	tracer := tracers.Tracer(scope, trace.WithInstrumentationVersion(identomat.Version), trace.WithSchemaURL(semconv.SchemaURL))
	meter := meters.Meter(scope, metric.WithInstrumentationVersion(identomat.Version), metric.WithSchemaURL(semconv.SchemaURL))
	durations, err1 := meter.Float64Histogram("identomat.client.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of an attempt of a call."), metric.WithExplicitBucketBoundaries(seconds...))
	retries, err2 := meter.Int64Counter("identomat.client.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("Attempts that were followed by another one."))
	traffic, err3 := meter.Int64Counter("identomat.client.io", metric.WithUnit("By"),
		metric.WithDescription("Bytes of the bodies of requests and replies."))
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

// record makes the span afterwards, with the times of the attempt. So the service is not
// sent a traceparent header, and learns nothing about your traces.
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
		// The SDK's errors hold nothing of what was sent or received.
		span.SetStatus(codes.Error, e.Err.Error())
	}
	if e.WillRetry {
		span.AddEvent("retry", trace.WithTimestamp(end),
			trace.WithAttributes(attribute.Float64("identomat.retry.delay", e.RetryIn.Seconds())))
	}
	span.End(trace.WithTimestamp(end))
}

// errorType has few values, as an attribute of a metric must.
func errorType(e identomat.Event) string {
	var reply *identomat.APIError
	var lost *identomat.TransportError
	switch {
	case e.StatusCode >= 400:
		return strconv.Itoa(e.StatusCode)
	case errors.As(e.Err, &reply) && reply.Code != "":
		return reply.Code // the service reports most errors with status 200
	case errors.Is(e.Err, identomat.ErrUnexpectedResponse):
		return "unexpected_reply"
	case errors.Is(e.Err, identomat.ErrSignatureMismatch):
		return "signature_mismatch"
	case errors.As(e.Err, &lost) && lost.Timeout():
		return "timeout"
	case errors.As(e.Err, &lost):
		return "transport"
	default:
		return semconv.ErrorTypeOther.Value.AsString()
	}
}
