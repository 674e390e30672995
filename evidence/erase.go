package evidence

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/trace"
)

// Receipt says that a session was erased at Identomat, and identifies the package that was kept. It
// contains no personal data and no token, so it may outlive the package. Store its JSON.
type Receipt struct {
	// Version is the version of the format, 1.
	Version int `json:"version"`
	// Session is the SHA-256 of the session's token, in lowercase hexadecimal.
	Session string `json:"session"`
	// Erased is when the response to delete/ arrived, even if Gone is true.
	Erased time.Time `json:"erased"`
	// Gone says that Identomat found no such session for the client's company key. Usually an earlier call
	// erased it and the response was lost. A client with another company's key may get the same response.
	Gone bool `json:"gone"`
	// Attempts counts the requests. Status is the HTTP status of the last response.
	Attempts int `json:"attempts"`
	Status   int `json:"status"`
	// SignatureVerified says that the response had a valid signature. It is false if the client does not
	// sign.
	SignatureVerified bool `json:"signatureVerified"`
	// Verified says that the package verified, and Complete that it is complete. If it did not verify,
	// Complete is false, and Digest, Files, Bytes and Seals are empty.
	Verified bool `json:"verified"`
	Complete bool `json:"complete"`
	// Reason is the caller's reason for [Anyway], if the package did not verify or is incomplete.
	Reason string `json:"reason,omitzero"`
	// Digest is the [Check.Digest] of the package.
	Digest string `json:"digest,omitzero"`
	// Files and Bytes count the files in data.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Seals are the SHA-256 of the time stamps, by path.
	Seals map[string]string `json:"seals,omitzero"`
}

// EraseOption configures [Erase].
type EraseOption func(*erasure)

type erasure struct {
	reason  string
	require []func(fs.FS) error
}

// Anyway erases the session even if the package does not verify or is incomplete, for example because the
// customer abandoned the session. The reason becomes part of the receipt, so it must not contain personal
// data. A blank reason has no effect. Erase still refuses a package that verifies and belongs to another session.
func Anyway(reason string) EraseOption { return func(e *erasure) { e.reason = reason } }

// Require adds a check before the session is erased, for example that the time stamp is valid. The check
// receives the package's file system. An error from the check stops Erase, even with [Anyway].
func Require(check func(fs.FS) error) EraseOption {
	return func(e *erasure) { e.require = append(e.require, check) }
}

// Erase deletes the session at Identomat for good, and returns a receipt. It first verifies the package,
// and refuses to delete if the package does not verify, is incomplete ([ErrIncomplete]), or belongs to
// another session ([ErrOtherSession]). [Anyway] overrides the first two.
//
// Erase can be called again, for example after an error with [identomat.MaybeProcessed]: if Identomat has
// no such session, the receipt's Gone is true. It does not delete the package.
//
// After Erase, add nothing to the package with [With], because another [Check.Digest] would no longer match
// the receipt. Collect refuses to change a package that has a time stamp ([ErrSealed]).
func Erase(ctx context.Context, client *identomat.Client, token identomat.Token, fsys fs.FS, opts ...EraseOption) (*Receipt, error) {
	e := erasure{}
	for _, opt := range opts {
		opt(&e)
	}
	isBlank := strings.TrimSpace(e.reason) == ""
	receipt := &Receipt{Version: 1, Session: sessionHash(token)}
	check, err := Verify(fsys)
	switch {
	case err != nil && isBlank:
		return nil, err
	case err != nil:
		receipt.Reason = e.reason
	case check.Session != receipt.Session:
		return nil, ErrOtherSession
	case !check.Complete && isBlank:
		return nil, fmt.Errorf("%w, so the session is not erased", ErrIncomplete)
	default:
		fsys = check.FS
		receipt.describe(check, e.reason)
	}
	for _, require := range e.require {
		if err := require(fsys); err != nil {
			return nil, fmt.Errorf("evidence: a required check failed, so the session is not erased: %w", err)
		}
	}
	var t trace.Trace
	_, err = client.Sessions.Delete(trace.With(ctx, &t), token)
	if receipt.Gone = errors.Is(err, identomat.ErrSessionNotFound); err != nil && !receipt.Gone {
		return nil, err
	}
	receipt.Erased, receipt.Attempts, receipt.Status, receipt.SignatureVerified = now(), t.Attempts, t.StatusCode, t.Signed.Load() && err == nil
	return receipt, nil
}

// describe describes a package that verifies.
func (r *Receipt) describe(check *Check, reason string) {
	r.Verified, r.Complete, r.Digest, r.Files, r.Bytes = true, check.Complete, check.Digest, check.Files, check.Bytes
	if !check.Complete {
		r.Reason = reason
	}
	for _, name := range check.Seals {
		if r.Seals == nil {
			r.Seals = map[string]string{}
		}
		r.Seals[name] = hex.EncodeToString(check.files[name].sha256.Sum(nil))
	}
}
