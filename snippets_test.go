package identomat_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents returns the Markdown files that may contain Go code.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md"}
	for _, pattern := range []string{"CONTRIBUTING.md", "docs/*.md", "*/README.md", "*/*/README.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	return files
}

// packages holds the paths of the packages that a snippet may use without an import.
var packages = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "fs": "io/fs", "http": "net/http", "httptest": "net/http/httptest", "io": "io", "json": "encoding/json",
	"log": "log", "os": "os", "slog": "log/slog", "strings": "strings", "template": "html/template", "testing": "testing",
	"time": "time", "url": "net/url",
	"httpmock": "github.com/jarcoal/httpmock", "identomat": "github.com/identomat-go/identomat",
	"identomattest": "github.com/identomat-go/identomat/identomattest",
	"widget":        "github.com/identomat-go/identomat/widget",
	"evidence":      "github.com/identomat-go/identomat/evidence",
	"seal":          "github.com/identomat-go/identomat/evidence/seal", "age": "filippo.io/age",
	"idenfy": "github.com/identomat-go/identomat/idenfy", "idenfytest": "github.com/identomat-go/identomat/idenfy/idenfytest",
}

// frame is the function around a document's snippet of statements, with the snippet's number. Its parameters are the
// variables that a snippet may use without declaring them.
const frame = `func snippet%d(ctx context.Context, client *identomat.Client, session *identomat.Session, result *identomat.Result,
	token identomat.Token, companyKey, secretKey string, w http.ResponseWriter, r *http.Request, t *testing.T,
	server *identomattest.Server) error {
	{
%s
%s	}
	return nil
}
`

// program returns a source file that contains a snippet. A snippet is a whole program, declarations
// or statements.
func program(t *testing.T, snippet string, number int) string {
	t.Helper()
	files := gotoken.NewFileSet()
	if _, err := parser.ParseFile(files, "", snippet, 0); err == nil {
		return snippet
	}
	if _, err := parser.ParseFile(files, "", "package p\n"+snippet, 0); err != nil {
		file, err := parser.ParseFile(files, "", "package p\nfunc _() {\n"+snippet+"\n}", 0)
		require.NoError(t, err, snippet)
		used := ""
		for _, statement := range file.Decls[0].(*ast.FuncDecl).Body.List {
			if assign, ok := statement.(*ast.AssignStmt); ok && assign.Tok == gotoken.DEFINE {
				for _, left := range assign.Lhs {
					switch name := left.(*ast.Ident).Name; name {
					case "_":
					case "err":
						used += "if err != nil { return err }\n"
					default:
						used += "_ = " + name + "\n"
					}
				}
			}
		}
		snippet = fmt.Sprintf(frame, number, snippet, used)
	}
	file, err := parser.ParseFile(files, "", "package p\n"+snippet, 0)
	require.NoError(t, err, snippet)
	var imports []string
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := selector.X.(*ast.Ident); ok && packages[name.Name] != "" {
				imports = append(imports, fmt.Sprintf("import %q\n", packages[name.Name]))
			}
		}
		return true
	})
	slices.Sort(imports)
	return "package snippet\n" + strings.Join(slices.Compact(imports), "") + snippet
}

// calls maps each function that a snippet of the README declares to the body of a test that calls it.
var calls = map[string]string{
	"callbacks": `
		woken := identomat.Token("")
		handler, err := callbacks([]string{"key"}, nil, func(_ context.Context, token identomat.Token) error {
			woken = token
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		body := strings.NewReader("{\"callbackApiKey\":\"key\",\"type\":\"status\",\"sessionId\":\"24fad7ee8a3b9b6e4b9a9ec58b1ae9d8f4c0c6a1\"}")
		request := httptest.NewRequest("POST", "/", body)
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != 200 || woken != "24fad7ee8a3b9b6e4b9a9ec58b1ae9d8f4c0c6a1" {
			t.Fatal(response.Code, response.Body)
		}`,
}

