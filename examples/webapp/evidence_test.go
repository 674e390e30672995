package main

import (
	"archive/zip"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// openPackage verifies a downloaded package and returns its content.
func openPackage(t *testing.T, data string) (*evidence.Check, fs.FS) {
	t.Helper()
	archive, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	check, err := evidence.Verify(archive)
	require.NoError(t, err)
	return check, check.FS
}

// receipt returns the stored receipt of a verification.
func (b *bank) receipt(id int64) (r evidence.Receipt) {
	b.Helper()
	require.NoError(b, json.Unmarshal(b.record(id).Receipt, &r))
	return r
}

func TestEvidenceHoldsDecisionAndChecks(t *testing.T) {
	b := newBank(t)
	customer, reviewer := b.signedIn("customer-1"), b.signedIn("reviewer-1")
	require.NoError(t, b.fake.ManualCheck(customer.begin()))
	b.work()
	assert.Contains(t, reviewer.get("/review/1/evidence").body, "There is no evidence yet.")
	reviewer.press("/review", "/review/1/screening")
	for _, hit := range []string{"67137933a2176f0797f1e601", "67137933a2176f0797f1e602"} {
		reviewer.press("/review", "/review/1/person", "person", hit)
	}
	require.Equal(t, 3, b.count("checks"))
	reviewer.press("/review", "/review/1/decision", "outcome", "rejected")
	assert.Contains(t, reviewer.get("/review/1").body, "The bank is collecting the evidence")
	b.work()

	got := reviewer.get("/review/1/evidence")
	require.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, "application/zip", got.header.Get("Content-Type"))
	check, files := openPackage(t, got.body)
	assert.True(t, check.Complete)
	decision, err := fs.ReadFile(files, "data/decision.json")
	require.NoError(t, err)
	assert.JSONEq(t, `{"verification":1,"outcome":"rejected","reason":"reviewer","decidedBy":"reviewer-1","decidedAt":"`+
		b.latest("customer-1").Decided.UTC().Format(time.RFC3339Nano)+`"}`, string(decision))
	names, err := fs.Glob(files, "data/checks/*.json")
	require.NoError(t, err)
	require.Len(t, names, 3)
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		assert.Contains(t, strings.ToLower(string(data)), "smith")
		assert.Contains(t, string(data), `"who":"reviewer-1"`)
	}
	assert.Equal(t, got.body, reviewer.get("/review/1/evidence").body, "every download has the same bytes")
}

// While the service has not sent everything, nothing is downloaded or erased. The engine fetches only what is missing.
func TestIncompleteEvidence(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	reviewer := b.signedIn("reviewer-1")
	b.fake.Fault("result/face/", identomattest.HTTPStatus(503), 0)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	for _, got := range []response{reviewer.get("/review/1/evidence"), reviewer.press("/review", "/review/1/erasure")} {
		assert.Equal(t, http.StatusConflict, got.status)
		assert.Contains(t, got.body, "The evidence is incomplete, because Identomat has not sent everything yet.")
	}
	assert.Len(t, b.fake.Sessions(), 1)
	assert.Nil(t, b.record(1).Receipt)
	assert.Zero(t, b.count("audit WHERE action IN ('downloaded the evidence', 'erased the session at Identomat')"))
	images := countRequests(b.fake, "result/card-front/")

	b.fake.ClearFaults()
	b.advance(time.Minute)
	b.work()
	check, _ := openPackage(t, reviewer.get("/review/1/evidence").body)
	assert.True(t, check.Complete)
	assert.Equal(t, images, countRequests(b.fake, "result/card-front/"), "what is there is not fetched again")
}

func TestChangedEvidence(t *testing.T) {
	b, reviewer, _ := newReview(t)
	decision := filepath.Join(b.store.evidenceOf("1"), "data", "decision.json")
	require.NoError(t, os.WriteFile(decision, []byte(`{"outcome":"rejected"}`), 0o600))
	for _, got := range []response{reviewer.get("/review/1/evidence"), reviewer.press("/review", "/review/1/erasure")} {
		assert.Equal(t, http.StatusInternalServerError, got.status)
		assert.Contains(t, got.body, "The evidence was changed after the bank had collected it.")
	}
	assert.Len(t, b.fake.Sessions(), 1)
	assert.Contains(t, b.logged.String(), "decision.json", "the log names the file")
}

