// Package identomatotel records the calls of an identomat.Client as OpenTelemetry spans and metrics,
// and comes with a Grafana dashboard and alerts for Prometheus. The example shows how to wire it in.
//
// It exports endpoints, hosts, status codes, sizes, times and the SDK's errors. It exports no bodies,
// URLs, tokens or keys, and every attribute of a metric has few values.
//
// # Names
//
// Attributes have the names of the semantic conventions; names that these lack begin with identomat.
// The metrics have their own names, too. If your HTTP client or server is instrumented with otelhttp,
// it already records every request as http.client.request.duration or http.server.request.duration,
// and a second instrumentation under the same name would count every request twice.
//
// # The dashboard and the rules
//
// Import grafana/identomat.json in Grafana (Dashboards, New, Import), and list prometheus/rules.yml under
// rule_files in prometheus.yml. Both expect the names that OpenTelemetry's exporter for Prometheus and
// Prometheus' OTLP receiver give to the metrics by default, such as identomat_client_calls_total. With
// OTLP, give every process a service.instance.id, which becomes the label instance: without it,
// Prometheus mixes up the counters of several processes. If you change the rules, run "promtool test
// rules rules_test.yml" in their folder.
//
// # The alerts
//
// Alerts with severity page mean that customers are stuck, that responses cannot be trusted, or that the
// key is refused. The others can wait for a few hours. The annotation action of each alert says what to do.
//
//   - IdentomatCallsFailing (page): more than a tenth of the calls of an endpoint fail after all retries.
//     The panel "Failed calls by cause" tells your network (transport, timeout) from Identomat (5xx), your
//     rate (429) and your code (wrong_parameters). Customers' mistakes, such as a refused image, do not count.
//     Neither does media that a session lacks: not_found, and wrong_parameters from get-question-file, which is
//     the response for a file or an answer that does not exist. So Collect of package evidence pages nobody.
//   - IdentomatKeyRefused (page): the company key is wrong, was replaced, or does not permit the call.
//     Compare it with the one in Identomat's dashboard.
//   - IdentomatSignatureMismatch (page): a response was changed on its way, or the secret key is wrong. The
//     SDK rejected the response. Look for a proxy that changes bodies, and inform your security team.
//   - IdentomatSessionsStuck (page): a session has had no outcome for half an hour. Check that the workers
//     run and that result/ succeeds.
//   - IdentomatCallbacksFailing (page): your function for callbacks returns errors, so messages to customers
//     are lost. Read the log.
//   - IdentomatCallbacksRefused (ticket): callbacks have a wrong key (403) or are not valid callbacks. Compare
//     the callback API key with the one in Identomat's dashboard.
//   - IdentomatCallMaybeProcessed (ticket): the response to a billable call was lost. Look for the session in
//     Identomat's dashboard before anyone makes the call again.
//   - IdentomatUnclear (ticket): calls wait for a person to settle them, with Engine.Settle of module river.
//   - IdentomatOverBudget (ticket): more billable calls in an hour than [Status] plans for. Raise the budget,
//     or look for a loop or an attack.
//   - IdentomatSlow (ticket): begin/, for which a customer waits, takes longer than five seconds.
//   - IdentomatStatusMissing (ticket): no process exports the figures of [ObserveStatus]. Remove the alert if you
//     do not use it.
package identomatotel
