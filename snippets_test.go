package identomat_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documents returns the Markdown files that may contain Go code.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md"}
	for _, pattern := range []string{"CONTRIBUTING.md", "docs/*.md", "examples/*/README.md", "cmd/*/README.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	return files
}

// packages holds the paths of the packages that a snippet may use without an import.
var packages = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "fs": "io/fs", "http": "net/http", "httptest": "net/http/httptest", "io": "io",
	"log": "log", "os": "os", "slog": "log/slog", "strings": "strings", "template": "html/template", "testing": "testing",
	"time": "time", "url": "net/url",
	"httpmock": "github.com/jarcoal/httpmock", "identomat": "github.com/identomat-go/identomat",
	"identomattest": "github.com/identomat-go/identomat/identomattest",
	"widget":        "github.com/identomat-go/identomat/widget",
	"evidence":      "github.com/identomat-go/identomat/evidence",
	"seal":          "github.com/identomat-go/identomat/evidence/seal", "age": "filippo.io/age",
	"idenfy": "github.com/identomat-go/identomat/idenfy", "idenfytest": "github.com/identomat-go/identomat/idenfy/idenfytest",
}

// frame is the function around a snippet of statements. Its parameters are the variables that a
// snippet may use without declaring them.
const frame = `func _(ctx context.Context, client *identomat.Client, session *identomat.Session, result *identomat.Result,
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
func program(t *testing.T, snippet string) string {
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
					if name := left.(*ast.Ident).Name; name != "_" {
						used += "_ = " + name + "\n"
					}
				}
			}
		}
		snippet = fmt.Sprintf(frame, snippet, used)
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

var fenced = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

func TestSnippetsCompile(t *testing.T) {
	// With an overlay, the snippets are part of this module, but no files are written to it.
	here, err := os.Getwd()
	require.NoError(t, err)
	dir, replace := t.TempDir(), map[string]string{}
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for i, match := range fenced.FindAllStringSubmatch(string(text), -1) {
			name := fmt.Sprintf("%s-%d", regexp.MustCompile(`\W`).ReplaceAllString(document, "_"), i+1)
			source := filepath.Join(dir, name+".go")
			require.NoError(t, os.WriteFile(source, []byte(program(t, match[1])), 0o600))
			replace[filepath.Join(here, "internal", "snippets", name, "main.go")] = source
		}
	}
	require.NotEmpty(t, replace)
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	out, err := exec.Command("go", "build", "-buildvcs=false", "-overlay", filepath.Join(dir, "overlay.json"), "./internal/snippets/...").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d snippets", len(replace))
}
