package evidence_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// promise is what Collect does after a fault.
type promise string

const (
	// complete: the source is absent, and the package complete.
	complete promise = "complete"
	// incomplete: the source has failed, and the next Collect completes the package.
	incomplete promise = "incomplete"
	// refused: Collect returns an error without a report, and the next Collect completes the package.
	refused promise = "refused"
)

// TestFaultTable tests what Collect promises for each fault and each kind of source. After every fault, there
// is no half file, and a Collect without faults completes the package.
func TestFaultTable(t *testing.T) {
	server := identomattest.NewServer(t, identomattest.RequireHMAC(), identomattest.WithLogf(func(string, ...any) {}))
	token := decided(t, server)
	reference, _ := collect(t, server, token)
	manifest := contents(t, os.DirFS(reference))["manifest-sha512.txt"]
	full := syscall.ENOSPC
	type kind struct{ name, operation, source, file, large string }
	large := strings.Repeat("\xff", 1<<20)
	kinds := []kind{
		{"image", "result/face/", "media/face", "data/media/face.jpg", "\xff\xd8\xff\xe0" + large},
		{"archive in JSON", "get-video-call-shots", "video-call/shots", "data/video-call/shots-1.tar", `{"result":[["data:application/x-tar;base64,` + strings.Repeat("/9j/", 1<<18) + `"]]}`},
		{"PDF", "export-session-as-pdf", "report", "data/report.pdf", "%PDF-1.4\n" + large},
		{"JSON", "list-session-activities", "activities", "data/activities.json", `{"result":[` + strings.Repeat(" ", 1<<20) + `]}`},
	}
	faults := []struct {
		name  string
		fault func(kind) identomattest.Fault // nil if the fault is not the server's
		want  error
		// promises are those for the kinds in order.
		promises [4]promise
	}{
		{"404", func(kind) identomattest.Fault { return identomattest.HTTPStatus(404) }, identomat.ErrUnexpectedResponse,
			[...]promise{complete, complete, complete, incomplete}},
		{"outage", func(kind) identomattest.Fault { return identomattest.HTMLPage(503) }, identomat.ErrUnexpectedResponse,
			[...]promise{incomplete, incomplete, incomplete, incomplete}},
		{"truncated", func(kind) identomattest.Fault { return identomattest.Truncated(100) }, io.ErrUnexpectedEOF,
			[...]promise{incomplete, incomplete, incomplete, incomplete}},
		{"wrong signature", func(kind) identomattest.Fault { return identomattest.WrongSignature() }, identomat.ErrSignatureMismatch,
			[...]promise{incomplete, incomplete, incomplete, incomplete}},
		{"too large", func(k kind) identomattest.Fault { return identomattest.Response(200, "", k.large) }, identomat.ErrTooLarge,
			[...]promise{incomplete, incomplete, incomplete, incomplete}},
		{"disk full", nil, full, [...]promise{refused, refused, refused, refused}},
		{"canceled", nil, context.Canceled, [...]promise{incomplete, incomplete, incomplete, incomplete}},
	}
	for _, fault := range faults {
		for i, kind := range kinds {
			t.Run(fault.name+", "+kind.name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "package")
				add := evidence.With("decision.json", []byte(decision))
				client := server.Client(identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}), identomat.WithMaxMediaSize(512<<10), identomat.WithMaxResponseSize(512<<10))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				opts := []evidence.Option{add}
				switch {
				case fault.fault != nil:
					server.Fault(kind.operation, fault.fault(kind), 1)
				case fault.name == "canceled":
					opts = append(opts, evidence.OnProgress(func(p evidence.Progress) {
						if p.Source == kind.source && p.State == "" {
							cancel()
						}
					}))
				default:
					opts = append(opts, evidence.OnStep(func(change, path string) error {
						if change == "write" && path == kind.file {
							return full
						}
						return nil
					}))
				}
				report, err := evidence.Collect(ctx, client, token, evidence.Dir(dir), opts...)
				server.ClearFaults()
				if err != nil {
					assert.NotContains(t, err.Error(), string(token))
				}
				check, verifyErr := evidence.Verify(os.DirFS(dir))
				state := sourceNamed(report, kind.source).State
				switch fault.promises[i] {
				case complete:
					require.NoError(t, err)
					require.NoError(t, verifyErr)
					assert.True(t, check.Complete)
					assert.Equal(t, evidence.Absent, state)
					assert.Equal(t, "404", sourceNamed(report, kind.source).Reason)
				case incomplete:
					require.ErrorIs(t, err, evidence.ErrIncomplete)
					require.ErrorIs(t, err, fault.want)
					if fault.name != "canceled" { // all other sources have failed, too
						assert.ErrorContains(t, err, "evidence: the package is incomplete: "+kind.source+": "+kind.operation)
					}
					require.NoError(t, verifyErr)
					assert.False(t, check.Complete)
					assert.Equal(t, report, check.Report)
					assert.Equal(t, evidence.Failed, state)
				case refused:
					require.ErrorIs(t, err, fault.want)
					assert.ErrorContains(t, err, `"`+kind.file+`"`)
					assert.NotContains(t, err.Error(), dir)
					assert.Nil(t, report)
					require.ErrorIs(t, verifyErr, evidence.ErrIncomplete)
				}
				assert.NotContains(t, contents(t, os.DirFS(dir)), kind.file)
				assertNoPartialFiles(t, dir)

				report, err = evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), add)
				require.NoError(t, err)
				check, err = evidence.Verify(os.DirFS(dir))
				require.NoError(t, err)
				assert.Equal(t, report, check.Report)
				if fault.promises[i] != complete {
					assert.Equal(t, manifest, contents(t, os.DirFS(dir))["manifest-sha512.txt"])
				}
			})
		}
	}
}

func sourceNamed(report *evidence.Report, name string) evidence.Source {
	if report != nil {
		for _, s := range report.Sources {
			if s.Name == name {
				return s
			}
		}
	}
	return evidence.Source{}
}

func assertNoPartialFiles(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		assert.False(t, strings.HasSuffix(path, ".part"), path)
		return err
	}))
}
