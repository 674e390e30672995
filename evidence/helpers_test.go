package evidence_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/identomattest"
)

// longTests selects the long version of tests that also have a short version.
var longTests = os.Getenv("IDENTOMAT_LONG_TESTS") != ""

const (
	configID = "679c74e4d9725987e3879265" // the sample configuration of the fake
	decision = `{"decision":"accepted"}`
)

// everything describes a session that leaves every kind of evidence.
var everything = identomat.BeginRequest{
	ConfigID: configID,
	Steps: identomat.Steps{
		identomat.IdentityDocument().Types(identomat.IDCard),
		identomat.Liveness(),
		identomat.SelfieWithID(),
		identomat.ProofOfAddress(identomat.BankStatement).Key("bank"),
		identomat.UserQuestionnaire("employment").Ask(
			identomat.TextQuestion("name", identomat.Text{"en": "Your name"}),
			identomat.FileQuestion("contract", identomat.Text{"en": "Contract"}).MaxFiles(2),
		),
		identomat.VideoCall(),
	},
}

// decided begins a session that leaves every kind of evidence, and approves it.
func decided(t testing.TB, server *identomattest.Server) identomat.Token {
	t.Helper()
	return decidedWith(t, server, server.Client())
}

func decidedWith(t testing.TB, server *identomattest.Server, client *identomat.Client) identomat.Token {
	t.Helper()
	session, err := client.Sessions.Begin(t.Context(), everything)
	require.NoError(t, err)
	require.NoError(t, server.SetMedia(session.Token, "result/passport/", "image/jpeg", identomattest.FaceJPEG(64, 64)))
	require.NoError(t, server.Approve(session.Token, identomattest.WithAnswer("employment", "contract", 2)))
	return session.Token
}

// collect collects a decided session into a new folder.
func collect(t testing.TB, server *identomattest.Server, token identomat.Token) (dir string, report *evidence.Report) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "package")
	report, err := evidence.Collect(t.Context(), server.Client(), token, evidence.Dir(dir), evidence.With("decision.json", []byte(decision)))
	require.NoError(t, err)
	return dir, report
}

// contents returns the files of a file system by path.
func contents(t testing.TB, fsys fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		files[name] = string(data)
		return err
	}))
	return files
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		must(json.NewEncoder(os.Stdout).Encode(child()))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// forge rewrites the tag manifests, so that only the content of the other files can give a change away.
func forge(files fstest.MapFS) {
	for _, hash := range []struct {
		name string
		sum  func([]byte) string
	}{
		{"sha256", func(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }},
		{"sha512", func(data []byte) string { return fmt.Sprintf("%x", sha512.Sum512(data)) }},
	} {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !strings.Contains(name, "/") && !strings.HasPrefix(name, "tagmanifest-") {
				fmt.Fprintf(&b, "%s  %s\n", hash.sum(files[name].Data), name)
			}
		}
		files["tagmanifest-"+hash.name+".txt"].Data = []byte(b.String())
	}
}
