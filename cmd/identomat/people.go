package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

const nameHelp = `

NAME can be - to read the name from standard input, or @FILE to read it from a file, because other
users of the machine can read a program's arguments.`

const billedAdvice = "The call may be billed although its response is lost. A second call may be billed again."

func (a *app) screenCommand() *cobra.Command {
	var birthday string
	threshold, limit := 80, 100
	cmd := &cobra.Command{
		Use:   "screen NAME",
		Short: "Search sanctions lists and politically exposed persons",
		Long: `Search sanctions lists and politically exposed persons for a name. Each request of the search may be
billed: one for every 100 hits, and a last one that finds none.` + nameHelp,
		Example: `  identomat screen - --threshold 90 < name.txt
  identomat screen @name.txt --birthday 1980-01-08 --reveal
  identomat screen person NK-9wvQ2Xr`,
		Args: takes("NAME"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			name, err := a.argument(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(cmd, "each request of the search may be billed"); err != nil {
				return err
			}
			p := a.list("Score=score Name=name Type=entityType Person=personId Topics=topics").masked(paths("score personId entityType topics"))
			n := 0
			for hit, err := range client.Screening.Search(cmd.Context(), identomat.ScreeningQuery{
				FullName: name, BirthdayTimeFrom: identomat.Date(birthday), ScoreThreshold: threshold,
			}) {
				if err != nil {
					return p.fail(maybe(err, billedAdvice))
				}
				if err := p.add(hit.Raw()); err != nil {
					return err
				}
				if n++; n == limit {
					break
				}
			}
			return p.close()
		}),
	}
	cmd.Flags().StringVar(&birthday, "birthday", "", "the earliest birthday, a `date` such as 1980-01-08")
	cmd.Flags().IntVar(&threshold, "threshold", threshold, "the lowest score of a hit, from 1 to 100")
	cmd.Flags().IntVar(&limit, "limit", limit, "stop after this `number` of hits")
	a.confirmFlag(cmd)
	person := &cobra.Command{
		Use:     "person ID",
		Short:   "Print everything about a hit",
		Long:    "Print everything about a hit of \"identomat screen\". The call may be billed.",
		Example: `  identomat screen person NK-9wvQ2Xr --reveal`,
		Args:    takes("ID"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			if err := a.confirm(cmd, billed); err != nil {
				return err
			}
			person, err := client.Screening.Person(cmd.Context(), args[0])
			if err != nil {
				return maybe(err, billedAdvice)
			}
			return a.show(person.Raw(), "Type=entityType First_name=firstName Middle_name=middleName Last_name=lastName Gender=gender "+
				"Birthday=birthdayTime Nationality=nationality Lists=extraDetails.groupName",
				paths("entityType extraDetails.groupName extraDetails.details.properties.propertyName extraDetails.details.properties.type"))
		}),
	}
	a.confirmFlag(person)
	cmd.AddCommand(person)
	return cmd
}

func (a *app) monitorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Monitor people on sanctions lists",
		Example: `  identomat monitor add - --birthday 1980-01-08 < name.txt
  identomat monitor list --since 2027-01-01
  identomat monitor remove 64f0c3`,
	}
	var birthday, since string
	add := &cobra.Command{
		Use:     "add NAME",
		Short:   "Monitor a name",
		Long:    "Monitor a name. The call may be billed." + nameHelp,
		Example: `  identomat monitor add - --birthday 1980-01-08 < name.txt`,
		Args:    takes("NAME"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			name, err := a.argument(cmd, args[0])
			if err != nil {
				return err
			}
			if err := a.confirm(cmd, billed); err != nil {
				return err
			}
			id, err := client.Screening.Monitor(cmd.Context(), identomat.MonitorQuery{FullName: name, BirthdayTimeFrom: identomat.Date(birthday)})
			if err != nil {
				return maybe(err, "The name may be monitored now. Run \"identomat monitor list\" to see.")
			}
			return a.show(map[string]string{"id": id}, "ID=id", nil)
		}),
	}
	add.Flags().StringVar(&birthday, "birthday", "", "the earliest birthday, a `date` such as 1980-01-08")
	a.confirmFlag(add)
	remove := &cobra.Command{
		Use:     "remove ID",
		Short:   "Stop monitoring a name",
		Example: `  identomat monitor remove 64f0c3`,
		Args:    takes("ID"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			if err := client.Screening.Unmonitor(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.show(map[string]string{"removed": args[0]}, "Removed=removed", nil)
		}),
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the monitored names",
		Example: `  identomat monitor list --since 2027-01-01 --reveal`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var filter identomat.MonitoredFilter
			if since != "" {
				var err error
				if filter.Date, err = time.Parse(time.DateOnly, since); err != nil {
					return usageError{cmd, fmt.Errorf("--since %q is not a date such as 2027-01-01", since)}
				}
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			p := a.list("ID=id Name=fullName Updated=lastUpdatedDate").masked(paths("id lastUpdatedDate"))
			for record, err := range client.Screening.ListMonitored(cmd.Context(), filter) {
				if err != nil {
					return err
				}
				if err := p.add(record.Raw()); err != nil {
					return err
				}
			}
			return p.close()
		},
	}
	list.Flags().StringVar(&since, "since", "", "only names whose entries changed since this `date`")
	cmd.AddCommand(add, remove, list)
	return cmd
}

// blacklistFields are the columns of a CSV file for "blacklist add".
var blacklistFields = []string{"firstName", "lastName", "personalNumber", "documentNumber", "birthday", "reason"}

