package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/evidence/seal"
	"github.com/identomat-go/identomat/evidence/seal/sealtest"
)

// What is kept is the encrypted package with its time stamp, the identity, and the receipt.
func TestRunKeepsPackageAndReceipt(t *testing.T) {
	authority := sealtest.NewServer(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Root.Raw}), 0o600))
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-authority", authority.URL, "-roots", roots, "-out", dir}, &out))

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	assert.Equal(t, []string{"identity.txt", "package.zip.age", "receipt.json"}, names)

	key, err := os.ReadFile(filepath.Join(dir, "identity.txt"))
	require.NoError(t, err)
	assert.NotContains(t, out.String(), "AGE-SECRET-KEY")
	identity, err := age.ParseHybridIdentity(strings.TrimSpace(string(key)))
	require.NoError(t, err)
	archive, stop, err := decrypt(filepath.Join(dir, "package.zip.age"), identity)
	require.NoError(t, err)
	defer stop()
	check, err := evidence.Verify(archive)
	require.NoError(t, err)
	_, err = seal.VerifyStamp(archive, authority.Roots)
	require.NoError(t, err)

	data, err := os.ReadFile(filepath.Join(dir, "receipt.json"))
	require.NoError(t, err)
	var receipt evidence.Receipt
	require.NoError(t, json.Unmarshal(data, &receipt))
	assert.Equal(t, check.Digest, receipt.Digest)
	assert.True(t, receipt.Complete)
	assert.Len(t, receipt.Seals, 1)
}

func TestRunWithoutAuthority(t *testing.T) {
	temp := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} { // TMP on Windows
		t.Setenv(name, temp)
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Regexp(t, `(?m)^collected  media/face$`, out.String())
	assert.Regexp(t, `(?m)^absent     media/passport `, out.String())
	assert.Contains(t, out.String(), "Stamped    no, because there is no -authority\n")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// Nothing is erased without a time stamp that was asked for.
func TestRunStopsWithoutTimeStamp(t *testing.T) {
	authority, other := sealtest.NewServer(t), sealtest.NewServer(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Root.Raw}), 0o600))
	dir := t.TempDir()
	err := run(t.Context(), []string{"-authority", authority.URL, "-roots", roots, "-out", dir}, &bytes.Buffer{})
	require.ErrorIs(t, err, seal.ErrInvalidStamp)
	assert.NoFileExists(t, filepath.Join(dir, "receipt.json"))
}
