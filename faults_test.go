package identomat_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// faultTable is what every fault comes to for every class of call, with the default retries.
//
// A cell says how many requests are sent, the kind of the error, whether the service may have
// processed the call, and what becomes of the connection: kept for the next call, closed, or
// none when there never was one. A download and an archive say also whether files are left.
// The second column is the time that all of it takes, where that matters: exactly (=), at least
// (>), or at least for what is sent again and none for what is not (+). All time is virtual.
//
// read is result/, create begin/, delete delete/, upload passport/ with a file, download
// result/face/ saved as a file, archive get-video-call-shots extracted into a folder.
const faultTable = `
fault                                   | time   | read                       | create                     | delete                     | upload                     | download                           | archive
----------------------------------------+--------+----------------------------+----------------------------+----------------------------+----------------------------+------------------------------------+-----------------------------------
none                                    | =0s    | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
dial refused                            |        | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none, nothing          | 3 broken no none, nothing
dial without an answer                  | >180s  | 3 timeout no none          | 3 timeout no none          | 3 timeout no none          | 3 timeout no none          | 3 timeout no none, nothing         | 3 timeout no none, nothing
TLS: unknown authority                  |        | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none, nothing          | 3 broken no none, nothing
TLS: not spoken                         |        | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none, nothing          | 3 broken no none, nothing
TLS: reset in the handshake             |        | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none           | 3 broken no none, nothing          | 3 broken no none, nothing
idle connection was closed              | =0s    | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
reset before the request was read       |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
reset after the request was read        |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
closed after the request was read       |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
reset inside the header                 |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
reset inside the reply, early           |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
reset inside the reply, late            |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 1 broken maybe closed, nothing     | 1 broken maybe closed, nothing
closed inside the reply, late           |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 1 broken maybe closed, nothing     | 1 broken maybe closed, nothing
cut before the last chunk               |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 1 broken maybe closed, nothing     | 1 broken maybe closed, nothing
not HTTP                                |        | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed      | 1 broken maybe closed      | 3 broken maybe closed, nothing     | 3 broken maybe closed, nothing
no length, the end is the close         |        | 1 ok - closed              | 1 ok - closed              | 1 ok - closed              | 1 ok - closed              | 1 broken maybe closed, nothing     | 1 ok - closed, file
slow headers                            | =50s   | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
slow body                               | >60s   | 3 timeout maybe closed     | 1 timeout maybe closed     | 3 timeout maybe closed     | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
attempt timeout: silence                | >60s   | 3 timeout maybe closed     | 1 timeout maybe closed     | 3 timeout maybe closed     | 1 timeout maybe closed     | 3 timeout maybe closed, nothing    | 3 timeout maybe closed, nothing
attempt timeout: a stalled body         | >60s   | 3 timeout maybe closed     | 1 timeout maybe closed     | 3 timeout maybe closed     | 1 timeout maybe closed     | 1 timeout maybe closed, nothing    | 1 timeout maybe closed, nothing
caller's cancel before the call         | =0s    | 0 canceled no none         | 0 canceled no none         | 0 canceled no none         | 0 canceled no none         | 0 canceled no none, nothing        | 0 canceled no none, nothing
caller's cancel                         | =5s    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed, nothing   | 1 canceled maybe closed, nothing
caller's cancel inside the reply        | =5s    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed    | 1 canceled maybe closed, nothing   | 1 canceled maybe closed, nothing
caller's cancel between attempts        | =5s    | 1 canceled maybe kept      | 1 canceled no kept         | 1 canceled maybe kept      | 1 canceled no kept         | 1 canceled maybe kept, nothing     | 1 canceled maybe kept, nothing
caller's deadline                       | =10s   | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed, nothing   | 1 deadline maybe closed, nothing
caller's deadline inside the reply      | =10s   | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed    | 1 deadline maybe closed, nothing   | 1 deadline maybe closed, nothing
400                                     | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
404                                     | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 not-found maybe kept, nothing    | 1 not-found maybe kept, nothing
408                                     |        | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept, nothing   | 3 unexpected maybe kept, nothing
429                                     |        | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept, nothing    | 3 rate-limited no kept, nothing
429 with Retry-After: 7                 | >14s   | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept     | 3 rate-limited no kept, nothing    | 3 rate-limited no kept, nothing
429 with Retry-After: 3600              | =0s    | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept, nothing    | 1 rate-limited no kept, nothing
429 and its wait beyond the deadline    | =0s    | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept     | 1 rate-limited no kept, nothing    | 1 rate-limited no kept, nothing
500                                     |        | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept, nothing   | 3 unexpected maybe kept, nothing
501                                     | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
502 HTML                                |        | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept, nothing   | 3 unexpected maybe kept, nothing
503                                     |        | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept, nothing   | 3 unexpected maybe kept, nothing
503 with Retry-After: 7                 | +14s   | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept    | 1 unexpected maybe kept    | 3 unexpected maybe kept, nothing   | 3 unexpected maybe kept, nothing
200 "SESSION_NOT_FOUND"                 | =0s    | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept, nothing | 1 session-not-found no kept, nothing
200 {"argumentError":…}                 | =0s    | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept, nothing | 1 session-not-found no kept, nothing
200 {"internalError":…}                 | =0s    | 1 internal maybe kept      | 1 internal maybe kept      | 1 internal maybe kept      | 1 internal maybe kept      | 1 internal maybe kept, nothing     | 1 internal maybe kept, nothing
200 login page                          | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
{}                                      | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 ok - kept                | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
null                                    | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
empty                                   | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
truncated JSON                          | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
trailing garbage                        | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 ok - kept, file                  | 1 unexpected maybe kept, nothing
bytes after the reply                   | =0s    | 1 ok - closed              | 1 ok - closed              | 1 ok - closed              | 1 ok - closed              | 1 ok - closed, file                | 1 ok - closed, file
wrong content type                      | =0s    | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
reply over the limit                    | =0s    | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed, nothing  | 1 too-large maybe closed, nothing
reply over the limit, chunked           | =0s    | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed   | 1 too-large maybe closed, nothing  | 1 too-large maybe closed, nothing
gzip bomb                               | =0s    | 1 too-large maybe kept     | 1 too-large maybe kept     | 1 too-large maybe kept     | 1 too-large maybe kept     | 1 too-large maybe kept, nothing    | 1 too-large maybe kept, nothing  
invalid UTF-8                           | =0s    | 1 ok - kept                | 1 unexpected maybe kept    | 1 ok - kept                | 1 ok - kept                | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
deep nesting                            | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
redirect 302                            | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
redirect 307 elsewhere                  | =0s    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept    | 1 unexpected maybe kept, nothing   | 1 unexpected maybe kept, nothing
signature right                         | =0s    | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
signature wrong                         | =0s    | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept, nothing    | 1 signature maybe kept, nothing
signature missing                       | =0s    | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept, nothing    | 1 signature maybe kept, nothing
signature missing, not required         | =0s    | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept                | 1 ok - kept, file                  | 1 ok - kept, file
signature wrong on a refusal            | =0s    | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept     | 1 signature maybe kept, nothing    | 1 signature maybe kept, nothing
signature missing on a refusal          | =0s    | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept | 1 session-not-found no kept, nothing | 1 session-not-found no kept, nothing
`

