package evidence

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Files that exist only during a collection.
const (
	// journalFile holds a record of each source that is safely on disk, one JSON object per line.
	journalFile = "collection.journal"
	lockFile    = "collection.lock"
	// partial is the suffix of a file without a record. Once the record is written, the file gets its
	// final name. So a crash loses at most the downloads that were not finished.
	partial = ".part"
)

// step is called before every change to the folder, so that tests can make the change fail, or end the
// process there.
type step func(change, path string) error

// folder is a package that is being collected.
type folder struct {
	root    *os.Root
	lock    io.Closer
	session string // the hash of the token
	step    step

	// mu guards the fields below.
	mu      sync.Mutex
	journal *os.File
	records map[string]Source // by name
	changed bool              // the journal has records that collection.json may lack
	broken  error             // why the last line of the journal may be incomplete

	sealed    bool     // the package has a time stamp
	forgotten []string // files that an interrupted forget has yet to remove
}

// journalHeader is the first line of a journal.
type journalHeader struct {
	Version int    `json:"version"`
	Session string `json:"session"`
}

// openFolder opens the folder dir and locks it.
func openFolder(dir string, step step) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("evidence: cannot open the folder: %w", withoutPath(err))
	}
	f := &folder{root: root, step: step, records: map[string]Source{}}
	if info, err := root.Stat(lockFile); err == nil && info.Size() > 0 { // not a lock, so close must not remove it
		f.close()
		return nil, &Problem{lockFile, ErrUnexpectedFile}
	}
	for f.lock == nil && err == nil { // the holder may remove the lock's file while lock opens it
		f.lock, err = lock(root, filepath.Join(dir, lockFile))
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// close removes the lock.
func (f *folder) close() {
	if f.journal != nil {
		_ = f.journal.Close()
	}
	if f.lock != nil {
		_ = f.lock.Close()
	}
	_ = f.root.Close()
}

// load reads what earlier collections of the session have stored. done is the report of a complete package.
func (f *folder) load(session string) (done *Report, err error) {
	f.session = session
	found, err := f.list()
	switch {
	case err != nil:
		return nil, err
	case !found[journalFile] && found[collectionFile]:
		check, err := f.verify(found)
		if err != nil {
			return nil, err
		}
		return f.takeOver(check)
	case found[journalFile]:
		f.changed = true
		if err := f.readJournal(); err != nil {
			return nil, err
		}
	}
	return nil, f.recover(found)
}

// list returns the paths of all files. A symbolic link is an error, because it could lead to a file elsewhere.
func (f *folder) list() (map[string]bool, error) {
	found := map[string]bool{}
	err := fs.WalkDir(f.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("evidence: cannot read the folder: %w", withoutPath(err))
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return &Problem{name, ErrUnexpectedFile}
		}
		found[name] = true
		return nil
	})
	return found, err
}

// verify verifies the package of a collection that ran to its end. First, it removes what an interrupted
// begin or AddSeal has left.
func (f *folder) verify(found map[string]bool) (*Check, error) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if whole, ok := strings.CutSuffix(name, partial); ok && (whole == journalFile || isSeal(whole)) {
			if err := f.remove(name); err != nil {
				return nil, err
			}
		}
	}
	f.removeEmptyFolders(sealFolder)
	return Verify(f.root.FS())
}

// takeOver takes over the package of a collection that ran to its end. It returns the report of a complete
// package.
func (f *folder) takeOver(check *Check) (*Report, error) {
	if check.Session != f.session {
		return nil, ErrOtherSession
	}
	f.sealed = len(check.Seals) > 0
	for _, s := range check.Report.Sources {
		if s.State == Failed {
			continue
		}
		if !s.isRecord() {
			return nil, &Problem{collectionFile, ErrMalformed}
		}
		f.records[s.Name] = s
	}
	if check.Complete {
		return check.Report, nil
	}
	return nil, nil
}

// readJournal takes over what an interrupted collection has stored.
func (f *folder) readJournal() error {
	data, err := f.root.ReadFile(journalFile)
	if err != nil {
		return &Problem{journalFile, withoutPath(err)}
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1] // the rest of a line that a crash interrupted, or nothing
	for i, line := range lines {
		var header journalHeader
		var s Source
		if i == 0 {
			err = json.Unmarshal(line, &header)
		} else {
			err = json.Unmarshal(line, &s)
		}
		switch {
		case err != nil, i == 0 && header.Version != 1, i > 0 && s.State != forgotten && !s.isRecord():
			return &Problem{journalFile, ErrMalformed}
		case i == 0 && header.Session != f.session:
			return ErrOtherSession
		case i > 0:
			f.replay(s)
		}
	}
	return nil
}

