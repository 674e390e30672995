package identomat

import (
	"archive/tar"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"strings"
	"time"
)

// Bounds of an archive. A call has a few pictures and videos, not thousands.
const (
	maxArchiveFiles    = 10_000
	maxArchiveFileSize = 1 << 30
)

// ArchiveFile is a file inside an archive. It can be read until the walk goes on.
type ArchiveFile struct {
	// Name is the path inside the archive, with slashes, never absolute and never leading
	// out of the archive.
	Name string
	// Size is the length in bytes.
	Size int64
	// ModTime is the time of the last change, as the archive says.
	ModTime time.Time

	src io.Reader
}

// Read reads the next bytes of the file.
func (f *ArchiveFile) Read(p []byte) (int, error) { return f.src.Read(p) }

// Files walks over the regular files of a tar archive, in constant memory, and closes the
// media. Links, devices and directories are left out, and names are cleaned. A walk that
// ends without an error has read the whole archive, and its signature was right. An archive
// of more than 10,000 entries, or a file of more than 1 GiB, is [ErrTooLarge]; what is no
// archive is [ErrUnexpectedReply].
func (m *Media) Files() iter.Seq2[*ArchiveFile, error] {
	return func(yield func(*ArchiveFile, error) bool) {
		defer m.Close()
		archive := tar.NewReader(m)
		for n := 0; ; n++ {
			header, err := archive.Next()
			switch {
			case err == io.EOF:
				// Beyond the archive's end mark, the media may still end badly.
				if err := copyTo(io.Discard, m); err != nil {
					yield(nil, err)
				}
				return
			case err != nil:
				yield(nil, m.archiveError(err))
				return
			case n == maxArchiveFiles || header.Size > maxArchiveFileSize:
				yield(nil, m.archiveError(errArchiveTooLarge))
				return
			}
			name := cleanName(header.Name)
			if header.Typeflag != tar.TypeReg || name == "" {
				continue
			}
			file := &ArchiveFile{Name: name, Size: header.Size, ModTime: header.ModTime, src: archiveSource{m, archive}}
			more := yield(file, nil)
			file.src = closed{}
			if !more {
				return
			}
		}
	}
}

var errArchiveTooLarge = errors.New("the archive is too large")

// archiveError gives an error of the tar reader, or one that it passed on, its public type.
func (m *Media) archiveError(err error) error {
	if public := m.readError(err); !errors.Is(public, err) || isPublic(err) {
		return public
	}
	api := &APIError{Op: m.op.Name, StatusCode: 200, Attempts: m.attempts, MaybeProcessed: true, kind: ErrUnexpectedReply, Sample: "not a tar archive"}
	if errors.Is(err, errArchiveTooLarge) {
		api.kind, api.Sample = ErrTooLarge, ""
	}
	return api
}

func isPublic(err error) bool {
	var api *APIError
	var transport *TransportError
	return errors.As(err, &api) || errors.As(err, &transport)
}

// archiveSource reads the current file of an archive.
type archiveSource struct {
	media   *Media
	archive *tar.Reader
}

func (s archiveSource) Read(p []byte) (int, error) {
	n, err := s.archive.Read(p)
	if err != nil && err != io.EOF {
		err = s.media.archiveError(err)
	}
	return n, err
}

// cleanName makes a path that stays inside of where it is put, or "".
func cleanName(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == ':' }) {
		name = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == ':' {
				return '_' // a stream or a drive on Windows, a trick in a terminal elsewhere
			}
			return r
		}, name)
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// ExtractTo writes the files of a tar archive into the folder dir, which is made if it is
// missing, and closes the media. Nothing is written outside of dir, through links either,
// and no file that exists is overwritten. Files are readable by their owner alone. It
// returns the number of files; on a failure the files that were written are removed.
func (m *Media) ExtractTo(dir string) (n int, err error) {
	defer m.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				_ = root.Remove(name)
			}
			n = 0
		}
	}()
	for file, err := range m.Files() {
		if err != nil {
			return 0, err
		}
		if folder := path.Dir(file.Name); folder != "." {
			if err := root.MkdirAll(folder, 0o700); err != nil {
				return 0, err
			}
		}
		out, err := root.OpenFile(file.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return 0, err
		}
		written = append(written, file.Name)
		err = copyTo(out, file)
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
