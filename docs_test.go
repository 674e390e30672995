package identomat_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// walkItem is one item in the walks in docs/architecture.md.
type walkItem struct {
	file, function string
	calledAs       string // the name in the caller, or ""
	calls          []walkItem
}

// item matches an item in a walk: its indentation, file, function, and name in the caller.
var item = regexp.MustCompile("^( *)- `([^`]+)` `([^`]+)`(?:, called as `([^`]+)`)?: [^ ]")

// readWalks maps each heading to the entry points of its walk.
func readWalks(t *testing.T) map[string][]walkItem {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## Three calls, function by function\n")
	require.True(t, found)
	section, _, _ := strings.Cut(rest, "\n## ")
	walks := map[string][]walkItem{}
	for _, walk := range strings.Split(section, "\n### ")[1:] {
		heading, list, _ := strings.Cut(walk, "\n")
		var items []walkItem
		levels := []*[]walkItem{&items} // the list to append to, by level
		for line := range strings.Lines(list) {
			if !strings.HasPrefix(strings.TrimLeft(line, " "), "- ") {
				continue
			}
			match := item.FindStringSubmatch(line)
			require.NotNil(t, match, "%s: %s", heading, line)
			level := len(match[1]) / 2
			require.True(t, len(match[1])%2 == 0 && level < len(levels), "%s: wrong indentation: %s", heading, line)
			siblings := levels[level]
			*siblings = append(*siblings, walkItem{file: match[2], function: match[3], calledAs: match[4]})
			levels = append(levels[:level+1], &(*siblings)[len(*siblings)-1].calls)
		}
		walks[heading] = items
	}
	return walks
}

// TestArchitectureWalks requires every function in the walks to exist in the file that
// docs/architecture.md names, and to be called by the function one level above.
func TestArchitectureWalks(t *testing.T) {
	walks := readWalks(t)
	require.Len(t, walks, 3)
	parsed := map[string]*ast.File{}
	find := func(item walkItem) *ast.FuncDecl {
		if parsed[item.file] == nil {
			file, err := parser.ParseFile(gotoken.NewFileSet(), item.file, nil, 0)
			require.NoError(t, err)
			parsed[item.file] = file
		}
		for _, decl := range parsed[item.file].Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && nameOf(fn) == item.function {
				return fn
			}
		}
		return nil
	}
	functions := 0
	var check func(heading string, items []walkItem, caller *ast.FuncDecl, callerFile string)
	check = func(heading string, items []walkItem, caller *ast.FuncDecl, callerFile string) {
		for _, item := range items {
			functions++
			fn := find(item)
			if !assert.NotNil(t, fn, "%s: %s has no function %s", heading, item.file, item.function) {
				continue
			}
			if caller != nil {
				assert.True(t, callsTo(caller)[item.spelling(callerFile)], "%s: %s does not call %s (%s)",
					heading, nameOf(caller), item.function, item.spelling(callerFile))
			}
			check(heading, item.calls, fn, item.file)
		}
	}
	for heading, items := range walks {
		require.NotEmpty(t, items, heading)
		check(heading, items, nil, "")
	}
	t.Logf("%d functions", functions)
}

// spelling returns how a call to the function looks in callerFile: "f" in the same package, "pkg.f" in
// another package, ".f" for a method, or "?f" if the walk says: called as f.
func (w walkItem) spelling(callerFile string) string {
	_, name, isMethod := strings.Cut(w.function, ".")
	switch {
	case w.calledAs != "":
		return "?" + w.calledAs
	case isMethod:
		return "." + name
	case path.Dir(w.file) == path.Dir(callerFile):
		return w.function
	}
	return path.Base(path.Dir(w.file)) + "." + w.function
}

// callsTo returns all calls in a function and its closures, as spelling writes them. "?f" is any
// function, method or variable f.
func callsTo(fn *ast.FuncDecl) map[string]bool {
	calls := map[string]bool{}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called := call.Fun
		if generic, ok := called.(*ast.IndexExpr); ok { // do[Token]
			called = generic.X
		}
		switch called := called.(type) {
		case *ast.Ident:
			calls[called.Name], calls["?"+called.Name] = true, true
		case *ast.SelectorExpr:
			calls["."+called.Sel.Name], calls["?"+called.Sel.Name] = true, true
			if pkg, ok := called.X.(*ast.Ident); ok {
				calls[pkg.Name+"."+called.Sel.Name] = true
			}
		}
		return true
	})
	return calls
}

// nameOf returns the name of a function, or Type.Name for a method.
func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	return typ.(*ast.Ident).Name + "." + fn.Name.Name
}

// The documentation of each company step must say that its result is not published.
func TestDocumentationOfCompanyResults(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "kyb.go", nil, parser.ParseComments)
	require.NoError(t, err)
	documented := 0
	for _, declaration := range file.Decls {
		fn, ok := declaration.(*ast.FuncDecl)
		if ok && fn.Recv == nil && slices.Contains([]string{"Company", "Beneficiaries", "KYBReview"}, fn.Name.Name) {
			assert.Contains(t, strings.Join(strings.Fields(fn.Doc.Text()), " "), "Identomat has not published how the result represents the data.", fn.Name.Name)
			documented++
		}
	}
	assert.Equal(t, 3, documented)
}

// sections matches the document that a sentence in parentheses names before the section.
var sections = regexp.MustCompile(`^(API reference, |Developer guide 202[45], |System manual|Identomat's documentation, )`)

// TestCommentsNameDocumentAndSection checks the sentences in parentheses in the package's comments.
func TestCommentsNameDocumentAndSection(t *testing.T) {
	found := 0
	for _, file := range sourceFiles(t, ".", false) {
		for _, group := range file.Comments {
			text := strings.Join(strings.Fields(group.Text()), " ")
			for _, match := range regexp.MustCompile(`\(([A-Z][^()]*)\.\)`).FindAllStringSubmatch(text, -1) {
				found++
				require.Regexp(t, sections, match[1])
			}
		}
	}
	require.Greater(t, found, 60)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksResolve requires the files and the headings to exist that the documents link to.
func TestLinksResolve(t *testing.T) {
	for _, document := range append(documents(t), "SECURITY.md", "CHANGELOG.md") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor, anchored := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") {
				continue
			}
			file := document
			if target != "" {
				file = path.Join(path.Dir(document), target)
			}
			info, err := os.Stat(file)
			if !assert.NoError(t, err, "%s links to %s", document, match[1]) || !anchored {
				continue
			}
			if info.IsDir() {
				file = path.Join(file, "README.md")
			}
			linked, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.True(t, slices.ContainsFunc(strings.Split(string(linked), "\n"), func(line string) bool {
				return strings.HasPrefix(line, "#") && slug(line) == anchor
			}), "%s links to %s", document, match[1])
		}
	}
}

// slug returns the anchor that GitHub gives to a heading.
func slug(heading string) string {
	heading = strings.ToLower(strings.TrimLeft(heading, "# "))
	heading = regexp.MustCompile(`[^\p{L}\p{N}\- ]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}