// callSnippet is the test of a snippet of statements.
const callSnippet = `
		server := identomattest.NewServer(t)
		client := server.Client()
		session, err := client.Sessions.Begin(t.Context(), identomat.BeginRequest{Steps: identomat.Steps{identomat.IdentityDocument(), identomat.Liveness()}})
		if err != nil {
			t.Fatal(err)
		}
		server.Approve(session.Token)
		if err := snippet%d(t.Context(), client, session, nil, session.Token, "company-key", "secret-key", nil, nil, t, server); err != nil {
			t.Fatal(err)
		}`

// runnable returns the test file that calls a snippet, or nothing if the snippet is a test.
func runnable(t *testing.T, snippet string, number int) string {
	t.Helper()
	body := fmt.Sprintf(callSnippet, number)
	if file, err := parser.ParseFile(gotoken.NewFileSet(), "", "package p\n"+snippet, 0); err == nil {
		name := file.Decls[0].(*ast.FuncDecl).Name.Name
		if strings.HasPrefix(name, "Test") {
			return ""
		}
		require.Contains(t, calls, name)
		body = calls[name]
	}
	return program(t, fmt.Sprintf("func TestSnippet%d(t *testing.T) {%s\n}", number, body), number)
}

var fenced = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// TestSnippets compiles the Go code of every document and of this module's package comments. Except for its whole
// program, which .ci/run readme runs, the README's code runs against the fake.
func TestSnippets(t *testing.T) {
	// With an overlay, the snippets are part of this module, but no files are written to it.
	here, err := os.Getwd()
	require.NoError(t, err)
	dir, replace := t.TempDir(), map[string]string{}
	add := func(name, file, source string) {
		path := filepath.Join(dir, name+"-"+file)
		require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
		replace[filepath.Join(here, "internal", "snippets", name, file)] = path
	}
	for _, folder := range []string{".", "widget", "evidence", "identomattest", "idenfy"} {
		p := packageDoc(t, folder)
		for i, block := range p.Parser().Parse(p.Doc).Content {
			code, ok := block.(*comment.Code)
			if !ok {
				continue
			}
			_, err := parser.ParseFile(gotoken.NewFileSet(), "", "package p\nfunc _() {\n"+code.Text+"\n}", 0)
			if strings.Contains(code.Text, ":= ") { // other blocks are trees of files or headers
				require.NoError(t, err, code.Text)
			}
			if err == nil {
				add(fmt.Sprintf("package-%s-%d", p.Name, i), "main.go", program(t, code.Text, i))
			}
		}
	}
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		if document == "README.md" {
			assert.LessOrEqual(t, len(text), 12_000, "README.md is too long to be read")
		}
		for i, match := range fenced.FindAllStringSubmatch(string(text), -1) {
			name := regexp.MustCompile(`\W`).ReplaceAllString(document, "_")
			if document != "README.md" || strings.HasPrefix(match[1], "package main") {
				add(fmt.Sprintf("%s-%d", name, i), "main.go", program(t, match[1], i))
				continue
			}
			add(name, fmt.Sprintf("snippet%d_test.go", i), program(t, match[1], i))
			if test := runnable(t, match[1], i); test != "" {
				add(name, fmt.Sprintf("call%d_test.go", i), test)
			}
		}
	}
	require.NotEmpty(t, replace)
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	build := func(args ...string) {
		args = slices.Insert(args, 1, "-buildvcs=false", "-overlay", filepath.Join(dir, "overlay.json"))
		out, err := exec.Command("go", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	build("build", "./internal/snippets/...")
	t.Logf("%d files", len(replace))

	// The test runs in a temporary folder, because its package has no folder.
	tests := filepath.Join(dir, "readme.test")
	build("test", "-vet=off", "-c", "-o", tests, "./internal/snippets/README_md")
	run := exec.Command(tests, "-test.v")
	run.Dir = t.TempDir()
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, strings.Count(string(out), "=== RUN"), strings.Count(string(out), "--- PASS"), "%s", out)
	t.Logf("%d snippets ran", strings.Count(string(out), "--- PASS"))
}
