package identomat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests check that costs grow in proportion to the size of what is sent, received or awaited. Each
// test measures one operation at the sizes n, 2n, 4n and 8n. go test -v -run Growth . prints the curves.

// spent is what one operation cost.
type spent struct {
	allocs, bytes float64
	time          time.Duration
}

// spend returns the lowest of several measurements, because a garbage collection that empties the buffer
// pools raises a measurement.
func spend(t *testing.T, operation func()) (least spent) {
	t.Helper()
	for i := range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		operation()
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		now := spent{float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc), elapsed}
		if i == 0 {
			least = now
		}
		least = spent{min(least.allocs, now.allocs), min(least.bytes, now.bytes), min(least.time, now.time)}
	}
	return least
}

// maxGrowth is the highest ratio of the allocations and of the bytes for 8n items to those for n. It is 8
// for a linear curve, and 64 for a quadratic one. The difference to 8 allows for slices that grow in
// steps. Times are printed but not checked, because they depend on other work on the machine.
const maxGrowth = 12

// A curve is an operation on a number of items.
type curve struct {
	item string
	n    int
	// prepare returns the operation on n items. Only the operation is measured.
	prepare func(t *testing.T, n int) (operation func())
	// maxBytes, if set, is the highest number of bytes that an item may cost.
	maxBytes float64
}

func (c curve) check(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var first, last spent
	for _, times := range []int{1, 2, 4, 8} {
		n := times * c.n
		last = spend(t, c.prepare(t, n))
		if times == 1 {
			first = last
		}
		t.Logf("%8d %s: %10.0f allocations, %6.2f each; %11.0f bytes, %8.2f each; %v, %v each",
			n, c.item, last.allocs, last.allocs/float64(n), last.bytes, last.bytes/float64(n), last.time, last.time/time.Duration(n))
		if c.maxBytes > 0 {
			assert.LessOrEqual(t, last.bytes, c.maxBytes*float64(n), "bytes for %d %s", n, c.item)
		}
	}
	assert.LessOrEqual(t, last.allocs, maxGrowth*first.allocs, "allocations for %d %s, compared to %d", 8*c.n, c.item, c.n)
	assert.LessOrEqual(t, last.bytes, maxGrowth*first.bytes, "bytes for %d %s, compared to %d", 8*c.n, c.item, c.n)
}

// must returns the operation that makes a call and requires its success.
func must(t *testing.T, call func() error) func() {
	return func() { require.NoError(t, call()) }
}

// A response over 1 MiB may cost at most 2.2 bytes for each of its bytes, including the copy that Raw
// returns.
func TestGrowthResponse(t *testing.T) {
	read := func(length func(*repeated) int64) func(*testing.T, int) func() {
		return func(t *testing.T, n int) func() {
			body := &repeated{head: `{"result":"approved","comment":"`, text: strings.Repeat("0123456789abcdef", 1<<6), times: n >> 10, tail: `"}`}
			stub := &canned{header: http.Header{"Content-Type": {"application/json"}}, body: body, length: length(body)}
			client, err := identomat.NewClient(companyKey, identomat.WithMaxResponseSize(64<<20), identomat.WithHTTPClient(&http.Client{Transport: stub}))
			require.NoError(t, err)
			return must(t, func() error { return getResult(client, t.Context()) })
		}
	}
	t.Run("with Content-Length", curve{item: "bytes", n: 1 << 20, prepare: read((*repeated).size), maxBytes: 2.2}.check)
	t.Run("chunked", curve{item: "bytes", n: 1 << 20, prepare: read(func(*repeated) int64 { return -1 }), maxBytes: 2.2}.check)
}

func TestGrowthMembers(t *testing.T) {
	members := func(t *testing.T, n int) *identomat.Client {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `"member%d":%d,`, i, i)
		}
		return cannedClient(t, &repeated{head: `{` + text.String() + `"result":"approved"}`})
	}
	t.Run("received", curve{item: "members", n: 500, prepare: func(t *testing.T, n int) func() {
		client := members(t, n)
		return must(t, func() error { return getResult(client, t.Context()) })
	}}.check)
	t.Run("Extra", curve{item: "members", n: 500, prepare: func(t *testing.T, n int) func() {
		result, err := members(t, n).Sessions.Result(t.Context(), token)
		require.NoError(t, err)
		return func() { require.Len(t, result.Extra(), n) }
	}}.check)
	t.Run("sent", curve{item: "members", n: 500, prepare: func(t *testing.T, n int) func() {
		extra := make(map[string]any, n)
		for i := range n {
			extra[fmt.Sprintf("member%d", i)] = i
		}
		client := cannedClient(t, &repeated{head: tokenResponse})
		return must(t, func() error {
			_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{Extra: extra})
			return err
		})
	}}.check)
}

// paged is a service with a list of n items. item returns the JSON of an item. before and after surround
// the items of a page.
type paged struct {
	n                   int
	item, before, after string // item contains %d for the number of the item
}

