package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/identomat-go/identomat"
)

// readers read images of documents, by the type of the document.
var readers = []struct {
	name string
	read func(*identomat.DocumentsService, context.Context, identomat.File) (*identomat.Document, error)
}{
	{"passport", (*identomat.DocumentsService).Passport},
	{"card-front", (*identomat.DocumentsService).CardFront},
	{"card-back", (*identomat.DocumentsService).CardBack},
	{"license-front", (*identomat.DocumentsService).LicenseFront},
	{"license-back", (*identomat.DocumentsService).LicenseBack},
	{"residence-front", (*identomat.DocumentsService).ResidenceFront},
	{"residence-back", (*identomat.DocumentsService).ResidenceBack},
}

func readerNames() string {
	var names []string
	for _, r := range readers {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

func (a *app) docCommand() *cobra.Command {
	var typ string
	cmd := &cobra.Command{
		Use:     "doc",
		Short:   "Read images of documents",
		Example: `  identomat doc read passport.jpg --type passport --reveal`,
	}
	read := &cobra.Command{
		Use:   "read FILE --type TYPE",
		Short: "Read an image of a document",
		Long: `Read an image of a document: a JPEG or a PNG. The call may be billed.

Types: ` + readerNames() + ".",
		Example: `  identomat doc read passport.jpg --type passport
  identomat doc read card.jpg --type card-front --reveal --yes -o json | jq .person`,
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, r := range readers {
				if r.name != typ {
					continue
				}
				client, err := a.client()
				if err != nil {
					return err
				}
				if _, err := os.Stat(args[0]); err != nil {
					return err
				}
				if err := a.confirm(cmd, billed); err != nil {
					return err
				}
				document, err := r.read(client.Documents, cmd.Context(), identomat.FileFromPath(args[0]))
				if err != nil {
					return maybe(imageError(err), billedAdvice)
				}
				return a.show(document.Raw(), "First_name=person.first_name Last_name=person.last_name Birthday=person.birthday Sex=person.sex "+
					"Nationality=person.nationality Document_number=person.document_number Personal_number=person.personal_number "+
					"Issued=person.document_issued Expires=person.document_expires State=person.issuing_state Status=person.status Request=requestId",
					paths("requestId person.status"))
			}
			return usageError{cmd, fmt.Errorf("--type %q is not one of %s", typ, readerNames())}
		},
	}
	read.Flags().StringVar(&typ, "type", "", "the `type` of the document, and the side in the image")
	a.confirmFlag(read)
	cmd.AddCommand(read)
	return cmd
}

// imageError adds to an error why the service refused an image.
func imageError(err error) error {
	api, ok := errors.AsType[*identomat.APIError](err)
	if ok && errors.Is(err, identomat.ErrImageRefused) && api.ImageCode() != "" {
		return fmt.Errorf("take a better picture (%s): %w", api.ImageCode(), err)
	}
	return err
}

func (a *app) facesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "faces",
		Short:   "Compare faces",
		Example: `  identomat faces compare selfie.jpg passport-photo.jpg`,
	}
	compare := &cobra.Command{
		Use:   "compare IMAGE IMAGE",
		Short: "Say how similar the faces in two images are",
		Long:  "Say how similar the faces in two images are, from 0 to 1. The call may be billed.",
		Example: `  identomat faces compare selfie.jpg passport-photo.jpg
  identomat faces compare selfie.jpg passport-photo.jpg --yes -o json | jq .similarity`,
		Args: takes("IMAGE", "IMAGE"),
		RunE: a.withClient(func(cmd *cobra.Command, client *identomat.Client, args []string) error {
			for _, name := range args {
				if _, err := os.Stat(name); err != nil {
					return err
				}
			}
			if err := a.confirm(cmd, billed); err != nil {
				return err
			}
			comparison, err := client.Documents.CompareFaces(cmd.Context(), identomat.FileFromPath(args[0]), identomat.FileFromPath(args[1]))
			if err != nil {
				return maybe(imageError(err), billedAdvice)
			}
			const cols = "Similarity=similarity First_image=face1Statuses Second_image=face2Statuses"
			return a.show(comparison.Raw(), cols, columnPaths(cols))
		}),
	}
	a.confirmFlag(compare)
	cmd.AddCommand(compare)
	return cmd
}
