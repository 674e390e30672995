// Evidence keeps what a verification left behind. It begins a session, approves it, collects the evidence,
// verifies, time-stamps and encrypts the package, and erases the session at Identomat. The encrypted package
// and the receipt are kept.
//
// It runs against a fake Identomat in the same process, so it costs nothing. To have the package
// time-stamped, name an authority:
//
//	go run ./examples/evidence -authority URL -roots FILE -out DIR
package main

import (
	"archive/zip"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
	"github.com/identomat-go/identomat/evidence/seal"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "evidence:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("evidence", flag.ContinueOnError)
	url := flags.String("authority", "", "the `URL` of a time-stamp authority")
	rootsFile := flags.String("roots", "", "a `file` with the root certificates of the authority (PEM)")
	dir := flags.String("out", "", "the `folder` for what is kept; by default a temporary folder, which is removed at the end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	authority, err := authorityOf(*url, *rootsFile)
	if err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "evidence-"); err != nil {
			return err
		}
		fmt.Fprintln(out, "The encrypted package and the receipt are deleted at the end. To keep them, add -out.")
		defer func() { err = errors.Join(err, os.RemoveAll(*dir)) }()
	}

	server, err := identomattest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	client := server.Client()
	token, err := verified(ctx, client, server)
	if err != nil {
		return err
	}

	// Collect and verify. In production, a worker collects again after an error: what is already there is not fetched again.
	folder := filepath.Join(*dir, "package")
	report, err := evidence.Collect(ctx, client, token, evidence.Dir(folder),
		evidence.With("decision.json", []byte(`{"decision":"accepted","by":"rule 7"}`)))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Sources. What is absent, the session has none of.")
	fmt.Fprintln(out, "The sources follow; absent means that the session has none.")
	for _, s := range report.Sources {
		fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("%-10s %s %s", s.State, s.Name, s.Reason)))
	}
	check, err := evidence.Verify(os.DirFS(folder))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nVerified   %d files, %d bytes, complete: %t\n", check.Files, check.Bytes, check.Complete)
	fmt.Fprintf(out, "Digest     %s\n", check.Digest)

	if authority == nil {
		fmt.Fprintln(out, "Stamped    no, because there is no -authority")
	} else {
		stamped, err := seal.Stamp(ctx, folder, *authority)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Stamped    %s\n", stamped.Format(time.RFC3339))
	}

	// Encrypt. In production, the identity (the private key) is made elsewhere, and only the recipient (the
	// public key) is known here.
	identity, err := newIdentity(filepath.Join(*dir, "identity.txt"))
	if err != nil {
		return err
	}
	kept := filepath.Join(*dir, "package.zip.age")
	if err := encrypt(kept, os.DirFS(folder), identity.Recipient()); err != nil {
		return err
	}
	archive, stop, err := decrypt(kept, identity)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(out, "Encrypted  %s\n", filepath.Base(kept))

	// Erase. Before the session is erased, this verifies the encrypted package and its time stamp.
	var options []evidence.EraseOption
	if authority != nil {
		options = append(options, evidence.Require(func(fsys fs.FS) error {
			_, err := seal.VerifyStamp(fsys, authority.Roots)
			return err
		}))
	}
	receipt, err := evidence.Erase(ctx, client, token, archive, options...)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(receipt, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(*dir, "receipt.json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(out, "Erased     at Identomat; the receipt says\n%s\n", data)
	fmt.Fprintln(out, "signatureVerified is false because this client does not sign; see identomat.WithHMAC.")
	return os.RemoveAll(folder) // the encrypted package is enough
}

// authorityOf returns nil if there is no URL.
func authorityOf(url, rootsFile string) (*seal.Authority, error) {
	if url == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(rootsFile)
	if err != nil {
		return nil, fmt.Errorf("-roots: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("-roots: the file has no certificate")
	}
	return &seal.Authority{URL: url, Roots: roots}, nil
}

// verified begins a session, acts as the customer, and returns the token of the approved session.
func verified(ctx context.Context, client *identomat.Client, server *identomattest.Server) (identomat.Token, error) {
	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.IDCard),
			identomat.Liveness(),
			identomat.ProofOfAddress(identomat.UtilityBill),
		},
		ClientUserID: "user-12345",
	})
	if err != nil {
		return "", err
	}
	if err := server.Approve(session.Token); err != nil {
		return "", err
	}
	result, err := client.Sessions.Wait(ctx, session.Token)
	if err != nil {
		return "", err
	}
	if !result.Approved() {
		return "", fmt.Errorf("the outcome is %s", result.Outcome)
	}
	return session.Token, nil
}

// newIdentity makes a key and stores it in a file that the command age can read.
func newIdentity(name string) (*age.HybridIdentity, error) {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, err
	}
	return identity, os.WriteFile(name, []byte(identity.String()+"\n"), 0o600)
}

// encrypt writes a complete file and syncs it to disk. If it fails, it leaves no file.
func encrypt(name string, fsys fs.FS, recipient age.Recipient) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(seal.Encrypt(file, fsys, recipient), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// decrypt opens an encrypted package, and returns a function that closes it.
func decrypt(name string, identity age.Identity) (*zip.Reader, func(), error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	archive, err := seal.Decrypt(file, info.Size(), identity)
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return archive, func() { _ = file.Close() }, nil
}