func (p paged) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, text, found := strings.Cut(string(request), `"offset":`)
	if !found {
		_, text, _ = strings.Cut(string(request), `"start":`)
	}
	offset, err := strconv.Atoi(text[:strings.IndexAny(text, ",}")])
	if err != nil {
		return nil, err
	}
	body := []byte(p.before)
	for i := offset; i < min(offset+100, p.n); i++ {
		if i > offset {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, p.item, i)
	}
	return newResponse(200, string(append(body, p.after...))), nil
}

func TestGrowthLists(t *testing.T) {
	for name, list := range map[string]struct {
		item, before, after string
		read                func(context.Context, *identomat.Client) (n int, err error)
	}{
		"Search": {
			`{"score":99,"name":"John SMITH","personId":"67137933%08x","entityType":"person","topics":["Sanctioned entity"]}`, `{"result":[`, `]}`,
			func(ctx context.Context, c *identomat.Client) (n int, err error) {
				for _, err := range c.Screening.Search(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			},
		},
		"Blacklist.List": {
			`{"firstName":"John","id":"682b09e4%08x"}`, `{"result":{"offset":0,"limit":100,"total":%d,"data":[`, `]}}`,
			func(ctx context.Context, c *identomat.Client) (n int, err error) {
				for _, err := range c.Blacklist.List(ctx, identomat.BlacklistFilter{}) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			},
		},
		"ListMonitored": {
			`{"fullName":"John Smith","id":"64ad3b14%08x"}`, `{"result":{"start":0,"limit":100,"total":%d,"data":[`, `]}}`,
			func(ctx context.Context, c *identomat.Client) (n int, err error) {
				for _, err := range c.Screening.ListMonitored(ctx, identomat.MonitoredFilter{}) {
					if err != nil {
						return n, err
					}
					n++
				}
				return n, nil
			},
		},
	} {
		t.Run(name, curve{item: "records", n: 1000, prepare: func(t *testing.T, n int) func() {
			before := list.before
			if strings.Contains(before, "%d") {
				before = fmt.Sprintf(before, n)
			}
			client := stubbed(t, paged{n, list.item, before, list.after}.RoundTrip)
			return must(t, func() error {
				got, err := list.read(t.Context(), client)
				if err == nil && got != n {
					err = fmt.Errorf("%d records", got)
				}
				return err
			})
		}}.check)
	}
}

// textQuestion returns a question whose texts differ from those of all other questions.
func textQuestion(i int) identomat.TextInput {
	return identomat.TextQuestion(fmt.Sprintf("question%d", i), identomat.Text{"en": fmt.Sprintf("Question number %d", i)})
}

func askAll(n int) identomat.Steps {
	questionnaire := identomat.UserQuestionnaire("many")
	for i := range n {
		questionnaire = questionnaire.Ask(textQuestion(i))
	}
	return identomat.Steps{questionnaire}
}

// Every call of a builder returns a new value, so a builder that copies the whole value is quadratic. Set
// and Flag search the members set so far, so their time grows with the number of members, of which real
// requests have a few dozen.
func TestGrowthBuilders(t *testing.T) {
	builders := map[string]func(n int) any{
		"Ask, one by one": func(n int) any { return askAll(n) },
		"Ask, all at once": func(n int) any {
			questions := make([]identomat.AnyQuestion, n)
			for i := range questions {
				questions[i] = textQuestion(i)
			}
			return identomat.UserQuestionnaire("many").Ask(questions...)
		},
		"Flags.Set": func(n int) any {
			flags := identomat.NewFlags()
			for i := range n {
				flags = flags.Set(fmt.Sprintf("flag%d", i), i)
			}
			return flags
		},
		"Step.Flag": func(n int) any {
			step := identomat.CustomStep("custom", "custom")
			for i := range n {
				step = step.Flag(fmt.Sprintf("flag%d", i), i)
			}
			return step
		},
		"Step.Set": func(n int) any {
			step := identomat.CustomStep("custom", "custom")
			for i := range n {
				step = step.Set(fmt.Sprintf("member%d", i), i)
			}
			return step
		},
		"Question.Set": func(n int) any {
			question := identomat.CustomQuestion("custom", "custom")
			for i := range n {
				question = question.Set(fmt.Sprintf("member%d", i), i)
			}
			return question
		},
	}
	for name, build := range builders {
		t.Run(name, curve{item: "calls", n: 500, prepare: func(_ *testing.T, n int) func() {
			return func() { runtime.KeepAlive(build(n)) }
		}}.check)
	}
}

func TestGrowthBegin(t *testing.T) {
	t.Run("successful", curve{item: "questions", n: 250, prepare: func(t *testing.T, n int) func() {
		client, steps := cannedClient(t, &repeated{head: tokenResponse}), askAll(n)
		return must(t, func() error {
			_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: steps})
			return err
		})
	}}.check)
	failing := func(respond roundTrip) func(*testing.T, int) func() {
		return func(t *testing.T, n int) func() {
			client, steps := stubbed(t, respond), askAll(n)
			return func() {
				_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: steps})
				require.Error(t, err)
			}
		}
	}
	t.Run("refused", curve{item: "questions", n: 250, prepare: failing(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return newResponse(200, `{"argumentError":"wrong-parameters"}`), nil
	})}.check)
	t.Run("lost", curve{item: "questions", n: 250, prepare: failing(lostResponse)}.check)
}

