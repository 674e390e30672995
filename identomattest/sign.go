package identomattest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
)

// signer computes the service's signature, an HMAC-SHA-256 in base64. For a JSON or form body, it is
// the HMAC of the body. For a multipart body, it is the HMAC of the last part. The key for the first
// part is the secret key; the key for each later part is the digest of the previous part.
type signer struct {
	key []byte
	mac hash.Hash
}

func newSigner(secret string) *signer {
	return &signer{key: []byte(secret)}
}

// nextPart starts the next part. Write then adds the part's content.
func (s *signer) nextPart() {
	s.finishPart()
	s.mac = hmac.New(sha256.New, s.key)
}

func (s *signer) Write(p []byte) (int, error) { return s.mac.Write(p) }

func (s *signer) finishPart() {
	if s.mac != nil {
		s.key = s.mac.Sum(nil)
		s.mac = nil
	}
}

// sum returns the signature without the syntax of the Authorization header.
func (s *signer) sum() string {
	s.finishPart()
	return base64.StdEncoding.EncodeToString(s.key)
}

func signBody(secret string, body []byte) string {
	s := newSigner(secret)
	s.nextPart()
	_, _ = s.Write(body) // a hash never returns an error
	return s.sum()
}

func authorization(signature string) string { return `signature="` + signature + `"` }

// signatureMatches compares an Authorization header with the expected signature.
func signatureMatches(header, want string) bool {
	got, ok := strings.CutPrefix(header, `signature="`)
	if !ok {
		return false
	}
	got, ok = strings.CutSuffix(got, `"`)
	return ok && hmac.Equal([]byte(got), []byte(want))
}
