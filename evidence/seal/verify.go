package seal

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // for the certificate's hash in older time stamps
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

var (
	oidTimeStampInfo        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtKeyUsage          = asn1.ObjectIdentifier{2, 5, 29, 37}
)

var errNoRoots = errors.New("no root certificates were given")

// verify verifies an authority's response: a time stamp of hash, signed by one certificate for time stamping that leads
// to one of the roots and was valid at the time.
func verify(response, hash []byte, roots *x509.CertPool) (*timestamp.Timestamp, error) {
	if roots == nil {
		return nil, errNoRoots // crypto/x509 would use those of the system
	}
	stamp, err := timestamp.ParseResponse(response) // verifies the signature, but not who signed
	if err != nil {
		return nil, fmt.Errorf("the authority's response has no time stamp: %q", err.Error()) // may quote the response
	}
	token, err := pkcs7.Parse(stamp.RawToken)
	if err != nil {
		return nil, err
	}
	signer := token.GetOnlySigner()
	if signer == nil {
		return nil, errors.New("it must have one signature, and the certificate for it")
	}
	if !signsWithSHA2(token) {
		return nil, errors.New("it is not signed with SHA-2")
	}
	var contentType asn1.ObjectIdentifier
	if err := token.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &contentType); err != nil || !contentType.Equal(oidTimeStampInfo) {
		return nil, errors.New("what is signed is not a time stamp")
	}
	if !isSigned(token, signer) {
		return nil, errors.New("the certificate is not the one that the authority signed with")
	}
	if !isForTimeStampsOnly(signer) {
		return nil, errors.New("the certificate is not one for time stamps only (a critical extended key usage, RFC 3161, section 2.3)")
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range token.Certificates {
		intermediates.AddCert(certificate)
	}
	if _, err := signer.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: stamp.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}); err != nil {
		return nil, err
	}
	if stamp.HashAlgorithm != crypto.SHA256 || !bytes.Equal(stamp.HashedMessage, hash) {
		return nil, errors.New("it is for another package, or the package was changed")
	}
	return stamp, nil
}

// hashes are the hashes that a time stamp may be signed with.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{pkcs7.OIDDigestAlgorithmSHA256, crypto.SHA256},
	{pkcs7.OIDDigestAlgorithmSHA384, crypto.SHA384},
	{pkcs7.OIDDigestAlgorithmSHA512, crypto.SHA512},
}

func hashFor(oid asn1.ObjectIdentifier) crypto.Hash {
	for _, h := range hashes {
		if h.oid.Equal(oid) {
			return h.hash
		}
	}
	return 0
}

func signsWithSHA2(token *pkcs7.PKCS7) bool {
	signature := token.Signers[0]
	return hashFor(signature.DigestAlgorithm.Algorithm) != 0 && !signature.DigestEncryptionAlgorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmECDSASHA1)
}

// certificateIDs are the certificates that a signature names: the authority's own comes first. Version 1 hashes with SHA-1,
// version 2 with SHA-256 unless it names another hash (RFC 5816).
type certificateIDs struct {
	IDs []struct {
		Algorithm    pkix.AlgorithmIdentifier `asn1:"optional"`
		Hash         []byte
		IssuerSerial asn1.RawValue `asn1:"optional"`
	}
	Policies asn1.RawValue `asn1:"optional"`
}

// isSigned reports whether the signature covers the hash of its own certificate. Otherwise, another certificate for the same
// key could replace the certificate.
func isSigned(token *pkcs7.PKCS7, signer *x509.Certificate) bool {
	var ids certificateIDs
	hash := crypto.SHA256
	if token.UnmarshalSignedAttribute(oidSigningCertificateV2, &ids) != nil {
		if token.UnmarshalSignedAttribute(oidSigningCertificate, &ids) != nil {
			return false
		}
		hash = crypto.SHA1
	}
	if len(ids.IDs) == 0 {
		return false
	}
	if algorithm := ids.IDs[0].Algorithm.Algorithm; algorithm != nil {
		hash = hashFor(algorithm)
	}
	if hash == 0 {
		return false
	}
	h := hash.New()
	h.Write(signer.Raw)
	return bytes.Equal(h.Sum(nil), ids.IDs[0].Hash)
}

func isForTimeStampsOnly(certificate *x509.Certificate) bool {
	isCritical := slices.ContainsFunc(certificate.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id.Equal(oidExtKeyUsage) })
	return isCritical && slices.Equal(certificate.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) && len(certificate.UnknownExtKeyUsage) == 0
}
