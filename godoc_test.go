package identomat_test

import (
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/printer"
	gotoken "go/token"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat/internal/documented"
)

const modulePath = "github.com/identomat-go/identomat"

// publicFolders are the folders of the packages that users import.
var publicFolders = []string{
	".", "widget", "evidence", "evidence/seal", "evidence/seal/sealtest", "otel", "river", "identomattest", "idenfy", "idenfy/idenfytest",
}

// packageDoc returns the documentation of a package, as go doc shows it.
func packageDoc(t *testing.T, folder string) *doc.Package {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var files []*ast.File
	set := gotoken.NewFileSet()
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(set, path.Join(folder, name), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	p, err := doc.NewFromFiles(set, files, path.Join(modulePath, folder))
	require.NoError(t, err)
	return p
}

// documentedName is an exported name or a group of constants or variables.
type documentedName struct {
	name, doc string
	decl      ast.Node
}

func namesOf(p *doc.Package) (all []documentedName) {
	values := func(list []*doc.Value) {
		for _, v := range list {
			all = append(all, documentedName{strings.Join(v.Names, " "), v.Doc, v.Decl})
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			f.Decl.Body = nil
			name := f.Name
			if f.Recv != "" {
				name = strings.TrimPrefix(typeParameters.ReplaceAllString(f.Recv, ""), "*") + "." + f.Name
			}
			all = append(all, documentedName{name, f.Doc, f.Decl})
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		all = append(all, documentedName{typ.Name, typ.Doc, typ.Decl})
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return all
}

var typeParameters = regexp.MustCompile(`\[.*\]`)

// The comment of a type, function or method begins with its name, and its first sentence says what the
// reader gets. "LivenessStep is returned by Liveness" does not.
func TestFirstSentences(t *testing.T) {
	for _, folder := range publicFolders {
		p := packageDoc(t, folder)
		for _, n := range namesOf(p) {
			name := n.name[strings.LastIndex(n.name, ".")+1:]
			first, _, _ := strings.Cut(strings.Join(strings.Fields(n.doc), " "), ". ")
			assert.NotContains(t, first, " is returned by ", "%s: %s", folder, n.name)
			if decl, ok := n.decl.(*ast.GenDecl); !ok || decl.Tok == gotoken.TYPE {
				assert.Regexp(t, `^(An? )?`+name+`\b`, first, "%s: %s", folder, n.name)
			}
		}
	}
}

// symbolsOf returns the exported names of a package, and Type.Member for methods and fields.
func symbolsOf(p *doc.Package) map[string]bool {
	found := map[string]bool{}
	for _, n := range namesOf(p) {
		for name := range strings.FieldsSeq(n.name) {
			found[name] = true
		}
		ast.Inspect(n.decl, func(node ast.Node) bool {
			var members *ast.FieldList
			switch typ := node.(type) {
			case *ast.StructType:
				members = typ.Fields
			case *ast.InterfaceType:
				members = typ.Methods
			default:
				return true
			}
			for _, member := range members.List {
				for _, name := range member.Names {
					found[n.name+"."+name.Name] = true
				}
			}
			return false
		})
	}
	return found
}

// bracketed matches what looks like a link to a name.
var bracketed = regexp.MustCompile(`(?:^|[\s(])\[\*?([A-Za-z][\w.]*)\]`)

// A reader can look up everything that a comment links to.
func TestDocLinksResolve(t *testing.T) {
	docs, symbols := map[string]*doc.Package{}, map[string]map[string]bool{}
	for _, folder := range publicFolders {
		p := packageDoc(t, folder)
		docs[p.ImportPath], symbols[p.ImportPath] = p, symbolsOf(p)
	}
	byName := map[string]string{}
	for importPath, p := range docs {
		byName[p.Name] = importPath
	}
	links := 0
	for importPath, p := range docs {
		// resolve reports whether a link leads somewhere. It does not look into packages of other modules.
		resolve := func(link string) bool {
			if pkg, symbol, ok := strings.Cut(link, "."); ok && !ast.IsExported(pkg) {
				other, isOurs := byName[pkg]
				return !isOurs || symbols[other][symbol]
			}
			return symbols[importPath][link]
		}
		check := func(name string, list []comment.Text) {
			for _, text := range list {
				switch text := text.(type) {
				case comment.Plain:
					for _, match := range bracketed.FindAllStringSubmatch(string(text), -1) {
						assert.Fail(t, "a link that go doc does not resolve", "%s: %s: [%s]", importPath, name, match[1])
					}
				case *comment.DocLink:
					links++
					symbol := strings.TrimPrefix(text.Recv+"."+text.Name, ".")
					target := text.ImportPath
					if target == "" {
						target = importPath
					}
					if known := symbols[target]; known != nil && symbol != "" {
						assert.True(t, known[symbol], "%s: %s: [%s.%s] does not exist", importPath, name, target, symbol)
					}
				}
			}
		}
		var blocks func(name string, list []comment.Block)
		blocks = func(name string, list []comment.Block) {
			for _, block := range list {
				switch block := block.(type) {
				case *comment.Paragraph:
					check(name, block.Text)
				case *comment.List:
					for _, item := range block.Items {
						blocks(name, item.Content)
					}
				}
			}
		}
		linkParser := p.Parser()
		linkParser.LookupSym = func(recv, name string) bool {
			return symbols[importPath][strings.TrimPrefix(recv+"."+name, ".")]
		}
		blocks("the package comment", linkParser.Parse(p.Doc).Content)
		for _, n := range namesOf(p) {
			blocks(n.name, linkParser.Parse(n.doc).Content)
			ast.Inspect(n.decl, func(node ast.Node) bool { // the comments of fields and constants
				group, ok := node.(*ast.CommentGroup)
				if ok {
					for _, match := range bracketed.FindAllStringSubmatch(group.Text(), -1) {
						links++
						assert.True(t, resolve(match[1]), "%s: %s: [%s] does not exist", importPath, n.name, match[1])
					}
				}
				return true
			})
		}
	}
	assert.Greater(t, links, 300)
}

// A reader who knows only a wire name, such as scoreThreshold from a refusal of the fake, finds the Go
// name with grep in go doc -all.
func TestWireNamesAreDocumented(t *testing.T) {
	var text strings.Builder
	p := packageDoc(t, ".")
	for _, n := range namesOf(p) {
		text.WriteString(n.doc)
		require.NoError(t, printer.Fprint(&text, gotoken.NewFileSet(), n.decl))
	}
	names := map[string]bool{}
	var add func(fields []documented.Field)
	add = func(fields []documented.Field) {
		for _, field := range fields {
			names[field.Name] = true
			add(field.Fields)
		}
	}
	add(documented.Flags)
	add(documented.StepMembers)
	add(documented.QuestionMembers)
	add(documented.OptionMembers)
	add(documented.KYBFieldMembers)
	for _, endpoint := range documented.Endpoints {
		add(endpoint.Parameters)
	}
	for _, step := range documented.Steps {
		names[step.Type], names[step.Key] = true, true
		add(step.Flags)
		add(step.Parameters)
	}
	for _, question := range documented.Questions {
		names[question.Type] = true
		add(question.Parameters)
	}
	for _, name := range append(documented.KYBFields, documented.Roles...) {
		names[name] = true
	}
	// Spellings and a flag in examples, which the SDK can only set by name.
	for _, name := range []string{"", "documentTypes", "multiple_participans", "maxLivenessAttempts"} {
		delete(names, name)
	}
	for name := range names {
		found := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(name) + `($|[^\w-])`).MatchString(text.String())
		assert.True(t, found, "go doc does not contain the wire name %s", name)
	}
	assert.Greater(t, len(names), 100)
}

// wireName matches a string in a builder's code that is a name on the wire.
var wireName = regexp.MustCompile(`^[A-Za-z_-]+$`)

// Every builder method names the flag or parameter that it sets, and every constructor the type and key of
// its step or question, as the wire names them.
func TestBuildersNameWireNames(t *testing.T) {
	shared := map[string][]string{} // the type and key of each step that a constructor returns, by variable
	checked := 0
	files := sourceFiles(t, ".", false)
	for _, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if call, ok := spec.Values[0].(*ast.CallExpr); ok {
				if fn, ok := call.Fun.(*ast.Ident); ok && fn.Name == "newStep" {
					literal, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
					require.NoError(t, err)
					var step struct{ Type, Key string }
					require.NoError(t, json.Unmarshal([]byte(literal), &step))
					shared[spec.Names[0].Name] = []string{step.Type, step.Key}
				}
			}
			return true
		})
	}
	require.Len(t, shared, 12)
	builder := regexp.MustCompile(`^(Flags|AnyStep|Step|\w+Step|Question|\w+Input|ChoiceOption|BeneficiaryRole)$`)
	for _, file := range files {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !exportedReceiver(fn) || fn.Type.Results == nil {
				continue
			}
			if result, ok := fn.Type.Results.List[0].Type.(*ast.Ident); !ok || !builder.MatchString(result.Name) {
				continue
			}
			words := strings.FieldsFunc(fn.Doc.Text(), func(r rune) bool { return strings.ContainsRune(" \n\t,.;:()\"", r) })
			ast.Inspect(fn.Body, func(node ast.Node) bool {
				var names []string
				switch node := node.(type) {
				case *ast.BasicLit:
					if name, err := strconv.Unquote(node.Value); err == nil && wireName.MatchString(name) && name != "flags" {
						names = []string{name}
					}
				case *ast.Ident:
					names = shared[node.Name]
				}
				for _, name := range names {
					checked++
					assert.Contains(t, words, name, "the comment of %s does not contain the wire name %s", nameOf(fn), name)
				}
				return true
			})
		}
	}
	assert.Greater(t, checked, 80)
}
