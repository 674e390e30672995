// Command proxy writes a module proxy that serves this checkout, uncommitted changes included,
// so that go get can be tried before a version is published. It fails if the module could not
// be published as it is. From the root of the repository:
//
//	go run ./tools/proxy /tmp/proxy v0.0.0-try
//
// Then GOPROXY begins with file:///tmp/proxy, and GONOSUMDB names the module. Give GOMODCACHE a
// folder of its own: a module cache believes for good what it has been served once.
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
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

// write lays the module out as `go help goproxy` says.
func write(dir, version string) error {
	gomod, err := os.ReadFile("go.mod")
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
	// The modules in folders of this one are left out, and CheckZip complains if one is not.
	if err := errors.Join(zip.CreateFromDir(archive, m, "."), archive.Close()); err != nil {
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
