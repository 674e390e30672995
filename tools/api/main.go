// Command api maintains api.txt, which lists the exported API of every importable package, one
// declaration per line. An API change therefore shows up in the diff that a reviewer reads. Run
// it from the root of the repository:
//
//	go run ./tools/api          # writes api.txt
//	go run ./tools/api -check   # fails if api.txt does not match the code
package main

import (
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const file = "api.txt"

func main() {
	check := flag.Bool("check", false, "compare api.txt with the code instead of writing it")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool) error {
	api, err := listing()
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(file, []byte(api), 0o644)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if string(written) == api {
		return nil
	}
	before, after := strings.Split(string(written), "\n"), strings.Split(api, "\n")
	var b strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintln(&b, "-", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintln(&b, "+", line)
		}
	}
	return errors.New(b.String() + "the exported API has changed; if this is intended, update api.txt: go run ./tools/api")
}

// listing returns the API of the importable packages of the module in the working directory, and of the other
// modules that users import.
func listing() (string, error) {
	exports, err := goList("-deps", "-export", "-f", "{{.ImportPath}} {{.Export}}", "./...", "./evidence/seal/...", "./otel/...", "./river/...")
	if err != nil {
		return "", err
	}
	compiled := map[string]string{}
	for _, line := range exports {
		path, export, _ := strings.Cut(line, " ")
		compiled[path] = export
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(compiled[path]) })
	paths, err := goList("-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...", "./evidence/seal/...", "./otel/...", "./river/...")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, path := range paths {
		if path == "" || strings.Contains(path+"/", "/internal/") {
			continue
		}
		p, err := imports.Import(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "package %s\n", path)
		for _, line := range declarations(p) {
			fmt.Fprintf(&b, "\t%s\n", line)
		}
	}
	return b.String(), nil
}

func goList(args ...string) ([]string, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return strings.Split(strings.TrimSpace(string(out)), "\n"), err
}

func declarations(p *types.Package) (lines []string) {
	local := types.RelativeTo(p)
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch o := object.(type) {
		case *types.TypeName:
			lines = append(lines, typeLines(o, local)...)
		case *types.Const:
			lines = append(lines, types.ObjectString(o, local)+" = "+o.Val().ExactString())
		default:
			lines = append(lines, types.ObjectString(o, local))
		}
	}
	return lines
}

// typeLines lists a type with its exported fields and methods. Methods promoted from embedded
// fields follow the type, with an asterisk if only the pointer type has them. They are declared
// elsewhere, but a change to them changes the type's API.
func typeLines(o *types.TypeName, local types.Qualifier) []string {
	if o.IsAlias() {
		return []string{types.ObjectString(o, local)}
	}
	name := types.TypeString(o.Type(), local)
	var lines []string
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		lines = append([]string{"type " + name + " struct"}, fieldLines(o.Name(), u, local)...)
	case *types.Interface:
		lines = append(lines, "type "+name+" interface")
		for m := range u.Methods() {
			if !m.Exported() {
				lines[0] += ", with unexported methods"
				break
			}
		}
	default:
		lines = append(lines, "type "+name+" "+types.TypeString(u, local))
	}
	value := types.NewMethodSet(o.Type())
	full := o.Type() // the type whose method set includes the pointer methods
	if !types.IsInterface(full) {
		full = types.NewPointer(full)
	}
	var promoted []string
	for selection := range types.NewMethodSet(full).Methods() {
		m := selection.Obj()
		if !m.Exported() {
			continue
		}
		pointer := ""
		if value.Lookup(m.Pkg(), m.Name()) == nil {
			pointer = "*"
		}
		if len(selection.Index()) > 1 && !types.IsInterface(o.Type()) {
			promoted = append(promoted, pointer+m.Name())
			continue
		}
		receiver := pointer + o.Name()
		signature := strings.TrimPrefix(types.TypeString(selection.Type(), local), "func")
		lines = append(lines, "func ("+receiver+") "+m.Name()+signature)
	}
	if promoted != nil {
		lines[0] += ", promotes " + strings.Join(promoted, ", ")
	}
	return lines
}

// fieldLines lists the exported fields, including those promoted from unexported embedded
// structs. It includes the struct tags because they hold the names on the wire.
func fieldLines(owner string, s *types.Struct, local types.Qualifier) (lines []string) {
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() {
			if embedded, ok := f.Type().Underlying().(*types.Struct); ok && f.Embedded() {
				lines = append(lines, fieldLines(owner, embedded, local)...)
			}
			continue
		}
		line := "field " + owner + "." + f.Name() + " " + types.TypeString(f.Type(), local)
		if tag := s.Tag(i); tag != "" {
			line += " `" + tag + "`"
		}
		lines = append(lines, line)
	}
	return lines
}
