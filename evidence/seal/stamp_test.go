package seal_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/evidence/seal"
	"github.com/identomat-go/identomat/evidence/seal/sealtest"
	"github.com/identomat-go/identomat/identomattest"
)

func TestStampIsStoredAndVerifies(t *testing.T) {
	dir := collect(t)
	before, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 12, 30, 15, 0, time.UTC)
	authority := sealtest.NewServer(t, sealtest.WithStamp(func(s *timestamp.Timestamp) { s.Time = at }), validFrom(at.Add(-time.Hour)))

	stamped, err := seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	assert.Equal(t, at, stamped)

	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, before.Digest, check.Digest)
	require.Len(t, check.Seals, 1)
	assert.Regexp(t, `^seal/[0-9a-f]{16}\.tsr$`, check.Seals[0])
	info, err := os.Stat(filepath.Join(dir, check.Seals[0]))
	require.NoError(t, err)
	if filepath.Separator == '/' {
		assert.Equal(t, fs.FileMode(0o600), info.Mode())
	}
	verified, err := seal.VerifyStamp(os.DirFS(dir), authority.Roots)
	require.NoError(t, err)
	assert.Equal(t, at, verified)
}

// validFrom makes the certificate for time stamps valid for a year. A test can then use any date.
func validFrom(date time.Time) sealtest.Option {
	return sealtest.WithCertificate(func(template *x509.Certificate) {
		template.NotBefore, template.NotAfter = date, time.Now().Add(time.Hour)
	})
}

// A failure leaves the folder as it was.
func TestStampFailureWritesNothing(t *testing.T) {
	dir := collect(t)
	before := contents(t, dir)
	stamp := sealtest.WithStamp
	certificate := sealtest.WithCertificate
	usage := func(critical bool, oids ...asn1.ObjectIdentifier) sealtest.Option {
		return certificate(func(c *x509.Certificate) {
			value, err := asn1.Marshal(oids)
			require.NoError(t, err)
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}}
		})
	}
	timeStamping, serverAuth, unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}, asn1.ObjectIdentifier{2, 999, 3}
	for name, c := range map[string]struct {
		opt  sealtest.Option
		want string
	}{
		"wrong nonce":          {stamp(func(s *timestamp.Timestamp) { s.Nonce = big.NewInt(7) }), "the nonce is not that of the request"},
		"no nonce":             {stamp(func(s *timestamp.Timestamp) { s.Nonce = nil }), "the nonce is not that of the request"},
		"wrong hash":           {stamp(func(s *timestamp.Timestamp) { s.HashedMessage[0] ^= 1 }), "it is for another package, or the package was changed"},
		"wrong algorithm":      {stamp(func(s *timestamp.Timestamp) { s.HashAlgorithm = crypto.SHA384 }), "it is for another package"},
		"expired certificate":  {stamp(func(s *timestamp.Timestamp) { s.Time = s.Time.Add(2 * time.Hour) }), "certificate has expired or is not yet valid"},
		"future certificate":   {stamp(func(s *timestamp.Timestamp) { s.Time = s.Time.Add(-2 * time.Hour) }), "certificate has expired or is not yet valid"},
		"no certificate":       {stamp(func(s *timestamp.Timestamp) { s.AddTSACertificate = false }), "one signature, and the certificate for it"},
		"missing usage":        {certificate(func(c *x509.Certificate) { c.ExtraExtensions = nil }), "not one for time stamps only"},
		"usage not critical":   {usage(false, timeStamping), "not one for time stamps only"},
		"another usage":        {usage(true, serverAuth), "not one for time stamps only"},
		"a usage too many":     {usage(true, timeStamping, serverAuth), "not one for time stamps only"},
		"an unknown usage too": {usage(true, timeStamping, unknown), "not one for time stamps only"},
	} {
		_, err := seal.Stamp(t.Context(), dir, sealtest.NewServer(t, c.opt).Authority)
		assert.ErrorIs(t, err, seal.ErrInvalidStamp, name)
		assert.ErrorContains(t, err, c.want, name)
		assert.Equal(t, before, contents(t, dir), name)
	}

	good := sealtest.NewServer(t)
	for want, roots := range map[string]*x509.CertPool{
		"certificate signed by unknown authority": sealtest.NewServer(t).Roots,
		"no root certificates were given":         nil,
	} {
		_, err := seal.Stamp(t.Context(), dir, seal.Authority{URL: good.URL, Roots: roots})
		assert.ErrorIs(t, err, seal.ErrInvalidStamp)
		assert.ErrorContains(t, err, want)
		assert.Equal(t, before, contents(t, dir), want)
	}

	rejection, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"outage":    {503, "", "seal: the authority responded with status 503"},
		"redirect":  {307, "", "seal: the authority responded with status 307"},
		"rejection": {200, string(rejection), `no time stamp: "the request is rejected:  (the TSA's time source is not available)"`},
		"not ASN.1": {200, "<html>", `no time stamp: "asn1: `},
		"empty":     {200, "", `no time stamp: "asn1: `},
		"too large": {200, strings.Repeat("x", 64<<10+1), "seal: cannot read the authority's response: it is larger than 65536 bytes"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", good.URL)
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		_, err := seal.Stamp(t.Context(), dir, seal.Authority{URL: server.URL, Roots: good.Roots})
		server.Close()
		assert.ErrorContains(t, err, c.want, name)
		assert.Equal(t, before, contents(t, dir), name)
	}

	down := httptest.NewServer(nil)
	down.Close()
	_, err = seal.Stamp(t.Context(), dir, seal.Authority{URL: strings.Replace(down.URL, "http://", "http://user:pa55word@", 1), Roots: good.Roots})
	assert.ErrorContains(t, err, "seal: the authority cannot be reached: ")
	assert.NotContains(t, err.Error(), "user")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = seal.Stamp(canceled, dir, good.Authority)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = seal.Stamp(t.Context(), dir, seal.Authority{URL: "://pa55word", Roots: good.Roots})
	assert.ErrorContains(t, err, "seal: the authority's URL is not valid")
	assert.NotContains(t, err.Error(), "pa55word")
	assert.Equal(t, before, contents(t, dir))
}

