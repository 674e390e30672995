package identomattest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
)

// WithSeed makes tokens, ids and one-time passwords depend only on the seed and the order of the requests,
// so that responses can be recorded and compared. Use it with [WithClock].
func WithSeed(seed uint64) Option {
	return func(s *Server) { s.seed = &seed }
}

// reseed restarts the random values. Server.mu guards the source.
func (s *Server) reseed() {
	s.random = rand.Reader
	if s.seed != nil {
		var key [32]byte
		binary.BigEndian.PutUint64(key[:], *s.seed)
		s.random = mathrand.NewChaCha8(key)
	}
}

// randomBytes returns n random bytes. The caller holds s.mu.
func (s *Server) randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = s.random.Read(b) // never fails
	return b
}

func (s *Server) randomHex(n int) string { return hex.EncodeToString(s.randomBytes(n)) }

// newID returns 24 hexadecimal digits, the format of the service's object ids.
func (s *Server) newID() string { return s.randomHex(12) }

// newToken returns 40 characters of [0-9a-z], the format of the service's tokens.
func (s *Server) newToken() string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for b.Len() < 40 {
		for _, r := range s.randomBytes(64) {
			// 252 is the largest multiple of 36 that fits in a byte. Without this limit, some characters
			// would be more likely than others.
			if r < 252 && b.Len() < 40 {
				b.WriteByte(alphabet[r%36])
			}
		}
	}
	return b.String()
}

// newCode returns a one-time password of four digits, like the one in the documented callback.
func (s *Server) newCode() string {
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(s.randomBytes(8))%10000)
}
