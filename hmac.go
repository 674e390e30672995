package identomat

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/redact"
)

// An HMACOption changes how requests are signed and responses are checked. It is given to
// [WithHMAC] or [NewHMACTransport].
type HMACOption func(*hmacRules)

type hmacRules struct {
	requireSigned bool
	multipart     MultipartDigest
}

// RequireSignedResponses refuses a successful response without a signature with
// [ErrSignatureMismatch]. By default a signature is checked only where there is one:
// Identomat's page about HMAC says that successful responses are signed, but not whether
// this holds for the newer host. Responses that report an error are documented to be
// unsigned.
func RequireSignedResponses() HMACOption {
	return func(r *hmacRules) { r.requireSigned = true }
}

// MultipartDigest computes the signature of a multipart body from its parts, in the
// order in which they are sent.
type MultipartDigest func(secret []byte, parts *multipart.Reader) ([]byte, error)

// WithMultipartDigest replaces the rule for signing multipart bodies. Identomat's
// document says that the key of each step is the digest of the step before. It does not
// say what a part consists of: the default takes its content without its headers.
func WithMultipartDigest(digest MultipartDigest) HMACOption {
	return func(r *hmacRules) { r.multipart = digest }
}

// hmacTransport is the RoundTripper of NewHMACTransport.
type hmacTransport struct {
	base   http.RoundTripper
	secret redact.Secret
	rules  hmacRules
	hashes sync.Pool // of hash.Hash keyed with the secret
}

// NewHMACTransport returns a RoundTripper that signs requests to Identomat and checks
// the signatures of its replies, for use without a [Client]. (A Client signs with
// [WithHMAC].) The secret key belongs to a company key of the HMAC type and is used as
// its UTF-8 bytes; with an empty one, every request fails. base is [http.DefaultTransport]
// if nil.
//
// The header is Authorization: signature="…", the base64 form of the HMAC-SHA-256 of
// the body ("HMAC Authorization" in Identomat's documents). A multipart body is read
// twice from its source instead of being buffered, so it needs [http.Request.GetBody],
// which [http.NewRequest] sets for a body in memory.
//
// Reading a reply whose signature is wrong ends with [ErrSignatureMismatch] in place of
// [io.EOF]: what was read before that must be thrown away. A request that a redirect
// sends to another origin is refused, signature, body and all.
func NewHMACTransport(secretKey string, base http.RoundTripper, opts ...HMACOption) http.RoundTripper {
	t := &hmacTransport{base: base, secret: redact.NewSecret(secretKey)}
	if base == nil {
		t.base = http.DefaultTransport
	}
	for _, o := range opts {
		o(&t.rules)
	}
	t.hashes.New = func() any { return hmac.New(sha256.New, []byte(t.secret.Reveal())) }
	return t
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the base.
func (t *hmacTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Format keeps %#v of an http.Client from printing more than that it signs.
func (t *hmacTransport) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "identomat.HMACTransport")
}

func (t *hmacTransport) RoundTrip(req *http.Request) (*http.Response, error) {
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
	if resp.Body == nil { // a stub's
		resp.Body = http.NoBody
	}
	t.check(resp)
	return resp, nil
}

// sign returns a signed copy: a RoundTripper must not change the request it is given.
func (t *hmacTransport) sign(req *http.Request) (*http.Request, error) {
	if t.secret.Reveal() == "" {
		return nil, errors.New("identomat: the secret key is empty") // an unset variable must not pass for a key
	}
	if from := req.Response; from != nil && from.Request != nil && !sameOrigin(from.Request.URL, req.URL) {
		return nil, errors.New("identomat: a redirect to another origin is not followed with a signed request")
	}
	signed := *req
	digest, err := t.digest(&signed)
	if err != nil {
		return nil, err
	}
	if len(digest) != sha256.Size || string(digest) == t.secret.Reveal() {
		return nil, errors.New("identomat: the digest is not an HMAC-SHA-256") // it may be the key
	}
	// A signature covers the reply before compression; asking for none also keeps
	// net/http from decompressing behind our back.
	added := []string{signature(digest), "identity"}
	signed.Header = make(http.Header, len(req.Header)+len(added))
	for name, values := range req.Header {
		if !strings.EqualFold(name, "Authorization") {
			signed.Header[name] = values[:len(values):len(values)]
		}
	}
	signed.Header["Authorization"], signed.Header["Accept-Encoding"] = added[:1:1], added[1:]
	return &signed, nil
}

