package identomat_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
)

// The server of the benchmarks is a process of its own, so that what is counted is the
// client's work alone.

const benchServer = "IDENTOMAT_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(benchServer) != "" {
		serveBenchmarks()
		return
	}
	goleak.VerifyTestMain(m)
}

func serveBenchmarks() {
	approved, err := os.ReadFile("testdata/samples/result-sessionapproved.json")
	if err != nil {
		panic(err)
	}
	replies := map[string][]byte{"/external-api/begin/": []byte(tokenReply), "/external-api/result/": approved}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	go func() { // ends with the process that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reply := replies[r.URL.Path]
		if reply == nil {
			reply = benchMedia(w, r)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(reply)))
		_, _ = w.Write(reply)
	}))
}

func startBenchServer(b testing.TB) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchServer+"=1")
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return "http://" + strings.TrimSpace(addr)
}

// handWritten is the limit: what one would write with net/http and encoding/json for
// just these two calls, without retries, limits, checks or errors.
type handWritten struct {
	client  *http.Client
	base    string
	buffers sync.Pool
}

func newHandWritten(base string) *handWritten {
	return &handWritten{
		client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}, base: base,
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
}

func (h *handWritten) post(path, contentType string, body []byte, into any) error {
	resp, err := h.client.Post(h.base+path, contentType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	buf := h.buffers.Get().(*bytes.Buffer)
	defer h.buffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(resp.Body); err != nil {
		return err
	}
	return json.Unmarshal(buf.Bytes(), into)
}

type (
	handFlags struct {
		Language  string `json:"language"`
		ReturnURL string `json:"return_url"`
		SkipFace  bool   `json:"skip_face"`
		SkipDoc   bool   `json:"skip_document"`
	}
	handStep struct {
		Type      string            `json:"type"`
		Key       string            `json:"key"`
		Flags     any               `json:"flags,omitempty"`
		Title     map[string]string `json:"title,omitempty"`
		Questions []handQuestion    `json:"questions,omitempty"`
	}
	handDocumentFlags struct {
		Types       []string `json:"document_types"`
		Countries   []string `json:"document_countries"`
		AllowUpload bool     `json:"allow_document_upload"`
	}
	handLivenessFlags struct {
		Liveness bool `json:"liveness"`
	}
	handQuestion struct {
		Type      string            `json:"type"`
		Key       string            `json:"key"`
		Title     map[string]string `json:"title"`
		Answer    string            `json:"answer,omitempty"`
		Mandatory bool              `json:"mandatory,omitempty"`
		Options   []handOption      `json:"options,omitempty"`
	}
	handOption struct {
		Key   string            `json:"key"`
		Title map[string]string `json:"title"`
	}
	handBegin struct {
		CompanyKey   string     `json:"company_key"`
		Flags        handFlags  `json:"flags"`
		Steps        []handStep `json:"steps"`
		ClientUserID string     `json:"clientUserId"`
	}
)

func (h *handWritten) begin() error {
	body, err := json.Marshal(handBegin{
		CompanyKey: companyKey,
		Flags:      handFlags{Language: "ka", ReturnURL: "https://bank.example/kyc/return", SkipFace: true, SkipDoc: true},
		Steps: []handStep{
			{Type: "identity-document", Key: "identity-document", Flags: handDocumentFlags{[]string{"passport", "id"}, []string{"GEO"}, true}},
			{Type: "liveness", Key: "liveness", Flags: handLivenessFlags{true}},
			{Type: "user-questionnaire", Key: "employment", Title: map[string]string{"en": "Employment", "ka": "დასაქმება"}, Questions: []handQuestion{
				{Type: "string", Key: "name", Title: map[string]string{"en": "Your full name"}, Answer: "John Doe", Mandatory: true},
				{Type: "options", Key: "employed", Title: map[string]string{"en": "Are you employed?"}, Options: []handOption{
					{"yes", map[string]string{"en": "Yes"}}, {"no", map[string]string{"en": "No"}},
				}},
			}},
		},
		ClientUserID: "user-12345",
	})
	if err != nil {
		return err
	}
	var token string
	return h.post("/external-api/begin/", "application/json", body, &token)
}

func benchRequest() identomat.BeginRequest {
	return identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.Georgian).ReturnURL("https://bank.example/kyc/return"),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).Countries("GEO").AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.UserQuestionnaire("employment").Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}).Ask(
				identomat.TextQuestion("name", identomat.Text{"en": "Your full name"}).Answer("John Doe").Mandatory(true),
				identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}), identomat.Choice("no", identomat.Text{"en": "No"})),
			),
		},
		ClientUserID: "user-12345",
	}
}