// callClass is a class of calls: what is called, and what the service answers to it.
type callClass struct {
	name, path        string
	contentType, body string
	call              func(ctx context.Context, c *identomat.Client, dir string) error
}

func callClasses(t *testing.T) []callClass {
	saved := func(ctx context.Context, c *identomat.Client, dir string) error {
		media, err := face(ctx, c)
		if err == nil {
			_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
		}
		return err
	}
	extracted := func(ctx context.Context, c *identomat.Client, dir string) error {
		for archive, err := range c.VideoCalls.Shots(ctx, token) {
			if err != nil {
				return err
			}
			if _, err := archive.ExtractTo(filepath.Join(dir, "shots")); err != nil {
				return err
			}
		}
		return nil
	}
	without := func(call func(*identomat.Client, context.Context) error) func(context.Context, *identomat.Client, string) error {
		return func(ctx context.Context, c *identomat.Client, _ string) error { return call(c, ctx) }
	}
	return []callClass{
		{"read", "/external-api/result/", "application/json", `{"result":"approved"}`, without(getResult)},
		{"create", "/external-api/begin/", "application/json", tokenReply, without(begin)},
		{"delete", "/external-api/delete/", "application/json", `true`, without(remove)},
		{"upload", "/external-api/passport/", "application/json", documentReply, func(ctx context.Context, c *identomat.Client, _ string) error {
			_, err := c.Documents.Passport(ctx, image())
			return err
		}},
		{"download", "/external-api/result/face/", "image/jpeg", picture(30_000), saved},
		{"archive", "/get-video-call-shots", "application/json", dataURIs(archived(t, "a/1.jpg", picture(20_000))), extracted},
	}
}

