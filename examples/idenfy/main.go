// Idenfy walks through a verification with iDenfy: it creates a session, prints the URL for the
// customer, receives and stores the webhook with the outcome, and processes it later.
//
// Without environment variables it runs against a fake iDenfy in the same process and finishes the
// session itself. With IDENFY_API_KEY, IDENFY_API_SECRET and IDENFY_SIGNING_KEY it runs against the
// service, where a session can cost credits and you are the customer. Configure iDenfy to send your
// environment's webhooks to the address that the program prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/idenfy/idenfytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	billed := flag.Bool("billed", false, "create a session at the service, which may cost credits")
	flag.Parse()
	if err := run(ctx, os.Stdout, *billed); err != nil {
		fmt.Fprintln(os.Stderr, "idenfy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, billed bool) error {
	service, err := connect(out, billed)
	if err != nil {
		return err
	}
	defer service.stop()

	webhooks := make(chan storedWebhook, 16)
	address, stop, err := listen(service.signingKey, webhooks)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintln(out, "Listening for iDenfy's webhooks on "+address)

	session, err := service.client.CreateSession(ctx, idenfy.SessionRequest{
		ClientID:    "user-12345",
		Locale:      idenfy.English,
		Documents:   []idenfy.DocumentType{idenfy.Passport, idenfy.IDCard},
		ExternalRef: "application-678",
	})
	if errors.Is(err, idenfy.ErrOutOfCredits) {
		return errors.New("no credits left")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The session has been created. Its scanRef, which the webhooks contain, is "+session.ScanRef+".")
	fmt.Fprintln(out, "Send the customer's browser to")
	fmt.Fprintln(out, "  "+session.RedirectURL())
	fmt.Fprintln(out)
	if err := service.finish(ctx, address, session); err != nil {
		return err
	}

	// A token is valid for a day by default, which is longer than this program waits.
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	for {
		select {
		case stored := <-webhooks:
			webhook, err := idenfy.DecodeWebhook(stored.eventType, stored.raw)
			if err != nil {
				return err
			}
			if webhook.ScanRef != session.ScanRef {
				continue // a webhook for another session
			}
			fmt.Fprintf(out, "Webhook arrived: the outcome is %s, %s.\n", webhook.Status.Overall, finality(webhook))
			if webhook.Ended() {
				if webhook.Approved() {
					fmt.Fprintln(out, "The customer is approved.")
				} else {
					fmt.Fprintln(out, "The customer is not approved.")
				}
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("no final webhook arrived: %w", ctx.Err())
		}
	}
}

// finality says in words whether the outcome can still change.
func finality(w *idenfy.Webhook) string {
	if w.Ended() {
		return "which is final"
	}
	return "which iDenfy's reviewers can still change"
}

// storedWebhook is a verified webhook: in a real service, a row in a table.
type storedWebhook struct {
	eventType string // a header, not part of raw
	raw       []byte
}

// service is either iDenfy or the fake.
type service struct {
	client     *idenfy.Client
	signingKey string
	// finish acts for the customer.
	finish func(ctx context.Context, address string, session *idenfy.Session) error
	stop   func()
}

func connect(out io.Writer, billed bool) (*service, error) {
	if os.Getenv(idenfy.EnvAPIKey) != "" {
		if !billed {
			return nil, errors.New("IDENFY_API_KEY is set, and a session may cost credits; nothing was sent; to create the session, add -billed")
		}
		client, err := idenfy.NewClientFromEnv()
		if err == nil && os.Getenv("IDENFY_SIGNING_KEY") == "" {
			err = errors.New("IDENFY_SIGNING_KEY is not set")
		}
		return &service{client, os.Getenv("IDENFY_SIGNING_KEY"), func(context.Context, string, *idenfy.Session) error {
			fmt.Fprintln(out, "Open it and complete the steps. This program waits for the webhook.")
			return nil
		}, func() {}}, err
	}
	fmt.Fprintln(out, "Running against a fake iDenfy. Set IDENFY_API_KEY, IDENFY_API_SECRET and IDENFY_SIGNING_KEY to use the service.")
	server, err := idenfytest.Start()
	if err != nil {
		return nil, err
	}
	finish := func(ctx context.Context, address string, session *idenfy.Session) error {
		approved := idenfytest.Approved(session.ScanRef)
		for _, webhook := range []idenfytest.Webhook{approved.Automatic(), approved} {
			if _, err := server.SendWebhook(ctx, address, webhook); err != nil {
				return err
			}
		}
		return nil
	}
	return &service{server.Client(), server.SigningKey, finish, server.Close}, nil
}

// listen serves the webhook endpoint. iDenfy must be able to reach it over HTTPS, so a proxy or a
// tunnel has to forward to this address.
func listen(signingKey string, webhooks chan<- storedWebhook) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	handler, err := idenfy.WebhookHandler([]string{signingKey}, func(_ context.Context, webhook *idenfy.Webhook) error {
		// A real service would insert a row. An error would send the customer to the error page.
		select {
		case webhooks <- storedWebhook{webhook.EventType, webhook.Raw()}:
			return nil
		default:
			return errors.New("too many webhooks") // iDenfy retries
		}
	})
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadTimeout: 10 * time.Second, Handler: handler}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String() + "/webhooks/idenfy", func() { _ = server.Close() }, nil
}
