package identomattest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// TestMain records every exchange with an operation in the file that IDENTOMAT_EXCHANGES names, for
// "go run ./tools/openapi -exchanges". The file holds requests and responses in turn, as they are on the
// wire. The response has three more headers: X-Processed says whether the operation ran; X-Refusal and
// X-Fault are the reason of a refusal and the name of a fault, or empty.
func TestMain(m *testing.M) {
	if name := os.Getenv("IDENTOMAT_EXCHANGES"); name != "" {
		file, err := os.Create(filepath.Clean(name))
		if err != nil {
			panic(err)
		}
		tap = (&exchangeLog{out: file}).tap
	}
	goleak.VerifyTestMain(m)
}

type exchangeLog struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *exchangeLog) tap(entry *Request, w http.ResponseWriter, req *http.Request) (http.ResponseWriter, func()) {
	var sent bytes.Buffer
	body := req.Body
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, &sent), body}
	received := &recordedResponse{ResponseWriter: w}
	return received, func() {
		if received.status == 0 {
			return // a fault reset the connection
		}
		var out bytes.Buffer
		fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\n", req.Method, req.RequestURI, req.Host)
		writeRest(&out, req.Header, sent.Bytes())
		fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", received.status, http.StatusText(received.status))
		h := received.Header().Clone()
		h.Set("X-Processed", strconv.FormatBool(entry.Processed))
		h.Set("X-Fault", entry.Fault)
		h.Set("X-Refusal", strings.ReplaceAll(entry.Refusal, "\n", " "))
		writeRest(&out, h, received.body.Bytes())
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, err := l.out.Write(out.Bytes()); err != nil {
			panic(err)
		}
	}
}

// writeRest writes a header and a body.
func writeRest(out *bytes.Buffer, h http.Header, body []byte) {
	h = h.Clone()
	h.Del("Transfer-Encoding")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	_ = h.Write(out)
	out.WriteString("\r\n")
	out.Write(body)
}

type recordedResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recordedResponse) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recordedResponse) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

func (r *recordedResponse) Unwrap() http.ResponseWriter { return r.ResponseWriter }