// handResult has the fields of identomat.Result without its methods.
type handResult struct {
	Result           string            `json:"result"`
	Similarity       *float64          `json:"similarity"`
	Live             *bool             `json:"live"`
	DocumentType     string            `json:"document_type"`
	GeneralDocuments []handDocument    `json:"generalDocuments"`
	RejectReason     map[string]string `json:"reject_reason"`
	ResultComment    string            `json:"result_comment"`
	Name             string            `json:"name"`
	Errors           []string          `json:"errors"`
	FaceImages       int               `json:"face_images"`
	IDCardFront      map[string]any    `json:"id_card_front"`
	IDCardBack       map[string]any    `json:"id_card_back"`
	Person           handPerson        `json:"person"`
	Questionnaires   []struct {
		Key       string `json:"key"`
		Questions []struct {
			Key    string          `json:"key"`
			Answer json.RawMessage `json:"answer"`
		} `json:"questions"`
	} `json:"questionnaires"`
	Geolocation []struct {
		Key       string   `json:"key"`
		Latitude  *float64 `json:"latitude"`
		Longitude *float64 `json:"longitude"`
		Address   string   `json:"address"`
	} `json:"geolocation"`
	TechnicalDetails struct {
		RemoteAddress string `json:"remoteAddress"`
		UserAgent     string `json:"userAgent"`
		CountryCode   string `json:"countryCode"`
	} `json:"technicalDetails"`
	Suggested json.RawMessage `json:"suggested"`
}

type handDocument struct {
	Pages []struct {
		TypeID string `json:"typeId"`
		Final  struct {
			Street             string   `json:"street"`
			State              string   `json:"state"`
			City               string   `json:"city"`
			Country            string   `json:"country"`
			PostalCode         string   `json:"postalCode"`
			StreetNumber       string   `json:"streetNumber"`
			County             string   `json:"county"`
			CountryCode        string   `json:"countryCode"`
			DocumentIssued     string   `json:"documentIssued"`
			DocumentIssuedTime string   `json:"documentIssuedTime"`
			Authority          string   `json:"authority"`
			Address            string   `json:"address"`
			FormattedAddress   string   `json:"formattedAddress"`
			Latitude           *float64 `json:"latitude"`
			Longitude          *float64 `json:"longitude"`
			FullName           string   `json:"fullName"`
			FirstName          string   `json:"firstName"`
			LastName           string   `json:"lastName"`
		} `json:"final"`
		DocumentPages []struct {
			PageNumber int `json:"pageNumber"`
		} `json:"documentPages"`
		PageNumber int      `json:"pageNumber"`
		Statuses   []string `json:"statuses"`
	} `json:"pages"`
	DocumentType string `json:"documentType"`
	TypeID       string `json:"typeId"`
}

