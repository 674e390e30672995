package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
	identomatotel "github.com/identomat-go/identomat/otel"
)

const (
	dashboardFile = "../../otel/grafana/identomat.json"
	rulesFile     = "../../otel/prometheus/rules.yml"
)

// minutes is the length of the run. The clock of the run is the number of its scrapes, one a minute.
// Nothing fails in the first quietMinutes.
const (
	minutes      = 70
	quietMinutes = 40
)

// bank is a service that exports metrics for Prometheus, and the fake Identomat that it calls.
type bank struct {
	*identomattest.Server
	client      *identomat.Client
	callbackURL string
	metrics     *prometheus.Registry
	// attempt is how long an attempt seems to take.
	attempt time.Duration
	// status and statusErr are what ObserveStatus reads.
	status    identomatotel.Status
	statusErr error
}

func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{Server: identomattest.NewServer(t, identomattest.RequireHMAC()), metrics: prometheus.NewRegistry()}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(b.metrics))
	require.NoError(t, err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	t.Cleanup(func() { assert.NoError(t, meters.Shutdown(context.Background())) })

	observe, err := identomatotel.Observer(noop.NewTracerProvider(), meters)
	require.NoError(t, err)
	hosts := map[string]string{}
	for identomats, fakes := range map[string]string{"widget.identomat.com": b.WidgetURL, "external-api.identomat.com": b.APIURL} {
		hosts[strings.TrimPrefix(fakes, "http://")] = identomats
	}
	b.client = b.Client(identomat.WithRetry(identomat.RetryPolicy{BaseDelay: time.Nanosecond}), identomat.WithObserver(func(e identomat.Event) {
		e.Duration = b.attempt // so that the panels have exact values
		e.Host = hosts[e.Host]
		observe(e)
	}))
	require.NoError(t, identomatotel.ObserveStatus(meters, func(context.Context) (identomatotel.Status, error) { return b.status, b.statusErr }))
	callbacks, err := identomat.CallbackHandler([]string{identomattest.DefaultCallbackKey}, func(_ context.Context, c identomat.Callback) error {
		if c.Type == "unexpected" {
			return errors.New("the bank does not expect this callback")
		}
		return nil
	}, identomat.WithCallbackErrors(func(context.Context, error) {}))
	require.NoError(t, err)
	callbacks, err = identomatotel.CountCallbacks(meters, callbacks)
	require.NoError(t, err)
	server := httptest.NewServer(callbacks)
	t.Cleanup(server.Close)
	b.callbackURL = server.URL
	return b
}

// minute is what the bank does between two scrapes.
func (b *bank) minute(t *testing.T, minute int) {
	t.Helper()
	ctx := t.Context()
	b.attempt = 40 * time.Millisecond
	b.statusErr = nil
	if minute <= 11 {
		b.statusErr = errors.New("the database is down")
	}
	b.status.Budget = 50
	if minute >= 20 { // a session that the customer never finishes
		b.status.OldestOpen = time.Duration(minute-20) * time.Minute
	}

	session, err := b.client.Sessions.Begin(ctx, identomat.BeginRequest{})
	require.NoError(t, err)
	require.NoError(t, b.Approve(session.Token))
	callback := func(want int, callback identomattest.Callback) {
		status, err := b.SendCallback(ctx, b.callbackURL, callback)
		require.NoError(t, err)
		require.Equal(t, want, status)
	}
	callback(200, identomattest.PlainCallback("status", session.Token))
	_, err = b.client.Sessions.Result(ctx, session.Token)
	require.NoError(t, err)
	if minute <= quietMinutes {
		return
	}

	// From now on, everything goes wrong once a minute.
	b.attempt = 6 * time.Second
	b.Fault("begin/", identomattest.ResetAfterRead(), 1)
	_, err = b.client.Sessions.Begin(ctx, identomat.BeginRequest{})
	require.True(t, identomat.MaybeProcessed(err), "%v", err)
	b.status.Unclear++
	b.Fault("result/", identomattest.HTTPStatus(503), 1) // a retry succeeds
	_, err = b.client.Sessions.Result(ctx, session.Token)
	require.NoError(t, err)
	b.Fault("result/", identomattest.WrongSignature(), 1)
	_, err = b.client.Sessions.Result(ctx, session.Token)
	require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
	b.Fault("list-groups", identomattest.ArgumentError("invalid-company-key"), 1)
	_, err = b.client.Groups.List(ctx)
	require.ErrorIs(t, err, identomat.ErrInvalidKey)
	_, err = b.client.Sessions.Result(ctx, identomat.Token(strings.Repeat("0", 40))) // an error that needs no attention
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	callback(403, identomattest.PlainCallback("status", session.Token).WithKey("wrong-callback-key-0123456789"))
	callback(500, identomattest.PlainCallback("unexpected", session.Token))
}

