package identomat_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests limit how much a call allocates, because allocations do not depend on the machine. The
// bench module measures time. The limits are for the SDK alone, without a server or a connection. A
// change that allocates more must raise a limit here. .ci/run selects these tests by "Alloc" in their
// names.

// canned is a RoundTripper that reads the request and always returns the same response. It allocates
// almost nothing.
type canned struct {
	header http.Header
	body   io.ReadSeeker
	length int64
	buf    [32 << 10]byte
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		if _, err := req.Body.Read(c.buf[:]); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	_ = req.Body.Close()
	_, _ = c.body.Seek(0, io.SeekStart)
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, Header: c.header, ContentLength: c.length, Body: io.NopCloser(c.body), Request: req,
	}, nil
}

// repeated is a body that consists of head, text repeated a number of times, and tail. Its memory does
// not grow with its size.
type repeated struct {
	head, text, tail string
	times            int
	at               int64
}

func (r *repeated) size() int64 { return int64(len(r.head) + r.times*len(r.text) + len(r.tail)) }

func (r *repeated) Seek(int64, int) (int64, error) { r.at = 0; return 0, nil }

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		at := r.at
		part := r.head
		if at >= int64(len(part)) {
			at -= int64(len(part))
			if at < int64(r.times*len(r.text)) {
				part, at = r.text, at%int64(len(r.text))
			} else {
				part, at = r.tail, at-int64(r.times*len(r.text))
			}
		}
		if at == int64(len(part)) {
			return n, io.EOF
		}
		m := copy(p[n:], part[at:])
		n, r.at = n+m, r.at+int64(m)
	}
	return n, nil
}

// cannedClient returns a client that receives the same body in every response. With opts, the responses
// are signed.
func cannedClient(t *testing.T, body *repeated, opts ...identomat.Option) *identomat.Client {
	t.Helper()
	stub := &canned{header: http.Header{"Content-Type": {"application/json"}}, body: body, length: body.size()}
	if len(opts) > 0 {
		mac := hmac.New(sha256.New, []byte(secretKey))
		_, _ = body.Seek(0, io.SeekStart)
		_, _ = io.Copy(mac, body)
		stub.header.Set("Authorization", `signature="`+base64.StdEncoding.EncodeToString(mac.Sum(nil))+`"`)
	}
	client, err := identomat.NewClient(companyKey, append(opts, identomat.WithHTTPClient(&http.Client{Transport: stub}))...)
	require.NoError(t, err)
	return client
}

func threeSteps() identomat.BeginRequest {
	return identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.Georgian).ReturnURL("https://bank.example/kyc/return"),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO").AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.UserQuestionnaire("employment").Ask(
				identomat.TextQuestion("name", identomat.Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
				identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}), identomat.Choice("no", identomat.Text{"en": "No"})),
			).Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}),
		},
		ClientUserID: "user-12345",
	}
}

// fileOf returns a file of slightly more than n bytes.
func fileOf(t *testing.T, n int) identomat.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passport.jpg")
	require.NoError(t, os.WriteFile(path, append([]byte(jpeg), make([]byte, n)...), 0o600))
	return identomat.FileFromPath(path)
}

// drained reads media to the end. It returns the error from the call or from reading.
func drained(media *identomat.Media, err error) error {
	if err == nil {
		_, err = media.WriteTo(io.Discard)
	}
	return err
}

func TestCallAllocations(t *testing.T) {
	if raceEnabled || runtime.GOOS != "linux" {
		t.Skip("the limits are for Linux without the race detector")
	}
	ctx := context.Background()
	file := fileOf(t, 1<<20)
	bareToken := &repeated{head: tokenResponse}
	approved := &repeated{head: sample(t, "result-sessionapproved.json")}
	video := &repeated{head: jpeg, text: strings.Repeat("\xf1\x02", 512), times: 1 << 10}
	passport := &repeated{head: sample(t, "passport-default.json")}
	hit := `{"score":99,"name":"John \"]}\" SMITH","personId":"67137933a2176f07","entityType":"person","topics":["Sanctioned entity","Politician"]}`
	page := &repeated{head: `{"result":[` + hit, text: "," + hit, times: 99, tail: "]}"}
	begin := func(c *identomat.Client) error { _, err := c.Sessions.Begin(ctx, threeSteps()); return err }
	result := func(c *identomat.Client) error { _, err := c.Sessions.Result(ctx, token); return err }
	download := func(c *identomat.Client) error { return drained(c.Media.FaceVideo(ctx, token)) }
	upload := func(c *identomat.Client) error { _, err := c.Documents.Passport(ctx, file); return err }
	search := func(c *identomat.Client) error {
		_, err := c.Screening.SearchPage(ctx, identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}, 0, 100)
		return err
	}
	for _, row := range []struct {
		name   string
		call   func(*identomat.Client) error
		body   *repeated
		signed bool
		limit  [2]float64 // for Go 1.26, and for Go 1.27 with its new encoding/json
	}{
		{"begin", begin, bareToken, false, [...]float64{55, 55}},
		{"begin, signed", begin, bareToken, true, [...]float64{63, 63}},
		{"result", result, approved, false, [...]float64{93, 93}},
		{"result, signed", result, approved, true, [...]float64{101, 101}},
		{"download", download, video, false, [...]float64{34, 34}},
		{"download, signed", download, video, true, [...]float64{43, 43}},
		{"upload", upload, passport, false, [...]float64{97, 97}},
		{"upload, signed", upload, passport, true, [...]float64{122, 122}},
		{"search, 100 hits", search, page, false, [...]float64{140, 140}},
	} {
		var opts []identomat.Option
		if row.signed {
			opts = signing()
		}
		client := cannedClient(t, row.body, opts...)
		var failure error
		allocs := testing.AllocsPerRun(200, func() {
			if err := row.call(client); err != nil {
				failure = err
			}
		})
		require.NoError(t, failure, row.name)
		limit := row.limit[1]
		if strings.HasPrefix(runtime.Version(), "go1.26") {
			limit = row.limit[0]
		}
		assert.LessOrEqual(t, allocs, limit, row.name)
		t.Logf("%s: %.0f allocations, limit %.0f", row.name, allocs, limit)
	}
}