// A failing call searches its error for the texts that were sent. go run ./bench compares how long a failing
// and a successful call take.
func TestGrowthFailedBegin(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const questions = 1000
	steps := askAll(questions)
	begin := func(respond roundTrip) spent {
		client := stubbed(t, respond)
		return spend(t, func() { _, _ = client.Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: steps}) })
	}
	responding := func(body string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return newResponse(200, body), nil
		}
	}
	success := begin(responding(tokenResponse))
	for name, failure := range map[string]spent{
		"refused": begin(responding(`{"argumentError":"wrong-parameters"}`)), "lost": begin(lostResponse),
	} {
		assert.LessOrEqual(t, failure.bytes, 500.0*questions, name)
		t.Logf("%s: %.0f allocations, %.0f bytes, %v; a successful begin: %.0f, %.0f, %v",
			name, failure.allocs, failure.bytes, failure.time, success.allocs, success.bytes, success.time)
	}
}

func TestGrowthArchive(t *testing.T) {
	t.Run("Files", curve{item: "files", n: 250, prepare: func(t *testing.T, n int) func() {
		files := make([]string, 0, 2*n)
		for i := range n {
			files = append(files, fmt.Sprintf("folder/%d.jpg", i), jpeg)
		}
		client := responding(t, 200, archived(t, files...), false, "Content-Type", "application/x-tar")
		return must(t, func() error {
			media, err := client.VideoCalls.Videos(t.Context(), token)
			if err != nil {
				return err
			}
			defer media.Close()
			for file, err := range media.Files() {
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, file); err != nil {
					return err
				}
			}
			return nil
		})
	}}.check)
}

// The error of a failing handler is searched for the texts of the callback.
func TestGrowthCallback(t *testing.T) {
	for name, failure := range map[string]error{"successful handler": nil, "failing handler": errors.New("the queue is full")} {
		t.Run(name, curve{item: "members", n: 250, prepare: func(t *testing.T, n int) func() {
			var body bytes.Buffer
			body.WriteString(`{"callbackApiKey":"` + callbackKey + `","type":"session-approved"`)
			for i := range n {
				fmt.Fprintf(&body, `,"member%d":"text number %d"`, i, i)
			}
			body.WriteString("}")
			handler, err := identomat.CallbackHandler([]string{callbackKey},
				func(context.Context, identomat.Callback) error { return failure },
				identomat.WithCallbackErrors(func(context.Context, error) {}))
			require.NoError(t, err)
			want := map[bool]int{true: 200, false: 500}[failure == nil]
			return func() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, callbackRequest(body.String()))
				require.Equal(t, want, w.Code)
			}
		}}.check)
	}
}

// A waiting session costs one goroutine and at most 8 kB, including its stack.
func TestGrowthWaitingSessions(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	type held struct{ goroutines, bytes float64 }
	hold := func(n int) (h held) {
		synctest.Test(t, func(t *testing.T) {
			network := &memoryNetwork{respond: func(url.Values) string {
				return literal("200 OK", "Content-Type: application/json\r\n", `{"result":"in_progress"}`)
			}}
			transport := &http.Transport{DialContext: network.dial}
			defer transport.CloseIdleConnections()
			client, err := identomat.NewClient(companyKey,
				identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithWidgetURL("http://localhost"))
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			goroutines, bytes := runtime.NumGoroutine(), memory()
			for i := range n {
				time.Sleep(time.Millisecond)
				go func() { _, _ = client.Sessions.Wait(ctx, identomat.Token(fmt.Sprintf("session%d", i))) }()
			}
			time.Sleep(time.Minute)
			transport.CloseIdleConnections()
			synctest.Wait()
			h = held{float64(runtime.NumGoroutine() - goroutines), float64(int64(memory() - bytes))}
		})
		return h
	}
	for _, n := range []int{250, 500, 1000, 2000} {
		h := hold(n)
		t.Logf("%8d sessions: %6.0f goroutines; %9.0f bytes, %6.0f each", n, h.goroutines, h.bytes, h.bytes/float64(n))
		assert.LessOrEqual(t, h.bytes, 8000*float64(n), "bytes for %d sessions", n)
		// Goroutines of earlier tests may still end.
		assert.InDelta(t, n, h.goroutines, float64(n)/10, "goroutines for %d sessions", n)
	}
}
