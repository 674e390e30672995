// Command proxy writes a file-based module proxy that serves the modules for users from this checkout,
// including uncommitted changes, so that go get and go install can be tested before a version is published. It
// fails if a module cannot be published in its current state. Run it from the root of the repository:
//
//	go run ./tools/proxy /tmp/proxy v0.1.0
//
// The version is the one that the modules require of the SDK.
//
// To use the proxy, put file:///tmp/proxy first in GOPROXY and add the module to GONOSUMDB. Set
// GOMODCACHE to a separate directory, because a module cache never refreshes a version that it
// already holds.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: proxy DIR VERSION")
		os.Exit(2)
	}
	for _, source := range []string{".", "cmd/identomat", "evidence/seal", "otel", "river"} {
		if err := write(os.Args[1], os.Args[2], source); err != nil {
			fmt.Fprintln(os.Stderr, "proxy:", err)
			os.Exit(1)
		}
	}
}

// write lays out the module in the folder source in the format that `go help goproxy` describes.
func write(dir, version, source string) error {
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	m := module.Version{Path: modfile.ModulePath(gomod), Version: version}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC()})
	if err != nil {
		return err
	}
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	// CreateFromDir skips nested modules. CheckZip fails if any are left.
	if err := errors.Join(zip.CreateFromDir(archive, m, source), archive.Close()); err != nil {
		return err
	}
	checked, err := zip.CheckZip(m, archive.Name())
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files\n", m, len(checked.Valid))
	return errors.Join(
		os.WriteFile(filepath.Join(dir, version+".mod"), gomod, 0o644),
		os.WriteFile(filepath.Join(dir, version+".info"), info, 0o644),
		os.WriteFile(filepath.Join(dir, "list"), []byte(version+"\n"), 0o644),
	)
}
