// Package signature signs requests and verifies responses with HMAC-SHA-256, as specified
// in Identomat's API documentation under "HMAC Authorization".
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"strings"
	"sync"

	"github.com/identomat-go/identomat/internal/redact"
)

// ErrMismatch is exported as identomat.ErrSignatureMismatch.
var ErrMismatch = errors.New("identomat: response signature does not match")

// Error is an [ErrMismatch] that distinguishes a missing signature from a wrong one.
type Error struct{ Missing bool }

func (e *Error) Error() string {
	if e.Missing {
		return "identomat: response is not signed"
	}
	return ErrMismatch.Error()
}

// Is matches ErrMismatch.
func (e *Error) Is(target error) bool { return target == ErrMismatch }

// Format returns the value of the Authorization header for a digest.
func Format(digest []byte) string {
	var buf [64]byte
	text := append(buf[:0], `signature="`...)
	text = base64.StdEncoding.AppendEncode(text, digest)
	return string(append(text, '"'))
}

// Parse returns the digest in the values of an Authorization header. It accepts only one value,
// with one quoted signature in canonical base64.
func Parse(authorization []string) (digest []byte, ok bool) {
	if len(authorization) != 1 {
		return nil, false
	}
	text, hasPrefix := strings.CutPrefix(strings.TrimSpace(authorization[0]), `signature="`)
	text, hasSuffix := strings.CutSuffix(text, `"`)
	// Even in strict mode, encoding/base64 skips line breaks.
	if !hasPrefix || !hasSuffix || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	digest, err := strict.DecodeString(text)
	if err != nil {
		return nil, false // DecodeString also returns what it decoded before the error
	}
	return digest, true
}

var strict = base64.StdEncoding.Strict()

// Key computes digests with a secret key. It is safe for concurrent use.
type Key struct {
	secret redact.Secret
	macs   sync.Pool // of hash.Hash, keyed with the secret
}

// NewKey returns a Key that uses the UTF-8 bytes of the secret.
func NewKey(secret string) *Key {
	k := &Key{secret: redact.NewSecret(secret)}
	k.macs.New = func() any { return hmac.New(sha256.New, []byte(k.secret.Reveal())) }
	return k
}

func (k *Key) mac() hash.Hash {
	mac := k.macs.Get().(hash.Hash)
	mac.Reset()
	return mac
}

// Sum returns the digest of a body that is not multipart.
func (k *Key) Sum(body io.Reader) ([]byte, error) {
	mac := k.mac()
	defer k.macs.Put(mac)
	return sum(mac, body)
}

// SumBytes returns the digest of a body that is in memory and not multipart.
func (k *Key) SumBytes(body []byte) []byte {
	mac := k.mac()
	defer k.macs.Put(mac)
	mac.Write(body)
	return mac.Sum(nil)
}

// SumParts returns the digest of a multipart body. next returns the content of each part in turn,
// and then io.EOF. The digest of each part is the HMAC key for the next part. A body without parts
// is an error, because its digest would be the secret itself.
func (k *Key) SumParts(next func() (io.Reader, error)) ([]byte, error) {
	var digest []byte
	for {
		content, err := next()
		switch {
		case err == io.EOF && digest == nil:
			return nil, errors.New("identomat: a multipart body without parts cannot be signed")
		case err == io.EOF: // an error that wraps io.EOF reports a truncated body
			return digest, nil
		case err != nil:
			return nil, err
		case digest == nil:
			digest, err = k.Sum(content)
		default:
			digest, err = sum(hmac.New(sha256.New, digest), content)
		}
		if err != nil {
			return nil, err
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// sum hashes src through a pooled buffer; io.Copy would allocate one.
func sum(mac hash.Hash, src io.Reader) ([]byte, error) {
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	if _, err := io.CopyBuffer(mac, src, buf[:]); err != nil {
		return nil, err
	}
	return mac.Sum(nil), nil
}

// Verify wraps a response body. The parameter authorization holds the values of the response's
// Authorization header. If the signature is missing, malformed or wrong, reading the body ends with an
// [*Error] instead of io.EOF.
func (k *Key) Verify(body io.ReadCloser, authorization []string) io.ReadCloser {
	b := &verifiedBody{ReadCloser: body, key: k}
	if len(authorization) > 0 {
		b.mac = k.mac()
		b.want, _ = Parse(authorization)
	}
	return b
}

type verifiedBody struct {
	io.ReadCloser
	key  *Key
	mac  hash.Hash // nil if the response is not signed
	want []byte    // nil if the signature is malformed
	sum  [sha256.Size]byte
	err  error // what ended the reading
}

// Read returns the same error on every call after the end: a reader that stopped exactly at the
// last byte calls Read once more to learn how the body ended.
func (b *verifiedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case b.mac == nil && err == io.EOF:
		err = &Error{Missing: true}
	case b.mac != nil:
		b.mac.Write(p[:n])
		if err == io.EOF {
			if !hmac.Equal(b.mac.Sum(b.sum[:0]), b.want) {
				err = &Error{}
			}
			b.key.macs.Put(b.mac)
		}
	}
	b.err = err
	return n, err
}
