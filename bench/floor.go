package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The floors show how much of a call's cost no client can avoid. They send requests that were encoded
// in advance, and read responses without decoding them.

// A message is a request in literal bytes.
type message struct {
	path, contentType string
	body              []byte
	// raw is the whole request, as raw TCP sends it.
	raw []byte
}

// A sender sends messages and reads the responses.
type sender interface {
	send(m *message) error
	upload() (answer, error)
}

// floor is a client that sends literal messages.
type floor struct {
	sender
	begins         map[beginning]*message
	lists          map[*list][]*message
	session, media *message
}

func newFloor(s sender, base string, signed bool) (client, error) {
	f := floor{sender: s, begins: map[beginning]*message{}, lists: map[*list][]*message{}}
	literal := func(path, contentType string, body []byte) *message {
		m := &message{path: path, contentType: contentType, body: body}
		m.raw = append(head(base, m, int64(len(body)), signature(signed, body)), body...)
		return m
	}
	for _, b := range []beginning{{}, {refused: true}, {questions: 1000}, {1000, true}} {
		body, err := json.Marshal(newBegin(b))
		if err != nil {
			return nil, err
		}
		f.begins[b] = literal(beginPath, asJSON, body)
	}
	for _, l := range []*list{searchList, blacklistList, longList, monitoredList} {
		for _, offset := range l.offsets {
			body, err := json.Marshal(l.request(offset, l.limit))
			if err != nil {
				return nil, err
			}
			f.lists[l] = append(f.lists[l], literal(l.path, asJSON, body))
		}
	}
	form := []byte(sessionForm().Encode())
	f.session, f.media = literal(resultPath, asForm, form), literal(downloadPath, asForm, form)
	return f, nil
}

func signature(signed bool, body []byte) string {
	if !signed {
		return ""
	}
	return authorization(digestOf(body))
}

// head returns the head of a request in HTTP/1.1.
func head(base string, m *message, length int64, signature string) []byte {
	text := "POST " + m.path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(base, "http://") + "\r\nContent-Type: " + m.contentType +
		"\r\nContent-Length: " + strconv.FormatInt(length, 10) + "\r\n"
	if signature != "" {
		text += "Authorization: " + signature + "\r\n"
	}
	return []byte(text + "\r\n")
}

func (f floor) begin(b beginning) (answer, error) { return answer{}, f.send(f.begins[b]) }
func (f floor) result() (answer, error)           { return answer{}, f.send(f.session) }
func (f floor) outcome() (answer, error)          { return answer{}, f.send(f.session) }
func (f floor) download() (answer, error)         { return answer{}, f.send(f.media) }

func (f floor) list(l *list) (answer, error) {
	for _, m := range f.lists[l] {
		if err := f.send(m); err != nil {
			return answer{}, err
		}
	}
	return answer{}, nil
}

// roundTrip sends messages with an http.Transport. It signs requests and verifies responses.
type roundTrip struct {
	transport *http.Transport
	url       *url.URL
	signed    bool
}

func newRoundTrip(base string, signed bool) (client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return newFloor(roundTrip{newTransport(), u, signed}, base, signed)
}

func (r roundTrip) send(m *message) error {
	signature := ""
	if r.signed {
		signature = authorization(pooledDigest(m.body))
	}
	return r.do(m, io.NopCloser(bytes.NewReader(m.body)), int64(len(m.body)), signature)
}

func (r roundTrip) upload() (answer, error) {
	form, err := openForm()
	if err != nil {
		return answer{}, err
	}
	defer form.file.Close()
	signature := ""
	if r.signed {
		if signature, err = signUpload(); err != nil {
			return answer{}, err
		}
	}
	return answer{}, r.do(&message{path: passportPath, contentType: form.contentType()}, io.NopCloser(form), form.length, signature)
}

func (r roundTrip) do(m *message, body io.ReadCloser, length int64, signature string) error {
	u := *r.url
	u.Path = m.path
	req := &http.Request{Method: http.MethodPost, URL: &u, Header: http.Header{"Content-Type": {m.contentType}}, Body: body, ContentLength: length}
	if signature != "" {
		req.Header["Authorization"] = []string{signature}
	}
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !r.signed {
		_, err := copyPooled(discard{}, resp.Body)
		return err
	}
	mac := macs.Get().(hash.Hash)
	defer macs.Put(mac)
	mac.Reset()
	if _, err := copyPooled(mac, resp.Body); err != nil {
		return err
	}
	if !verifySignature(resp, mac.Sum(nil)) {
		return errSignature
	}
	return nil
}

// rawTCP writes messages to a connection, with signatures computed in advance, and reads the responses
// without verifying them.
type rawTCP struct {
	base   string
	signed bool
	idle   chan *rawConn
}

type rawConn struct {
	net.Conn
	responses *bufio.Reader
}

func newRawTCP(base string, signed bool) (client, error) {
	t := rawTCP{base, signed, make(chan *rawConn, 8)}
	for range cap(t.idle) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			return nil, err
		}
		t.idle <- &rawConn{conn, bufio.NewReaderSize(conn, 64<<10)}
	}
	return newFloor(t, base, signed)
}

func (t rawTCP) send(m *message) error {
	conn := <-t.idle
	defer func() { t.idle <- conn }()
	if _, err := conn.Write(m.raw); err != nil {
		return err
	}
	return conn.readResponse()
}

func (t rawTCP) upload() (answer, error) {
	form, err := openForm()
	if err != nil {
		return answer{}, err
	}
	defer form.file.Close()
	conn := <-t.idle
	defer func() { t.idle <- conn }()
	signature := ""
	if t.signed {
		if signature, err = signUpload(); err != nil {
			return answer{}, err
		}
	}
	m := &message{path: passportPath, contentType: form.contentType()}
	if _, err := conn.Write(head(t.base, m, form.length, signature)); err != nil {
		return answer{}, err
	}
	if _, err := io.Copy(conn, form.Reader); err != nil {
		return answer{}, err
	}
	return answer{}, conn.readResponse()
}

func (c *rawConn) readResponse() error {
	length := -1
	for first := true; ; first = false {
		line, err := c.responses.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("raw TCP: %q", line)
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			break
		}
	}
	if length < 0 {
		return errors.New("raw TCP: no Content-Length")
	}
	_, err := c.responses.Discard(length)
	return err
}