// isRecord reports whether s can be a record in the folder.
func (s *Source) isRecord() bool {
	hasFiles := s.State == Collected || s.State == Added
	return s.Name != "" && (hasFiles || s.State == Absent && s.Name != resultName) && hasFiles == (len(s.Files) > 0)
}

// replay applies a line of the journal.
func (f *folder) replay(s Source) {
	if s.State != forgotten {
		f.records[s.Name] = s
		return
	}
	for _, file := range s.Files {
		f.forgotten = append(f.forgotten, file.Path)
	}
	maps.DeleteFunc(f.records, func(_ string, s Source) bool { return s.State != Added })
}

// recover compares the files with the records, gives recorded files their final names, and removes
// unfinished files.
func (f *folder) recover(found map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(f.records)) {
		for _, file := range f.records[name].Files {
			if checkPath(file.Path) != "" || !strings.HasPrefix(file.Path, payload) {
				return &Problem{journalFile, ErrMalformed}
			}
			at := file.Path
			if !found[at] && found[at+partial] {
				at += partial
			}
			hash, err := f.hash(at)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return &Problem{file.Path, ErrMissing}
			case err != nil:
				return &Problem{file.Path, withoutPath(err)}
			case hash.SHA256 != file.SHA256 || hash.SHA512 != file.SHA512:
				return &Problem{file.Path, ErrChanged}
			case at != file.Path:
				if err := f.rename(at, file.Path); err != nil {
					return err
				}
			}
			delete(found, file.Path)
			delete(found, at)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		switch {
		case name == journalFile, name == lockFile, isTag(name):
		case strings.HasSuffix(name, partial), slices.Contains(f.forgotten, name):
			if err := f.remove(name); err != nil {
				return err
			}
		default:
			return &Problem{name, ErrUnexpectedFile}
		}
	}
	return nil
}

func (f *folder) hash(name string) (File, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	h := newHashes()
	_, err = io.Copy(h, file)
	return h.file(name), err
}

// change makes a change and names the file in its error.
func (f *folder) change(kind, name string, do func() error) error {
	err := f.step.before(kind, name)
	if err == nil {
		err = do()
	}
	if err != nil {
		return &localError{&Problem{name, withoutPath(err)}}
	}
	return nil
}

func (s step) before(change, path string) error {
	if s == nil {
		return nil
	}
	return s(change, path)
}

// localError reports that the folder cannot be written. It ends the collection, because all other
// sources would fail, too.
type localError struct{ *Problem }

func (e *localError) Error() string { return "evidence: cannot write " + e.Problem.Error() }

func (f *folder) remove(name string) error {
	return f.change("remove", name, func() error { return f.root.Remove(name) })
}

func (f *folder) rename(from, to string) error {
	return f.change("rename", to, func() error { return f.root.Rename(from, to) })
}

// begin makes the folder private, and creates the journal, which shows that the package is unfinished.
func (f *folder) begin() error {
	if f.sealed {
		return ErrSealed
	}
	if info, err := f.root.Stat("."); err != nil {
		return fmt.Errorf("evidence: cannot read the folder: %w", withoutPath(err))
	} else if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		if err := f.change("chmod", ".", func() error { return f.root.Chmod(".", 0o700) }); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	_ = encoder.Encode(journalHeader{Version: 1, Session: f.session}) // memory does not fail
	for _, name := range slices.Sorted(maps.Keys(f.records)) {
		_ = encoder.Encode(f.records[name])
	}
	err := f.write(journalFile, b.Bytes())
	if err == nil {
		err = f.change("open", journalFile, func() (err error) {
			f.journal, err = f.root.OpenFile(journalFile, os.O_WRONLY|os.O_APPEND, 0o600)
			return errors.Join(err, f.syncFolder("."))
		})
	}
	return err
}

// abandon restores the state before begin. It keeps a journal with records that are nowhere else: those of
// this collection, and those of an interrupted one.
func (f *folder) abandon() {
	if f.changed {
		return
	}
	if f.journal != nil {
		_ = f.journal.Close() // Windows removes no open file
	}
	f.removeEmptyFolders(strings.TrimSuffix(payload, "/"))
	_ = f.root.Remove(journalFile)
}

// removeEmptyFolders removes the folders at and below top that unfinished files have left, because Verify
// does not accept them.
func (f *folder) removeEmptyFolders(top string) {
	var folders []string
	_ = fs.WalkDir(f.root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, name)
		}
		return nil
	})
	for _, folder := range slices.Backward(folders) { // the inner ones first
		_ = f.root.Remove(folder) // fails unless it is empty
	}
}

// write replaces a whole file.
func (f *folder) write(name string, data []byte) error {
	if _, err := f.put(name, data); err != nil {
		return err
	}
	err := f.rename(name+partial, name)
	if err != nil {
		_ = f.root.Remove(name + partial)
	}
	return err
}

