package evidence

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Check is what [Verify] found out about a package.
type Check struct {
	// Report is the content of collection.json.
	*Report
	// Digest is the SHA-256 of tagmanifest-sha256.txt, in lowercase hexadecimal. Any change to the package, except to
	// its time stamps, gives another digest.
	Digest string
	// Files and Bytes count the files in data.
	Files int
	Bytes int64
	// Seals are the paths of the time stamps. Verify does not verify time stamps.
	Seals []string

	// FS has the files of the package. It is the file system given to Verify, or the only folder in that
	// file system.
	FS fs.FS

	files map[string]*hashes // of all files, by path
}

// Verify verifies a package: a folder ([os.DirFS]) or a zip ([zip.Reader]). A zip may have the package in
// its only folder, as [Pack] writes it. Verify finds every file that was changed, added, removed, renamed
// or duplicated, names that are not allowed, and files or packages that are too large. It reads each file
// once, in constant memory, and needs no client.
//
// All problems are in a [VerifyError]. An incomplete package verifies; see [Report.Complete]. The folder of
// an interrupted collection does not verify; the error matches [ErrIncomplete].
//
// Verify is stricter than BagIt: names and manifests must have the form in which Collect writes them.
func Verify(fsys fs.FS) (*Check, error) {
	v := &verifier{fsys: fsys, sizes: map[string]int64{}, tags: map[string][]byte{}, files: map[string]*hashes{}, hasProblem: map[string]bool{}}
	v.verify()
	if len(v.problems) > 0 {
		return nil, &VerifyError{v.problems}
	}
	return &Check{
		Report: v.report, Digest: v.files[tagManifest].file(tagManifest).SHA256, Files: v.payloadFiles, Bytes: v.payloadBytes,
		Seals: v.seals, FS: v.fsys, files: v.files,
	}, nil
}

// verifier verifies one package.
type verifier struct {
	fsys         fs.FS
	isZip        bool
	sizes        map[string]int64 // of all files
	seals        []string
	payloadFiles int
	payloadBytes int64
	tags         map[string][]byte
	files        map[string]*hashes // of the files that were read to their end
	report       *Report
	problems     []*Problem
	hasProblem   map[string]bool // by file
}

// problem adds a problem, unless the file already has one.
func (v *verifier) problem(file string, err error) {
	if !v.hasProblem[file] {
		v.hasProblem[file] = true
		v.problems = append(v.problems, &Problem{file, err})
	}
}

// verify finds all problems, unless one of them prevents further checks.
func (v *verifier) verify() {
	v.checkZip()
	if len(v.problems) > 0 || !v.list() || !v.readTags() {
		return
	}
	v.checkTags()
	if !v.hasProblem[collectionFile] {
		v.readReport()
	}
	v.checkPayload()
	if len(v.problems) == 0 {
		v.checkReport()
	}
}

// checkZip checks what archive/zip hides from the users of its file system: the names as they are, and
// duplicates.
func (v *verifier) checkZip() {
	var archive *zip.Reader
	switch z := v.fsys.(type) {
	case *zip.Reader:
		archive, v.isZip = z, true
	case *zip.ReadCloser:
		if v.isZip = true; z != nil {
			archive = &z.Reader
		}
	}
	switch {
	case v.fsys == nil || v.isZip && archive == nil:
		v.problem(".", errNoFileSystem)
		return
	case !v.isZip:
		return
	}
	if len(archive.File) > maxEntries {
		v.problem(".", ErrTooLarge)
		return
	}
	base := baseOf(archive)
	seen, folders := map[string]bool{}, map[string]bool{}
	for _, file := range archive.File {
		name := strings.TrimSuffix(strings.TrimPrefix(file.Name, base), "/")
		switch {
		case strings.HasSuffix(file.Name, "/") && file.UncompressedSize64 > 0: // a folder with content
			v.problem(file.Name, ErrUnexpectedFile)
		case file.Name == base && base != "": // the folder of the package
		case checkPath(name) != "":
			v.problem(file.Name, ErrBadName)
			continue
		case seen[name]:
			v.problem(file.Name, ErrUnexpectedFile)
		}
		seen[name] = true
		// archive/zip makes an entry for each folder in a name. A small zip could name millions.
		for i, r := range name {
			if r == '/' {
				folders[name[:i]] = true
			}
		}
		if len(seen)+len(folders) > maxEntries {
			v.problem(".", ErrTooLarge)
			return
		}
	}
}

// baseOf returns the folder that holds all files of a zip, with a slash, or "". The folder can
// have any name.
func baseOf(archive *zip.Reader) string {
	if len(archive.File) == 0 {
		return ""
	}
	base, _, found := strings.Cut(archive.File[0].Name, "/")
	if base += "/"; !found || !fs.ValidPath(base[:len(base)-1]) || strings.ContainsFunc(base, func(r rune) bool { return r < ' ' || r == '\\' || r == ':' }) {
		return ""
	}
	for _, file := range archive.File {
		if !strings.HasPrefix(file.Name, base) {
			return ""
		}
	}
	return base
}

