// Otel shows the SDK's calls as OpenTelemetry spans and metrics. It runs against a fake Identomat
// in the same process, which fails once to provoke a retry. It prints what a collector would
// receive:
//
//	go run ./examples/otel
//
// In a real service, use the OTLP exporters or the one for Prometheus. Module
// github.com/identomat-go/identomat/otel has a dashboard and alerts for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatotel "github.com/identomat-go/identomat/otel"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spanPrinter{out}))
	metrics := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics))
	defer func() { err = errors.Join(err, tracers.Shutdown(ctx), meters.Shutdown(ctx)) }()
	observe, err := identomatotel.Observer(tracers, meters)
	if err != nil {
		return err
	}

	server, err := identomattest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	client := server.Client(identomat.WithObserver(observe))

	fmt.Fprintln(out, "Spans in the order in which they end. A span with the event retry is an attempt that failed, although its")
	fmt.Fprintln(out, "call may succeed later. identomat.retry.delay is in seconds.")
	if err := onboard(ctx, tracers.Tracer("bank"), server, client); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nMetrics:")
	return printMetrics(ctx, out, metrics)
}

// onboard is a part of the service that has its own span. The spans of the SDK's calls become
// children of that span, because the calls get its context.
func onboard(ctx context.Context, tracer trace.Tracer, server *identomattest.Server, client *identomat.Client) error {
	ctx, span := tracer.Start(ctx, "onboard")
	defer span.End()
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{ClientUserID: "user-12345"})
	if err != nil {
		return err
	}
	if err := server.Approve(session.Token); err != nil { // acts for the customer
		return err
	}
	server.Fault("result/", identomattest.HTTPStatus(503), 1)
	if _, err := client.Sessions.Result(ctx, session.Token); err != nil {
		return err
	}
	if _, err := client.Sessions.Delete(ctx, session.Token); err != nil {
		return err
	}
	if _, err := client.Sessions.Result(ctx, session.Token); !errors.Is(err, identomat.ErrSessionNotFound) {
		return fmt.Errorf("the session still exists after its deletion: %w", err)
	}
	return nil
}

// spanPrinter is an exporter that prints spans in a readable form.
type spanPrinter struct{ out io.Writer }

func (p spanPrinter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		fmt.Fprintf(p.out, "\n%s  %s, span %s", s.Name(), s.EndTime().Sub(s.StartTime()).Round(time.Microsecond), s.SpanContext().SpanID())
		if s.Parent().IsValid() {
			fmt.Fprintf(p.out, " child of %s", s.Parent().SpanID())
		}
		fmt.Fprintln(p.out)
		for _, a := range s.Attributes() {
			fmt.Fprintf(p.out, "  %s = %s\n", a.Key, a.Value.String())
		}
		for _, e := range s.Events() {
			fmt.Fprintf(p.out, "  event %s %s\n", e.Name, text(attribute.NewSet(e.Attributes...)))
		}
		if s.Status().Description != "" {
			fmt.Fprintf(p.out, "  status %s: %s\n", s.Status().Code, s.Status().Description)
		}
	}
	return nil
}

func (spanPrinter) Shutdown(context.Context) error { return nil }

func printMetrics(ctx context.Context, out io.Writer, reader sdkmetric.Reader) error {
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		return err
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			fmt.Fprintf(out, "\n%s (%s)\n", m.Name, m.Unit)
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					fmt.Fprintf(out, "  count %d, sum %.6f  %s\n", p.Count, p.Sum, text(p.Attributes))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if p.Value != 0 {
						fmt.Fprintf(out, "  %d  %s\n", p.Value, text(p.Attributes))
					}
				}
			}
		}
	}
	return nil
}

func text(attributes attribute.Set) string {
	return attributes.Encoded(attribute.DefaultEncoder())
}
