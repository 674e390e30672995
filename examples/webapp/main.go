// Webapp is a bank's onboarding application: customers verify their identity by redirect or in an
// iframe, callbacks make the engine read the outcome, and reviewers look at the evidence. It
// is meant to be copied. The README lists the parts that are stubs.
//
// Without environment variables it runs against a fake Identomat in the same process.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/riverqueue/river"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal terminates the process immediately
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, os.Stdout, log); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

// shutdownTimeout limits the time in which running requests and jobs can finish. It is longer than the
// timeout of begin/.
const shutdownTimeout = beginTimeout + 5*time.Second

func run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	c, err := configFromEnv()
	if err != nil {
		return err
	}
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // for failures before Serve, which closes the listener itself
	if c.publicURL == "" {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		c.publicURL = "http://localhost:" + port
	}

	client, disconnect, err := connect(&c, log)
	if err != nil {
		return err
	}
	defer disconnect()

	database, removeDatabase, err := databaseName(c)
	if err != nil {
		return err
	}
	defer removeDatabase()
	store, err := openStore(ctx, database, evidenceFolder(c, database))
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, store.Close()) }()
	if err := newEngine(c, store, client, log, river.Config{}); err != nil {
		return err
	}
	handler, err := newServer(c, store, client, log)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      5 * time.Minute, // allows for a PDF over a slow connection
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}

	if err := store.engine.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	welcome(out, c, database)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	fmt.Fprintln(out, "Stopping.")
	// Stop the server before the engine, because requests wait for sessions.
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return errors.Join(err, server.Shutdown(shutdownCtx), store.engine.Stop(shutdownCtx))
}

// connect returns a client for the service, or for a fake that it starts, and a function to call at
// the end.
func connect(c *config, log *slog.Logger) (*identomat.Client, func(), error) {
	if c.service {
		client, err := identomat.NewClientFromEnv(identomat.WithLogger(log))
		return client, func() {}, err
	}
	// Identomat does not document the types of its status callbacks, so this one is invented.
	fake, err := identomattest.Start(identomattest.WithStatusCallback("status-of-the-fake"))
	if err != nil {
		return nil, nil, err
	}
	if err := fake.SetCallbackURL(c.publicURL + callbackPath); err != nil {
		fake.Close()
		return nil, nil, err
	}
	c.callbackKeys = []string{fake.CallbackKey}
	return fake.Client(identomat.WithLogger(log)), fake.Close, nil
}

// databaseName returns DATABASE, or the path of a temporary file, which the function remove deletes. Only a run
// against the fake uses a temporary file, because the fake loses its sessions when it stops.
func databaseName(c config) (name string, remove func(), err error) {
	if c.database != "" {
		return c.database, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "onboarding-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "onboarding.db"), func() { _ = os.RemoveAll(dir) }, nil
}

// evidenceFolder returns EVIDENCE, or a folder beside the SQLite file or in the working directory.
func evidenceFolder(c config, database string) string {
	switch {
	case c.evidence != "":
		return c.evidence
	case isPostgres(database):
		return "onboarding.evidence"
	}
	return database + ".evidence"
}

func welcome(out io.Writer, c config, database string) {
	if u, err := url.Parse(database); err == nil && isPostgres(database) {
		database = u.Redacted()
	}
	mode := "Running against Identomat: sessions cost money, and the data is real."
	if !c.service {
		mode = "Running against a fake Identomat: nobody is verified, and no data leaves this machine."
	}
	callbacks := c.publicURL + callbackPath
	if len(c.callbackKeys) == 0 {
		callbacks = "off, because IDENTOMAT_CALLBACK_KEYS is not set; outcomes are polled"
	}
	fmt.Fprintf(out, `%s

  Open       %s
  Callbacks  %s
  Database   %s

Sign in as a customer or as the reviewer. Press Ctrl-C to stop.
`, mode, c.publicURL, callbacks, strconv.Quote(database))
}
