package seal_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/evidence/seal"
	"github.com/identomat-go/identomat/evidence/seal/sealtest"
)

func newIdentity(t testing.TB) *age.HybridIdentity {
	t.Helper()
	identity, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	return identity
}

// encrypt returns a stamped package, and the same package encrypted.
func encrypt(t testing.TB, authority seal.Authority, recipients ...age.Recipient) (dir string, encrypted []byte) {
	t.Helper()
	dir = collect(t, evidence.With("decision.json", []byte(`{"decision":"accepted"}`)))
	_, err := seal.Stamp(t.Context(), dir, authority)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, seal.Encrypt(&out, os.DirFS(dir), recipients...))
	return dir, out.Bytes()
}

// decrypted decrypts and verifies.
func decrypted(encrypted []byte, identity age.Identity) (*evidence.Check, error) {
	archive, err := seal.Decrypt(bytes.NewReader(encrypted), int64(len(encrypted)), identity)
	if err != nil {
		return nil, err
	}
	return evidence.Verify(archive)
}

func TestEveryRecipientDecrypts(t *testing.T) {
	authority := sealtest.NewServer(t)
	one, two := newIdentity(t), newIdentity(t)
	dir, encrypted := encrypt(t, authority.Authority, one.Recipient(), two.Recipient())
	assert.NotContains(t, string(encrypted), "bagit.txt")
	want, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	stamped, err := seal.VerifyStamp(os.DirFS(dir), authority.Roots)
	require.NoError(t, err)
	for _, identity := range []*age.HybridIdentity{one, two} {
		check, err := decrypted(encrypted, identity)
		require.NoError(t, err)
		assert.Equal(t, want.Digest, check.Digest)
		verified, err := seal.VerifyStamp(check.FS, authority.Roots)
		require.NoError(t, err)
		assert.Equal(t, stamped, verified)
	}
}

// The streaming decryption of age gives the zip of Pack.
func TestEncryptedFileIsPackedPackage(t *testing.T) {
	identity := newIdentity(t)
	dir, encrypted := encrypt(t, sealtest.NewServer(t).Authority, identity.Recipient())
	plain, err := age.Decrypt(bytes.NewReader(encrypted), identity)
	require.NoError(t, err)
	got, err := io.ReadAll(plain)
	require.NoError(t, err)
	var want bytes.Buffer
	require.NoError(t, evidence.Pack(&want, os.DirFS(dir)))
	assert.True(t, bytes.Equal(want.Bytes(), got))
}

func TestDecryptErrors(t *testing.T) {
	identity := newIdentity(t)
	dir, encrypted := encrypt(t, sealtest.NewServer(t).Authority, identity.Recipient())

	_, err := decrypted(encrypted, newIdentity(t))
	var noMatch *age.NoIdentityMatchError
	require.ErrorAs(t, err, &noMatch)
	assert.NotContains(t, err.Error(), "AGE-SECRET-KEY")

	for name, damaged := range map[string][]byte{
		"empty":     nil,
		"truncated": encrypted[:len(encrypted)-1],
		"half":      encrypted[:len(encrypted)/2],
		"longer":    append(bytes.Clone(encrypted), 0),
	} {
		_, err := decrypted(damaged, identity)
		assert.Error(t, err, name)
	}
	for at := 0; at < len(encrypted); at += 997 {
		damaged := bytes.Clone(encrypted)
		damaged[at] ^= 1
		_, err := decrypted(damaged, identity)
		assert.Error(t, err, at)
	}

	// An error must not quote another file, which may not be encrypted.
	result, err := os.ReadFile(filepath.Join(dir, "data/result.json"))
	require.NoError(t, err)
	_, err = decrypted(result, identity)
	assert.EqualError(t, err, "seal: cannot decrypt: the file is not in the binary format of age")
	var other bytes.Buffer
	w, err := age.Encrypt(&other, identity.Recipient())
	require.NoError(t, err)
	_, err = w.Write(result)
	require.NoError(t, errors.Join(err, w.Close()))
	_, err = decrypted(other.Bytes(), identity)
	assert.EqualError(t, err, "seal: the package is not a zip: zip: not a valid zip file")
}

// After an error, nothing that was written can be decrypted.
func TestEncryptErrors(t *testing.T) {
	identity := newIdentity(t)
	dir := collect(t)
	require.ErrorContains(t, seal.Encrypt(io.Discard, os.DirFS(dir)), "seal: cannot encrypt: ")
	require.NoError(t, os.Remove(filepath.Join(dir, "data/result.json")))
	var out bytes.Buffer
	require.ErrorIs(t, seal.Encrypt(&out, os.DirFS(dir), identity.Recipient()), evidence.ErrMissing)
	plain, err := age.Decrypt(&out, identity)
	require.NoError(t, err)
	_, err = io.ReadAll(plain)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// heap is a file that measures the live heap at every 16th access.
type heap struct {
	*os.File
	accesses int
	peak     uint64
}

func (h *heap) measure() {
	h.accesses++
	if h.accesses%16 == 0 {
		h.peak = max(h.peak, liveHeap())
	}
}

func (h *heap) Write(p []byte) (int, error) {
	h.measure()
	return h.File.Write(p)
}

func (h *heap) ReadAt(p []byte, at int64) (int, error) {
	h.measure()
	return h.File.ReadAt(p, at)
}

func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestEncryptionInConstantMemory(t *testing.T) {
	const size, limit = 32 << 20, 2 << 20
	identity := newIdentity(t)
	dir := collect(t, evidence.With("video.bin", make([]byte, size)))
	file, err := os.Create(filepath.Join(t.TempDir(), "package.age"))
	require.NoError(t, err)
	defer file.Close()

	before := liveHeap()
	encrypting := &heap{File: file}
	require.NoError(t, seal.Encrypt(encrypting, os.DirFS(dir), identity.Recipient()))
	info, err := file.Stat()
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(size))
	decrypting := &heap{File: file}
	archive, err := seal.Decrypt(decrypting, info.Size(), identity)
	require.NoError(t, err)
	_, err = evidence.Verify(archive)
	require.NoError(t, err)

	for name, h := range map[string]*heap{"encrypting": encrypting, "decrypting": decrypting} {
		require.Greater(t, h.accesses, 16, name)
		t.Logf("%s: %d bytes over %d", name, int64(h.peak)-int64(before), before)
		assert.Less(t, h.peak, before+limit, name)
	}
}