// signature is the value of the header.
func signature(digest []byte) string {
	var buf [64]byte
	text := append(buf[:0], `signature="`...)
	text = base64.StdEncoding.AppendEncode(text, digest)
	return string(append(text, '"'))
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// maxBuffered bounds a body that can only be read once; the SDK's own bodies never are.
const maxBuffered = 1 << 20

func (t *hmacTransport) digest(req *http.Request) ([]byte, error) {
	boundary, isMultipart := multipartBoundary(req.Header.Get("Content-Type"))
	var body io.Reader = http.NoBody
	switch {
	case req.Body == nil || req.Body == http.NoBody:
	case req.GetBody != nil:
		copied, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		defer copied.Close()
		body = copied
	case isMultipart:
		return nil, errors.New("identomat: a multipart body must be read twice to be signed: set Request.GetBody")
	default:
		data, err := io.ReadAll(io.LimitReader(req.Body, maxBuffered+1))
		if err != nil {
			return nil, err
		}
		if len(data) > maxBuffered {
			return nil, errors.New("identomat: a body over 1 MiB must be read twice to be signed: set Request.GetBody")
		}
		_ = req.Body.Close()
		req.Body = io.NopCloser(bytes.NewReader(data))
		body = bytes.NewReader(data)
	}
	if parts, ok := body.(interface {
		EachPart(visit func(io.Reader) error) error
	}); ok && t.rules.multipart == nil {
		return t.chain(parts.EachPart)
	}
	if isMultipart {
		rule := t.rules.multipart
		if rule == nil {
			rule = t.chainParts
		}
		return rule([]byte(t.secret.Reveal()), multipart.NewReader(body, boundary))
	}
	mac := t.hash()
	defer t.hashes.Put(mac)
	if err := copyTo(mac, body); err != nil {
		return nil, err
	}
	return mac.Sum(nil), nil
}

func multipartBoundary(contentType string) (boundary string, isMultipart bool) {
	const prefix = "multipart/"
	if t := strings.TrimSpace(contentType); len(t) < len(prefix) || !strings.EqualFold(t[:len(prefix)], prefix) {
		return "", false // without a parser
	}
	_, params, err := mime.ParseMediaType(contentType)
	return params["boundary"], err == nil
}

func (t *hmacTransport) hash() hash.Hash {
	mac := t.hashes.Get().(hash.Hash)
	mac.Reset()
	return mac
}

// chain is the documented rule: the digest of each part is the key for the next.
func (t *hmacTransport) chain(each func(visit func(io.Reader) error) error) ([]byte, error) {
	digest, parts := []byte(t.secret.Reveal()), 0
	err := each(func(content io.Reader) error {
		var mac hash.Hash
		if parts == 0 {
			mac = t.hash()
			defer t.hashes.Put(mac)
		} else {
			mac = hmac.New(sha256.New, digest)
		}
		if err := copyTo(mac, content); err != nil {
			return err
		}
		digest = mac.Sum(nil)
		parts++
		return nil
	})
	if err == nil && parts == 0 {
		err = errors.New("identomat: a multipart body without parts cannot be signed")
	}
	return digest, err
}

// chainParts applies the rule to parts of which only the wire form is known.
func (t *hmacTransport) chainParts(_ []byte, parts *multipart.Reader) ([]byte, error) {
	return t.chain(func(visit func(io.Reader) error) error {
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF { // and not an error that wraps it: that is a broken body
				return nil
			}
			if err == nil {
				err = visit(part)
			}
			if err != nil {
				return err
			}
		}
	})
}

// check arranges for the reply's body to end in ErrSignatureMismatch if it is not what
// was signed.
func (t *hmacTransport) check(resp *http.Response) {
	values := resp.Header["Authorization"]
	if len(values) > 0 {
		want, ok := parseSignature(values)
		if !ok {
			want = nil
		}
		resp.Body = &checkedBody{ReadCloser: resp.Body, from: t, mac: t.hash(), want: want}
	} else if t.rules.requireSigned && engine.IsSuccess(resp.StatusCode) {
		resp.Body = &checkedBody{ReadCloser: resp.Body, from: t}
	}
}

func parseSignature(values []string) ([]byte, bool) {
	if len(values) != 1 {
		return nil, false
	}
	code, opened := strings.CutPrefix(strings.TrimSpace(values[0]), `signature="`)
	code, closed := strings.CutSuffix(code, `"`)
	if !opened || !closed {
		return nil, false
	}
	want, err := base64.StdEncoding.Strict().DecodeString(code)
	return want, err == nil && !strings.ContainsAny(code, "\r\n")
}

// checkedBody hashes what is read and ends with its verdict, again and again: a reader
// that stops exactly at the last byte asks once more to learn how the body ends.
type checkedBody struct {
	io.ReadCloser
	from *hmacTransport
	mac  hash.Hash // nil where the signature is missing
	want []byte    // nil where it is malformed
	end  error
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.ReadCloser.Read(p)
	if b.mac != nil {
		b.mac.Write(p[:n])
	}
	if err == io.EOF {
		err = b.verdict()
	}
	b.end = err
	return n, err
}

func (b *checkedBody) verdict() error {
	if b.mac == nil {
		return &signatureError{missing: true}
	}
	matches := hmac.Equal(b.mac.Sum(nil), b.want)
	b.from.hashes.Put(b.mac)
	b.mac = nil
	if !matches {
		return &signatureError{}
	}
	return io.EOF
}

// signatureError is ErrSignatureMismatch that tells a missing signature from a wrong one.
type signatureError struct{ missing bool }

func (e *signatureError) Error() string {
	if e.missing {
		return "identomat: reply is not signed"
	}
	return ErrSignatureMismatch.Error()
}

func (e *signatureError) Is(target error) bool { return target == ErrSignatureMismatch }
