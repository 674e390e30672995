package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

//go:embed templates/*.yaml
var templates embed.FS

func (a *app) beginCommand() *cobra.Command {
	var file, user, config, example, tokenFile string
	var allowUnknown bool
	cmd := &cobra.Command{
		Use:   "begin [-f FILE]",
		Short: "Begin a session, and print its URL and token",
		Long: `Begin a session, and print its URL and token. The customer opens the URL; the token is needed for
everything else. A session is billed.

The file is YAML, or JSON, with the parameters of begin/ in Identomat's API: flags, steps, config_id,
clientUserId and so on. It is checked before anything is sent.`,
		Example: `  identomat begin --example kyc > session.yaml
  identomat begin -f session.yaml --user user-12345 --token-file token.txt
  identomat begin --config 5f1c7d2e --yes -o json | jq -r .url`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if example != "" {
				text, err := templates.ReadFile("templates/" + example + ".yaml")
				if err != nil {
					return usageError{cmd, fmt.Errorf("--example %q is not one of kyc, kyb, address", example)}
				}
				_, err = a.out.Write(text)
				return err
			}
			var request identomat.BeginRequest
			var err error
			if file != "" {
				if request, err = a.readSessionFile(file, allowUnknown); err != nil {
					return err
				}
			}
			if user != "" {
				request.ClientUserID = user
			}
			if config != "" {
				request.ConfigID = config
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			if err := a.confirm(cmd, "a session is billed"); err != nil {
				return err
			}
			var session *identomat.Session
			begin := func() (err error) {
				session, err = client.Sessions.Begin(cmd.Context(), request)
				return maybe(err, "A session may have begun, and may be billed. Its token is lost. Look for it in the dashboard before you\nbegin another one.")
			}
			if tokenFile == "" {
				err = begin()
			} else { // create the file first: a session is billed, even if its token cannot be written
				err = writeFile(tokenFile, func(file *os.File) error {
					if err := begin(); err != nil {
						return err
					}
					_, err := fmt.Fprintln(file, string(session.Token))
					return err
				})
			}
			if session == nil {
				return err
			}
			p := a.one("URL=url Token=token")
			if printed := p.add(session); printed != nil {
				return errors.Join(printed, err)
			}
			if err != nil {
				return p.fail(err)
			}
			return p.close()
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "read the session from this `file`; - is standard input")
	cmd.Flags().StringVar(&user, "user", "", "your own `ID` for the customer")
	cmd.Flags().StringVar(&config, "config", "", "the `ID` of a configuration in the dashboard")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "also write the token to this `file`, which only its owner can read; pass it on as @FILE")
	cmd.Flags().StringVar(&example, "example", "", "print a session file to start from, of this `kind`: kyc, kyb or address")
	cmd.Flags().BoolVar(&allowUnknown, "allow-unknown", false, "send names and values that Identomat's documentation does not list")
	a.confirmFlag(cmd)
	return cmd
}

func (a *app) validateCommand() *cobra.Command {
	var file string
	var allowUnknown bool
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check a session file without sending anything",
		Long: `Check a session file against Identomat's documentation, without sending anything. Every problem is
printed with its line and path, and the exit code is 2.`,
		Example: `  identomat validate -f session.yaml
  identomat begin --example kyb | identomat validate -f -`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{cmd, errors.New("missing --file")}
			}
			if _, err := a.readSessionFile(file, allowUnknown); err != nil {
				return err
			}
			return a.show(map[string]any{"file": file, "valid": true}, "File=file Valid=valid", nil)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "check this `file`; - is standard input")
	cmd.Flags().BoolVar(&allowUnknown, "allow-unknown", false, "accept names and values that Identomat's documentation does not list")
	return cmd
}

// resultColumns are a table's lines about a result.
const resultColumns = "Outcome=result Reason=reject_reason.value Comment=result_comment Document=document_type Live=live Similarity=similarity " +
	"First_name=person.first_name Last_name=person.last_name Birthday=person.birthday Nationality=person.nationality " +
	"Document_number=person.document_number Personal_number=person.personal_number Document_expires=person.document_expires " +
	"Address=person.address Email=person.email Phone=person.phoneNumber Errors=errors " +
	"Questionnaires=questionnaires.key Screening_score=screeningMatches.score Configuration=configId"

