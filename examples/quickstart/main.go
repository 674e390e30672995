// Quickstart walks through one verification: it begins a session, prints the URL for the customer,
// waits for the outcome, prints the result and erases the data.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -hold
//
// Without environment variables it runs against a fake Identomat in the same process. It finishes the
// session itself, or with -hold waits until you have finished it in a browser.
//
// With IDENTOMAT_COMPANY_KEY it runs against the service, and you are the customer. A session may be
// billed, so the program begins one only with -billed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(errOut)
	hold := flags.Bool("hold", false, "keep the fake's widget page open until you have finished the session in a browser")
	billed := flags.Bool("billed", false, "begin a session at the service, which may be billed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, customer, stop, err := connect(out, errOut, *hold, *billed)
	if err != nil {
		return err
	}
	defer stop()

	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
		Flags: identomat.NewFlags().Language(identomat.English).RestrictURLSharing(true),
		Steps: identomat.Steps{
			identomat.IdentityDocument().Types(identomat.Passport, identomat.IDCard).AllowUpload(true),
			identomat.Liveness().Active(true),
			identomat.UserQuestionnaire("employment").
				Ask(identomat.RadioQuestion("employed", identomat.Text{"en": "Are you employed?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}),
					identomat.Choice("no", identomat.Text{"en": "No"})).Mandatory(true)).
				Title(identomat.Text{"en": "Employment", "ka": "დასაქმება"}),
		},
		ClientUserID: "user-12345",
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The session has begun. Send the customer's browser to")
	fmt.Fprintln(out, "  "+session.URL)
	fmt.Fprintln(out)

	if err := customer(session); err != nil {
		return err
	}
	// A session expires after 15 minutes, so waiting longer is pointless.
	waiting, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	result, err := client.Sessions.Wait(waiting, session.Token)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the customer did not finish within 15 minutes")
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(out, "Stopped before the customer had finished. The session was not erased; it expires by itself.")
		return nil
	case err != nil:
		return err
	}
	report(out, result)

	if _, err := client.Sessions.Delete(ctx, session.Token); err != nil {
		return err
	}
	fmt.Fprintln(out, "The session and its data have been erased.")
	return nil
}

// connect returns a client, a function that acts for the customer or says what the customer must do, and
// a function to call at the end.
func connect(out, errOut io.Writer, hold, billed bool) (*identomat.Client, func(*identomat.Session) error, func(), error) {
	you := func(*identomat.Session) error {
		fmt.Fprintln(out, "You are the customer: open the address in a browser, and finish the session there.")
		fmt.Fprintln(out, "This program waits for the outcome, and notices it within 15 seconds. To stop it, press Ctrl-C.")
		fmt.Fprintln(out)
		return nil
	}
	if os.Getenv(identomat.EnvCompanyKey) != "" {
		client, err := identomat.NewClientFromEnv()
		if err != nil {
			return nil, nil, nil, err
		}
		fmt.Fprintf(errOut, "%s is set: this begins a session at %s, which may be billed.\n", identomat.EnvCompanyKey, client.WidgetURL())
		if !billed {
			return nil, nil, nil, errors.New("nothing was sent; to begin the session, add -billed")
		}
		return client, you, func() {}, nil
	}
	fmt.Fprintln(out, "Running against a fake Identomat. To use the service, set "+identomat.EnvCompanyKey+".")
	server, err := identomattest.Start()
	if err != nil {
		return nil, nil, nil, err
	}
	if hold {
		fmt.Fprintln(out)
		return server.Client(), you, server.Close, nil
	}
	fmt.Fprintln(out, "The program itself finishes the session, as the customer. To do that in a browser, add -hold.")
	fmt.Fprintln(out)
	return server.Client(), func(s *identomat.Session) error { return server.Approve(s.Token) }, server.Close, nil
}

// report prints what a bank would look at. The SDK redacts results and persons when they are
// printed as a whole, so report names each field that it prints.
func report(out io.Writer, result *identomat.Result) {
	fmt.Fprintf(out, "Outcome    %s\n", result.Outcome)
	if !result.Approved() {
		if result.RejectReason.Value != "" {
			fmt.Fprintf(out, "Reason     %s (%s)\n", result.RejectReason.Description, result.RejectReason.Value)
		}
		fmt.Fprintln(out)
		return
	}
	person := result.Person
	fmt.Fprintf(out, "Person     %s %s\n", person.FirstName, person.LastName)
	if born, err := person.BirthdayTime.Time(); err == nil {
		fmt.Fprintf(out, "Born       %s\n", born.Format("2 January 2006"))
	}
	document := string(result.DocumentType)
	if result.DocumentType == identomat.IDCard {
		document = "identity card"
	}
	fmt.Fprintf(out, "Document   %s %s, issued by %s\n", document, person.DocumentNumber, person.IssuingState)
	if result.Similarity != nil {
		fmt.Fprintf(out, "Face       %.0f%% similar to the document\n", *result.Similarity*100)
	}
	fmt.Fprintf(out, "Employed   %s\n\n", result.Answer("employment", "employed").Text())
}
