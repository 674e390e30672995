package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/sniff"
)

// kind is a kind of media. Its name is also the name of its file.
type kind struct {
	name  string
	fetch func(context.Context, *identomat.Client, identomat.Token) iter.Seq2[*identomat.Media, error]
	many  bool
}

// one adapts a call that returns one file.
func one(fetch func(context.Context, *identomat.Client, identomat.Token) (*identomat.Media, error)) func(context.Context, *identomat.Client, identomat.Token) iter.Seq2[*identomat.Media, error] {
	return func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
		return func(yield func(*identomat.Media, error) bool) { yield(fetch(ctx, c, t)) }
	}
}

func single(name string, get func(*identomat.MediaService, context.Context, identomat.Token) (*identomat.Media, error)) kind {
	return kind{name: name, fetch: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
		return get(c.Media, ctx, t)
	})}
}

func document(id identomat.GeneralDocumentMedia) kind {
	return kind{name: string(id), fetch: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
		return c.Media.GeneralDocument(ctx, t, id)
	})}
}

var kinds = []kind{
	single("card-front", (*identomat.MediaService).CardFront),
	single("card-back", (*identomat.MediaService).CardBack),
	single("passport", (*identomat.MediaService).Passport),
	single("face", (*identomat.MediaService).Face),
	single("face-video", (*identomat.MediaService).FaceVideo),
	single("face-document", (*identomat.MediaService).FaceDocument),
	single("document-face-photo", (*identomat.MediaService).DocumentFacePhoto),
	document(identomat.BankStatementMedia),
	document(identomat.UtilityBillMedia),
	document(identomat.DriversLicenseMedia),
	document(identomat.VehicleRegistrationCertificateFrontMedia),
	document(identomat.VehicleRegistrationCertificateBackMedia),
	{name: "visual-markers", many: true, fetch: func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
		return c.Media.VisualMarkers(ctx, t)
	}},
	{name: "call-shots", many: true, fetch: func(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
		return c.VideoCalls.Shots(ctx, t)
	}},
	{name: "call-videos", fetch: one(func(ctx context.Context, c *identomat.Client, t identomat.Token) (*identomat.Media, error) {
		return c.VideoCalls.Videos(ctx, t)
	})},
	{name: "question-files", many: true, fetch: questionFiles},
}

// questionFiles yields the files that answer questions. A result does not say which answers are files.
func questionFiles(ctx context.Context, c *identomat.Client, t identomat.Token) iter.Seq2[*identomat.Media, error] {
	return func(yield func(*identomat.Media, error) bool) {
		result, err := c.Sessions.Result(ctx, t)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, questionnaire := range result.Questionnaires {
			for _, question := range questionnaire.Questions {
				if !question.Answer.Exists() {
					continue
				}
				for file, err := range c.Media.QuestionFiles(ctx, t, questionnaire.Key, question.Key) {
					if isAbsent(err) {
						break
					}
					if !yield(file, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// isAbsent reports whether an error says that a session has no such media.
func isAbsent(err error) bool {
	return errors.Is(err, identomat.ErrNotFound) || errors.Is(err, identomat.ErrWrongParameters)
}

func kindNames() string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

const savedColumns = "Kind=kind File=file Type=contentType Size=size"

// savedFile is the record of a file that was written.
type savedFile struct {
	Kind        string `json:"kind"`
	File        string `json:"file"`
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
}

// save writes media to a file, and shows the progress.
func (a *app) save(m *identomat.Media, kind, name string) (savedFile, error) {
	draw, clear := a.bar()
	defer clear()
	m.Progress(func(done, total int64) { draw(kind, done, total, bytesOf) })
	size, err := m.SaveFile(name)
	return savedFile{kind, name, m.ContentType, size}, err
}

func (a *app) mediaCommand() *cobra.Command {
	var chosen []string
	var dir string
	cmd := &cobra.Command{
		Use:   "media TOKEN -o DIR",
		Short: "Download the images, videos and files of a session",
		Long: `Download the images, videos and files of a session into a directory. A file appears when it is
complete, and only its owner can read it. With --kind all, what the session lacks is skipped.

Kinds: ` + wrap(kindNames(), 92) + tokenHelp,
		Example: `  identomat media @token.txt -o ./user-1
  identomat media @token.txt --kind face,passport -o ./user-1 --json`,
		Args: takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.checkName(cmd, dir); err != nil {
				return err
			}
			all := slices.Equal(chosen, []string{"all"})
			var fetch []kind
			for _, k := range kinds {
				if all || slices.Contains(chosen, k.name) {
					fetch = append(fetch, k)
				}
			}
			for _, name := range chosen {
				if !all && !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
					return usageError{cmd, fmt.Errorf("--kind %q is not one of all, %s", name, kindNames())}
				}
			}
			client, token, err := a.clientAndToken(cmd, args[0])
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			p := a.list(savedColumns)
			for _, k := range fetch {
				n := 0
				for m, err := range k.fetch(cmd.Context(), client, token) {
					if all && isAbsent(err) {
						break
					}
					if err != nil {
						return p.fail(err)
					}
					n++
					name := k.name
					if k.many {
						name += "-" + strconv.Itoa(n)
					}
					extension := sniff.Extension(m.ContentType)
					if extension == "" {
						extension = ".bin"
					}
					saved, err := a.save(m, name, filepath.Join(dir, name+extension))
					if err != nil {
						return p.fail(err)
					}
					if err := p.add(saved); err != nil {
						return err
					}
				}
			}
			return p.close()
		},
	}
	cmd.Flags().StringSliceVar(&chosen, "kind", []string{"all"}, "download these `kinds`")
	cmd.Flags().StringVarP(&dir, "output", "o", "", "write the files into this `directory`")
	return cmd
}
