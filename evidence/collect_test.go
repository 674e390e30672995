package evidence_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/internal/operation"
)

func TestCollectEverything(t *testing.T) {
	server := identomattest.NewServer(t)
	token := decided(t, server)
	dir, report := collect(t, server, token)
	files := contents(t, os.DirFS(dir))
	assert.Equal(t, strings.Fields(`
		bag-info.txt bagit.txt collection.json
		data/activities.json data/decision.json data/documents/bank-statement.pdf
		data/media/card-back.jpg data/media/card-front.jpg data/media/document-face-photo.jpg data/media/face-document.jpg
		data/media/face-video.mp4 data/media/face.jpg data/media/passport.jpg
		data/questions/1-2-1.tar data/questions/1-2-2.tar
		data/report.pdf data/result.json data/session-config.json data/statistics.json
		data/video-call/shots-1.tar data/video-call/videos.tar data/visual-markers/1.tar
		manifest-sha256.txt manifest-sha512.txt tagmanifest-sha256.txt tagmanifest-sha512.txt`), slices.Sorted(maps.Keys(files)))
	assert.True(t, strings.HasPrefix(files["data/result.json"], `{"result":"approved",`), "the response as it arrived")
	assert.True(t, strings.HasPrefix(files["data/activities.json"], `{"result":[`), "the response as it arrived")
	assert.Equal(t, decision, files["data/decision.json"])
	assert.Equal(t, string(identomattest.FaceJPEG(64, 64)), files["data/media/passport.jpg"])

	var absent []string
	for _, s := range report.Sources {
		if s.State == evidence.Absent {
			absent = append(absent, fmt.Sprint(s.Name, " ", s.Status, " ", s.Reason))
		}
	}
	assert.Equal(t, []string{
		"documents/drivers-license 404 not-found", "documents/utility-bill 404 not-found",
		"documents/vehicle-registration-certificate-back 404 not-found", "documents/vehicle-registration-certificate-front 404 not-found",
		"questions/1-1-1 200 wrong-parameters", "questions/1-2-3 200 wrong-parameters",
	}, absent)
	check, err := evidence.Verify(os.DirFS(dir))
	require.NoError(t, err)
	assert.Equal(t, report, check.Report)
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(token))), check.Session)
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(files["tagmanifest-sha256.txt"]))), check.Digest)
	for name, data := range files {
		assert.NotContains(t, name, string(token))
		if !strings.HasPrefix(name, "data/") {
			assert.NotContains(t, data, string(token), name)
		}
	}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]
		assert.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

// Every row of the operation table is collected, or listed with a reason, but not both.
func TestEveryOperationIsCollectedOrListed(t *testing.T) {
	server := identomattest.NewServer(t)
	collect(t, server, decided(t, server))
	collected, skipped := evidence.CollectedOperations(), evidence.NotCollected()
	for _, op := range operation.All() {
		if collected[op] {
			assert.Empty(t, skipped[op], op.Name)
			assert.Positive(t, server.Count(op.Name), "%s is not called", op.Name)
			assert.True(t, op.Retryable, "%s may be billed", op.Name)
			continue
		}
		assert.NotEmpty(t, skipped[op], "%s is neither collected nor listed", op.Name)
		if op != operation.SessionBegin {
			assert.Zero(t, server.Count(op.Name), "%s is called", op.Name)
		}
	}
}

func TestCollectAgainFetchesAndChangesNothing(t *testing.T) {
	server := identomattest.NewServer(t)
	token := decided(t, server)
	dir, report := collect(t, server, token)
	before, requests := contents(t, os.DirFS(dir)), len(server.Requests())
	again, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("decision.json", []byte(decision)))
	require.NoError(t, err)
	assert.Equal(t, report, again)
	assert.Equal(t, before, contents(t, os.DirFS(dir)))
	assert.Len(t, server.Requests(), requests)
}

// The response is kept byte for byte, with white space, a byte order mark and members that the SDK does not
// know. An interrupted collection reads it from the folder.
func TestResultIsKeptByteForByte(t *testing.T) {
	const response = "\ufeff {\"result\":\t\"approved\", \"new_field\": [1, 2.50, \"\\u00e9\\/\"]}\r\n"
	server := quiet(t)
	token := decided(t, server)
	server.Fault("result/", identomattest.Response(200, "application/json", response), 1)
	dir := filepath.Join(t.TempDir(), "package")
	_, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.OnStep(func(change, path string) error {
		if path == "bagit.txt" {
			return syscall.EIO
		}
		return nil
	}))
	require.ErrorIs(t, err, syscall.EIO)
	_, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir))
	require.NoError(t, err)
	assert.Equal(t, 1, server.Count("result/"))
	data, err := os.ReadFile(filepath.Join(dir, "data/result.json"))
	require.NoError(t, err)
	assert.Equal(t, response, string(data))
}

// The record says whether the signature was checked.
func TestReportSaysWhetherSignaturesWereVerified(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	for _, signs := range []bool{false, true} {
		var opts []identomat.Option
		if signs {
			opts = append(opts, identomat.WithHMAC(server.SecretKey))
		}
		server.Fault("result/face/", identomattest.MissingSignature(), 1)
		report, err := evidence.Collect(t.Context(), server.Client(opts...), token, evidence.Dir(t.TempDir()))
		require.NoError(t, err)
		for _, s := range report.Sources {
			assert.Equal(t, signs && s.State == evidence.Collected && s.Name != "media/face", s.SignatureVerified, s.Name)
		}
	}
}

// The record counts the attempts.
func TestReportCountsAttempts(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	server.Fault("result/face/", identomattest.HTTPStatus(503), 1)
	client := server.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 2, BaseDelay: 1}))
	report, err := evidence.Collect(t.Context(), client, token, evidence.Dir(t.TempDir()))
	require.NoError(t, err)
	assert.Equal(t, []int{2, 200}, []int{sourceNamed(report, "media/face").Attempts, sourceNamed(report, "media/face").Status})
	assert.Equal(t, 1, sourceNamed(report, "result").Attempts)
}

// No document in the result is left out of a complete package.
func TestEveryDocumentOfTheResultIsRequested(t *testing.T) {
	server := quiet(t)
	token := decided(t, server)
	pages := strings.Repeat(`{"typeId":"#"},`, 120)
	for i := range 120 {
		pages = strings.Replace(pages, "#", "deed-"+strconv.Itoa(i), 1)
	}
	require.NoError(t, server.SetResult(token, `{"result":"approved","generalDocuments":[{"pages":[`+strings.TrimSuffix(pages, ",")+`]}]}`))
	server.Fault("result/general-document/", identomattest.HTTPStatus(404), 0)
	_, report := collect(t, server, token)
	assert.Equal(t, 5+120, server.Count("result/general-document/"))
	assert.Equal(t, "deed-119", sourceNamed(report, "documents/other-120").Parameters["typeId"])
}
