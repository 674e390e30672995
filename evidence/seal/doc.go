// Package seal adds to package evidence what needs other modules: time stamps (RFC 3161) and encryption (age).
//
//	stamped, err := seal.Stamp(ctx, "evidence/user-1", seal.Authority{URL: url, Roots: roots})
//	stamped, err := seal.VerifyStamp(os.DirFS("evidence/user-1"), roots)
//	err = seal.Encrypt(w, os.DirFS("evidence/user-1"), recipient)
//	archive, err := seal.Decrypt(r, size, identity)
//	check, err := evidence.Verify(archive)
//
// # Time stamps
//
// A time stamp proves that the package existed, exactly as it is, at a certain time. An authority that the
// caller trusts signs the SHA-256 of tagmanifest-sha256.txt, and that file covers all others. The
// authority learns nothing but the hash.
//
// The authority's response is stored as it arrived, in a file of the folder seal with the suffix .tsr. No
// manifest can list the file, because the time stamp is made from the manifests. So [evidence.Verify] accepts such
// files, and [VerifyStamp] verifies them. OpenSSL can verify them, too:
//
//	openssl ts -verify -data tagmanifest-sha256.txt -in seal/NAME.tsr -CAfile roots.pem
//
// # Encryption
//
// An encrypted package is a file in the format of age (age-encryption.org/v1) that contains the zip of
// [evidence.Pack]. The command age can decrypt it. No function of this package writes plaintext to the disk,
// and no error contains a key. But fmt prints the secret key of an identity from package age, so never log an identity.
//
// The page docs/evidence.md in the repository shows how to use both, and what else to do for a package that is kept for years.
package seal