// resultSafe are the paths of a result that hold no personal data.
var resultSafe = paths(`result similarity document_type reject_reason reject_reason.value reject_reason.description errors face_images configId
	generalDocuments.typeId generalDocuments.documentType generalDocuments.pages.typeId generalDocuments.pages.pageNumber
	generalDocuments.pages.statuses generalDocuments.pages.documentPages.pageNumber
	person.status questionnaires.key questionnaires.questions.key screeningMatches.score screeningMatches.reviewStatus`)

func (a *app) printResult(result *identomat.Result) error {
	if err := a.show(result.Raw(), resultColumns, resultSafe); err != nil {
		return err
	}
	switch result.Outcome {
	case identomat.OutcomeApproved:
		return nil
	case identomat.OutcomeRejected:
		return outcomeError(3)
	case identomat.OutcomeManualCheck:
		return outcomeError(4)
	case identomat.OutcomeInProgress:
		return outcomeError(5)
	}
	a.note("This program does not know this outcome.")
	return outcomeError(1)
}

const tokenHelp = `

TOKEN can be - to read the token from standard input, or @FILE to read it from a file.`

func (a *app) resultCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "result TOKEN",
		Short: "Print the result of a session",
		Long: `Print the result of a session. The exit code is 0 if the session is approved, 3 if it is rejected, 4
for a manual check and 5 if it is in progress.` + tokenHelp,
		Example: `  identomat result @token.txt
  identomat result - --reveal < token.txt
  identomat result @token.txt -o json | jq .reject_reason.value`,
		Args: takes("TOKEN"),
		RunE: a.withToken(func(cmd *cobra.Command, client *identomat.Client, token identomat.Token) error {
			result, err := client.Sessions.Result(cmd.Context(), token)
			if err != nil {
				return err
			}
			return a.printResult(result)
		}),
	}
}

func (a *app) waitCommand() *cobra.Command {
	timeout := 15 * time.Minute
	cmd := &cobra.Command{
		Use:   "wait TOKEN",
		Short: "Wait until a session has an outcome, and print its result",
		Long: `Wait until a session is no longer in progress, and print its result. The exit code is 0 if the session
is approved, 3 if it is rejected, 4 for a manual check, and 5 if it is still in progress after the
timeout.` + tokenHelp,
		Example: `  identomat wait @token.txt --timeout 2m && echo welcome`,
		Args:    takes("TOKEN"),
		RunE: a.withToken(func(cmd *cobra.Command, client *identomat.Client, token identomat.Token) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if a.errTerminal {
				a.note("Waiting for the customer …")
			}
			result, err := client.Sessions.Wait(ctx, token)
			if err != nil && (result == nil || cmd.Context().Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
				return err
			}
			return a.printResult(result)
		}),
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait")
	return cmd
}

func (a *app) deleteCommand() *cobra.Command {
	var path string
	var without bool
	cmd := &cobra.Command{
		Use:   "delete TOKEN (--evidence PATH | --no-evidence)",
		Short: "Erase a session and its data for good",
		Long: `Erase a session and its data at Identomat for good. With --evidence, the package is verified first: it
must be complete and belong to this session. The receipt says what was erased and which package proves
it; it holds no personal data.` + tokenHelp,
		Example: `  identomat delete @token.txt --evidence evidence/user-1 -o json > receipt.json
  identomat delete @token.txt --no-evidence --yes`,
		Args: takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (path == "") == !without {
				return usageError{cmd, errors.New("choose --evidence PATH or --no-evidence")}
			}
			client, token, err := a.clientAndToken(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(cmd, "this erases the session for good"); err != nil {
				return err
			}
			if without {
				_, err := client.Sessions.Delete(cmd.Context(), token)
				if err != nil && !(errors.Is(err, identomat.ErrSessionNotFound) && identomat.MaybeProcessed(err)) {
					return err
				}
				return a.show(map[string]any{"erased": time.Now().UTC().Truncate(time.Second)}, "Erased=erased", nil)
			}
			return a.erase(cmd, client, token, path)
		},
	}
	cmd.Flags().StringVar(&path, "evidence", "", "verify the evidence in this folder or zip `file` first")
	cmd.Flags().BoolVar(&without, "no-evidence", false, "erase without evidence")
	a.confirmFlag(cmd)
	return cmd
}

