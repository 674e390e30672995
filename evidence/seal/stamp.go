package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/identomat-go/identomat/evidence"
)

// Errors of this package, for [errors.Is].
var (
	// ErrNoStamp: the package has no time stamp.
	ErrNoStamp = errors.New("seal: the package has no time stamp")
	// ErrInvalidStamp: a time stamp is malformed, has a wrong signature or is for another package, or its
	// authority is not trusted. The text of the error says which.
	ErrInvalidStamp = errors.New("seal: the time stamp is not valid")
)

// Authority is a time-stamp authority that is called over HTTP (RFC 3161).
type Authority struct {
	// URL is the address that requests are posted to. Time stamps are signed, so http is as safe as https.
	URL string
	// Roots are the certificates of the root CAs that may have issued the authority's certificate.
	Roots *x509.CertPool
	// Client sends the request. If it is nil, a request takes at most a minute, and redirects are not followed.
	Client *http.Client
}

// maxStamp limits a response. It is usually smaller than 10 kB.
const maxStamp = 64 << 10

// Stamp asks the authority for a time stamp of the package in the folder dir, stores the time stamp there, and
// returns its time. The package must be a folder that [evidence.Collect] has made, not a zip.
//
// Stamp verifies the package before it asks the authority, and then verifies the time stamp, as [VerifyStamp]
// does. If one of them does not verify, or if the authority cannot be reached, Stamp writes nothing. It does not
// retry, because an authority may charge for a time stamp. While Stamp runs, Collect and another Stamp of the same
// folder return [evidence.ErrInUse].
//
// Collect does not change a package that has a time stamp ([evidence.ErrSealed]). So stamp an incomplete package
// only if it will not be completed. A package can have several time stamps, for example of several authorities.
func Stamp(ctx context.Context, dir string, authority Authority) (time.Time, error) {
	if authority.Roots == nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrInvalidStamp, errNoRoots) // before the authority charges for a stamp
	}
	var stamped time.Time
	err := evidence.AddSeal(dir, func(check *evidence.Check) ([]byte, error) {
		nonce := make([]byte, 16)
		_, _ = rand.Read(nonce) // never fails
		request := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: hashOf(check), Certificates: true, Nonce: new(big.Int).SetBytes(nonce)}
		response, err := authority.ask(ctx, &request)
		if err != nil {
			return nil, err
		}
		stamp, err := verify(response, request.HashedMessage, authority.Roots)
		if err == nil && (stamp.Nonce == nil || stamp.Nonce.Cmp(request.Nonce) != 0) {
			err = errors.New("the nonce is not that of the request")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidStamp, err)
		}
		stamped = stamp.Time
		return response, nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return stamped, nil
}

// VerifyStamp verifies a package and all of its time stamps, and returns the earliest time: the package has not changed
// since. A package without a time stamp is [ErrNoStamp].
//
// Roots are the certificates of the root CAs that the caller trusts for time stamps. Every time stamp
// must lead to one of them. The certificates must have been valid when the time stamp was made; they may have expired since.
// VerifyStamp asks nobody whether a certificate was revoked.
func VerifyStamp(fsys fs.FS, roots *x509.CertPool) (time.Time, error) {
	check, err := evidence.Verify(fsys)
	if err != nil {
		return time.Time{}, err
	}
	if len(check.Seals) == 0 {
		return time.Time{}, ErrNoStamp
	}
	var earliest time.Time
	for _, name := range check.Seals {
		stamp, err := verifyFile(check, name, roots)
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: %s: %w", ErrInvalidStamp, name, err)
		}
		if earliest.IsZero() || stamp.Time.Before(earliest) {
			earliest = stamp.Time
		}
	}
	return earliest, nil
}

func verifyFile(check *evidence.Check, name string, roots *x509.CertPool) (*timestamp.Timestamp, error) {
	file, err := check.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	response, err := readAll(file)
	if err != nil {
		return nil, err
	}
	return verify(response, hashOf(check), roots)
}

// hashOf returns what is time-stamped.
func hashOf(check *evidence.Check) []byte {
	hash, err := hex.DecodeString(check.Digest)
	if err != nil {
		panic(err) // a Digest is hexadecimal
	}
	return hash
}

// ask sends a request to the authority and returns the response.
func (a Authority) ask(ctx context.Context, request *timestamp.Request) ([]byte, error) {
	body, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("seal: the authority's URL is not valid: %w", withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	client := a.Client
	if client == nil {
		client = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("seal: the authority cannot be reached: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("seal: the authority responded with status %d", resp.StatusCode)
	}
	response, err := readAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("seal: cannot read the authority's response: %w", err)
	}
	return response, nil
}

// withoutURL returns the cause of an error: the URL may contain a password.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxStamp+1))
	if err == nil && len(data) > maxStamp {
		err = fmt.Errorf("it is larger than %d bytes", maxStamp)
	}
	return data, err
}
