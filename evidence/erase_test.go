package evidence_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

func TestEraseACompletePackage(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC())
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "seal"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "seal/1.tsr"), []byte("time"), 0o600))
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	required := false
	receipt, err := evidence.Erase(t.Context(), server.Client(), token, os.DirFS(dir), evidence.Require(func(fsys fs.FS) error {
		required = true
		data, err := fs.ReadFile(fsys, "seal/1.tsr")
		assert.Equal(t, "time", string(data))
		return err
	}))
	require.NoError(t, err)
	assert.True(t, required)
	assert.Equal(t, evidence.Receipt{
		Version: 1, Session: check.Session, Erased: receipt.Erased, Attempts: 1, Status: 200, SignatureVerified: true, Verified: true, Complete: true,
		Digest: check.Digest, Files: check.Files, Bytes: check.Bytes,
		Seals: map[string]string{"seal/1.tsr": "336074805fc853987abe6f7fe3ad97a6a6f3077a16391fec744f671a015fbd7e"},
	}, *receipt)
	_, err = server.Client().Sessions.Result(t.Context(), token)
	require.ErrorIs(t, err, identomat.ErrSessionNotFound)
	data, err := json.Marshal(receipt)
	require.NoError(t, err)
	assert.NotContains(t, string(data), string(token))

	receipt, err = evidence.Erase(t.Context(), server.Client(), token, os.DirFS(dir))
	require.NoError(t, err)
	assert.True(t, receipt.Gone)
}

func TestEraseRefuses(t *testing.T) {
	server := identomattest.NewServer(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	other, _ := collect(t, server, decided(t, server))
	damaged := inMemory(t, os.DirFS(dir))
	damaged["data/media/face.jpg"].Data[0] ^= 1
	server.Fault("result/face/", identomattest.HTTPStatus(503), 0)
	incomplete := filepath.Join(t.TempDir(), "incomplete")
	client := server.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	_, err := evidence.Collect(t.Context(), client, token, evidence.Dir(incomplete))
	require.ErrorIs(t, err, evidence.ErrIncomplete)
	server.ClearFaults()
	noSeal := errors.New("no time stamp")
	for name, c := range map[string]struct {
		fsys fs.FS
		opt  evidence.EraseOption
		want error
	}{
		"nothing":                  {fstest.MapFS{}, evidence.Anyway(" "), evidence.ErrMissing},
		"damaged":                  {damaged, evidence.Anyway(""), evidence.ErrChanged},
		"incomplete":               {os.DirFS(incomplete), evidence.Anyway(""), evidence.ErrIncomplete},
		"another session":          {os.DirFS(other), evidence.Anyway("the customer asked"), evidence.ErrOtherSession},
		"without a required check": {os.DirFS(dir), evidence.Require(func(fs.FS) error { return noSeal }), noSeal},
	} {
		_, err := evidence.Erase(t.Context(), server.Client(), token, c.fsys, c.opt)
		assert.ErrorIs(t, err, c.want, name)
	}
	assert.Zero(t, server.Count("delete/"))

	receipt, err := evidence.Erase(t.Context(), server.Client(), token, os.DirFS(incomplete), evidence.Anyway("the customer asked"))
	require.NoError(t, err)
	assert.Equal(t, []any{true, false, "the customer asked"}, []any{receipt.Verified, receipt.Complete, receipt.Reason})
	receipt, err = evidence.Erase(t.Context(), server.Client(), token, damaged, evidence.Anyway("the disk failed"))
	require.NoError(t, err)
	assert.Equal(t, []any{false, false, "the disk failed", ""}, []any{receipt.Verified, receipt.Complete, receipt.Reason, receipt.Digest})
}

// After a lost response the session may be gone, so the caller tries again.
func TestEraseAgainAfterALostResponse(t *testing.T) {
	server := identomattest.NewServer(t)
	token := decided(t, server)
	dir, _ := collect(t, server, token)
	client := server.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
	server.Fault("delete/", identomattest.ResetAfterRead(), 1)
	_, err := evidence.Erase(t.Context(), client, token, os.DirFS(dir))
	require.Error(t, err)
	assert.True(t, identomat.MaybeProcessed(err))
	receipt, err := evidence.Erase(t.Context(), client, token, os.DirFS(dir))
	require.NoError(t, err)
	assert.True(t, receipt.Gone)
}
