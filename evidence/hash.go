package evidence

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"hash/crc32"
)

// hashes computes all hashes of a file in one pass.
type hashes struct {
	sha256, sha512 hash.Hash
	crc32          uint32 // for Pack
	size           int64
}

func newHashes() *hashes { return &hashes{sha256: sha256.New(), sha512: sha512.New()} }

func (h *hashes) Write(p []byte) (int, error) {
	h.sha256.Write(p)
	h.sha512.Write(p)
	h.crc32 = crc32.Update(h.crc32, crc32.IEEETable, p)
	h.size += int64(len(p))
	return len(p), nil
}

// file returns the size and the hashes of what was written.
func (h *hashes) file(path string) File {
	return File{Path: path, Size: h.size, SHA256: hex.EncodeToString(h.sha256.Sum(nil)), SHA512: hex.EncodeToString(h.sha512.Sum(nil))}
}