func TestStampOfWrongFolder(t *testing.T) {
	authority := sealtest.NewServer(t, sealtest.WithStamp(func(*timestamp.Timestamp) { t.Error("the authority was asked") }))
	dir := collect(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data/result.json"), []byte("{}"), 0o600))
	_, err := seal.Stamp(t.Context(), dir, authority.Authority)
	assert.ErrorIs(t, err, evidence.ErrChanged)

	_, err = seal.Stamp(t.Context(), filepath.Dir(collect(t)), authority.Authority)
	assert.ErrorContains(t, err, `"package/bag-info.txt": the file does not belong to the package`)

	_, err = seal.Stamp(t.Context(), filepath.Join(dir, "customer"), authority.Authority)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotContains(t, err.Error(), "customer")
}

// A crash of Stamp can leave a file that is not complete, or an empty folder.
func TestStampAfterCrash(t *testing.T) {
	authority := sealtest.NewServer(t)
	for _, left := range []string{"", "0123456789abcdef.tsr.part"} {
		dir := collect(t)
		require.NoError(t, os.Mkdir(filepath.Join(dir, "seal"), 0o700))
		if left != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "seal", left), nil, 0o600))
		}
		_, err := evidence.Verify(os.DirFS(dir))
		require.ErrorIs(t, err, evidence.ErrUnexpectedFile)
		_, err = seal.Stamp(t.Context(), dir, authority.Authority)
		require.NoError(t, err)
		_, err = seal.VerifyStamp(os.DirFS(dir), authority.Roots)
		require.NoError(t, err)
	}
}

// evidence.Verify refuses a package with more than 100 time stamps.
func TestStampLimit(t *testing.T) {
	dir := collect(t)
	authority := sealtest.NewServer(t)
	_, err := seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	for i := range 98 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "seal", fmt.Sprint(i, ".tsr")), nil, 0o600))
	}
	_, err = seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	_, err = seal.Stamp(t.Context(), dir, authority.Authority)
	assert.EqualError(t, err, "evidence: too large: the package already has 100 time stamps")
	_, err = evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
}

func TestVerifyStampWithoutStamp(t *testing.T) {
	_, err := seal.VerifyStamp(os.DirFS(collect(t)), x509.NewCertPool())
	assert.ErrorIs(t, err, seal.ErrNoStamp)
}

// A package whose manifests were all rewritten verifies, but not its time stamp.
func TestVerifyStampOfForgedPackage(t *testing.T) {
	dir := collect(t)
	authority := sealtest.NewServer(t)
	_, err := seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	files := contents(t, dir)
	files["bag-info.txt"].Data = append(files["bag-info.txt"].Data, "Contact-Name: Mallory\n"...)
	_, err = seal.VerifyStamp(files, authority.Roots)
	require.ErrorIs(t, err, evidence.ErrChanged)
	forge(files)
	_, err = evidence.Verify(files)
	require.NoError(t, err)
	_, err = seal.VerifyStamp(files, authority.Roots)
	assert.ErrorIs(t, err, seal.ErrInvalidStamp)
	assert.ErrorContains(t, err, "it is for another package, or the package was changed")
	assert.ErrorContains(t, err, ": seal/")
}

