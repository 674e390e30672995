package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
)

// hand is the baseline: code that a careful engineer would write for exactly these calls with
// net/http and encoding/json. It has no retries, timeouts, limits, validation or typed errors.
type hand struct {
	client *http.Client
	base   string
	signed bool
}

func byHand(base string, signed bool) *hand {
	return &hand{client: &http.Client{Transport: newTransport()}, base: base, signed: signed}
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}

var (
	responseBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	copyBuffers     = sync.Pool{New: func() any { return new([64 << 10]byte) }}
	macs            = sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(secretKey)) }}
)

func pooledDigest(data []byte) []byte {
	mac := macs.Get().(hash.Hash)
	defer macs.Put(mac)
	mac.Reset()
	mac.Write(data)
	return mac.Sum(nil)
}

var errSignature = errors.New("signature mismatch")

func verifySignature(resp *http.Response, digest []byte) bool {
	encoded, prefixed := strings.CutPrefix(resp.Header.Get("Authorization"), `signature="`)
	encoded, suffixed := strings.CutSuffix(encoded, `"`)
	want, err := base64.StdEncoding.DecodeString(encoded)
	return prefixed && suffixed && err == nil && hmac.Equal(digest, want)
}

func (h *hand) send(path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, h.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if h.signed {
		req.Header.Set("Authorization", authorization(pooledDigest(body)))
	}
	return h.do(req)
}

func (h *hand) do(req *http.Request) (*http.Response, error) {
	resp, err := h.client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, err
}

// read decodes a response. If keep is set, read also returns the body, in a new buffer of exactly
// the body's size; otherwise it uses a pooled buffer.
func (h *hand) read(resp *http.Response, into any, keep bool) (raw []byte, err error) {
	defer resp.Body.Close()
	if keep {
		raw = make([]byte, resp.ContentLength)
		if _, err := io.ReadFull(resp.Body, raw); err != nil {
			return nil, err
		}
	} else {
		buf := responseBuffers.Get().(*bytes.Buffer)
		defer responseBuffers.Put(buf)
		buf.Reset()
		if _, err := buf.ReadFrom(resp.Body); err != nil {
			return nil, err
		}
		raw = buf.Bytes()
	}
	if h.signed && !verifySignature(resp, pooledDigest(raw)) {
		return nil, errSignature
	}
	if err := json.Unmarshal(raw, into); err != nil || !keep {
		return nil, err
	}
	return raw, nil
}

func (h *hand) call(path, contentType string, body []byte, into any, keep bool) ([]byte, error) {
	resp, err := h.send(path, contentType, body)
	if err != nil {
		return nil, err
	}
	return h.read(resp, into, keep)
}

func (h *hand) begin(b beginning) (answer, error) {
	body, err := json.Marshal(newBegin(b))
	if err != nil {
		return answer{}, err
	}
	if b.refused {
		var raw json.RawMessage
		if _, err := h.call(beginPath, asJSON, body, &raw, false); err != nil {
			return answer{}, err
		}
		return refusal(raw)
	}
	var token string
	_, err = h.call(beginPath, asJSON, body, &token, false)
	return answer{text: token}, err
}

func sessionForm() url.Values {
	return url.Values{"company_key": {companyKey}, "session_token": {token}}
}

func (h *hand) result() (answer, error)  { return h.fetch(true) }
func (h *hand) outcome() (answer, error) { return h.fetch(false) }

func (h *hand) fetch(keep bool) (answer, error) {
	v := reflect.New(resultType)
	raw, err := h.call(resultPath, asForm, []byte(sessionForm().Encode()), v.Interface(), keep)
	if err != nil {
		return answer{}, err
	}
	return resultAnswer(v, raw), nil
}

func (h *hand) download() (answer, error) {
	resp, err := h.send(downloadPath, asForm, []byte(sessionForm().Encode()))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if !h.signed {
		n, err := copyPooled(discard{}, resp.Body)
		return answer{n: n}, err
	}
	mac := macs.Get().(hash.Hash)
	defer macs.Put(mac)
	mac.Reset()
	n, err := copyPooled(mac, resp.Body)
	if err == nil && !verifySignature(resp, mac.Sum(nil)) {
		err = errSignature
	}
	return answer{n: n}, err
}

func copyPooled(w io.Writer, r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf[:])
}

// signUpload reads the file and returns the signature of the upload form.
func signUpload() (string, error) {
	file, err := os.Open(uploadFile)
	if err != nil {
		return "", err
	}
	defer file.Close()
	mac := hmac.New(sha256.New, pooledDigest([]byte(companyKey)))
	if _, err := copyPooled(mac, file); err != nil {
		return "", err
	}
	return authorization(mac.Sum(nil)), nil
}

// formReader streams the upload form. The length of the form is known in advance, so formReader
// needs neither a buffer for the file nor a goroutine.
type formReader struct {
	io.Reader
	file     *os.File
	length   int64
	boundary string
}

func openForm() (*formReader, error) {
	file, err := os.Open(uploadFile)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	boundary := rand.Text()
	head, tail := formHead(boundary), formTail(boundary)
	return &formReader{
		io.MultiReader(strings.NewReader(head), file, strings.NewReader(tail)), file,
		int64(len(head)) + info.Size() + int64(len(tail)), boundary,
	}, nil
}

func (f *formReader) contentType() string { return "multipart/form-data; boundary=" + f.boundary }

func (h *hand) upload() (answer, error) {
	form, err := openForm()
	if err != nil {
		return answer{}, err
	}
	defer form.file.Close()
	req, err := http.NewRequest(http.MethodPost, h.base+passportPath, form)
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = form.length
	req.Header.Set("Content-Type", form.contentType())
	if h.signed {
		signature, err := signUpload()
		if err != nil {
			return answer{}, err
		}
		req.Header.Set("Authorization", signature)
	}
	resp, err := h.do(req)
	if err != nil {
		return answer{}, err
	}
	v := reflect.New(documentType)
	raw, err := h.read(resp, v.Interface(), true)
	return documentAnswer(v, raw), err
}

func (h *hand) list(l *list) (answer, error) {
	return l.read(func(path string, body, into any) ([]byte, error) {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		return h.call(path, asJSON, data, into, true)
	})
}
