package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// AddSeal adds a time stamp to the package in the folder dir, for package seal. It locks the folder as Collect
// does ([ErrInUse]) and verifies the package. Then it calls stamp, and stores the bytes that stamp returns in
// a file of the folder seal. After an error, the package is as it was.
//
// A time stamp is at most 64 kB, and a package has at most 100 time stamps ([ErrTooLarge]).
func AddSeal(dir string, stamp func(*Check) ([]byte, error)) error {
	f, err := openFolder(dir, nil)
	if err != nil {
		return err
	}
	defer f.close()
	found, err := f.list()
	if err != nil {
		return err
	}
	check, err := f.verify(found)
	if err != nil {
		return err
	}
	if len(check.Seals) >= maxSeals {
		return fmt.Errorf("%w: the package already has %d time stamps", ErrTooLarge, maxSeals)
	}
	data, err := stamp(check)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	name := sealFolder + "/" + hex.EncodeToString(sum[:8]) + sealSuffix
	if slices.Contains(check.Seals, name) {
		return nil // the package has this time stamp already
	}
	if len(data) > maxSeal {
		return &Problem{name, ErrTooLarge}
	}
	if err = f.write(name, data); err == nil {
		err = f.change("sync", name, func() error { return errors.Join(f.syncFolder(sealFolder), f.syncFolder(".")) })
	}
	if err != nil {
		_ = f.root.Remove(name)
		f.removeEmptyFolders(sealFolder)
	}
	return err
}
