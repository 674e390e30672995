package identomat

import (
	"archive/tar"
	"cmp"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/datauri"
	"github.com/identomat-go/identomat/internal/engine"
)

// Limits of an archive. A video call has a few pictures and videos, not thousands.
const (
	maxArchiveFiles    = 10_000
	maxArchiveFileSize = 1 << 30
	maxArchiveName     = 1024
	maxArchiveDepth    = 100

	tarBlock = 512
)

// ArchiveFile is a file in an archive. It is readable until [Media.Files] yields the next file. File
// names can contain customers' names, so fmt and slog show a mask.
type ArchiveFile struct {
	private
	// Name is a slash-separated relative path without any ".." element.
	Name string
	// Size is in bytes. ModTime is the modification time in the archive.
	Size    int64
	ModTime time.Time

	read func(p []byte) (int, error)
}

// Read reads the next bytes of the file.
func (f *ArchiveFile) Read(p []byte) (int, error) { return f.read(p) }

// Files iterates over the regular files in a tar archive, in constant memory, and closes the media. It
// skips links, devices, sparse files and directories, and turns file names into safe relative paths. If
// the iteration ends without an error, the whole archive has been read and its signature, if any, was
// right.
//
// An archive with more than 10,000 entries, a file over 1 GiB, or a name with more than 1024 bytes or 100
// folders causes [ErrTooLarge]. A truncated or malformed archive causes [ErrUnexpectedResponse].
func (m *Media) Files() iter.Seq2[*ArchiveFile, error] {
	return func(yield func(*ArchiveFile, error) bool) {
		defer m.Close()
		archive := tar.NewReader(m)
		var end int64 // offset of the end of the last entry
		for n := 0; ; n++ {
			header, err := archive.Next()
			ended := err == io.EOF
			switch {
			case ended:
				// Reading to the end of the media may still fail, for example with a wrong
				// signature. archive/tar does not require the end marker (two blocks of zeros),
				// but an archive without it was truncated between two entries.
				if _, err = copyCounted(io.Discard, m); err == nil && m.done < end+2*tarBlock {
					err = m.refuse(&datauri.FormatError{Problem: "truncated tar archive"})
				}
			case err != nil:
				err = m.archiveError(err)
			case n == maxArchiveFiles || header.Size > maxArchiveFileSize,
				len(header.Name) > maxArchiveName || strings.Count(header.Name, "/") > maxArchiveDepth:
				err = m.refuse(engine.ErrTooLarge)
			}
			if ended || err != nil {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			end = m.done
			if header.Typeflag != tar.TypeReg || isSparse(header) {
				continue // for a sparse file, header.Size is not the number of bytes in the archive
			}
			end += (header.Size + tarBlock - 1) / tarBlock * tarBlock
			name := cleanName(header.Name)
			if name == "" {
				continue
			}
			current := true // a variable, not a field, so that all copies of the ArchiveFile share it
			read := func(p []byte) (int, error) {
				if !current {
					return 0, os.ErrClosed
				}
				n, err := archive.Read(p)
				if err != nil && err != io.EOF {
					err = m.archiveError(err)
				}
				return n, err
			}
			proceed := yield(&ArchiveFile{Name: name, Size: header.Size, ModTime: header.ModTime, read: read}, nil)
			current = false
			if !proceed {
				return
			}
		}
	}
}

// isSparse reports whether a file has holes that are not stored. A few stored bytes can expand to any
// size.
func isSparse(header *tar.Header) bool {
	for name := range header.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// archiveError returns err if it is already a public error, and an error for a malformed archive
// otherwise.
func (m *Media) archiveError(err error) error {
	if isPublic(err) {
		return err
	}
	return m.refuse(&datauri.FormatError{Problem: "not a tar archive"})
}

// cleanName returns a relative path that stays inside any folder to which it is joined, or "" if nothing
// is left of the name.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r == ':' || !unicode.IsGraphic(r):
			return '_' // a drive or stream on Windows, or a control sequence for a terminal
		}
		return r
	}, name)
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// ExtractTo writes the files in a tar archive into the folder dir, which it creates if necessary, and
// closes the media. It returns the number of files. It writes nothing outside dir, not even through
// symbolic links, and overwrites no existing file. If two names in the archive are equal or differ only
// in case, the second file gets a suffix: "a.jpg", "a-2.jpg". Path elements are truncated to 200 bytes.
// Files and folders are accessible only to their owner. If ExtractTo fails, it removes the files and
// folders that it has created. Errors contain no name from the archive.
func (m *Media) ExtractTo(dir string) (n int, err error) {
	defer m.Close()
	var undo []func()
	extracted := false
	defer func() { // deferred so that it also runs after a panic
		if !extracted {
			n = 0
			for _, f := range slices.Backward(undo) {
				f()
			}
		}
	}()
	for _, folder := range missingFolders(dir) {
		undo = append(undo, func() { _ = os.Remove(folder) })
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	undo = append(undo, func() { _ = root.Close() })
	remove := func(name string) func() { return func() { _ = root.Remove(name) } }
	names := uniqueNames{isFolder: map[string]bool{}, suffix: map[string]int{}}
	for file, err := range m.Files() {
		if err != nil {
			return 0, err
		}
		folders, base := path.Split(file.Name)
		name := ""
		for folder := range strings.SplitSeq(strings.TrimSuffix(folders, "/"), "/") {
			if folder == "" {
				continue
			}
			name = names.add(name, folder, true)
			if err := root.Mkdir(name, 0o700); err == nil {
				undo = append(undo, remove(name))
			} else if !errors.Is(err, os.ErrExist) {
				return 0, withoutPath(err)
			}
		}
		name = names.add(name, base, false)
		out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return 0, withoutPath(err)
		}
		undo = append(undo, remove(name), func() { _ = out.Close() })
		_, err = copyCounted(out, file)
		if err := cmp.Or(err, out.Close()); err != nil {
			return 0, withoutPath(err)
		}
		n++
	}
	extracted = true
	return n, root.Close()
}

// uniqueNames chooses the names of files and folders in a new folder. Names that differ only in case
// count as equal, because some file systems do not distinguish them.
type uniqueNames struct {
	isFolder map[string]bool
	suffix   map[string]int // the last suffix given to a lower-case path
}

// maxElement leaves room for a suffix: file systems limit a name to 255 bytes.
const maxElement = 200

// add chooses the path of a file or a folder inside the folder parent. A file gets an unused path. A
// folder gets the path of an existing folder whose name differs at most in case, or else an unused path.
func (u *uniqueNames) add(parent, element string, isFolder bool) string {
	extension := path.Ext(element)
	if len(extension) > maxElement/10 {
		extension = ""
	}
	stem := strings.TrimSuffix(element, extension)
	for len(stem)+len(extension) > maxElement {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	if parent != "" {
		stem = parent + "/" + stem // path.Join would drop a stem of one dot
	}
	first := strings.ToLower(stem + extension)
	for n := max(u.suffix[first], 1); ; n++ {
		name := stem + extension
		if n > 1 {
			name = stem + "-" + strconv.Itoa(n) + extension
		}
		key := strings.ToLower(name)
		if existing, used := u.isFolder[key]; !used || existing && isFolder {
			u.isFolder[key], u.suffix[first] = isFolder, n
			return name
		}
	}
}

// missingFolders returns the folders that must be created for dir to exist, outermost first.
func missingFolders(dir string) []string {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return append(missingFolders(filepath.Dir(dir)), dir)
}
