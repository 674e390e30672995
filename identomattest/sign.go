package identomattest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
)

// signature computes the HMAC of the service: base64 of HMAC-SHA-256 over a body, or
// over the parts of a multipart body, each keyed by the binary digest of the one before.
type signature struct {
	key []byte
	mac hash.Hash
}

func newSignature(secret string) *signature {
	return &signature{key: []byte(secret)}
}

// part starts the next part, whose content bytes are then written.
func (s *signature) part() {
	s.seal()
	s.mac = hmac.New(sha256.New, s.key)
}

func (s *signature) Write(p []byte) (int, error) { return s.mac.Write(p) }

func (s *signature) seal() {
	if s.mac != nil {
		s.key = s.mac.Sum(nil)
		s.mac = nil
	}
}

// code is the text between the quotes of the header.
func (s *signature) code() string {
	s.seal()
	return base64.StdEncoding.EncodeToString(s.key)
}

func signBody(secret string, body []byte) string {
	s := newSignature(secret)
	s.part()
	_, _ = s.Write(body) // a hash never fails
	return s.code()
}

func authorization(code string) string { return `signature="` + code + `"` }

// signed compares the Authorization header with the code that it must carry.
func signed(header, code string) bool {
	got, ok := strings.CutPrefix(header, `signature="`)
	if !ok {
		return false
	}
	got, ok = strings.CutSuffix(got, `"`)
	return ok && hmac.Equal([]byte(got), []byte(code))
}
