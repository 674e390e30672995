package identomat_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/identomattest"
	"github.com/identomat-go/identomat/internal/operation"
)

// TestEveryEndpoint requires every endpoint in Identomat's API documentation to have a row in the
// operation table, a method with a comment, a runnable example, a row in docs/endpoints.md, and a handler
// in the fake.
func TestEveryEndpoint(t *testing.T) {
	data, err := os.ReadFile("testdata/inventory.json")
	require.NoError(t, err)
	var inventory struct {
		Endpoints []struct{ Name, URL string }
	}
	require.NoError(t, json.Unmarshal(data, &inventory))
	require.NotEmpty(t, inventory.Endpoints)

	rows := map[string]*operation.Operation{}
	for _, op := range operation.All() {
		rows[strings.TrimSuffix(op.Name, "/")] = op
	}
	methods, examples := methodsByEndpoint(t), examplesOf(t)
	page, err := os.ReadFile("docs/endpoints.md")
	require.NoError(t, err)
	const site = "https://pkg.go.dev/github.com/identomat-go/identomat"
	if !strings.Contains(string(page), fmt.Sprintf("All %d endpoints", len(rows))) {
		t.Errorf("docs/endpoints.md does not contain \"All %d endpoints\"", len(rows))
	}
	server := identomattest.NewServer(t)
	listed := map[string]bool{}
	for _, endpoint := range inventory.Endpoints {
		name := strings.TrimSuffix(endpoint.Name, "/")
		assert.False(t, listed[name], "testdata/inventory.json lists %s twice", endpoint.Name)
		listed[name] = true
		op := rows[name]
		if !assert.NotNil(t, op, "%s has no row in the operation table", endpoint.Name) {
			continue
		}
		host, base := "https://widget.identomat.com", server.WidgetURL
		if op.Host == operation.API {
			host, base = "https://external-api.identomat.com", server.APIURL
		}
		if name != "change-group" { // its section in the documentation shows another endpoint's URL
			assert.Equal(t, strings.TrimSuffix(endpoint.URL, "/"), strings.TrimSuffix(host+op.Path(), "/"))
		}
		method, found := methods[op.Name]
		if assert.True(t, found, "%s has no method", op.Name) {
			assert.Contains(t, method.comment, strings.TrimSuffix(op.Name, "/"), "the comment of %s does not contain the name of its endpoint", method.name)
			assert.True(t, examples["Example"+method.name], "there is no Example%s", method.name)
			name := strings.Replace(method.name, "_", ".", 1)
			retried := map[bool]string{false: "no", true: "yes"}[op.Retryable]
			assert.Regexp(t, regexp.QuoteMeta(fmt.Sprintf("| `%s` | [`%s`](%s#%s) | [example](%s#example-%s) | ",
				op.Name, strings.Replace(name, "Service", "", 1), site, name, site, name))+`[^|]+\. \| `+retried+` \|\n`, string(page), "docs/endpoints.md has no row for %s", op.Name)
		}
		resp, err := http.Post(base+op.Path(), "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		requests := server.Requests()
		assert.Equal(t, op.Name, requests[len(requests)-1].Operation, "the fake does not serve %s", op.Name)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
	}
	for name := range rows {
		assert.True(t, listed[name], "%s has a row in the operation table, but is not in testdata/inventory.json", name)
	}
}

type method struct{ name, comment string }

// methodsByEndpoint maps each endpoint to the exported service method that uses the endpoint's row in
// the operation table.
func methodsByEndpoint(t *testing.T) map[string]method {
	t.Helper()
	names := rowNames(t)
	found := map[string]method{}
	for _, file := range sourceFiles(t, ".", false) {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			service, ok := star.X.(*ast.Ident)
			if !ok || !strings.HasSuffix(service.Name, "Service") {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "operation" && fn.Name.Name != "Wait" && !strings.HasSuffix(fn.Name.Name, "Page") {
						found[names[sel.Sel.Name]] = method{service.Name + "_" + fn.Name.Name, fn.Doc.Text()}
					}
				}
				return true
			})
		}
	}
	return found
}