// A fault is what the service, or the caller, does in every attempt.
type fault struct {
	// dial fails before there is a connection.
	dial func(ctx context.Context) error
	// accept gets a connection of a client that wants TLS.
	accept func(net.Conn)
	// unread resets a connection from which nothing was read.
	unread bool
	// reply answers a request that was read, in literal HTTP, and reports whether the
	// connection can be used again. Nil is the right answer.
	reply func(conn *wireEnd, class callClass) bool
	opts  []identomat.Option
	// required refuses unsigned responses.
	required bool
	// before is for what happens to an idle connection.
	before func(n *memoryNetwork)
	caller func(ctx context.Context) (context.Context, context.CancelFunc)
	signed bool
}

// literal is a whole reply as it is sent.
func literal(status, header, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func literalChunked(header, body string) string {
	const n = 4000
	out := "HTTP/1.1 200 OK\r\n" + header + "Transfer-Encoding: chunked\r\n\r\n"
	for ; body != ""; body = body[min(n, len(body)):] {
		out += fmt.Sprintf("%x\r\n%s\r\n", min(n, len(body)), body[:min(n, len(body))])
	}
	return out + "0\r\n\r\n"
}

// always answers every class alike.
func always(reply string) fault {
	return fault{reply: func(conn *wireEnd, _ callClass) bool { return conn.send(reply) }}
}

// inPlace sends something in the place of the body.
func inPlace(body func(c callClass) string) fault {
	return fault{reply: func(conn *wireEnd, c callClass) bool {
		return conn.send(literal("200 OK", "Content-Type: "+c.contentType+"\r\n", body(c)))
	}}
}

func status(line string, header ...string) fault {
	return always(literal(line, "Content-Type: text/html\r\n"+strings.Join(header, ""), "<html><h1>"+line+"</h1></html>"))
}

const (
	limitOfReplies = 64 << 10
	limitOfMedia   = 128 << 10
)

var small = []identomat.Option{identomat.WithMaxResponseSize(limitOfReplies), identomat.WithMaxMediaSize(limitOfMedia)}

// huge is a right answer of 2 MiB.
func huge(c callClass) string {
	const n = 2 << 20
	switch c.name {
	case "read":
		return `{"result":"approved","x":"` + strings.Repeat("x", n) + `"}`
	case "create":
		return tokenReply + strings.Repeat(" ", n)
	case "delete":
		return `{"result":"approved","x":"` + strings.Repeat("x", n) + `"}`
	case "upload":
		return `{"person":{"first_name":"` + strings.Repeat("x", n) + `"}}`
	case "download":
		return jpeg + strings.Repeat("\x00", n)
	}
	return `{"result":[["data:application/x-tar;base64,` + strings.Repeat("A", n) + `"]]}`
}

func faults() map[string]fault {
	silence := func(conn *wireEnd, _ callClass) bool {
		_, _ = io.Copy(io.Discard, conn) // until the client goes away
		return false
	}
	cut := func(at func(whole string, header int) int, end func(*wireEnd)) fault {
		return fault{reply: func(conn *wireEnd, c callClass) bool {
			whole := conn.answer(c)
			conn.send(whole[:at(whole, strings.Index(whole, "\r\n\r\n")+4)])
			end(conn)
			return false
		}}
	}
	reset, closed := (*wireEnd).reset, func(conn *wireEnd) { _ = conn.Close() }
	early := func(_ string, header int) int { return header + 2 }
	late := func(whole string, _ int) int { return len(whole) - 2 }
	stalled := func(conn *wireEnd, c callClass) bool {
		whole := conn.answer(c)
		conn.send(whole[:len(whole)-3])
		return silence(conn, c)
	}
	after := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			if d == 0 {
				cancel()
			}
			time.AfterFunc(d, cancel)
			return ctx, cancel
		}
	}
	within := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	authority := unknownAuthority()
	const page = "<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>\n"
	const json = "Content-Type: application/json\r\n"
	retryAfter := func(line, wait string) fault { return status(line, "Retry-After: "+wait+"\r\n") }

	all := map[string]fault{
		"none":         {},
		"dial refused": {dial: func(context.Context) error { return syscall.ECONNREFUSED }},
		"dial without an answer": {dial: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		"TLS: unknown authority": {accept: func(conn net.Conn) { _ = tls.Server(conn, authority).Handshake() }},
		"TLS: not spoken": {accept: func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent plain HTTP\n")
		}},
		"TLS: reset in the handshake":       {accept: func(conn net.Conn) { _, _ = conn.Read(make([]byte, 100)) }},
		"idle connection was closed":        {before: func(n *memoryNetwork) { n.closeAll() }},
		"reset before the request was read": {unread: true},
		"reset after the request was read":  {reply: func(conn *wireEnd, _ callClass) bool { conn.reset(); return false }},
		"closed after the request was read": {reply: func(conn *wireEnd, _ callClass) bool { _ = conn.Close(); return false }},
		"reset inside the header":           cut(func(_ string, header int) int { return header - 3 }, reset),
		"reset inside the reply, early":     cut(early, reset),
		"reset inside the reply, late":      cut(late, reset),
		"closed inside the reply, late":     cut(late, closed),
		"cut before the last chunk": {reply: func(conn *wireEnd, c callClass) bool {
			conn.send(strings.TrimSuffix(literalChunked("Content-Type: "+c.contentType+"\r\n", c.body), "0\r\n\r\n"))
			_ = conn.Close()
			return false
		}},
		"not HTTP": {reply: func(conn *wireEnd, _ callClass) bool {
			conn.send("220 mail.example ESMTP\r\n")
			_ = conn.Close()
			return false
		}},
		"no length, the end is the close": {reply: func(conn *wireEnd, c callClass) bool {
			conn.send("HTTP/1.0 200 OK\r\nContent-Type: " + c.contentType + "\r\n\r\n" + c.body)
			_ = conn.Close()
			return false
		}},
		"slow headers": {reply: func(conn *wireEnd, c callClass) bool {
			time.Sleep(50 * time.Second)
			return conn.send(conn.answer(c))
		}},
		"slow body": {reply: func(conn *wireEnd, c callClass) bool {
			header, body, _ := strings.Cut(conn.answer(c), "\r\n\r\n")
			conn.send(header + "\r\n\r\n")
			for n := (len(body) + 3) / 4; body != ""; body = body[min(n, len(body)):] {
				time.Sleep(40 * time.Second)
				if !conn.send(body[:min(n, len(body))]) {
					return false
				}
			}
			return true
		}},
		"attempt timeout: silence":           {reply: silence},
		"attempt timeout: a stalled body":    {reply: stalled},
		"caller's cancel before the call":    {caller: after(0)},
		"caller's cancel":                    {reply: silence, caller: after(5 * time.Second)},
		"caller's cancel inside the reply":   {reply: stalled, caller: after(5 * time.Second)},
		"caller's deadline":                  {reply: silence, caller: within(10 * time.Second)},
		"caller's deadline inside the reply": {reply: stalled, caller: within(10 * time.Second)},
		"400":                                status("400 Bad Request"),
		"404":                                status("404 Not Found"),
		"408":                                status("408 Request Timeout"),
		"429":                                status("429 Too Many Requests"),
		"429 with Retry-After: 7":            retryAfter("429 Too Many Requests", "7"),
		"429 with Retry-After: 3600":         retryAfter("429 Too Many Requests", "3600"),
		"500":                                status("500 Internal Server Error"),
		"501":                                status("501 Not Implemented"),
		"502 HTML":                           always(literal("502 Bad Gateway", "Server: nginx\r\nContent-Type: text/html\r\n", page)),
		"503":                                status("503 Service Unavailable"),
		"503 with Retry-After: 7":            retryAfter("503 Service Unavailable", "7"),
		`200 "SESSION_NOT_FOUND"`:            always(literal("200 OK", json, `"SESSION_NOT_FOUND"`)),
		`200 {"argumentError":…}`:            always(literal("200 OK", json, `{"argumentError":"session-not-found"}`)),
		`200 {"internalError":…}`:            always(literal("200 OK", json, `{"internalError":"Illegal arguments"}`)),
		"200 login page":                     always(literal("200 OK", "Content-Type: text/html\r\n", "<html><form>Please log in</form></html>")),
		"{}":                                 always(literal("200 OK", json, "{}")),
		"null":                               always(literal("200 OK", json, "null")),
		"empty":                              always(literal("200 OK", json, "")),
		"truncated JSON": inPlace(func(c callClass) string {
			return map[string]string{
				"read": `{"result":"approved","person":{"first`, "create": tokenReply[:30], "delete": `{"result":"appr`,
				"upload": `{"person":{"first_name":"JO`, "download": `{"argumentError":"session-not-f`, "archive": c.body[:len(c.body)-2],
			}[c.name]
		}),
		"trailing garbage": inPlace(func(c callClass) string { return c.body + "</html>" }),
		"bytes after the reply": {reply: func(conn *wireEnd, c callClass) bool {
			return conn.send(conn.answer(c) + "</html>")
		}},
		"wrong content type": {reply: func(conn *wireEnd, c callClass) bool {
			return conn.send(literal("200 OK", "Content-Type: text/html; charset=utf-8\r\n", c.body))
		}},
		"reply over the limit": {opts: small, reply: func(conn *wireEnd, c callClass) bool {
			return conn.send(literal("200 OK", "Content-Type: "+c.contentType+"\r\n", huge(c)))
		}},
		"reply over the limit, chunked": {opts: small, reply: func(conn *wireEnd, c callClass) bool {
			return conn.send(literalChunked("Content-Type: "+c.contentType+"\r\n", huge(c)))
		}},
		"gzip bomb": {opts: small, reply: func(conn *wireEnd, c callClass) bool {
			return conn.send(literal("200 OK", "Content-Encoding: gzip\r\nContent-Type: "+c.contentType+"\r\n", compressed(huge(c))))
		}},
		"invalid UTF-8": inPlace(func(c callClass) string {
			return map[string]string{
				"read": "{\"result\":\"approved\",\"name\":\"\xff\xfe\"}", "create": tokenReply[:20] + "\xff" + tokenReply[20:],
				"delete": "{\"result\":\"approved\",\"name\":\"\xff\xfe\"}", "upload": "{\"person\":{\"first_name\":\"\xff\xfe\"}}",
				"download": "{\"result\":\"\xff\xfe\"}", "archive": "{\"result\":[[\"data:application/x-tar;base64,\xff\xfeAA\"]]}",
			}[c.name]
		}),
		"deep nesting": inPlace(func(c callClass) string {
			nested := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
			return map[string]string{
				"read": `{"result":"approved","x":` + nested + `}`, "create": nested, "delete": `{"result":"approved","x":` + nested + `}`,
				"upload": `{"person":{"x":` + nested + `}}`, "download": nested, "archive": `{"result":` + nested + `}`,
			}[c.name]
		}),
		"redirect 302":                    always(literal("302 Found", "Location: /external-api/result/\r\n", "")),
		"redirect 307 elsewhere":          always(literal("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", "")),
		"signature right":                 {signed: true, required: true},
		"signature wrong":                 {signed: true, reply: forged("200 OK", func(c callClass) string { return c.body })},
		"signature wrong on a refusal":    {signed: true, reply: forged("200 OK", func(callClass) string { return `"SESSION_NOT_FOUND"` })},
		"signature missing":               {signed: true, required: true, reply: unsigned},
		"signature missing, not required": {signed: true, reply: unsigned},
		"signature missing on a refusal": {signed: true, required: true, reply: func(conn *wireEnd, _ callClass) bool {
			return conn.send(literal("200 OK", json, `"SESSION_NOT_FOUND"`))
		}},
	}
	beyond := retryAfter("429 Too Many Requests", "10")
	beyond.caller = within(2 * time.Second)
	all["429 and its wait beyond the deadline"] = beyond
	// In the second attempt of a create there would be nobody to tell; a 429 is sent again.
	between := fault{caller: after(5 * time.Second), reply: func(conn *wireEnd, c callClass) bool {
		line := "503 Service Unavailable"
		if c.name == "create" || c.name == "upload" {
			line = "429 Too Many Requests"
		}
		return conn.send(literal(line, "Retry-After: 20\r\n", ""))
	}}
	all["caller's cancel between attempts"] = between
	return all
}

