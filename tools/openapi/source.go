package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is what the Go source of a package says about its types.
type source struct {
	// values are the constants of a named string type, by its name.
	values map[string][]string
	// constants are the values of string constants, by name.
	constants map[string]string
	// comments are the comments of types, and of fields as "Type.Field".
	comments map[string]string
	// fields are the JSON names of fields by Go name, for each type.
	fields map[string]map[string]string
}

// readSource parses the Go files in a folder, without the tests.
func readSource(dir string) (*source, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no Go files; run this command from the root of the repository", dir)
	}
	s := &source{map[string][]string{}, map[string]string{}, map[string]string{}, map[string]map[string]string{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok {
				s.add(d)
			}
		}
	}
	return s, nil
}

func (s *source) add(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			typ, ok := spec.Type.(*ast.Ident)
			if !ok || d.Tok != token.CONST || len(spec.Values) != 1 {
				continue
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value := unquote(literal.Value)
				s.values[typ.Name] = append(s.values[typ.Name], value)
				s.constants[spec.Names[0].Name] = value
			}
		case *ast.TypeSpec:
			comment := spec.Doc
			if comment == nil {
				comment = d.Doc
			}
			s.comments[spec.Name.Name] = comment.Text()
			if t, ok := spec.Type.(*ast.StructType); ok {
				s.addFields(spec.Name.Name, t)
			}
		}
	}
}

// addFields records the comments of fields. A field without a comment shares the comment of the field
// before it.
func (s *source) addFields(typ string, t *ast.StructType) {
	s.fields[typ] = map[string]string{}
	var comment string
	for _, f := range t.Fields.List {
		if f.Doc != nil {
			comment = f.Doc.Text()
		}
		for _, name := range f.Names {
			s.comments[typ+"."+name.Name] = comment
			if f.Tag != nil {
				s.fields[typ][name.Name] = jsonName(unquote(f.Tag.Value))
			}
		}
	}
}

func unquote(literal string) string {
	value, err := strconv.Unquote(literal)
	if err != nil {
		panic(err) // the parser accepted it
	}
	return value
}

var (
	link    = regexp.MustCompile(`\[[A-Za-z]+\]`)
	jsonTag = regexp.MustCompile(`json:"([^",]+)`)
	word    = regexp.MustCompile(`\b[A-Z][A-Za-z0-9]*\b`)
	// seeAlso refers to Go code. goOnly matches other text for users of the SDK only. absent says how the
	// SDK represents an absent value.
	seeAlso = regexp.MustCompile(`; see \[[^\]]*\]`)
	goOnly  = regexp.MustCompile(`\[[A-Za-z.]+\]|\bSDK\b|\bfmt\b|\bzero\b|\b0 means\b|both fields|Date\(v\)`)
	absent  = regexp.MustCompile(`; nil if absent|, or (0|"") if [^;.]*`)
	origin  = regexp.MustCompile(`\(([A-Z][^()]*)\.\)`)
	ending  = regexp.MustCompile(`\. [A-Z(]`)
)

func jsonName(tag string) string {
	if m := jsonTag.FindStringSubmatch(tag); m != nil {
		return m[1]
	}
	return ""
}

// fieldComment returns the sentences about a field, with JSON names and values in place of Go names. A
// sentence that names no field is about the field before it. "Name is the name" becomes "The name".
func (s *source) fieldComment(typ, field string) string {
	var kept []string
	about := false
	for _, sentence := range sentences(s.comments[typ+"."+field]) {
		sentence = seeAlso.ReplaceAllString(sentence, "")
		sentence = link.ReplaceAllStringFunc(sentence, func(text string) string {
			if value, ok := s.constants[strings.Trim(text, "[]")]; ok {
				return "`" + value + "`"
			}
			return text
		})
		words := word.FindAllString(sentence, -1)
		if slices.ContainsFunc(words, func(name string) bool { return s.fields[typ][name] != "" }) {
			about = slices.Contains(words, field)
		}
		if about = about && !goOnly.MatchString(sentence); !about {
			continue
		}
		for _, verb := range []string{" is ", " are "} {
			if rest, ok := strings.CutPrefix(sentence, field+verb); ok {
				sentence = strings.ToUpper(rest[:1]) + rest[1:]
			}
		}
		kept = append(kept, s.inJSON(typ, sentence))
	}
	return strings.Join(kept, " ")
}

// inJSON returns a sentence about a type with JSON names in place of Go names.
func (s *source) inJSON(typ, sentence string) string {
	sentence = strings.ReplaceAll(absent.ReplaceAllString(sentence, ""), "or nil", "or null")
	return word.ReplaceAllStringFunc(sentence, func(name string) string {
		if wire := s.fields[typ][name]; wire != "" {
			return "`" + wire + "`"
		}
		return name
	})
}

// typeComment returns the first sentence of a type's comment, without its name.
func (s *source) typeComment(typ string) string {
	list := sentences(s.comments[typ])
	if len(list) == 0 || goOnly.MatchString(list[0]) {
		return ""
	}
	text := strings.TrimPrefix(list[0], typ+" ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "is "), "are ")
	return s.inJSON(typ, strings.ToUpper(text[:1])+text[1:])
}

// typeSource returns the document and the section that a type's comment names, or "".
func (s *source) typeSource(typ string) string {
	if m := origin.FindStringSubmatch(strings.Join(strings.Fields(s.comments[typ]), " ")); m != nil {
		return m[1]
	}
	return ""
}

// sentences splits a comment.
func sentences(comment string) []string {
	text := strings.Join(strings.Fields(comment), " ")
	var out []string
	for end := ending.FindStringIndex(text); end != nil; end = ending.FindStringIndex(text) {
		out = append(out, text[:end[0]+1])
		text = text[end[0]+2:]
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}