// forge rewrites the tag manifests.
func forge(files fstest.MapFS) {
	for name, sum := range map[string]func([]byte) string{
		"tagmanifest-sha256.txt": func(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) },
		"tagmanifest-sha512.txt": func(data []byte) string { return fmt.Sprintf("%x", sha512.Sum512(data)) },
	} {
		var b strings.Builder
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if !files[file].Mode.IsDir() && !strings.Contains(file, "/") && !strings.HasPrefix(file, "tagmanifest-") {
				fmt.Fprintf(&b, "%s  %s\n", sum(files[file].Data), file)
			}
		}
		files[name].Data = []byte(b.String())
	}
}

// Every time stamp must be valid, and the earliest time counts.
func TestVerifyStampOfTwoAuthorities(t *testing.T) {
	dir := collect(t)
	early := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := func(date time.Time) *sealtest.Server {
		return sealtest.NewServer(t, validFrom(date), sealtest.WithStamp(func(s *timestamp.Timestamp) { s.Time = date }))
	}
	first, second := at(early.Add(time.Hour)), at(early)
	for _, authority := range []*sealtest.Server{first, second} {
		_, err := seal.Stamp(t.Context(), dir, authority.Authority)
		require.NoError(t, err)
	}
	_, err := seal.VerifyStamp(os.DirFS(dir), second.Roots)
	assert.ErrorIs(t, err, seal.ErrInvalidStamp)
	second.Roots.AddCert(first.Root)
	verified, err := seal.VerifyStamp(os.DirFS(dir), second.Roots)
	require.NoError(t, err)
	assert.Equal(t, early, verified)
}

func TestEraseRequiresStamp(t *testing.T) {
	server := identomattest.NewServer(t)
	token := approved(t, server)
	dir := filepath.Join(t.TempDir(), "package")
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	authority := sealtest.NewServer(t)
	erase := func() error {
		_, err := evidence.Erase(t.Context(), server.Client(), token, os.DirFS(dir), evidence.Require(func(fsys fs.FS) error {
			_, err := seal.VerifyStamp(fsys, authority.Roots)
			return err
		}))
		return err
	}
	require.ErrorIs(t, erase(), seal.ErrNoStamp)
	_, err = server.Client().Sessions.Result(t.Context(), token)
	require.NoError(t, err, "the session is still there")
	_, err = seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	require.NoError(t, erase())
}

// OpenSSL verifies the file as it is.
func TestStampVerifiesWithOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := collect(t)
	authority := sealtest.NewServer(t)
	_, err := seal.Stamp(t.Context(), dir, authority.Authority)
	require.NoError(t, err)
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Root.Raw}), 0o600))
	command := exec.Command("openssl", "ts", "-verify", "-data", "tagmanifest-sha256.txt", "-in", check.Seals[0], "-CAfile", roots)
	command.Dir = dir
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "Verification: OK")
}

// respond returns an authority's response, with a time stamp of hash.
func respond(t testing.TB, authority *sealtest.Server, hash []byte, at time.Time, algorithm crypto.Hash) []byte {
	t.Helper()
	stamp := &timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: hash, Time: at, Policy: asn1.ObjectIdentifier{2, 999, 1},
		AddTSACertificate: true, Certificates: authority.Chain[1:],
	}
	response, err := stamp.CreateResponseWithOpts(authority.Chain[0], authority.Key, algorithm)
	require.NoError(t, err)
	return response
}

var content = sha256.Sum256([]byte("tag manifest"))

// The certificates must be valid at the time of the time stamp only.
func TestVerifyStampIgnoresCurrentTime(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	authority := sealtest.NewServer(t)
	response := respond(t, authority, content[:], now, crypto.SHA256)
	synctest.Test(t, func(t *testing.T) { // begins in the year 2000
		stamp, err := seal.Verify(response, content[:], authority.Roots)
		require.NoError(t, err)
		assert.Equal(t, now, stamp.Time)
	})
}

func TestVerifyStampSignedWithSHA1(t *testing.T) {
	authority := sealtest.NewServer(t)
	_, err := seal.Verify(respond(t, authority, content[:], time.Now().UTC(), crypto.SHA1), content[:], authority.Roots)
	assert.EqualError(t, err, "it is not signed with SHA-2")
}

