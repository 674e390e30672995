package identomatotel_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/identomat-go/identomat"
	identomatotel "github.com/identomat-go/identomat/otel"
)

// gauges returns the values of the gauges that status leads to.
func gauges(t *testing.T, status identomatotel.Status, statusErr error) (values map[string]float64, err error) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	require.NoError(t, identomatotel.ObserveStatus(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		func(context.Context) (identomatotel.Status, error) { return status, statusErr }))
	var all metricdata.ResourceMetrics
	err = reader.Collect(t.Context(), &all)
	values = map[string]float64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, point := range data.DataPoints {
					values[m.Name+" "+m.Unit] = float64(point.Value)
				}
			case metricdata.Gauge[float64]:
				for _, point := range data.DataPoints {
					values[m.Name+" "+m.Unit] = point.Value
				}
			}
		}
	}
	return values, err
}

func TestStatus(t *testing.T) {
	values, err := gauges(t, identomatotel.Status{Unclear: 2, OldestOpen: 90 * time.Second, Budget: 500}, nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]float64{
		"identomat.calls.unclear {call}":          2,
		"identomat.session.oldest_open s":         90,
		"identomat.client.billable.budget {call}": 500,
	}, values)
}

func TestStatusWithoutBudget(t *testing.T) {
	values, err := gauges(t, identomatotel.Status{}, nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]float64{"identomat.calls.unclear {call}": 0, "identomat.session.oldest_open s": 0}, values)
}

// A gauge that keeps its last value would look like good news while the database is down.
func TestStatusErrorHasNoValues(t *testing.T) {
	down := errors.New("database is down")
	values, err := gauges(t, identomatotel.Status{Unclear: 2}, down)
	require.ErrorIs(t, err, down)
	assert.Empty(t, values)
}

func TestCountCallbacks(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	handler, err := identomat.CallbackHandler([]string{"callback-key-0123456789"},
		func(_ context.Context, c identomat.Callback) error {
			if c.SessionID == "lost" {
				return errors.New("the database is down")
			}
			return nil
		}, identomat.WithCallbackErrors(func(context.Context, error) {}))
	require.NoError(t, err)
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	handler, err = identomatotel.CountCallbacks(provider, handler)
	require.NoError(t, err)
	count := func() map[int64]int64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(t.Context(), &all))
		require.Equal(t, "identomat.callbacks", all.ScopeMetrics[0].Metrics[0].Name)
		counts := map[int64]int64{}
		for _, point := range all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
			status, _ := point.Attributes.Value(attribute.Key("http.response.status_code"))
			counts[status.AsInt64()] = point.Value
		}
		return counts
	}
	assert.Equal(t, map[int64]int64{200: 0, 400: 0, 403: 0, 405: 0, 413: 0, 415: 0, 500: 0}, count(), "Prometheus would miss the first")

	post := func(body string) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response.Code
	}
	assert.Equal(t, 200, post(`{"callbackApiKey":"callback-key-0123456789","type":"status","sessionId":"a"}`))
	assert.Equal(t, 403, post(`{"callbackApiKey":"wrong","type":"status","sessionId":"a"}`))
	assert.Equal(t, 403, post(`{}`))
	assert.Equal(t, 500, post(`{"callbackApiKey":"callback-key-0123456789","type":"status","sessionId":"lost"}`))
	assert.Equal(t, map[int64]int64{200: 1, 400: 0, 403: 2, 405: 0, 413: 0, 415: 0, 500: 1}, count())

	// A handler in between can panic, or send an informational response first.
	failing, err := identomatotel.CountCallbacks(provider, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	require.NoError(t, err)
	assert.PanicsWithValue(t, "broken", func() { failing.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)) })
	early, err := identomatotel.CountCallbacks(provider, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusForbidden)
		w.WriteHeader(http.StatusOK)
	}))
	require.NoError(t, err)
	early.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
	assert.Equal(t, map[int64]int64{200: 1, 400: 0, 403: 3, 405: 0, 413: 0, 415: 0, 500: 2}, count())
}
