// Quickstart walks through one verification: it begins a session, prints the URL for the customer,
// waits for the outcome, prints the result and erases the data.
//
// Without environment variables it runs against a fake Identomat in the same process and finishes
// the session itself. With IDENTOMAT_COMPANY_KEY it runs against the service, where a session costs
// money and you are the customer.
package main

import (
	"context"
	"errors"
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
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	client, finish, stop, err := connect(out)
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
	fmt.Fprintln(out, "Session begun. Send the customer's browser to")
	fmt.Fprintln(out, "  "+session.URL)
	fmt.Fprintln(out)

	if err := finish(session); err != nil {
		return err
	}
	// A session expires after 15 minutes, so waiting longer is pointless.
	waiting, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	result, err := client.Sessions.Wait(waiting, session.Token)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the customer did not finish within 15 minutes")
	}
	if err != nil {
		return err
	}
	report(out, result)

	if _, err := client.Sessions.Delete(ctx, session.Token); err != nil {
		return err
	}
	fmt.Fprintln(out, "The session and its data have been erased.")
	return nil
}

// connect returns a client, a function that acts for the customer and finishes a session, and a
// function to call at the end.
func connect(out io.Writer) (*identomat.Client, func(*identomat.Session) error, func(), error) {
	if os.Getenv(identomat.EnvCompanyKey) != "" {
		client, err := identomat.NewClientFromEnv()
		return client, func(*identomat.Session) error {
			fmt.Fprintln(out, "Open it and complete the steps. This program waits for the outcome.")
			fmt.Fprintln(out)
			return nil
		}, func() {}, err
	}
	fmt.Fprintln(out, "Running against a fake Identomat. Set "+identomat.EnvCompanyKey+" to use the service.")
	fmt.Fprintln(out)
	server, err := identomattest.Start()
	if err != nil {
		return nil, nil, nil, err
	}
	return server.Client(), func(s *identomat.Session) error { return server.Approve(s.Token) }, server.Close, nil
}

// report prints what a bank would look at. The SDK redacts results and persons when they are
// printed as a whole, so report names each field that it prints.
func report(out io.Writer, result *identomat.Result) {
	fmt.Fprintf(out, "Outcome    %s\n", result.Outcome)
	if !result.Approved() {
		fmt.Fprintf(out, "Reason     %s\n", result.RejectReason.Description)
		return
	}
	person := result.Person
	fmt.Fprintf(out, "Person     %s %s\n", person.FirstName, person.LastName)
	if born, err := person.BirthdayTime.Time(); err == nil {
		fmt.Fprintf(out, "Born       %s\n", born.Format("2 January 2006"))
	}
	fmt.Fprintf(out, "Document   %s %s, issued by %s\n", result.DocumentType, person.DocumentNumber, person.IssuingState)
	if result.Similarity != nil {
		fmt.Fprintf(out, "Face       %.0f%% similar to the document\n", *result.Similarity*100)
	}
	fmt.Fprintf(out, "Employed   %s\n\n", result.Answer("employment", "employed").Text())
}
