package signature

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/identomat-go/identomat/internal/trace"
)

// Transport is an [http.RoundTripper] that signs requests and verifies responses.
type Transport struct {
	// KeyErr says why the secret cannot be used. Every request returns it.
	KeyErr error

	base          http.RoundTripper
	key           *Key
	requireSigned bool
	sumMultipart  func(secret []byte, parts *multipart.Reader) ([]byte, error)
}

// NewTransport returns a Transport that uses base, or [http.DefaultTransport] if base is nil. With
// requireSigned, a successful response must be signed. A nil sumMultipart means [Key.SumParts], the
// documented rule.
func NewTransport(secret string, base http.RoundTripper, requireSigned bool, sumMultipart func(secret []byte, parts *multipart.Reader) ([]byte, error)) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{base: base, key: NewKey(secret), requireSigned: requireSigned, sumMultipart: sumMultipart}
}

// CloseIdleConnections makes [http.Client.CloseIdleConnections] work through the Transport.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Format keeps fmt from printing the fields, for example in a %#v of an http.Client.
func (t *Transport) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "identomat.HMACTransport")
}

// RoundTrip signs the request, sends it, and arranges for the body of the response to be
// verified while it is read.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	signed, err := t.sign(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.base.RoundTrip(signed)
	if err != nil || resp == nil {
		return nil, err
	}
	if resp.Body == nil { // net/http always sets a body, but a stub may not
		resp.Body = http.NoBody
	}
	authorization := resp.Header["Authorization"]
	if t := trace.From(req.Context()); t != nil {
		t.Signed.Store(len(authorization) > 0)
	}
	if len(authorization) > 0 || t.requireSigned && resp.StatusCode/100 == 2 {
		resp.Body = t.key.Verify(resp.Body, authorization)
	}
	return resp, nil
}

// sign returns a signed copy of the request, because a RoundTripper must not modify a request.
func (t *Transport) sign(req *http.Request) (*http.Request, error) {
	if t.KeyErr != nil {
		return nil, t.KeyErr
	}
	if via := req.Response; via != nil && via.Request != nil && !sameOrigin(via.Request.URL, req.URL) {
		return nil, errors.New("identomat: a signed request does not follow a redirect to another origin")
	}
	digest, err := t.digest(req)
	if err != nil {
		return nil, err
	}
	if len(digest) != sha256.Size || string(digest) == t.key.secret.Reveal() { // a MultipartDigest may return anything
		return nil, errors.New("identomat: the digest is not an HMAC-SHA-256")
	}
	signed := *req
	if _, plain := t.base.(*http.Transport); plain && !isMultipart(req) {
		if own, ok := req.Body.(ownBody); ok {
			signed.Body = own.InMemory() // net/http sends the header and an in-memory body in one packet
		}
	}
	// A signature covers the response before compression. An explicit Accept-Encoding also keeps
	// net/http from requesting gzip.
	added := []string{Format(digest), "identity"}
	signed.Header = make(http.Header, len(req.Header)+len(added))
	for name, values := range req.Header {
		if !strings.EqualFold(name, "Authorization") {
			signed.Header[name] = values[:len(values):len(values)]
		}
	}
	signed.Header["Authorization"], signed.Header["Accept-Encoding"] = added[:1:1], added[1:]
	return &signed, nil
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// ownBody is a body of package engine, which records whether any of it was sent.
type ownBody interface {
	// Memory returns the body if it is in memory.
	Memory() (body []byte, ok bool)
	// Copy returns another reader of a body that is not in memory. It records nothing.
	Copy() io.ReadCloser
	// InMemory returns a body that net/http recognizes as being in memory.
	InMemory() io.ReadCloser
}

func isMultipart(req *http.Request) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Type"))), "multipart/")
}

func (t *Transport) digest(req *http.Request) ([]byte, error) {
	body := io.ReadCloser(http.NoBody)
	if own, ok := req.Body.(ownBody); ok {
		if memory, ok := own.Memory(); ok {
			return t.key.SumBytes(memory), nil
		}
		body = own.Copy()
	} else if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, errors.New("identomat: set Request.GetBody: signing reads the body before it is sent")
		}
		var err error
		if body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	defer body.Close()
	if !isMultipart(req) {
		return t.key.Sum(body)
	}
	// The SDK's own forms know their parts and need no parsing.
	if form, ok := body.(interface{ NextPart() (io.Reader, error) }); ok && t.sumMultipart == nil {
		return t.key.SumParts(form.NextPart)
	}
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(body, params["boundary"])
	if t.sumMultipart != nil {
		return t.sumMultipart([]byte(t.key.secret.Reveal()), parts)
	}
	return t.key.SumParts(func() (io.Reader, error) { return parts.NextRawPart() })
}
