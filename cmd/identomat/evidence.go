package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/evidence"
)

func (a *app) evidenceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "evidence",
		Short: "Collect, verify and pack everything that a session left behind",
		Long: `Collect everything that a session left behind into one folder: the result, images, videos, documents,
answers, the report and the activities. The folder is a BagIt package (RFC 8493), so
"sha256sum -c manifest-sha256.txt" can verify it without this program.`,
		Example: `  identomat evidence collect @token.txt evidence/user-1
  identomat evidence verify evidence/user-1
  identomat evidence pack evidence/user-1 -o user-1.zip`,
	}
	cmd.AddCommand(a.collectCommand(), a.verifyCommand(), a.showCommand(), a.packCommand())
	return cmd
}

func (a *app) collectCommand() *cobra.Command {
	var added []string
	cmd := &cobra.Command{
		Use:   "collect TOKEN DIR",
		Short: "Collect the evidence of a session into a folder",
		Long: `Collect the evidence of a session into a folder. If this is stopped, even by a crash, run it again: it
fetches only what is missing. It makes no call that may be billed.` + tokenHelp,
		Example: `  identomat evidence collect @token.txt evidence/user-1
  identomat evidence collect @token.txt evidence/user-1 --add decision.json`,
		Args: takes("TOKEN", "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, token, err := a.clientAndToken(cmd, args[0])
			if err != nil {
				return err
			}
			draw, clear := a.bar()
			opts := []evidence.Option{evidence.OnProgress(func(p evidence.Progress) {
				draw(p.Source, int64(p.Done), int64(p.Total), count)
			})}
			for _, file := range added {
				name, path, renamed := strings.Cut(file, "=")
				if !renamed {
					path = file
					name = file[strings.LastIndexAny(file, `/\`)+1:]
				}
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				opts = append(opts, evidence.With(name, data))
			}
			report, err := evidence.Collect(cmd.Context(), client, token, evidence.Dir(args[1]), opts...)
			clear()
			if report == nil {
				return err
			}
			p, printed := a.sources(report)
			switch {
			case printed != nil:
				return printed
			case err == nil:
				return p.close()
			case errors.Is(err, evidence.ErrIncomplete) && cmd.Context().Err() == nil:
				a.note("The package is not complete. Run this again: only what is missing will be fetched.")
			}
			return p.fail(err)
		},
	}
	cmd.Flags().StringArrayVar(&added, "add", nil, "add this `file` to the package, under its name or as NAME=FILE; can be repeated")
	return cmd
}

// sources returns a printer with what a package holds and lacks.
func (a *app) sources(report *evidence.Report) (*printer, error) {
	p := a.list("Source=name State=state Reason=reason Bytes=bytes")
	for _, source := range report.Sources {
		record := struct {
			Name   string         `json:"name"`
			State  evidence.State `json:"state"`
			Reason string         `json:"reason,omitzero"`
			Bytes  int64          `json:"bytes"`
			Files  []string       `json:"files,omitzero"`
		}{source.Name, source.State, source.Reason, 0, nil}
		for _, file := range source.Files {
			record.Bytes += file.Size
			record.Files = append(record.Files, file.Path)
		}
		if err := p.add(record); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// openPackage opens a folder or a zip file.
func openPackage(path string) (fs.FS, io.Closer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return os.DirFS(path), io.NopCloser(nil), nil
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is neither a folder nor a zip file: %w", path, err)
	}
	return archive, archive, nil
}

func (a *app) verifyPackage(path string) (*evidence.Check, error) {
	fsys, closer, err := openPackage(path)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return evidence.Verify(fsys)
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify PATH",
		Short: "Verify a package: a folder or a zip file",
		Long: `Verify that a package is a valid one and that none of its files was changed, added or removed. This
needs no key and no network. The digest stands for the whole package.`,
		Example: `  identomat evidence verify evidence/user-1
  identomat evidence verify user-1.zip -o json | jq -r .digest`,
		Args: takes("PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			check, err := a.verifyPackage(args[0])
			if err != nil {
				return err
			}
			return a.show(map[string]any{
				"digest": check.Digest, "outcome": check.Report.Outcome, "complete": check.Report.Complete,
				"files": check.Files, "bytes": check.Bytes, "seals": check.Seals,
			}, "Digest=digest Outcome=outcome Complete=complete Files=files Bytes=bytes Seals=seals", nil)
		},
	}
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show PATH",
		Short:   "Verify a package, and list what it holds and lacks",
		Example: `  identomat evidence show evidence/user-1`,
		Args:    takes("PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			check, err := a.verifyPackage(args[0])
			if err != nil {
				return err
			}
			p, err := a.sources(check.Report)
			if err != nil {
				return err
			}
			return p.close()
		},
	}
}

func (a *app) packCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "pack DIR -o FILE",
		Short: "Verify a package, and write it as one zip file",
		Long: `Verify a package, and write it as one zip file that only its owner can read. The same package always
gives the same bytes.`,
		Example: `  identomat evidence pack evidence/user-1 -o user-1.zip`,
		Args:    takes("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.checkName(cmd, name); err != nil {
				return err
			}
			fsys, closer, err := openPackage(args[0])
			if err != nil {
				return err
			}
			defer closer.Close()
			var size int64
			if err := writeFile(name, func(file *os.File) error {
				if err := evidence.Pack(interruptible{cmd.Context(), file}, fsys); err != nil {
					return err
				}
				size, err = file.Seek(0, io.SeekCurrent)
				return err
			}); err != nil {
				return err
			}
			return a.show(savedFile{"evidence", name, "application/zip", size}, savedColumns, nil)
		},
	}
	cmd.Flags().StringVarP(&name, "output", "o", "", "write the zip to this `file`")
	return cmd
}

// interruptible is a writer that fails after an interruption.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

func (i interruptible) Write(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.w.Write(p)
}

// erase erases a session whose evidence verifies.
func (a *app) erase(cmd *cobra.Command, client *identomat.Client, token identomat.Token, path string) error {
	fsys, closer, err := openPackage(path)
	if err != nil {
		return err
	}
	defer closer.Close()
	receipt, err := evidence.Erase(cmd.Context(), client, token, fsys)
	if err != nil {
		return err
	}
	return a.show(receipt, "Erased=erased Gone_before=gone Digest=digest Files=files Bytes=bytes", nil)
}
