// Package sealtest is a time-stamp authority for tests. It has certificates of its own, and speaks the
// protocol of RFC 3161 over HTTP on loopback:
//
//	authority := sealtest.NewServer(t)
//	_, err := seal.Stamp(t.Context(), dir, authority.Authority)
package sealtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/identomat-go/identomat/evidence/seal"
)

// Server is a time-stamp authority on loopback.
type Server struct {
	// Authority has the URL and the root.
	seal.Authority
	// Root is the only certificate in Roots.
	Root *x509.Certificate
	// Chain is the certificate that signs time stamps, and that of its issuer. Key belongs to the first.
	Chain []*x509.Certificate
	Key   crypto.Signer

	editCertificate func(template *x509.Certificate)
	editStamp       func(*timestamp.Timestamp)
}

// Option makes a [Server] misbehave.
type Option func(*Server)

// WithCertificate edits the signing certificate before it is issued.
func WithCertificate(edit func(template *x509.Certificate)) Option {
	return func(s *Server) { s.editCertificate = edit }
}

// WithStamp edits every time stamp before it is signed.
func WithStamp(edit func(*timestamp.Timestamp)) Option {
	return func(s *Server) { s.editStamp = edit }
}

// NewServer starts an authority, which ends with the test. Its certificate for time stamps is valid for an
// hour before and after the start, and those of its CAs from 2000 to 2099.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{}
	for _, opt := range opts {
		opt(s)
	}
	if err := s.issue(); err != nil {
		t.Fatalf("sealtest: %v", err)
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(s.Root)
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// issue issues the certificates: the root's, an intermediate one, and the one for time stamps.
func (s *Server) issue() error {
	var parent *x509.Certificate
	var parentKey crypto.Signer
	for i, name := range []string{"Test root", "Test CA", "Test time stamps"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC),
			BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		}
		switch i {
		case 0:
			parent, parentKey = template, key // signs itself
		case 2:
			template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			template.IsCA, template.KeyUsage = false, x509.KeyUsageDigitalSignature
			usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
			if err != nil {
				return err
			}
			// The field ExtKeyUsage would make an extension that is not critical.
			template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}
			if s.editCertificate != nil {
				s.editCertificate(template)
			}
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			return err
		}
		if parent, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		parentKey = key
		if i == 0 {
			s.Root = parent
		} else {
			s.Chain = append([]*x509.Certificate{parent}, s.Chain...)
		}
	}
	s.Key = parentKey
	return nil
}

// serve answers a request for a time stamp.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "the request must be an application/timestamp-query", http.StatusBadRequest)
		return
	}
	response, err := s.respond(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(response)
}

func (s *Server) respond(body []byte) ([]byte, error) {
	request, err := timestamp.ParseRequest(body)
	if err != nil {
		return timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadDataFormat)
	}
	stamp := &timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Nonce: request.Nonce,
		Time: time.Now().UTC().Truncate(time.Second), Policy: asn1.ObjectIdentifier{2, 999, 1}, AddTSACertificate: request.Certificates, Certificates: s.Chain[1:],
	}
	if s.editStamp != nil {
		s.editStamp(stamp)
	}
	return stamp.CreateResponseWithOpts(s.Chain[0], s.Key, crypto.SHA256)
}
