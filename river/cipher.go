package identomatriver

import (
	"crypto/aes"
	"crypto/cipher"
)

// Cipher encrypts tokens at rest. [NewCipher] returns one with a key in memory; a bank can also call its key
// management service. A Cipher must be safe for concurrent use. Its errors are logged.
type Cipher interface {
	// Encrypt encrypts a token. The associated data names the record, is not secret, and must be the same
	// for Decrypt, so that the token of one record cannot be moved to another.
	Encrypt(plaintext, associated []byte) ([]byte, error)
	Decrypt(ciphertext, associated []byte) ([]byte, error)
}

// NewCipher returns a cipher with AES-GCM and a random nonce. The key has 16, 24 or 32 bytes.
func NewCipher(key []byte) (Cipher, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return aesGCM{aead}, nil
}

type aesGCM struct{ aead cipher.AEAD }

func (a aesGCM) Encrypt(plaintext, associated []byte) ([]byte, error) {
	return a.aead.Seal(nil, nil, plaintext, associated), nil
}

func (a aesGCM) Decrypt(ciphertext, associated []byte) ([]byte, error) {
	return a.aead.Open(nil, nil, ciphertext, associated)
}