// list lists all files with their sizes. It reports whether they can be read.
func (v *verifier) list() bool {
	if entries, err := fs.ReadDir(v.fsys, "."); err == nil && len(entries) == 1 && entries[0].IsDir() {
		if sub, err := fs.Sub(v.fsys, entries[0].Name()); err == nil {
			v.fsys = sub
		}
	}
	var folders []string
	entries := 0
	err := fs.WalkDir(v.fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		entries++
		switch {
		case err != nil:
			v.problem(name, withoutPath(err))
			return fs.SkipDir
		case name == ".":
			return nil
		case entries > maxEntries:
			return ErrTooLarge
		case checkPath(name) != "":
			v.problem(name, ErrBadName)
		case entry.IsDir():
			folders = append(folders, name+"/")
		case !entry.Type().IsRegular():
			v.problem(name, ErrUnexpectedFile)
		default:
			v.add(name, entry)
		}
		if entry.IsDir() && checkPath(name) != "" {
			return fs.SkipDir
		}
		return nil
	})
	if _, interrupted := v.sizes[journalFile]; interrupted {
		v.problems = []*Problem{{journalFile, ErrIncomplete}}
		return false
	}
	if err == nil && (v.payloadFiles > maxFiles || v.payloadBytes > maxTotal) {
		err = ErrTooLarge
	}
	if err != nil {
		v.problem(".", err)
		return false
	}
	used := map[string]bool{}
	for name := range v.sizes {
		for i, r := range name {
			if r == '/' {
				used[name[:i+1]] = true
			}
		}
	}
	for _, folder := range folders {
		if !used[folder] {
			v.problem(folder, ErrUnexpectedFile)
		}
	}
	return true
}

// add adds a file to the list.
func (v *verifier) add(name string, entry fs.DirEntry) {
	info, err := entry.Info()
	if err != nil {
		v.problem(name, withoutPath(err))
		return
	}
	size, limit := info.Size(), int64(maxFileSize)
	switch {
	case name == lockFile && size == 0 && !v.isZip: // a running or interrupted Collect
		return
	case strings.HasPrefix(name, payload):
		v.payloadFiles++
		v.payloadBytes += max(size, 0)
	case isSeal(name):
		v.seals = append(v.seals, name)
		limit = maxSeal
	case name == journalFile:
	case isTag(name):
		limit = maxTagFile
	default:
		v.problem(name, ErrUnexpectedFile)
	}
	if size < 0 || size > limit || len(v.seals) > maxSeals {
		v.problem(name, ErrTooLarge)
		size = 0 // it is not read
	}
	v.sizes[name] = size
}

// read reads a file into w and hashes it. It reports whether all of it was read.
func (v *verifier) read(name string, w io.Writer) bool {
	if v.hasProblem[name] {
		return false
	}
	file, err := v.fsys.Open(name)
	if err != nil {
		v.problem(name, withoutPath(err))
		return false
	}
	defer file.Close()
	h := newHashes()
	_, err = io.Copy(io.MultiWriter(h, w), io.LimitReader(file, v.sizes[name]+1))
	_, isCorrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case isCorrupt, errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), err == nil && h.size != v.sizes[name]:
		v.problem(name, ErrChanged)
		return false
	case err != nil:
		v.problem(name, withoutPath(err))
		return false
	}
	v.files[name] = h
	return true
}

// readTags reads the files outside data. It reports whether all of them are there.
func (v *verifier) readTags() bool {
	for _, name := range tagNames {
		if _, found := v.sizes[name]; !found {
			v.problem(name, ErrMissing)
			continue
		}
		var b bytes.Buffer
		if v.read(name, &b) {
			v.tags[name] = b.Bytes()
		}
	}
	for _, name := range v.seals {
		v.read(name, io.Discard)
	}
	return len(v.tags) == len(tagNames)
}

// checkTags compares the files outside data with the tag manifests.
func (v *verifier) checkTags() {
	v.compare(tagManifestName, func(name string) bool { return isTag(name) && !strings.HasPrefix(name, "tagmanifest-") })
	if string(v.tags[declaration]) != bagit {
		v.problem(declaration, ErrMalformed)
	}
}

// checkPayload compares the files in data with the manifests.
func (v *verifier) checkPayload() {
	v.compare(manifestName, func(name string) bool { return strings.HasPrefix(name, payload) })
}

