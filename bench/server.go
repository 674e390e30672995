package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// serverVariable is the environment variable that makes the process the server.
const serverVariable = "IDENTOMAT_BENCH_SERVER"

const (
	downloadSize = 16 << 20
	uploadSize   = 8 << 20
)

func startServer() (base string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = stdin.Close(); _ = cmd.Wait() }
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return "http://" + strings.TrimSpace(addr), stop, nil
}

// server responds like Identomat.
type server struct {
	responses map[string]response // by path
	pages     map[string][]page   // by path

	mu       sync.Mutex
	watching bool
	seen     []string
}

// A page is the response to requests that contain a text.
type page struct {
	text string
	response
}

type response struct {
	contentType, signature string
	body                   []byte
}

func newResponse(contentType string, body []byte) response {
	return response{contentType, authorization(digestOf(body)), body}
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{
		responses: map[string]response{
			beginPath:    newResponse(asJSON, []byte(`"`+token+`"`)),
			resultPath:   newResponse(asJSON, sample("result-sessionapproved.json")),
			downloadPath: newResponse("video/mp4", video(downloadSize)),
			passportPath: newResponse(asJSON, sample("passport-default.json")),
		},
		pages: map[string][]page{
			// A refusal is not signed.
			beginPath: {{`"clientUserId":"` + refusedUser + `"`, response{contentType: asJSON, body: []byte(`{"argumentError":"` + refusalCode + `"}`)}}},
		},
	}
	s.serveList(searchList, records, `{"result":[`, `]}`, func(page []byte, i int) []byte {
		return fmt.Appendf(page, `{"score":%d,"name":"John SMITH %d","personId":"67137933a2176f07%08x","entityType":"person","topics":["Sanctioned entity","Wanted person","Person of interest","Politician"]}`,
			100-i%pageSize/10, i, i)
	})
	blacklisted := func(page []byte, i int) []byte {
		return fmt.Appendf(page, `{"firstName":"John %d","lastName":"Doe","documentNumber":"123ABC%06d","personalNumber":"012345%06d","birthday":"1980-01-01T00:00:00.000Z","notes":null,"reason":"Reason for adding to blacklist","id":"682b09e4400b3a00%08x"}`,
			i, i, i, i)
	}
	// The long list comes first, because its limit begins with that of the short one.
	s.serveList(longList, longPage, fmt.Sprintf(`{"result":{"offset":0,"limit":%d,"total":%[1]d,"data":[`, longPage), `]}}`, blacklisted)
	s.serveList(blacklistList, records, `{"result":{"offset":0,"limit":100,"total":230,"data":[`, `]}}`, blacklisted)
	s.serveList(monitoredList, records, `{"result":{"start":0,"limit":100,"total":230,"data":[`, `]}}`, func(page []byte, i int) []byte {
		return fmt.Appendf(page, `{"fullName":"John Smith%d","id":"64ad3b1409067812%08x","lastUpdatedDate":"2023-07-01T10:50:42.389Z"}`, i, i)
	})
	fmt.Println(listener.Addr())
	go func() { // exit with the parent process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = http.Serve(listener, s)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	watching := s.watching
	s.mu.Unlock()
	if r.URL.Path == "/watch" {
		s.watch(w)
		return
	}
	// stripe-go requires a version prefix.
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1"), "/v2")
	var body []byte
	pages := s.pages[path]
	if watching || pages != nil {
		body, _ = io.ReadAll(r.Body)
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	resp, found := s.responses[path]
	for _, page := range pages {
		if bytes.Contains(body, []byte(page.text)) {
			resp, found = page.response, true
			break
		}
	}
	signature, signed := strings.CutPrefix(r.Header.Get("Authorization"), "signature=")
	if watching {
		seen := describeRequest(path, r.Header.Get("Content-Type"), body)
		if signed {
			seen += fmt.Sprintf(", valid signature: %t", signature == strings.TrimPrefix(expectedSignature(r.Header.Get("Content-Type"), body), "signature="))
		}
		s.mu.Lock()
		s.seen = append(s.seen, seen)
		s.mu.Unlock()
	}
	if !found {
		http.NotFound(w, r)
		return
	}
	if signed && resp.signature != "" {
		w.Header().Set("Authorization", resp.signature)
	}
	w.Header().Set("Content-Type", resp.contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(resp.body)))
	_, _ = w.Write(resp.body)
}

func sample(name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	if err != nil {
		panic(fmt.Sprint("run bench from the root of the repository: ", err))
	}
	return data
}

// watch toggles the recording of requests and writes the recorded requests.
func (s *server) watch(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(w, strings.Join(s.seen, "\n"))
	s.watching, s.seen = !s.watching, nil
}

// observe makes a call and returns a description of the requests that the server received, and a
// description of the answer that the client decoded.
func observe(base string, call func() (answer, error)) (sent, read string, err error) {
	watch := func() string {
		resp, err := http.Get(base + "/watch")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	watch()
	got, err := call()
	sent = watch()
	return sent, got.String(), err
}

// describeRequest describes the content of a request independently of its encoding, such as the
// order of JSON keys.
func describeRequest(path, contentType string, body []byte) string {
	kind, params, _ := mime.ParseMediaType(contentType)
	text := "?"
	switch kind {
	case "application/json":
		var v any
		if json.Unmarshal(body, &v) == nil {
			sorted, _ := json.Marshal(v)
			text = string(sorted)
		}
	case "application/x-www-form-urlencoded":
		form, _ := url.ParseQuery(string(body))
		text = form.Encode()
	case "multipart/form-data":
		text = ""
		eachPart(params["boundary"], body, func(part *multipart.Part, content []byte) {
			text += fmt.Sprintf("[%s %s %d bytes %x]", part.FormName(), part.Header.Get("Content-Type"), len(content), sha256.Sum256(content))
		})
	}
	return path + " " + kind + " " + text
}

func expectedSignature(contentType string, body []byte) string {
	kind, params, _ := mime.ParseMediaType(contentType)
	if kind != "multipart/form-data" {
		return authorization(digestOf(body))
	}
	digest := []byte(secretKey)
	eachPart(params["boundary"], body, func(_ *multipart.Part, content []byte) { digest = digestWith(digest, content) })
	return authorization(digest)
}

func eachPart(boundary string, body []byte, visit func(*multipart.Part, []byte)) {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return
		}
		content, _ := io.ReadAll(part)
		visit(part, content)
	}
}

// video returns n incompressible bytes with the magic number of an MP4 file.
func video(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	copy(data, "\x00\x00\x00\x18ftypmp42")
	return data
}

// serveList adds the pages of a list of n records. head and tail surround the records of a page.
func (s *server) serveList(l *list, n int, head, tail string, record func(page []byte, i int) []byte) {
	for _, offset := range l.offsets {
		body := []byte(head)
		for i := int(offset); i < min(int(offset)+l.limit, n); i++ {
			if i > int(offset) {
				body = append(body, ',')
			}
			body = record(body, i)
		}
		text := fmt.Sprintf(`"%s":%d,"limit":%d`, l.member, offset, l.limit)
		s.pages[l.path] = append(s.pages[l.path], page{text, newResponse(asJSON, append(body, tail...))})
	}
}