func (a *app) exportCommand() *cobra.Command {
	var name, parts string
	cmd := &cobra.Command{
		Use:   "export TOKEN -o FILE",
		Short: "Export a session as a PDF report",
		Long:  `Export a session as a PDF report.` + tokenHelp,
		Example: `  identomat export @token.txt -o report.pdf
  identomat export @token.txt -o report.pdf --parts session,address`,
		Args: takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.checkName(cmd, name); err != nil {
				return err
			}
			var chosen identomat.PDFParts
			for part := range strings.SplitSeq(parts, ",") {
				switch part {
				case "session":
					chosen.Session = true
				case "screening":
					chosen.Screening = true
				case "address":
					chosen.ProofOfAddress = true
				default:
					return usageError{cmd, fmt.Errorf("--parts %q is not one of session, screening, address", part)}
				}
			}
			client, token, err := a.clientAndToken(cmd, args[0])
			if err != nil {
				return err
			}
			report, err := client.Sessions.ExportPDF(cmd.Context(), token, chosen)
			if err != nil {
				return err
			}
			saved, err := a.save(report, "report", name)
			if err != nil {
				return err
			}
			return a.show(saved, savedColumns, nil)
		},
	}
	cmd.Flags().StringVarP(&name, "output", "o", "", "write the report to this `file`")
	cmd.Flags().StringVar(&parts, "parts", "session,screening,address", "the `parts` of the report")
	return cmd
}

func (a *app) activitiesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "activities TOKEN",
		Short:   "List what happened in a session",
		Long:    `List what happened in a session.` + tokenHelp,
		Example: `  identomat activities @token.txt`,
		Args:    takes("TOKEN"),
		RunE: a.withToken(func(cmd *cobra.Command, client *identomat.Client, token identomat.Token) error {
			activities, err := client.Sessions.Activities(cmd.Context(), token)
			if err != nil {
				return err
			}
			p := a.list("Time=time Type=type ID=id").masked(paths("id type time"))
			for _, activity := range activities {
				if err := p.add(activity.Raw()); err != nil {
					return err
				}
			}
			return p.close()
		}),
	}
}

const statisticsColumns = "Began=sessionStartDate Milliseconds=sessionTimeSpan Document_began=scanDocumentStartTime " +
	"Document_ended=scanDocumentEndTime Document_attempts=scanDocumentAttempts Document_failure=scanDocumentFailReason " +
	"Liveness_began=livenessStartTime Liveness_ended=livenessEndTime Liveness_failures=livenessFailReasons " +
	"Ended_at_step=sessionTerminationStep Ended_because=sessionTerminationReasons"

func (a *app) statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stats TOKEN",
		Short:   "Print how long a session took, and what failed",
		Long:    `Print how long a session took, how many attempts the customer needed, and what failed.` + tokenHelp,
		Example: `  identomat stats @token.txt`,
		Args:    takes("TOKEN"),
		RunE: a.withToken(func(cmd *cobra.Command, client *identomat.Client, token identomat.Token) error {
			statistics, err := client.Sessions.Statistics(cmd.Context(), token)
			if err != nil {
				return err
			}
			return a.show(statistics.Raw(), statisticsColumns, columnPaths(statisticsColumns))
		}),
	}
}

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config ID",
		Short: "Print a configuration of the dashboard",
		Example: `  identomat config 5f1c7d2e
  identomat config 5f1c7d2e -o json | jq .steps`,
		Args: takes("ID"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			config, err := client.Sessions.Config(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(config.Raw(), "ID=id Name=name Language=general.language Lifetime=general.sessionLifetime Steps=steps.type", nil)
		}),
	}
}