// sampleLine is a line of a response to Prometheus.
var sampleLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)$`)

// scrape appends the samples to the series, with the labels that a scrape adds, in the notation of promtool.
func (b *bank) scrape(t *testing.T, series map[string][]string, minute int) {
	t.Helper()
	response := httptest.NewRecorder()
	promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).
		ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for line := range strings.Lines(response.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		sample := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
		require.NotNil(t, sample, "unexpected line %s", line)
		name := fmt.Sprintf(`%s{job="bank",instance="10.0.0.7:9464",%s}`, sample[1], sample[2])
		for len(series[name]) < minute {
			series[name] = append(series[name], "_")
		}
		series[name] = append(series[name], sample[3])
	}
}

// Types of promtool's file of tests. JSON is also YAML.
type (
	promtoolFile struct {
		RuleFiles          []string       `json:"rule_files"`
		EvaluationInterval string         `json:"evaluation_interval"`
		Tests              []promtoolTest `json:"tests"`
	}
	promtoolTest struct {
		Interval string           `json:"interval"`
		Series   []promtoolSeries `json:"input_series"`
		Queries  []promtoolQuery  `json:"promql_expr_test"`
	}
	promtoolSeries struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	promtoolQuery struct {
		Expr     string           `json:"expr"`
		EvalTime string           `json:"eval_time"`
		Samples  []promtoolSample `json:"exp_samples"`
	}
	promtoolSample struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
)

// query expects the values of a query at a minute. Labels without a metric name are the keys. Values are compared as
// thousandths, because promtool compares them exactly.
func query(minute int, expr string, want map[string]float64) promtoolQuery {
	q := promtoolQuery{Expr: "round(1000 * (" + strings.TrimSpace(expr) + "))", EvalTime: fmt.Sprintf("%dm", minute)}
	for _, labels := range slices.Sorted(maps.Keys(want)) {
		q.Samples = append(q.Samples, promtoolSample{Labels: labels, Value: math.Round(1000 * want[labels])})
	}
	return q
}

// dashboard is the part of Grafana's file that the test reads.
type dashboard struct {
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// expected returns the constant of the dashboard with the failures that need no attention.
func (d *dashboard) expected(t *testing.T) string {
	t.Helper()
	for _, variable := range d.Templating.List {
		if variable.Name == "expected" {
			return variable.Query.(string)
		}
	}
	t.Fatal("the dashboard has no variable expected")
	return ""
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(read(t, dashboardFile)), &d))
	return d
}

var ruleLine = regexp.MustCompile(`(?m)^ +- (alert|record): (\S+)$`)

// Every query of the dashboard and every rule is evaluated on the metrics of a bank at which everything goes wrong. The
// go command does not see that files of module otel have changed: use go test -count=1.
func TestPanelsAndRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		require.Empty(t, os.Getenv("IDENTOMAT_REQUIRE_PROMTOOL"), "promtool is required")
		t.Skip("promtool, which is part of Prometheus, is not installed")
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { assert.ErrorContains(t, err, "the database is down") }))
	b, series := newBank(t), map[string][]string{}
	b.statusErr = errors.New("the database is down")
	for minute := range minutes + 1 {
		if minute > 0 {
			b.minute(t, minute)
		}
		b.scrape(t, series, minute)
		for name, values := range series { // a gauge may be gone
			if len(values) == minute {
				series[name] = append(values, "_")
			}
		}
	}
	test := promtoolTest{Interval: "1m"}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		test.Series = append(test.Series, promtoolSeries{name, strings.Join(series[name], " ")})
	}

	wantPanels := maps.Clone(panels)
	d := readDashboard(t)
	variables := strings.NewReplacer("$job", "bank", "$expected", d.expected(t), "$__rate_interval", "5m", "$__range", "1h")
	for _, panel := range d.Panels {
		for i, target := range panel.Targets {
			key := fmt.Sprintf("%s/%d", panel.Title, i)
			want := wantPanels[key]
			assert.NotEmpty(t, want, "the test does not know what query %s shows", key)
			delete(wantPanels, key)
			expr := variables.Replace(target.Expr)
			assert.NotContains(t, expr, "$")
			test.Queries = append(test.Queries, query(minutes, expr, want))
			if value, ok := quiet[panel.Title]; ok {
				test.Queries = append(test.Queries, query(quietMinutes, expr, map[string]float64{"{}": value}))
			}
		}
	}
	assert.Empty(t, wantPanels, "the dashboard lacks panels")

	wantRecords := maps.Clone(records)
	for _, rule := range ruleLine.FindAllStringSubmatch(read(t, rulesFile), -1) {
		kind, name, minute := rule[1], rule[2], minutes
		if kind == "record" {
			assert.NotEmpty(t, wantRecords[name], "the test does not know the values of %s", name)
			test.Queries = append(test.Queries, query(minutes, name, wantRecords[name]))
			delete(wantRecords, name)
			continue
		}
		if name == "IdentomatStatusMissing" {
			minute = 11 // later, the status is there
		}
		test.Queries = append(test.Queries, query(minute,
			fmt.Sprintf(`max(ALERTS{alertname=%q, alertstate="firing"})`, name), map[string]float64{"{}": 1}))
	}
	assert.Empty(t, wantRecords, "a recording rule is missing")

	rules, err := filepath.Abs(rulesFile)
	require.NoError(t, err)
	text, err := json.MarshalIndent(promtoolFile{[]string{rules}, "1m", []promtoolTest{test}}, "", "\t")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "panels.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	output, err := exec.CommandContext(t.Context(), promtool, "test", "rules", file).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// panels holds what the queries of the dashboard show at the end of the run, by title and number of the query.
var panels = map[string]map[string]float64{
	"Failed calls/0":                {"{}": 90. / 270},
	"May have been processed/0":     {"{}": 30},
	"Unclear calls/0":               {"{}": 30},
	"Oldest open session/0":         {"{}": 3000},
	"Budget used/0":                 {"{}": 90. / 50},
	"Callbacks refused or failed/0": {"{}": 60},

	"Failed calls by endpoint/0": {
		`{identomat_operation="begin/"}`: 10, `{identomat_operation="list-groups"}`: 10, `{identomat_operation="result/"}`: 10,
	},
	"Failed calls by cause/0": {
		`{error_type="invalid_key"}`: 10, `{error_type="session_not_found"}`: 10, `{error_type="signature_mismatch"}`: 10,
		`{error_type="transport"}`: 10,
	},
	"Failed attempts by cause/0": {
		`{error_type="503", server_address="widget.identomat.com"}`:                1,
		`{error_type="invalid_key", server_address="external-api.identomat.com"}`:  1,
		`{error_type="session_not_found", server_address="widget.identomat.com"}`:  1,
		`{error_type="signature_mismatch", server_address="widget.identomat.com"}`: 1,
		`{error_type="transport", server_address="widget.identomat.com"}`:          1,
	},

	"Billable calls per hour/0":            {`{identomat_operation="begin/"}`: 60 + 30},
	"Billable calls per hour/1":            {"{}": 50},
	"Calls that may have been processed/0": {`{identomat_operation="begin/"}`: 30},
	"Unclear calls over time/0":            {"{}": 30},

	"Oldest open session over time/0": {"{}": 3000},
	"Callbacks by status/0": {
		`{http_response_status_code="200"}`: 1, `{http_response_status_code="403"}`: 1, `{http_response_status_code="500"}`: 1,
	},

	// Quantiles between 5 s and 7.5 s, because an attempt of 6 s is in that bucket.
	"Slowest attempts/0": {
		`{identomat_operation="begin/"}`: 7.25, `{identomat_operation="list-groups"}`: 7.375, `{identomat_operation="result/"}`: 7.344,
	},
	"Attempts/0": {
		`{identomat_operation="begin/"}`: 2, `{identomat_operation="list-groups"}`: 1, `{identomat_operation="result/"}`: 5,
	},
	"Retries/0": {"{}": 1},
}

// quiet holds what panels show while nothing fails. "No data" would tell nobody that all is well.
var quiet = map[string]float64{
	"Failed calls": 0, "May have been processed": 0, "Unclear calls": 0, "Budget used": 40. / 50, "Callbacks refused or failed": 0,
}

// records holds the values of the recording rules at the end of the run.
var records = map[string]map[string]float64{
	"operation_error:identomat_client_failures:increase10m": {
		`{error_type="transport", identomat_operation="begin/"}`:           10,
		`{error_type="invalid_key", identomat_operation="list-groups"}`:    10,
		`{error_type="signature_mismatch", identomat_operation="result/"}`: 10,
	},
	"operation:identomat_client_calls:increase10m": {
		`{identomat_operation="begin/"}`: 20, `{identomat_operation="list-groups"}`: 10, `{identomat_operation="result/"}`: 40,
	},
	"identomat_client_billable_calls:increase1h": {"{}": 90},
}
