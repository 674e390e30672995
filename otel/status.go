package identomatotel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Status holds figures that only your own records know. With module river, they come from its
// engine:
//
//	var stats *identomatriver.Stats
//	err := store.InTx(ctx, func(tx pgx.Tx) (err error) {
//		stats, err = engine.Stats(ctx, tx)
//		return err
//	})
//	if err != nil {
//		return identomatotel.Status{}, err
//	}
//	return identomatotel.Status{Unclear: stats.Unclear, OldestOpen: stats.OldestOpen, Budget: 500}, nil
type Status struct {
	// Unclear counts billable calls that may or may not have been processed. A person has to settle
	// them.
	Unclear int
	// OldestOpen is the age of the oldest session without an outcome, or 0.
	OldestOpen time.Duration
	// Budget is the number of billable calls per hour that you plan for, or 0 if there is no plan.
	Budget int
}

// ObserveStatus exports these gauges, which it reads with status whenever metrics are collected:
//
//   - identomat.calls.unclear
//   - identomat.session.oldest_open, in seconds
//   - identomat.client.billable.budget, if it is positive
//
// If status returns an error, the gauges have no value, and the error goes to OpenTelemetry's error
// handler. The function must be safe for concurrent use and limit its own time: some readers collect
// metrics without a deadline. Every process of a fleet may export the same figures, because the rules
// and the dashboard use their maximum.
func ObserveStatus(meters metric.MeterProvider, status func(context.Context) (Status, error)) error {
	meter := newMeter(meters)
	unclear, err1 := meter.Int64ObservableGauge("identomat.calls.unclear", metric.WithUnit("{call}"),
		metric.WithDescription("Billable calls that a person has to settle."))
	oldest, err2 := meter.Float64ObservableGauge("identomat.session.oldest_open", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest session without an outcome."))
	budget, err3 := meter.Int64ObservableGauge("identomat.client.billable.budget", metric.WithUnit("{call}"),
		metric.WithDescription("Planned billable calls per hour."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("identomatotel: %w", err)
	}
	_, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, err := status(ctx)
		if err != nil {
			return fmt.Errorf("identomatotel: reading the status: %w", err)
		}
		o.ObserveInt64(unclear, int64(s.Unclear))
		o.ObserveFloat64(oldest, s.OldestOpen.Seconds())
		if s.Budget > 0 {
			o.ObserveInt64(budget, int64(s.Budget))
		}
		return nil
	}, unclear, oldest, budget)
	if err != nil {
		return fmt.Errorf("identomatotel: %w", err)
	}
	return nil
}

// CountCallbacks returns a handler that calls next, which is the handler of [identomat.CallbackHandler]
// or of package idenfy, and counts its responses:
//
//   - identomat.callbacks, a counter with http.response.status_code
//
// Statuses from 400 to 499 are refused requests, and 500 means that your own function failed.
func CountCallbacks(meters metric.MeterProvider, next http.Handler) (http.Handler, error) {
	callbacks, err := newMeter(meters).Int64Counter("identomat.callbacks", metric.WithUnit("{callback}"),
		metric.WithDescription("Responses to callbacks."))
	if err != nil {
		return nil, fmt.Errorf("identomatotel: %w", err)
	}
	add := func(ctx context.Context, status int, n int64) {
		callbacks.Add(ctx, n, metric.WithAttributes(semconv.HTTPResponseStatusCode(status)))
	}
	for _, status := range []int{200, 400, 403, 405, 413, 415, 500} { // as in Observer
		add(context.Background(), status, 0)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response := &statusRecorder{ResponseWriter: w}
		defer func() {
			// net/http aborts the response after a panic, so the caller sees a failure.
			if panicked := recover(); panicked != nil {
				add(r.Context(), http.StatusInternalServerError, 1)
				panic(panicked)
			}
			add(r.Context(), cmp.Or(response.status, http.StatusOK), 1)
		}()
		next.ServeHTTP(response, r)
	}), nil
}

// statusRecorder keeps the status of a response: the first one that is not informational.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