func (a *app) blacklistCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "blacklist",
		Short: "Manage the people and documents to be refused",
		Example: `  identomat blacklist add -f people.csv
  identomat blacklist list --reveal -o csv
  identomat blacklist remove 64f0c3`,
	}
	var file string
	add := &cobra.Command{
		Use:   "add -f FILE",
		Short: "Add the rows of a CSV file to the blacklist",
		Long: `Add the rows of a CSV file to the blacklist. The first row names the columns: any of firstName,
lastName, personalNumber, documentNumber, birthday (such as 1980-01-08) and reason. Every row needs a
reason. A row that is on the blacklist already changes nothing, so the same file can be added again.`,
		Example: `  identomat blacklist add -f people.csv
  printf 'documentNumber,reason\nAB0002261,forged\n' | identomat blacklist add -f -`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, err := a.readEntries(cmd, file)
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			p := a.list("Line=line State=state ID=id")
			for _, entry := range entries {
				record := struct {
					Line  int    `json:"line"`
					State string `json:"state"`
					ID    string `json:"id,omitzero"`
				}{entry.line, "added", ""}
				record.ID, err = client.Blacklist.Add(cmd.Context(), entry.BlacklistEntry)
				invalid, isInvalid := errors.AsType[*identomat.ValidationError](err)
				switch {
				case errors.Is(err, identomat.ErrAlreadyExists):
					record.State = "exists"
				case isInvalid:
					return p.fail(entry.fileError(file, invalid))
				case err != nil:
					err = fmt.Errorf("line %d: %w", entry.line, err)
					return p.fail(maybe(err, "The rows before this line are on the blacklist. Add the same file again to go on."))
				}
				if err := p.add(record); err != nil {
					return err
				}
			}
			return p.close()
		},
	}
	add.Flags().StringVarP(&file, "file", "f", "", "read the rows from this `file`; - is standard input")
	remove := &cobra.Command{
		Use:   "remove ID...",
		Short: "Remove records from the blacklist",
		Example: `  identomat blacklist remove 64f0c3
  identomat blacklist list | jq -r .id | xargs identomat blacklist remove`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("missing ID")
			}
			return nil
		},
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			p := a.list("Removed=removed")
			for _, id := range args {
				if err := client.Blacklist.Remove(cmd.Context(), id); err != nil {
					return p.fail(fmt.Errorf("%s: %w", id, err))
				}
				if err := p.add(map[string]string{"removed": id}); err != nil {
					return err
				}
			}
			return p.close()
		}),
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the blacklist",
		Example: `  identomat blacklist list
  identomat blacklist list --reveal -o csv > blacklist.csv`,
		Args: takes(),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, _ []string) error {
			p := a.list("ID=id First_name=firstName Last_name=lastName Document=documentNumber Birthday=birthday Reason=reason").masked(paths("id reason"))
			for record, err := range client.Blacklist.List(cmd.Context(), identomat.BlacklistFilter{}) {
				if err != nil {
					return err
				}
				if err := p.add(record.Raw()); err != nil {
					return err
				}
			}
			return p.close()
		}),
	}
	cmd.AddCommand(add, remove, list)
	return cmd
}

// blacklistRow is a row of a CSV file, and its line.
type blacklistRow struct {
	identomat.BlacklistEntry
	line int
}

// fileError says where in the file the invalid values are.
func (r blacklistRow) fileError(file string, invalid *identomat.ValidationError) error {
	if file == "-" {
		file = "standard input"
	}
	var problems []problem
	for _, p := range invalid.Problems {
		problems = append(problems, problem{Line: r.line, Path: strings.TrimPrefix(p.Path, "query."), Message: p.Message, file: file})
	}
	return &fileError{problems}
}

func (a *app) readEntries(cmd *cobra.Command, name string) (rows []blacklistRow, err error) {
	if name == "" {
		return nil, usageError{cmd, errors.New("missing --file")}
	}
	in, name, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var problems []problem
	header, err := readCSV(in, func(line int, row map[string]string) {
		if row["reason"] == "" {
			problems = append(problems, problem{Line: line, Path: "reason", Message: "is missing", file: name})
		}
		rows = append(rows, blacklistRow{identomat.BlacklistEntry{
			FirstName: row["firstName"], LastName: row["lastName"], PersonalNumber: row["personalNumber"],
			DocumentNumber: row["documentNumber"], Birthday: identomat.Date(row["birthday"]), Reason: row["reason"],
		}, line})
	})
	// Do not print a wrong name: in a file without headings, it is a part of a person's data.
	for i, column := range header {
		switch {
		case !slices.Contains(blacklistFields, column):
			problems = append(problems, problem{Line: 1, Message: fmt.Sprintf("column %d is not one of %s", i+1, strings.Join(blacklistFields, ", ")), file: name})
		case slices.Contains(header[:i], column):
			problems = append(problems, problem{Line: 1, Message: fmt.Sprintf("column %d has the name of an earlier column", i+1), file: name})
		}
	}
	slices.SortStableFunc(problems, func(a, b problem) int { return a.Line - b.Line })
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(problems) > 0:
		return nil, &fileError{problems}
	case len(rows) == 0:
		return nil, fmt.Errorf("%s has no rows", name)
	}
	return rows, nil
}

// readCSV calls each for every row of a CSV file, by the names in the first row, and returns these names.
func readCSV(in io.Reader, each func(line int, row map[string]string)) (header []string, err error) {
	r := csv.NewReader(in)
	header, err = r.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return header, err
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // spreadsheets write a byte order mark
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return header, nil
		}
		if err != nil {
			return header, err
		}
		line, _ := r.FieldPos(0)
		row := map[string]string{}
		for i, cell := range cells {
			row[header[i]] = strings.TrimSpace(cell)
		}
		each(line, row)
	}
}