// rowNames maps each variable in the operation table to the endpoint's name.
func rowNames(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "internal/operation/operation.go", nil, 0)
	require.NoError(t, err)
	names := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if pointer, ok := spec.Values[0].(*ast.UnaryExpr); ok {
			name, err := strconv.Unquote(pointer.X.(*ast.CompositeLit).Elts[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			names[spec.Names[0].Name] = name
		}
		return true
	})
	require.Len(t, names, len(operation.All()))
	return names
}

func examplesOf(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, file := range sourceFiles(t, ".", true) {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Example") {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

// TestExamplesAreComplete requires every example to be a complete program on pkg.go.dev, and to have an
// output that go test checks. An example that calls a helper in another file is not complete.
func TestExamplesAreComplete(t *testing.T) {
	for _, folder := range []string{".", "widget", "evidence", "identomattest", "idenfy", "idenfy/idenfytest"} {
		for _, example := range doc.Examples(sourceFiles(t, folder, true)...) {
			assert.NotNil(t, example.Play, "%s: Example%s is not a complete program", folder, example.Name)
			assert.True(t, example.Output != "" || example.EmptyOutput, "%s: Example%s has no output", folder, example.Name)
		}
	}
}

// sourceFiles parses the Go files in a folder: only the tests, or only the other files.
func sourceFiles(t *testing.T, folder string, tests bool) (files []*ast.File) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".go") && strings.HasSuffix(entry.Name(), "_test.go") == tests {
			file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(folder, entry.Name()), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	return files
}

// TestExportedNamesHaveComments covers functions, methods, types, constants, variables, struct fields,
// and interface methods.
func TestExportedNamesHaveComments(t *testing.T) {
	for _, folder := range publicFolders {
		for _, file := range sourceFiles(t, folder, false) {
			for _, decl := range file.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && exportedReceiver(d) {
						assert.NotEmpty(t, d.Doc.Text(), "%s: %s has no comment", folder, d.Name.Name)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						switch s := spec.(type) {
						case *ast.TypeSpec:
							if s.Name.IsExported() {
								comment := d.Doc.Text() + s.Doc.Text()
								assert.NotEmpty(t, comment, "%s: %s has no comment", folder, s.Name.Name)
								assertMembersHaveComments(t, folder+": "+s.Name.Name, comment, s.Type, file.Comments)
							}
						case *ast.ValueSpec:
							documented := d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != ""
							for _, name := range s.Names {
								assert.False(t, name.IsExported() && !documented, "%s: %s has no comment", folder, name.Name)
							}
						}
					}
				}
			}
		}
	}
}

// membersElsewhere matches the comment of a type whose fields or methods are documented with another
// type.
var membersElsewhere = regexp.MustCompile(`[Tt]he (other )?(fields|methods) are those of`)

// assertMembersHaveComments requires a comment for every exported field or method of a type. A comment
// on the type, or inside the type, covers the members that it names.
func assertMembersHaveComments(t *testing.T, name, comment string, typ ast.Expr, comments []*ast.CommentGroup) {
	t.Helper()
	var members *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		members = typ.Fields
	case *ast.InterfaceType:
		members = typ.Methods
	default:
		return
	}
	for _, group := range comments {
		if group.Pos() > members.Opening && group.End() < members.Closing {
			comment += group.Text()
		}
	}
	if membersElsewhere.MatchString(strings.Join(strings.Fields(comment), " ")) {
		return
	}
	for _, member := range members.List {
		for _, field := range member.Names {
			if field.IsExported() && member.Doc.Text() == "" && member.Comment.Text() == "" {
				assert.Regexp(t, `\b`+field.Name+`\b`, comment, "%s.%s has no comment", name, field.Name)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	ident, ok := typ.(*ast.Ident)
	return ok && ident.IsExported()
}

// TestEveryPackageChecksForLeakedGoroutines requires every package with tests, in every module, to have
// a TestMain with goleak.
func TestEveryPackageChecksForLeakedGoroutines(t *testing.T) {
	checks := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var source []byte
			source, err = os.ReadFile(path)
			checks[filepath.Dir(path)] = checks[filepath.Dir(path)] || strings.Contains(string(source), "\tgoleak.VerifyTestMain(m)") ||
				strings.Contains(string(source), "{ goleak.VerifyTestMain(m) }")
		}
		return err
	}))
	require.NotEmpty(t, checks)
	for dir, found := range checks {
		assert.True(t, found, "%s has no TestMain that calls goleak.VerifyTestMain", dir)
	}
}