func forged(line string, body func(callClass) string) func(*wireEnd, callClass) bool {
	return func(conn *wireEnd, c callClass) bool {
		return conn.send(literal(line, "Content-Type: "+c.contentType+"\r\nAuthorization: "+sign("another key", body(c))+"\r\n", body(c)))
	}
}

func unsigned(conn *wireEnd, c callClass) bool {
	return conn.send(literal("200 OK", "Content-Type: "+c.contentType+"\r\n", c.body))
}

// unknownAuthority is a server's TLS with a certificate that nobody knows.
func unknownAuthority() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
}

// memoryNetwork connects a real http.Transport with a service of literal HTTP, inside of a
// bubble of virtual time.
type memoryNetwork struct {
	fault   fault
	classes map[string]callClass // by path
	// answers, if set, is the reply to every request.
	answers func(form url.Values) string

	mu    sync.Mutex
	well  bool  // the fault is over
	sends []int // the connection of every request, 0 without one
	odd   []string
	conns []*wireEnd
}

// over ends the fault. It returns the number of sends and the connection of the last one.
func (n *memoryNetwork) over() (sends, last int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.well = true
	if sends = len(n.sends); sends > 0 {
		last = n.sends[sends-1]
	}
	return sends, last
}

// wireEnd is the service's end of a connection.
type wireEnd struct {
	net.Conn
	client *clientEnd
	signed bool
	number int
}