// compare compares files with the manifests of all algorithms. A changed file differs from both manifests,
// so a file that differs from only one shows that the manifest was changed.
func (v *verifier) compare(manifest func(algorithm string) string, isCovered func(name string) bool) {
	var lists [len(algorithms)]map[string]string
	all := map[string]bool{}
	for i, algorithm := range algorithms {
		name := manifest(algorithm)
		list, ok := parseManifest(v.tags[name], algorithm, isCovered)
		if !ok {
			v.problem(name, ErrMalformed)
			continue
		}
		lists[i] = list
		for file := range list {
			all[file] = true
		}
	}
	for name := range v.sizes {
		if isCovered(name) {
			all[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		_, exists := v.sizes[name]
		listed, wrong := 0, []string(nil)
		for i, algorithm := range algorithms {
			if lists[i] == nil {
				continue
			}
			if _, ok := lists[i][name]; ok {
				listed++
			}
			if _, ok := lists[i][name]; ok != exists {
				wrong = append(wrong, manifest(algorithm))
			}
		}
		switch {
		case len(wrong) == 0 && exists:
			v.compareFile(name, lists, manifest)
		case len(wrong) == 0: // in the only manifest that is left
		case listed == 0:
			v.problem(name, ErrUnexpectedFile)
		case !exists && len(wrong) == listed && listed > 1:
			v.problem(name, ErrMissing)
		default:
			for _, file := range wrong {
				v.problem(file, ErrChanged)
			}
		}
	}
}

// compareFile compares a file with its entries in the manifests.
func (v *verifier) compareFile(name string, lists [len(algorithms)]map[string]string, manifest func(string) string) {
	if v.files[name] == nil && !v.read(name, io.Discard) {
		return
	}
	file := v.files[name].file(name)
	var wrong []string
	compared := 0
	for i, algorithm := range algorithms {
		if lists[i] == nil {
			continue
		}
		compared++
		if lists[i][name] != file.hash(algorithm) {
			wrong = append(wrong, manifest(algorithm))
		}
	}
	if len(wrong) > 0 && len(wrong) == compared {
		wrong = []string{name}
	}
	for _, name := range wrong {
		v.problem(name, ErrChanged)
	}
}

// parseManifest returns the hashes in a manifest by path. It accepts only the form that Collect writes:
// lowercase hexadecimal, two spaces, path, line feed, in the order of the paths.
func parseManifest(data []byte, algorithm string, isCovered func(name string) bool) (list map[string]string, ok bool) {
	length := map[string]int{"sha256": 64, "sha512": 128}[algorithm]
	list = map[string]string{}
	previous := ""
	for line := range strings.Lines(string(data)) {
		hash, name, found := strings.Cut(line, "  ")
		name, terminated := strings.CutSuffix(name, "\n")
		if !found || !terminated || len(hash) != length || !isHex(hash) || checkPath(name) != "" || !isCovered(name) || name <= previous {
			return nil, false
		}
		list[name], previous = hash, name
	}
	return list, true
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && strings.ToLower(text) == text
}

// readReport reads collection.json and bag-info.txt, and compares the sizes of the files, before the
// files are read.
func (v *verifier) readReport() {
	if countCommas(v.tags[collectionFile]) > maxCommas {
		v.problem(collectionFile, ErrTooLarge)
		return
	}
	report := new(Report)
	if json.Unmarshal(v.tags[collectionFile], report) != nil || report.Version != 1 || report.Complete != report.isComplete() || !isHex(report.Session) || len(report.Session) != 64 {
		v.problem(collectionFile, ErrMalformed)
		return
	}
	v.report = report
	for _, s := range report.Sources {
		for _, f := range s.Files {
			if size, exists := v.sizes[f.Path]; exists && size != f.Size && strings.HasPrefix(f.Path, payload) {
				v.problem(f.Path, ErrChanged)
			}
		}
	}
	for _, line := range []string{"External-Identifier: " + report.Session, fmt.Sprintf("Collection-Complete: %t", report.Complete)} {
		if !strings.Contains("\n"+string(v.tags[bagInfo]), "\n"+line+"\n") {
			v.problem(bagInfo, ErrMalformed)
		}
	}
}

// checkReport compares collection.json and bag-info.txt with the files.
func (v *verifier) checkReport() {
	described := map[string]bool{}
	for _, s := range v.report.Sources {
		for _, f := range s.Files {
			h := v.files[f.Path]
			if h == nil || described[f.Path] || !strings.HasPrefix(f.Path, payload) {
				v.problem(collectionFile, ErrMalformed)
				return
			}
			described[f.Path] = true
			if content := h.file(f.Path); content.Size != f.Size || content.SHA256 != f.SHA256 || content.SHA512 != f.SHA512 {
				v.problem(collectionFile, ErrMalformed)
			}
		}
	}
	if len(described) != v.payloadFiles {
		v.problem(collectionFile, ErrMalformed)
	}
	if !strings.Contains(string(v.tags[bagInfo]), fmt.Sprintf("\nPayload-Oxum: %d.%d\n", v.payloadBytes, v.payloadFiles)) {
		v.problem(bagInfo, ErrMalformed)
	}
}
