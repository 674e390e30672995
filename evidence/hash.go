package evidence

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"sync"
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

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyPooled is io.Copy through a pooled buffer.
func copyPooled(dst io.Writer, src io.Reader) (int64, error) {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	// The structs hide the methods ReadFrom and WriteTo, which would allocate another buffer.
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buf[:])
}