// Another certificate for the same key, with the same issuer and serial number, cannot extend the validity.
func TestVerifyStampWithReplacedCertificate(t *testing.T) {
	var template x509.Certificate
	authority := sealtest.NewServer(t, sealtest.WithCertificate(func(c *x509.Certificate) { template = *c }))
	response := respond(t, authority, content[:], time.Now().UTC(), crypto.SHA256)
	_, err := seal.Verify(response, content[:], authority.Roots)
	require.NoError(t, err)

	template.NotAfter = template.NotAfter.Add(24 * time.Hour)
	issuer := &x509.Certificate{RawSubject: authority.Chain[1].RawSubject, SubjectKeyId: authority.Chain[1].SubjectKeyId}
	var longer []byte
	for len(longer) != len(authority.Chain[0].Raw) { // the length of a signature varies
		longer, err = x509.CreateCertificate(rand.Reader, &template, issuer, authority.Key.Public(), authority.Key)
		require.NoError(t, err)
	}
	trusted, err := x509.ParseCertificate(longer)
	require.NoError(t, err)
	authority.Roots.AddCert(trusted)
	response = bytes.Replace(response, authority.Chain[0].Raw, longer, 1)
	_, err = seal.Verify(response, content[:], authority.Roots)
	assert.EqualError(t, err, "the certificate is not the one that the authority signed with")
}

// What is signed must say that it is a time stamp, and must have the hash of the certificate. Older
// authorities use SHA-1 for this hash (RFC 3161).
func TestVerifyStampChecksSignedAttributes(t *testing.T) {
	authority := sealtest.NewServer(t)
	stamp, err := timestamp.ParseResponse(respond(t, authority, content[:], time.Now().UTC(), crypto.SHA256))
	require.NoError(t, err)
	token, err := pkcs7.Parse(stamp.RawToken)
	require.NoError(t, err)
	timeStamp := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	sum := sha1.Sum(authority.Chain[0].Raw)
	type certificateID struct{ Hash []byte }
	certificate := pkcs7.Attribute{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}, Value: struct{ IDs []certificateID }{[]certificateID{{sum[:]}}}}
	for _, c := range []struct {
		contentType asn1.ObjectIdentifier
		attributes  []pkcs7.Attribute
		want        string
	}{
		{pkcs7.OIDData, []pkcs7.Attribute{certificate}, "what is signed is not a time stamp"},
		{timeStamp, nil, "the certificate is not the one that the authority signed with"},
		{timeStamp, []pkcs7.Attribute{certificate}, ""},
	} {
		signed, err := pkcs7.NewSignedData(token.Content)
		require.NoError(t, err)
		signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
		signed.SetContentType(c.contentType)
		require.NoError(t, signed.AddSigner(authority.Chain[0], authority.Key, pkcs7.SignerInfoConfig{ExtraSignedAttributes: c.attributes}))
		signed.AddCertificate(authority.Chain[1])
		der, err := signed.Finish()
		require.NoError(t, err)
		response, err := asn1.Marshal(struct {
			Status struct{ Status int }
			Token  asn1.RawValue
		}{Token: asn1.RawValue{FullBytes: der}})
		require.NoError(t, err)
		_, err = seal.Verify(response, content[:], authority.Roots)
		if c.want == "" {
			assert.NoError(t, err)
		} else {
			assert.EqualError(t, err, c.want)
		}
	}
}

// A changed response either does not verify, or has the same time.
func TestVerifyChangedResponse(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	authority := sealtest.NewServer(t)
	response := respond(t, authority, content[:], now, crypto.SHA256)
	refused := 0
	for at := range response {
		changed := bytes.Clone(response)
		changed[at] ^= 1 << (at % 8)
		stamp, err := seal.Verify(changed, content[:], authority.Roots)
		if err != nil {
			refused++
		} else {
			require.Equal(t, now, stamp.Time, at)
		}
	}
	assert.Greater(t, refused, len(response)*9/10) // the rest is not signed, such as the version of the format
}

// A response that verifies is the one that was signed. testdata holds the response and the root, because
// every process of the fuzzer must use the same keys.
func FuzzVerify(f *testing.F) {
	response, err := os.ReadFile("testdata/response.tsr")
	require.NoError(f, err)
	der, err := os.ReadFile("testdata/root.der")
	require.NoError(f, err)
	root, err := x509.ParseCertificate(der)
	require.NoError(f, err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	verify := func(response []byte) (*timestamp.Timestamp, error) { return seal.Verify(response, content[:], roots) }
	signed, err := verify(response)
	require.NoError(f, err)
	f.Add(response)
	f.Fuzz(func(t *testing.T, response []byte) {
		if stamp, err := verify(response); err == nil {
			require.Equal(t, signed.Time, stamp.Time)
		}
	})
}