func TestSessionGoneBeforeCollection(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	reviewer := b.signedIn("reviewer-1")
	require.NoError(t, b.fake.ManualCheck(token))
	b.work()
	_, err := b.server.client.Sessions.Delete(t.Context(), token)
	require.NoError(t, err)
	reviewer.press("/review", "/review/1/decision", "outcome", "approved")
	b.work()
	assert.False(t, b.latest("customer-1").Collecting, "there is nothing to collect")
	for _, got := range []response{reviewer.get("/review/1/evidence"), reviewer.press("/review", "/review/1/erasure")} {
		assert.Equal(t, http.StatusConflict, got.status)
		assert.Contains(t, got.body, "The evidence is incomplete, because Identomat no longer had the session")
	}
}

func TestSessionGoneDuringCollection(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	reviewer := b.signedIn("reviewer-1")
	b.fake.Fault("result/face/", identomattest.Response(404, "application/json", `{"argumentError":"session-not-found"}`), 0)
	require.NoError(t, b.fake.Approve(token))
	b.work()
	assert.False(t, b.latest("customer-1").Collecting)
	for _, got := range []response{reviewer.get("/review/1/evidence"), reviewer.press("/review", "/review/1/erasure")} {
		assert.Equal(t, http.StatusConflict, got.status)
		assert.Contains(t, got.body, "The evidence is incomplete, because Identomat no longer had the session")
	}
}

func TestErasureRefusedOrUnconfirmed(t *testing.T) {
	b := newBank(t)
	token := b.signedIn("customer-1").begin()
	reviewer := b.signedIn("reviewer-1")
	assert.Equal(t, http.StatusConflict, reviewer.press("/review", "/review/1/erasure").status, "the verification is not decided")
	require.NoError(t, b.fake.Approve(token))
	b.work()
	b.fake.Fault("delete/", identomattest.HTTPStatus(503), 0)
	got := reviewer.press("/review", "/review/1/erasure")
	assert.Equal(t, http.StatusBadGateway, got.status)
	assert.Contains(t, got.body, "Identomat did not confirm that the session was erased.")
	assert.Nil(t, b.record(1).Receipt)
	b.fake.ClearFaults()
	b.advance(time.Minute)
	b.work()
	assert.NotNil(t, b.record(1).Receipt, "the engine tries again")
}

// The receipt survives the customer's own erasure, which deletes the evidence too.
func TestReceiptSurvivesErasure(t *testing.T) {
	b, reviewer, _ := newReview(t)
	for range 2 { // the reviewer presses the button twice
		assert.Equal(t, "/review/1#evidence", reviewer.press("/review", "/review/1/erasure").header.Get("Location"))
	}
	receipt := b.receipt(1)
	assert.True(t, receipt.Verified && receipt.Complete && !receipt.Gone)
	assert.Equal(t, 1, b.count("audit WHERE who = 'reviewer-1' AND action = 'erased the session at Identomat'"))
	assert.Equal(t, 1, countRequests(b.fake, "delete/"))

	b.signedIn("customer-1").press("/erase", "/erase")
	b.work()
	assert.Zero(t, b.count("verifications"))
	assert.NoDirExists(t, b.store.evidenceOf("1"))
	assert.Equal(t, receipt, b.receipt(1))
	assert.Equal(t, 1, b.count("audit WHERE who = 'customer' AND action = 'erased the records and the evidence'"))
}

// A customer can erase a session that was never decided, so that it has no evidence.
func TestErasureWithoutEvidence(t *testing.T) {
	b := newBank(t)
	customer := b.signedIn("customer-1")
	customer.begin()
	customer.press("/erase", "/erase")
	b.work()
	assert.Empty(t, b.fake.Sessions())
	receipt := b.receipt(1)
	assert.False(t, receipt.Verified)
	assert.Equal(t, "the customer requested the erasure", receipt.Reason)
}
