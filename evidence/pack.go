package evidence

import (
	"archive/zip"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// Pack writes a package as a zip. Equal packages give equal bytes: entries are in order, uncompressed and
// without times. As RFC 8493 requires, the zip has one folder: its name is evidence- and the first 16 digits
// of the session's hash. [Verify] accepts the zip. Pack accepts an incomplete package, as Verify does.
//
// Pack first verifies the package. If the package does not verify, or if a file changes while it is written,
// Pack returns a [VerifyError]. In the second case, discard what was written to w.
func Pack(w io.Writer, fsys fs.FS) error {
	check, err := Verify(fsys)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(check.files)) {
		if err := pack(archive, check, name); err != nil {
			return err
		}
	}
	return archive.Close()
}

// pack writes one file. The header holds the size and the checksum, so that readers which cannot seek find
// the end of the file.
func pack(archive *zip.Writer, check *Check, name string) error {
	want := check.files[name]
	header := &zip.FileHeader{
		Name: "evidence-" + check.Session[:16] + "/" + name, Method: zip.Store, CRC32: want.crc32,
		CompressedSize64: uint64(want.size), UncompressedSize64: uint64(want.size),
	}
	//lint:ignore SA1019 CreateRaw writes this field, not Modified.
	header.ModifiedDate = firstDate
	header.SetMode(0o600)
	out, err := archive.CreateRaw(header)
	if err != nil {
		return err
	}
	file, err := check.FS.Open(name)
	if err != nil {
		return &VerifyError{[]*Problem{{name, withoutPath(err)}}}
	}
	defer file.Close()
	got := newHashes()
	in := packed{name, io.LimitReader(file, want.size+1)}
	if _, err := io.Copy(io.MultiWriter(out, got), in); err != nil {
		return err
	}
	if got.file(name) != want.file(name) {
		return &VerifyError{[]*Problem{{name, ErrChanged}}}
	}
	return nil
}

// packed is a file whose errors name it without the path of the folder.
type packed struct {
	name string
	io.Reader
}

func (p packed) Read(buf []byte) (int, error) {
	n, err := p.Reader.Read(buf)
	if err != nil && err != io.EOF {
		err = &VerifyError{[]*Problem{{p.name, withoutPath(err)}}}
	}
	return n, err
}

// firstDate is January 1, 1980, the first date that a zip can hold.
const firstDate = 1<<5 | 1
