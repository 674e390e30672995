package identomat

import (
	"archive/tar"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/identomat-go/identomat/internal/datauri"
	"github.com/identomat-go/identomat/internal/engine"
)

// Bounds of an archive. A call has a few pictures and videos, not thousands.
const (
	maxArchiveFiles    = 10_000
	maxArchiveFileSize = 1 << 30
	maxArchiveName     = 1024
	maxArchiveDepth    = 100

	tarBlock = 512
)

// ArchiveFile is a file inside an archive. It can be read until the walk goes on. Its name
// may be a customer's: fmt, slog and encoding/json show a mask.
type ArchiveFile struct {
	private
	// Name is the path inside the archive, with slashes, never absolute and never leading
	// out of the archive.
	Name string
	// Size is the length in bytes.
	Size int64
	// ModTime is the time of the last change, as the archive says.
	ModTime time.Time

	src *archiveSource
}

// Read reads the next bytes of the file.
func (f *ArchiveFile) Read(p []byte) (int, error) { return f.src.Read(p) }

// Files walks over the regular files of a tar archive, in constant memory, and closes the
// media. Links, devices, sparse files and directories are left out, and names are cleaned. A
// walk that ends without an error has read the whole archive, and its signature was right.
// An archive of more than 10,000 entries, a file of more than 1 GiB, and a name of more than
// 1024 bytes or 100 folders are [ErrTooLarge]; what is no whole archive is
// [ErrUnexpectedResponse].
func (m *Media) Files() iter.Seq2[*ArchiveFile, error] {
	return func(yield func(*ArchiveFile, error) bool) {
		defer m.Close()
		archive := tar.NewReader(m)
		var entry int64 // where the last entry ends
		for n := 0; ; n++ {
			header, err := archive.Next()
			switch {
			case err == io.EOF:
				// Beyond the archive's end mark, the media may still end badly. Without the
				// mark, which is two blocks of zeros, it was cut between two entries.
				err := copyTo(io.Discard, m)
				if err == nil && m.done < entry+2*tarBlock {
					err = m.refuse(&datauri.FormatError{Problem: "a tar archive without its end"})
				}
				if err != nil {
					yield(nil, err)
				}
				return
			case err != nil:
				yield(nil, m.archiveError(err))
				return
			case n == maxArchiveFiles || header.Size > maxArchiveFileSize,
				len(header.Name) > maxArchiveName || strings.Count(header.Name, "/") > maxArchiveDepth:
				yield(nil, m.refuse(engine.ErrTooLarge))
				return
			}
			entry = m.done + blocks(header)
			name := cleanName(header.Name)
			if header.Typeflag != tar.TypeReg || isSparse(header) || name == "" {
				continue
			}
			src := &archiveSource{media: m, archive: archive}
			more := yield(&ArchiveFile{Name: name, Size: header.Size, ModTime: header.ModTime, src: src}, nil)
			src.archive = nil
			if !more {
				return
			}
		}
	}
}

// blocks is how much of the archive the content of an entry takes; less for a sparse one.
func blocks(header *tar.Header) int64 {
	if header.Typeflag != tar.TypeReg || isSparse(header) {
		return 0
	}
	return (header.Size + tarBlock - 1) / tarBlock * tarBlock
}

// isSparse tells a file whose holes are not in the archive: a few bytes of it would become
// as large as they say.
func isSparse(header *tar.Header) bool {
	for name := range header.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// archiveError tells an error of the media, which is public, from one of the archive.
func (m *Media) archiveError(err error) error {
	var api *APIError
	var transport *TransportError
	if errors.As(err, &api) || errors.As(err, &transport) {
		return err
	}
	return m.refuse(&datauri.FormatError{Problem: "not a tar archive"})
}

// archiveSource reads the current file of an archive.
type archiveSource struct {
	media   *Media
	archive *tar.Reader
}

func (s *archiveSource) Read(p []byte) (int, error) {
	if s.archive == nil {
		return 0, os.ErrClosed
	}
	n, err := s.archive.Read(p)
	if err != nil && err != io.EOF {
		err = s.media.archiveError(err)
	}
	return n, err
}

// cleanName makes a path that stays inside of where it is put, or "".
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r == ':' || !unicode.IsGraphic(r):
			return '_' // a stream or a drive on Windows, a trick in a terminal elsewhere
		}
		return r
	}, name)
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// ExtractTo writes the files of a tar archive into the folder dir, which is made if it is
// missing, and closes the media. Nothing is written outside of dir, through links either,
// and no file that exists is overwritten. Files are readable by their owner alone. It
// returns the number of files; on a failure the files and folders that were made are
// removed.
func (m *Media) ExtractTo(dir string) (n int, err error) {
	defer m.Close()
	var made []func() // undo, in order of making
	extracted := false
	defer func() { // after a panic, too
		if extracted {
			return
		}
		n = 0
		for _, undo := range slices.Backward(made) {
			undo()
		}
	}()
	missing := missingFolders(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	for _, folder := range missing {
		made = append(made, func() { _ = os.Remove(folder) })
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	made = append(made, func() { _ = root.Close() })
	remove := func(name string) func() { return func() { _ = root.Remove(name) } }
	for file, err := range m.Files() {
		if err != nil {
			return 0, err
		}
		for i, c := range file.Name {
			if c != '/' {
				continue
			}
			folder := file.Name[:i]
			if err := root.Mkdir(folder, 0o700); err == nil {
				made = append(made, remove(folder))
			} else if !errors.Is(err, os.ErrExist) {
				return 0, err
			}
		}
		out, err := root.OpenFile(file.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return 0, err
		}
		made = append(made, remove(file.Name), func() { _ = out.Close() })
		if err := copyTo(out, file); err != nil {
			return 0, err
		}
		if err := out.Close(); err != nil {
			return 0, err
		}
		n++
	}
	extracted = true
	return n, root.Close()
}

// missingFolders are dir and its parents as far as they do not exist, the outermost first.
func missingFolders(dir string) (missing []string) {
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, dir)
	}
}