// clientEnd tells a reset from an orderly close, as a socket does.
type clientEnd struct {
	net.Conn
	mu       sync.Mutex
	wasReset bool
}

func (c *clientEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.spell("read", err)
}

func (c *clientEnd) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.spell("write", err)
}

func (c *clientEnd) spell(op string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, io.EOF) && c.wasReset, errors.Is(err, io.ErrClosedPipe) && c.wasReset:
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
	case errors.Is(err, io.ErrClosedPipe) && op == "write":
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.EPIPE)}
	}
	return err
}

func (w *wireEnd) reset() {
	w.client.mu.Lock()
	w.client.wasReset = true
	w.client.mu.Unlock()
	_ = w.Close()
}

func (w *wireEnd) send(text string) bool {
	_, err := io.WriteString(w, text)
	return err == nil
}

// answer is the right reply, signed where it must be.
func (w *wireEnd) answer(c callClass) string {
	header := "Content-Type: " + c.contentType + "\r\n"
	if w.signed {
		header += "Authorization: " + sign(secretKey, c.body) + "\r\n"
	}
	return literal("200 OK", header, c.body)
}

func (n *memoryNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	here, there := net.Pipe()
	client := &clientEnd{Conn: here}
	conn := &wireEnd{Conn: there, client: client, number: len(n.conns) + 1, signed: n.fault.signed}
	if n.fault.dial != nil && !n.well {
		n.sends = append(n.sends, 0)
		n.mu.Unlock()
		err := n.fault.dial(ctx)
		n.mu.Lock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	n.conns = append(n.conns, conn)
	switch {
	case n.well:
		go n.serve(conn)
	case n.fault.accept != nil:
		n.sends = append(n.sends, 0)
		go func() {
			n.fault.accept(there)
			conn.reset()
		}()
	case n.fault.unread:
		n.sends = append(n.sends, conn.number)
		conn.reset()
	default:
		go n.serve(conn)
	}
	return client, nil
}

func (n *memoryNetwork) serve(conn *wireEnd) {
	defer conn.Close()
	for requests := bufio.NewReader(conn); ; {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if n.answers != nil {
			if form, err := url.ParseQuery(string(body)); err != nil || !conn.send(n.answers(form)) {
				return
			}
			continue
		}
		class, known := n.classes[req.URL.Path]
		n.mu.Lock()
		n.sends = append(n.sends, conn.number)
		well := n.well
		if err != nil || !known || req.Method != http.MethodPost || !bytes.Contains(body, []byte(companyKey)) {
			n.odd = append(n.odd, fmt.Sprintf("%s %s: %v", req.Method, req.URL.Path, err))
		}
		n.mu.Unlock()
		if well || n.fault.reply == nil {
			if !conn.send(conn.answer(class)) {
				return
			}
		} else if !n.fault.reply(conn, class) {
			return
		}
	}
}

func (n *memoryNetwork) closeAll() {
	for _, conn := range n.conns {
		_ = conn.Close()
	}
}

// comeTo is what a cell came to, how long it took, and what was wrong beside that.
type comeTo struct {
	cell  string
	took  time.Duration
	wrong []string
}

func comesTo(t *testing.T, f fault, class callClass, classes []callClass) (got comeTo) {
	network := &memoryNetwork{fault: f, classes: map[string]callClass{}}
	for _, c := range classes {
		network.classes[c.path] = c
	}
	transport := &http.Transport{DialContext: network.dial, TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	defer transport.CloseIdleConnections()
	base := "http://localhost"
	if f.accept != nil {
		base = "https://localhost"
	}
	opts := []identomat.Option{identomat.WithHTTPClient(&http.Client{Transport: transport}), identomat.WithWidgetURL(base), identomat.WithAPIURL(base)}
	if f.signed {
		var signing []identomat.HMACOption
		if f.required {
			signing = append(signing, identomat.RequireSignedResponses())
		}
		opts = append(opts, identomat.WithHMAC(secretKey, signing...))
	}
	client, err := identomat.NewClient(companyKey, append(opts, f.opts...)...)
	require.NoError(t, err)
	dir := t.TempDir()
	if f.before != nil {
		require.NoError(t, getResult(client, t.Context()))
		synctest.Wait()
		f.before(network)
		synctest.Wait()
		network.sends = nil
	}

	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if f.caller != nil {
		ctx, cancel = f.caller(ctx)
	}
	start := time.Now()
	err = class.call(ctx, client, dir)
	got.took = time.Since(start)
	cancel()
	time.Sleep(10 * time.Minute) // whoever still is on the service's side comes to an end

	sends, last := network.over()
	attempts, processed := sends, "-"
	var api *identomat.APIError
	var transported *identomat.TransportError
	maybe := map[bool]string{true: "maybe", false: "no"}[identomat.MaybeProcessed(err)]
	switch {
	case errors.As(err, &transported):
		attempts, processed = transported.Attempts, maybe
	case errors.As(err, &api):
		attempts, processed = api.Attempts, maybe
	case err != nil:
		got.wrong = append(got.wrong, fmt.Sprintf("an error of type %T", err))
	}
	if sends != attempts {
		got.wrong = append(got.wrong, fmt.Sprintf("the error tells of %d attempts", attempts))
	}
	for _, word := range []string{companyKey, secretKey, string(token)} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), word) {
			got.wrong = append(got.wrong, "the error shows a secret")
		}
	}

	// The next call tells what became of the connection.
	fate := "none"
	if last != 0 {
		if err := getResult(client, t.Context()); err != nil {
			got.wrong = append(got.wrong, "the next call failed: "+err.Error())
		}
		fate = "closed"
		if _, next := network.over(); next == last {
			fate = "kept"
		}
	}
	got.wrong = append(got.wrong, network.odd...)
	got.cell = fmt.Sprintf("%d %s %s %s", sends, faultKind(err), processed, fate)
	if class.name == "download" || class.name == "archive" {
		if len(filesIn(t, dir)) == 0 {
			got.cell += ", nothing"
		} else {
			got.cell += ", file"
		}
	}
	return got
}

