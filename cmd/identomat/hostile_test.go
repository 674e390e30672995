package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/identomattest"
)

// The service's texts must neither control the terminal nor be formulas of a spreadsheet.
func TestCSVIsSafe(t *testing.T) {
	server := start(t)
	token := begin(t, server)
	for text, want := range map[string]string{
		`=HYPERLINK("http://evil")`: `'=HYPERLINK("http://evil")`,
		"@SUM(A1)":                  "'@SUM(A1)",
		"+1 202":                    "'+1 202",
		"-cmd|x":                    "'-cmd|x",
		"-0.5":                      "-0.5",
		"+12025550123":              "+12025550123",
		"a\x1b[2J\u009b\u202e":      `a\u001b[2J\u009b\u202e`,
	} {
		raw, err := json.Marshal(map[string]any{"result": "approved", "reject_reason": map[string]string{"value": text}})
		require.NoError(t, err)
		require.NoError(t, server.SetResult(token, string(raw)))
		rows, err := csv.NewReader(strings.NewReader(command(t, "", "result", "@token.txt", "-o", "csv").out)).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 2)
		assert.Equal(t, want, rows[1][1])
	}
}

// An argument too many may be a name without quotes, or a key.
func TestUnexpectedArgumentIsNotRepeated(t *testing.T) {
	start(t)
	for _, args := range [][]string{{"screen", "John", "Smith"}, {"key", "set", "Smith"}} {
		for _, format := range []string{"json", "table"} {
			got := command(t, "", append(args, "-o", format)...)
			assert.Equal(t, 2, got.code)
			assert.NotContains(t, got.out+got.err, "Smith")
		}
	}
}

// Without headings, the first row holds a person.
func TestBlacklistWithoutHeadings(t *testing.T) {
	server := start(t)
	for _, text := range []string{"John,forged\n", "John,forged\nNino,forged\n"} {
		got := command(t, text, "blacklist", "add", "-f", "-")
		assert.Equal(t, 2, got.code)
		assert.NotContains(t, got.err, "John")
		assert.Contains(t, got.err, "standard input:1: column 1 is not one of")
	}
	got := command(t, "reason,firstName,reason\nforged,John,fraud\n", "blacklist", "add", "-f", "-")
	assert.Equal(t, output{"", "standard input:1: column 3 has the name of an earlier column\n", 2}, got)
	assert.Zero(t, server.Count("add-blacklist-record"))
}

func TestBlacklistNamesTheLineOfAWrongValue(t *testing.T) {
	start(t)
	text := "firstName,birthday,reason\nJohn,1980-01-08,forged\nNino,08/01/1980,forged\n"
	got := command(t, text, "blacklist", "add", "-f", "-")
	assert.Equal(t, 2, got.code)
	assert.Equal(t, "standard input:3: birthday: must be a date in ISO 8601, such as 1990-05-14\n", got.err)
}

// A session must not begin, and be billed, if its token cannot be written.
func TestTokenFileInMissingDirectory(t *testing.T) {
	server := start(t)
	got := command(t, "", "begin", "--yes", "--token-file", filepath.Join("missing", "token.txt"))
	assert.Equal(t, 1, got.code)
	assert.Zero(t, server.Count("begin/"))
}

// The session is printed even if its token cannot be written, and standard output stays one JSON value.
func TestTokenFileThatIsADirectory(t *testing.T) {
	server := start(t)
	require.NoError(t, os.Mkdir("token", 0o700))
	got := command(t, "", "begin", "--yes", "--token-file", "token", "-o", "json")
	assert.Equal(t, 1, got.code)
	var printed struct {
		Error   failure
		Records []struct{ Token string }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &printed))
	require.Len(t, printed.Records, 1)
	assert.Equal(t, string(server.Sessions()[0].Token), printed.Records[0].Token)
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Len(t, entries, 1, "a temporary file is left")
}

func TestBatchWithFailuresPrintsOneJSONValue(t *testing.T) {
	server := start(t)
	server.Fault("result/", identomattest.HTTPStatus(501), 0)
	got := command(t, "token\nabc\n", "batch", "results", "-f", "-", "-o", "results.jsonl", "--json")
	assert.Equal(t, 1, got.code)
	var printed struct {
		Error   failure
		Records []batchReport
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &printed))
	assert.Equal(t, []batchReport{{Total: 1, Failed: 1}}, printed.Records)
}

func TestInterruptedBatchSaysHowToGoOn(t *testing.T) {
	start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runWith(ctx, streams{in: strings.NewReader("token\nabc\n"), width: func() int { return 80 }}, []string{"batch", "results", "-f", "-", "-o", "results.jsonl"})
	assert.Equal(t, output{"", "identomat: interrupted\n0 of 1 results are in the file. Run this again to go on.\n", 130}, got)
}