type handPerson struct {
	Email               string `json:"email"`
	PhoneNumber         string `json:"phoneNumber"`
	FirstName           string `json:"first_name"`
	LastName            string `json:"last_name"`
	Birthday            string `json:"birthday"`
	BirthdayTime        string `json:"birthday_time"`
	Age                 int    `json:"age"`
	Citizenship         string `json:"citizenship"`
	DocumentNumber      string `json:"document_number"`
	DocumentExpires     string `json:"document_expires"`
	DocumentExpiresTime string `json:"document_expires_time"`
	PersonalNumber      string `json:"personal_number"`
	IssuingState        string `json:"issuing_state"`
	Sex                 string `json:"sex"`
	BirthPlace          string `json:"birth_place"`
	Nationality         string `json:"nationality"`
	DocumentIssued      string `json:"document_issued"`
	DocumentIssuedTime  string `json:"document_issued_time"`
	Status              string `json:"status"`
	MRZ                 string `json:"mrz"`
	Address             string `json:"address"`
}

func (h *handWritten) result() error {
	form := url.Values{"company_key": {companyKey}, "session_token": {string(token)}}
	var result handResult
	return h.post("/external-api/result/", "application/x-www-form-urlencoded", []byte(form.Encode()), &result)
}

// compare runs both in turn, so that a busy machine slows both, and reports medians and
// their ratio.
func compare(b *testing.B, limit, sdk func() error) {
	b.Helper()
	var limits, sdks []time.Duration
	timed := func(f func() error) time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	for range 200 {
		timed(limit)
		timed(sdk)
	}
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			limits, sdks = append(limits, timed(limit)), append(sdks, timed(sdk))
		} else {
			sdks, limits = append(sdks, timed(sdk)), append(limits, timed(limit))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2])
	}
	allocs := func(f func() error) float64 { return testing.AllocsPerRun(200, func() { timed(f) }) }
	limitAllocs, sdkAllocs := allocs(limit), allocs(sdk)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(limits), "limit-ns")
	b.ReportMetric(median(sdks), "sdk-ns")
	b.ReportMetric(median(sdks)/median(limits), "time-ratio")
	b.ReportMetric(limitAllocs, "limit-allocs")
	b.ReportMetric(sdkAllocs, "sdk-allocs")
	b.ReportMetric(sdkAllocs/limitAllocs, "allocs-ratio")
}

// TestACallAllocatesLittleMoreThanByHand asserts what does not depend on the machine.
func TestACallAllocatesLittleMoreThanByHand(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	hand, client := benchClients(t)
	for name, c := range map[string]struct {
		limit, sdk func() error
		ratio      float64
	}{
		"begin":  {hand.begin, func() error { _, err := client.Sessions.Begin(context.Background(), benchRequest()); return err }, 1.25},
		"result": {hand.result, func() error { _, err := client.Sessions.Result(context.Background(), token); return err }, 1.15},
	} {
		allocs := func(f func() error) float64 {
			return testing.AllocsPerRun(300, func() {
				if err := f(); err != nil {
					t.Error(err)
				}
			})
		}
		limit, sdk := allocs(c.limit), allocs(c.sdk)
		assert.LessOrEqual(t, sdk/limit, c.ratio, "%s: %v allocations, by hand %v", name, sdk, limit)
	}
}

func benchClients(b testing.TB) (*handWritten, *identomat.Client) {
	b.Helper()
	base := startBenchServer(b)
	client, err := identomat.NewClient(companyKey, identomat.WithWidgetURL(base), identomat.WithAPIURL(base))
	require.NoError(b, err)
	b.Cleanup(client.CloseIdleConnections)
	return newHandWritten(base), client
}

// BenchmarkBegin begins a session of three steps beside the same call by hand.
func BenchmarkBegin(b *testing.B) {
	hand, client := benchClients(b)
	compare(b, hand.begin, func() error {
		_, err := client.Sessions.Begin(b.Context(), benchRequest())
		return err
	})
}

// BenchmarkResult reads and decodes a result of 4 kB beside the same call by hand.
func BenchmarkResult(b *testing.B) {
	hand, client := benchClients(b)
	compare(b, hand.result, func() error {
		_, err := client.Sessions.Result(b.Context(), token)
		return err
	})
}
