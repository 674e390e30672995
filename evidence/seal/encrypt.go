package seal

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"filippo.io/age"

	"github.com/identomat-go/identomat/evidence"
)

// Encrypt writes a package as a zip, as [evidence.Pack] does, encrypted so that each of the recipients can read it.
// It streams, in constant memory. After an error, what it has written is truncated, and cannot be decrypted.
//
// A package is kept for years, so use recipients that are safe against quantum computers: [age.HybridRecipient].
//
// To collect and encrypt in one step, pass the writer of [age.Encrypt] to [evidence.Zip], and close the writer
// only if Collect returns no error. Until then, the files lie unencrypted in a folder in os.TempDir().
func Encrypt(w io.Writer, fsys fs.FS, recipients ...age.Recipient) error {
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fmt.Errorf("seal: cannot encrypt: %w", err)
	}
	if err := evidence.Pack(encrypted, fsys); err != nil {
		return err
	}
	return encrypted.Close()
}

// intro is the first line of every encrypted file.
const intro = "age-encryption.org/v1\n"

// Decrypt opens an encrypted package of size bytes, which one of the identities can read. Pass the zip to
// [evidence.Verify] and [VerifyStamp]. Reading from the zip decrypts the file, and returns an error if the file was changed.
//
// If none of the identities can read the package, the error is an [age.NoIdentityMatchError].
func Decrypt(r io.ReaderAt, size int64, identities ...age.Identity) (*zip.Reader, error) {
	// For a file in another format, the error of package age would quote the file.
	first := make([]byte, len(intro))
	if _, err := r.ReadAt(first, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("seal: cannot read the package: %w", err)
	}
	if string(first) != intro {
		return nil, errors.New("seal: cannot decrypt: the file is not in the binary format of age")
	}
	plain, size, err := age.DecryptReaderAt(r, size, identities...)
	if err != nil {
		return nil, fmt.Errorf("seal: cannot decrypt: %w", err)
	}
	archive, err := zip.NewReader(plain, size)
	if err != nil {
		return nil, fmt.Errorf("seal: the package is not a zip: %w", err)
	}
	return archive, nil
}
