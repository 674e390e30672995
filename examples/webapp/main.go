// Webapp is a bank's onboarding: customers verify who they are by redirect or in an iframe,
// callbacks wake a worker that fetches the outcome, and reviewers look at the evidence. It is
// meant to be copied from; the README says what is a stub.
//
// Without environment variables it runs against a fake Identomat inside the process.
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
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, os.Stdout, log); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

// shutdownPatience is how long running requests may take to finish: longer than begin/.
const shutdownPatience = beginPatience + 5*time.Second

func run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	c, err := configFromEnv()
	if err != nil {
		return err
	}
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed already, unless something fails before it is used
	if c.publicURL == "" {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		c.publicURL = "http://localhost:" + port
	}

	client, disconnect, err := connect(&c, log)
	if err != nil {
		return err
	}
	defer disconnect()

	path, forget, err := databasePath(c)
	if err != nil {
		return err
	}
	defer forget()
	store, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, store.close()) }()

	worker := newWorker(store, client, log)
	handler, err := newServer(c, store, worker, client, log)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      5 * time.Minute, // a PDF for a slow line
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}

	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var tasks sync.WaitGroup
	tasks.Go(func() { worker.run(working) })
	failed := make(chan error, 1)
	tasks.Go(func() { failed <- server.Serve(listener) })

	welcome(out, c, path)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	fmt.Fprintln(out, "Stopping.")
	// First nobody comes in any more, then the worker ends: a begin/ that is under way is
	// finished and written down.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	err = errors.Join(err, server.Shutdown(leaving))
	stopWorking()
	tasks.Wait()
	return err
}

// connect returns a client for the service, or for a fake that it starts, and what to call at
// the end.
func connect(c *config, log *slog.Logger) (*identomat.Client, func(), error) {
	// Faces and documents are small; nothing here fetches a video.
	opts := []identomat.Option{identomat.WithLogger(log), identomat.WithMaxMediaSize(64 << 20)}
	if c.service {
		client, err := identomat.NewClientFromEnv(opts...)
		return client, func() {}, err
	}
	fake, err := identomattest.Start(
		identomattest.WithCallbackURL(c.publicURL+callbackPath),
		// The types of the service's own status callbacks are not published.
		identomattest.WithStatusCallback("status-of-the-fake"),
	)
	if err != nil {
		return nil, nil, err
	}
	c.callbackKeys = []string{fake.CallbackKey}
	return fake.Client(opts...), fake.Close, nil
}

// databasePath is DATABASE, or a file that lives as long as the fake, which forgets its sessions
// when it stops.
func databasePath(c config) (path string, forget func(), err error) {
	if c.database != "" {
		return c.database, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "onboarding-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "onboarding.db"), func() { _ = os.RemoveAll(dir) }, nil
}

func welcome(out io.Writer, c config, path string) {
	identity := "Identomat: sessions cost money, and the data are real."
	if !c.service {
		identity = "A fake Identomat runs inside: nobody is verified, and nothing leaves this machine."
	}
	callbacks := c.publicURL + callbackPath
	if len(c.callbackKeys) == 0 {
		callbacks = "off, because IDENTOMAT_CALLBACK_KEYS is not set; outcomes are polled for"
	}
	fmt.Fprintf(out, `%s

  Open       %s
  Callbacks  %s
  Database   %s

Sign in as a customer to be verified, or as the reviewer. Ctrl-C stops.
`, identity, c.publicURL, callbacks, strconv.Quote(path))
}