// A transfer of 64 MiB allocates at most 256 KiB. The same limit applies to base64 in JSON and to signed
// transfers.
func TestTransferAllocationsIndependentOfSize(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const (
		size  = 64 << 20
		limit = 256 << 10
	)
	ctx := context.Background()
	file := fileOf(t, size)
	image := &repeated{head: jpeg, text: strings.Repeat("\xf1\x02", 512), times: size >> 10}
	text := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("\xff\xf1\x02"), 512))
	archive := &repeated{
		head: `{"result":[["data:application\/x-tar;base64,` + base64.StdEncoding.EncodeToString([]byte(jpeg)),
		text: strings.ReplaceAll(text, "/", `\/`), times: size / 3 / 512, tail: `"]]}`,
	}
	for name, transfer := range map[string]struct {
		body *repeated
		call func(*identomat.Client) error
	}{
		"image":  {image, func(c *identomat.Client) error { return drained(face(ctx, c)) }},
		"base64": {archive, func(c *identomat.Client) error { return drained(facePhoto(ctx, c)) }},
		"upload": {&repeated{head: documentResponse}, func(c *identomat.Client) error { _, err := c.Documents.Passport(ctx, file); return err }},
	} {
		for signature, opts := range map[string][]identomat.Option{"unsigned": nil, "signed": signing()} {
			client := cannedClient(t, transfer.body, opts...)
			runtime.GC() // empties the buffer pools
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			require.NoError(t, transfer.call(client), name)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(limit), "%s, %s", name, signature)
			t.Logf("%s, %s: %d bytes", name, signature, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

// The client must not allocate a buffer of Content-Length bytes before the body arrives, even if the
// response size limit allows it.
func TestAnnouncedLengthAllocatesLittle(t *testing.T) {
	const announced = 64 << 20
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		resp := newResponse(200, `{"result":"approved"}`)
		resp.ContentLength = announced
		return resp, nil
	}, identomat.WithMaxResponseSize(announced), identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.ErrorIs(t, getResult(client, t.Context()), io.ErrUnexpectedEOF)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(announced/8))
}

// A begin that fails allocates little more than one that succeeds, although no error may show any text of the
// request.
func TestFailedBeginAllocatesFewTimesPerQuestion(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const questions = 1000
	step := identomat.UserQuestionnaire("employment")
	for i := range questions {
		key := strconv.Itoa(i)
		step = step.Ask(identomat.TextQuestion(key, identomat.Text{"en": "Question " + key}).Answer("Answer " + key))
	}
	client := stubbed(t, func(*http.Request) (*http.Response, error) {
		return nil, errors.New("dial tcp 192.0.2.1:443: connect: connection refused")
	}, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	allocs := testing.AllocsPerRun(5, func() {
		_, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: identomat.Steps{step}})
		assert.Error(t, err)
	})
	assert.LessOrEqual(t, allocs, 6.0*questions)
}

// A response of more than 1 MiB allocates at most 2.2 bytes a byte before it is decoded, whether or not its
// length is known.
func TestLargeResponseAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties the buffer pools")
	}
	for _, size := range []int{1 << 20, 4 << 20, 8 << 20} {
		body := `{"result":"` + strings.Repeat("x", size) + `"}`
		for _, length := range []int64{-1, int64(len(body))} {
			resp := newResponse(200, body)
			resp.ContentLength = length
			client := stubbed(t, func(*http.Request) (*http.Response, error) { return resp, nil }, identomat.WithMaxResponseSize(16<<20))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := client.Call(t.Context(), identomat.Endpoint{Name: "new"}, nil)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			perByte := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(body))
			assert.LessOrEqual(t, perByte, 2.2)
			t.Logf("%d bytes, length %d: %.2f allocated a byte", len(body), length, perByte)
		}
	}
}