// put writes a whole unfinished file.
func (f *folder) put(name string, data []byte) (File, error) {
	out, err := f.create(name)
	if err != nil {
		return File{}, err
	}
	if _, err = out.Write(data); err == nil {
		err = out.finish()
	}
	if err != nil {
		out.discard()
		return File{}, out.failure(err)
	}
	return out.hashes.file(name), nil
}

// output is an unfinished file. It hashes what is written to it.
type output struct {
	*hashes
	folder *folder
	name   string
	file   *os.File
	err    error // the first failed write
}

// create begins an unfinished file. It replaces an older unfinished one.
func (f *folder) create(name string) (*output, error) {
	o := &output{hashes: newHashes(), folder: f, name: name}
	err := f.change("create", name, func() (err error) {
		if dir := path.Dir(name); dir != "." {
			if err := f.root.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		if err := f.root.Remove(name + partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		o.file, err = f.root.OpenFile(name+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return o, err
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if o.size+int64(len(p)) > maxFileSize {
		return 0, ErrTooLarge
	}
	if o.err = o.folder.step.before("write", o.name); o.err != nil {
		return 0, o.err
	}
	n, err := o.file.Write(p)
	_, _ = o.hashes.Write(p[:n])
	o.err = err
	return n, err
}

// finish makes sure that the content is on disk.
func (o *output) finish() error {
	return o.folder.change("sync", o.name, func() error { return errors.Join(o.file.Sync(), o.file.Close()) })
}

// failure returns the error for a copy to the file that ended with err. If the file cannot be written, it
// is a localError.
func (o *output) failure(err error) error {
	if o.err != nil {
		return &localError{&Problem{o.name, withoutPath(o.err)}}
	}
	return err
}

// discard removes the file.
func (o *output) discard() {
	_ = o.file.Close()
	_ = o.folder.root.Remove(o.name + partial)
}

// commit records a source, and then gives its files their final names. From here on, the source
// is never fetched again.
func (f *folder) commit(s Source) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.syncFolders(s); err != nil {
		return err
	}
	if err := f.append(s); err != nil {
		return err
	}
	for _, file := range s.Files {
		if err := f.rename(file.Path+partial, file.Path); err != nil {
			return err
		}
	}
	f.records[s.Name] = s
	return nil
}

// append writes a line to the journal. After a failure it writes no more, because a line after an
// incomplete one could not be read.
func (f *folder) append(s Source) error {
	line, err := json.Marshal(s)
	if err != nil || f.broken != nil {
		return cmp.Or(err, f.broken)
	}
	f.changed = true
	f.broken = f.change("record", journalFile, func() error {
		_, err := f.journal.Write(append(line, '\n'))
		return errors.Join(err, f.journal.Sync())
	})
	return f.broken
}

// forgotten is the state of a line in the journal that cancels the lines before it.
const forgotten State = "forgotten"

// forget removes all that was collected, but not what the caller added.
func (f *folder) forget() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := Source{State: forgotten}
	for _, name := range slices.Sorted(maps.Keys(f.records)) {
		if s := f.records[name]; s.State != Added {
			line.Files = append(line.Files, s.Files...)
		}
	}
	if line.Files == nil {
		return nil
	}
	if err := f.append(line); err != nil {
		return err
	}
	f.replay(line)
	for _, file := range line.Files {
		if err := f.remove(file.Path); err != nil {
			return err
		}
	}
	return nil
}

// record returns the record of a source.
func (f *folder) record(name string) (Source, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.records[name]
	return s, ok
}

// finish writes the files outside data, and removes the journal.
func (f *folder) finish(report *Report) error {
	tags := tagFiles(report)
	if err := checkSize(report, tags, 1); err != nil {
		return err
	}
	f.removeEmptyFolders(strings.TrimSuffix(payload, "/"))
	if err := f.syncFolders(report.Sources...); err != nil {
		return err
	}
	f.changed = true // until all of them are written, the files outside data do not describe the package
	for _, tag := range tags {
		if err := f.write(tag.name, tag.data); err != nil {
			return err
		}
	}
	if err := f.change("sync", ".", func() error { return f.syncFolder(".") }); err != nil {
		return err
	}
	_ = f.journal.Close() // Windows removes no open file
	f.journal = nil
	if err := f.remove(journalFile); err != nil {
		return err
	}
	return f.change("sync", ".", func() error { return f.syncFolder(".") })
}

// syncFolders makes sure that the names of the sources' files are on disk.
func (f *folder) syncFolders(sources ...Source) error {
	folders := map[string]bool{}
	for _, s := range sources {
		for _, file := range s.Files {
			for dir := path.Dir(file.Path); dir != "."; dir = path.Dir(dir) {
				folders[dir] = true
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if err := f.change("sync", dir, func() error { return f.syncFolder(dir) }); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder does nothing on Windows, which cannot sync a folder.
func (f *folder) syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