func TestBatchRestrictsAnExistingFile(t *testing.T) {
	start(t)
	require.NoError(t, os.WriteFile("results.jsonl", nil, 0o644)) //nolint:gosec // the mode is the subject
	require.NoError(t, os.Chmod("results.jsonl", 0o644))          //nolint:gosec // whatever the umask is
	assert.Equal(t, 0, command(t, "token\nabc\n", "batch", "results", "-f", "-", "-o", "results.jsonl").code)
	info, err := os.Stat("results.jsonl")
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// Where --output names a file, "-o json" is a mistake.
func TestOutputIsNotAFormat(t *testing.T) {
	start(t)
	for _, args := range [][]string{{"media", "abc"}, {"export", "abc"}, {"evidence", "pack", "abc"}, {"batch", "results", "-f", "abc"}} {
		got := command(t, "", append(args, "-o", "csv")...)
		assert.Equal(t, 2, got.code)
		assert.Contains(t, got.err, `--output csv: this command's --output is a name, not a format; use --json, or ./csv`)
	}
}

// A search makes more than one request, so it must not ask for consent to one.
func TestScreenAsksForEveryRequest(t *testing.T) {
	server := start(t)
	got := command(t, "", "screen", "John Smith")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "each request of the search may be billed")
	assert.Zero(t, server.Count("search-screening-person"))
}

// Hits that were paid for are printed, even if a later request fails.
func TestScreenPrintsHitsBeforeAnError(t *testing.T) {
	server := start(t)
	server.Fault("search-screening-person", identomattest.Response(200, "application/json", `{"result":[{"score":100,"name":"John Smith","entityType":"person","personId":"1","topics":["Sanctioned entity"]}]}`), 1)
	server.Fault("search-screening-person", identomattest.HTTPStatus(501), 1)
	got := command(t, "", "screen", "John Smith", "--yes", "-o", "table")
	assert.NotZero(t, got.code)
	assert.Contains(t, got.out, "Sanctioned entity")
}

// A user's name is an email address.
func TestUsersAreMasked(t *testing.T) {
	start(t)
	got := command(t, "ana-password-1\n", "users", "create", "ana@bank.example", "--right", "operator")
	require.Equal(t, 0, got.code, got.err)
	got = command(t, "", "users", "list")
	assert.NotContains(t, got.out, "ana@")
	assert.Contains(t, got.out, `"operator"`)
	assert.Contains(t, command(t, "", "users", "list", "--reveal").out, "ana@")
}

// Two runs at the same time must not write over each other's lines.
func TestTwoBatchesAppend(t *testing.T) {
	t.Chdir(t.TempDir())
	first, _, err := openOutput("results.jsonl")
	require.NoError(t, err)
	defer first.Close()
	second, _, err := openOutput("results.jsonl")
	require.NoError(t, err)
	defer second.Close()
	_, err = first.WriteString("{1}\n")
	require.NoError(t, err)
	_, err = second.WriteString("{2}\n")
	require.NoError(t, err)
	assert.Equal(t, "{1}\n{2}\n", string(readFile(t, "results.jsonl")))
}

func TestInterruptedPackLeavesNoFile(t *testing.T) {
	server := start(t)
	require.NoError(t, server.Approve(begin(t, server)))
	require.Equal(t, 0, command(t, "", "evidence", "collect", "@token.txt", "evidence").code)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runWith(ctx, streams{width: func() int { return 80 }}, []string{"evidence", "pack", "evidence", "-o", "evidence.zip"})
	assert.Equal(t, output{"", "identomat: interrupted\n", 130}, got)
	entries, err := filepath.Glob("*")
	require.NoError(t, err)
	hidden, err := filepath.Glob(".identomat*")
	require.NoError(t, err)
	assert.Equal(t, []string{"evidence", "token.txt"}, append(entries, hidden...))
}

func TestUnknownOutcomeIsExplained(t *testing.T) {
	server := start(t)
	require.NoError(t, server.SetResult(begin(t, server), `{"result":"approved_with_conditions"}`))
	got := command(t, "", "result", "@token.txt")
	assert.Equal(t, output{`{"result":"approved_with_conditions"}` + "\n", "This program does not know this outcome.\n", 1}, got)
}

func TestReplayErrorHoldsNoURL(t *testing.T) {
	start(t)
	got := command(t, "{}", "callback", "replay", "-", "--to", "http://127.0.0.1:1/?key=secret-of-the-url")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "127.0.0.1:1")
	assert.NotContains(t, got.err, "secret-of-the-url")
}