// faultKind names an error as a caller tells it.
func faultKind(err error) string {
	for _, known := range []struct {
		target error
		name   string
	}{
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "deadline"},
		{identomat.ErrSignatureMismatch, "signature"},
		{identomat.ErrTooLarge, "too-large"},
		{identomat.ErrRateLimited, "rate-limited"},
		{identomat.ErrSessionNotFound, "session-not-found"},
		{identomat.ErrNotFound, "not-found"},
		{identomat.ErrInternal, "internal"},
		{identomat.ErrUnexpectedResponse, "unexpected"},
	} {
		if errors.Is(err, known.target) {
			return known.name
		}
	}
	var broken *identomat.TransportError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &broken) && broken.Timeout():
		return "timeout"
	case errors.As(err, &broken):
		return "broken"
	}
	return fmt.Sprintf("%T", err)
}

// TestFaultTable makes every call of the table. With -v it prints what every cell came to.
func TestFaultTable(t *testing.T) {
	// net/http writes there of bytes that nobody asked for.
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	classes := callClasses(t)
	all := faults()
	lines := strings.Split(strings.Trim(faultTable, "\n"), "\n")
	split := func(line string) (cells []string) {
		for _, cell := range strings.Split(line, "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		return cells
	}
	header := split(lines[0])
	require.Len(t, header, 2+len(classes))
	for i, class := range classes {
		require.Equal(t, class.name, header[2+i])
	}
	cells, seen := 0, map[string]bool{}
	var found strings.Builder
	for _, line := range lines[2:] {
		row := split(line)
		name := row[0]
		f, known := all[name]
		require.True(t, known && !seen[name], "%q is no fault, or is there twice", name)
		seen[name] = true
		require.Len(t, row, len(header), "%q has not a cell for every class", name)
		fmt.Fprintf(&found, "\n%-40s", name)
		for i, class := range classes {
			want := row[2+i]
			require.NotEmpty(t, want, "%q has no cell for %s", name, class.name)
			var got comeTo
			// A failure inside of a bubble would end the test, and hide the rest of the table.
			synctest.Test(t, func(t *testing.T) { got = comesTo(t, f, class, classes) })
			assert.Equal(t, want, got.cell, "%s, %s", name, class.name)
			assert.Empty(t, got.wrong, "%s, %s", name, class.name)
			if limit := row[1]; limit != "" {
				d, err := time.ParseDuration(limit[1:])
				require.NoError(t, err)
				switch mark := limit[0]; {
				case mark == '=' || mark == '+' && strings.HasPrefix(want, "1 "):
					exactly := map[byte]time.Duration{'=': d}[mark] // what is not sent again waits for nothing
					assert.Equal(t, exactly, got.took, "%s, %s", name, class.name)
				default:
					require.Positive(t, d, "%q, %s: at least nothing is no limit", name, limit)
					assert.GreaterOrEqual(t, got.took, d, "%s, %s", name, class.name)
				}
			}
			fmt.Fprintf(&found, " | %-36s", got.cell)
			cells++
		}
	}
	for name := range all {
		assert.True(t, seen[name], "%q has no row", name)
	}
	t.Logf("%d faults in %d classes of calls, %d cells:%s", len(seen), len(classes), cells, found.String())
}
