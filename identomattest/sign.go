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

// signers computes a signature with the secret key of every company, because the company is only known once
// the body has been read.
type signers []*signer

func (s *Server) newSigners() signers {
	var out signers
	for _, c := range s.companies {
		out = append(out, newSigner(c.SecretKey))
	}
	return out
}

func (l signers) nextPart() {
	for _, s := range l {
		s.nextPart()
	}
}

func (l signers) Write(p []byte) (int, error) {
	for _, s := range l {
		_, _ = s.Write(p) // a hash never returns an error
	}
	return len(p), nil
}

// sums returns the signatures in the order of the companies.
func (l signers) sums() []string {
	var out []string
	for _, s := range l {
		out = append(out, s.sum())
	}
	return out
}

// signatures returns the signatures of a body in the order of the companies.
func (s *Server) signatures(body []byte) []string {
	l := s.newSigners()
	l.nextPart()
	_, _ = l.Write(body)
	return l.sums()
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
