package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

// app holds the streams and the flags that every command has.
type app struct {
	streams

	output        string
	json          bool
	quiet, reveal bool
	yes           bool // of commands that ask before they act
	keyFile       string
	keyring       bool

	input *bufio.Reader
}

const exitCodes = `Exit codes:
  0    success; for result and wait: approved
  1    error
  2    wrong usage, or a request that breaks a rule
  3    rejected
  4    manual check
  5    in progress
  6    the call failed, but the service may have processed it
  7    the service refused the key
  8    not found
  130  interrupted
`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "identomat",
		Short: "Verify identities with Identomat from the command line",
		Long: `Identomat calls Identomat's API: it begins sessions, reads results, downloads media and evidence,
and screens people. "identomat sandbox" runs a fake Identomat, so you can try all of this without an
account.

The company key comes from the environment variable IDENTOMAT_COMPANY_KEY, from --key-file or from
--keyring. IDENTOMAT_SECRET_KEY, if set, signs the requests. No flag takes a key, because other users
of the machine can read a program's arguments. For the same reason, every TOKEN can be - to read it
from standard input, or @FILE to read it from a file.

Data goes to standard output: a table on a terminal, otherwise one JSON object per line. Everything
else goes to standard error. Personal data is masked unless --reveal is given.

` + strings.TrimSuffix(exitCodes, "\n"),
		Example: `  identomat begin --example kyc > session.yaml
  identomat begin -f session.yaml --user user-12345 --token-file token.txt
  identomat wait @token.txt
  identomat doctor`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "", "`format` of the data: table, json, jsonl or csv (default: table on a terminal, else jsonl)")
	flags.BoolVar(&a.json, "json", false, "the same as --output json; for commands whose --output is a file")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "write only errors to standard error")
	flags.BoolVar(&a.reveal, "reveal", false, "show personal data")
	flags.StringVar(&a.keyFile, "key-file", "", "read the company key from the first line of this `file`, and the secret key, if any, from the second")
	flags.BoolVar(&a.keyring, "keyring", false, "read the keys from the system's keyring (see: identomat key)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{cmd, err} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkFlags(cmd) }

	root.AddGroup(
		&cobra.Group{ID: "sessions", Title: "Sessions:"},
		&cobra.Group{ID: "data", Title: "What a session left behind:"},
		&cobra.Group{ID: "people", Title: "People and documents:"},
		&cobra.Group{ID: "development", Title: "Development:"},
		&cobra.Group{ID: "setup", Title: "Setup:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("sessions", a.beginCommand(), a.validateCommand(), a.resultCommand(), a.waitCommand(), a.batchCommand(), a.deleteCommand())
	group("data", a.mediaCommand(), a.evidenceCommand(), a.exportCommand(), a.activitiesCommand(), a.statsCommand())
	group("people", a.screenCommand(), a.monitorCommand(), a.blacklistCommand(), a.docCommand(), a.facesCommand())
	group("development", a.sandboxCommand(), a.openAPICommand(), a.triggerCommand(), a.faultCommand(), a.requestsCommand(), a.listenCommand(), a.callbackCommand())
	group("setup", a.doctorCommand(), a.keyCommand(), a.configCommand(), a.groupsCommand(), a.usersCommand(), a.manCommand(root), a.versionCommand())
	root.SetHelpCommandGroupID("setup")
	root.SetCompletionCommandGroupID("setup")
	a.checkArguments(root)
	return root
}

// checkArguments makes wrong arguments of every command a usage error.
func (a *app) checkArguments(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		a.checkArguments(c)
	}
	cmd.SuggestionsMinimumDistance = 2
	check := cmd.Args
	if !cmd.Runnable() { // a command that only groups others
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				hint := ""
				if suggested := cmd.SuggestionsFor(args[0]); len(suggested) > 0 {
					hint = "; did you mean " + strings.Join(suggested, " or ") + "?"
				}
				return usageError{cmd, fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)}
			}
			return cmd.Help()
		}
		return
	}
	if check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{cmd, err}
			}
			return nil
		}
	}
}

// takes returns a check of the number of arguments, whose error names the missing ones.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("missing %s", strings.Join(names[len(args):], " and "))
		case len(args) > len(names): // do not print it, because it may be a key or a part of a person's name
			return errors.New("too many arguments; quote an argument that contains spaces")
		}
		return nil
	}
}

// confirmFlag adds the flag --yes to a command that asks before it acts.
func (a *app) confirmFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask")
}

// confirm asks before an action that costs money or cannot be undone. Without a terminal, --yes is
// required.
func (a *app) confirm(cmd *cobra.Command, what string) error {
	if a.yes {
		return nil
	}
	if !a.inTerminal || !a.errTerminal {
		return usageError{cmd, fmt.Errorf("%s; nothing was sent, because there is no terminal to ask on: add --yes", what)}
	}
	fmt.Fprintf(a.err, "%s. Continue? [y/N] ", strings.ToUpper(what[:1])+what[1:])
	answer, err := a.readLine(cmd)
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was sent")
}

const billed = "this call may be billed"

// readLine reads a line from standard input, or fails when the command is interrupted.
func (a *app) readLine(cmd *cobra.Command) (string, error) {
	if a.input == nil {
		a.input = bufio.NewReader(a.in)
	}
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := a.input.ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case <-cmd.Context().Done():
		return "", cmd.Context().Err()
	case r := <-read:
		line := strings.TrimSpace(r.line)
		if line == "" && r.err != nil {
			return "", errors.New("standard input is empty")
		}
		return line, nil
	}
}

// open opens a file, or standard input for the name -. It also returns the name for messages.
func (a *app) open(name string) (io.ReadCloser, string, error) {
	if name == "-" {
		return io.NopCloser(a.in), "standard input", nil
	}
	file, err := os.Open(name)
	return file, name, err
}

// note writes a line for people to standard error.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// client returns a client with the keys and hosts that the flags and the environment name.
func (a *app) client(opts ...identomat.Option) (*identomat.Client, error) {
	if err := a.loadKeys(); err != nil {
		return nil, err
	}
	if os.Getenv(identomat.EnvCompanyKey) == "" {
		return nil, fmt.Errorf("there is no company key: set %s, or use --key-file or --keyring", identomat.EnvCompanyKey)
	}
	return identomat.NewClientFromEnv(append([]identomat.Option{identomat.WithUserAgent("identomat-cli/" + identomat.Version)}, opts...)...)
}

// withClient adds the client to the parameters of a command's function.
func (a *app) withClient(run func(*cobra.Command, *identomat.Client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		return run(cmd, client, args)
	}
}

func (a *app) clientAndToken(cmd *cobra.Command, arg string) (*identomat.Client, identomat.Token, error) {
	client, err := a.client()
	if err != nil {
		return nil, "", err
	}
	token, err := a.token(cmd, arg)
	return client, token, err
}

// withToken adds the client and the token of the first argument to the parameters of a command's function.
func (a *app) withToken(run func(*cobra.Command, *identomat.Client, identomat.Token) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, token, err := a.clientAndToken(cmd, args[0])
		if err != nil {
			return err
		}
		return run(cmd, client, token)
	}
}
