package identomat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"path/filepath"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// approvedSession begins a session and approves it.
func approvedSession(server *identomattest.Server, steps ...identomat.Step) identomat.Token {
	session, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: steps})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil {
		log.Fatal(err)
	}
	return session.Token
}

// fetch reads what a method of a service returned.
func fetch(media *identomat.Media, err error) {
	if err != nil {
		log.Fatal(err)
	}
	data, err := media.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(media.ContentType, int64(len(data)) == media.Size)
}

func ExampleMediaService_CardFront() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument())

	fetch(server.Client().Media.CardFront(context.Background(), token))
	// Output: image/jpeg true
}

func ExampleMediaService_CardBack() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument())

	fetch(server.Client().Media.CardBack(context.Background(), token))
	// Output: image/jpeg true
}

func ExampleMediaService_Passport() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument().Types(identomat.Passport))
	client := server.Client()

	fetch(client.Media.Passport(context.Background(), token))
	_, err := client.Media.CardFront(context.Background(), token)
	fmt.Println(errors.Is(err, identomat.ErrNotFound))
	// Output:
	// image/jpeg true
	// true
}

func ExampleMediaService_Face() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.Liveness())
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	face, err := server.Client().Media.Face(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	n, err := face.SaveFile(filepath.Join(dir, "face.jpg"))
	fmt.Println(n == face.Size, err)
	// Output: true <nil>
}

func ExampleMediaService_FaceVideo() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.Liveness())

	video, err := server.Client().Media.FaceVideo(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	defer video.Close()
	var percent int64
	video.Progress(func(done, total int64) { percent = done * 100 / total })
	_, err = video.Bytes()
	fmt.Println(video.ContentType, percent, err)
	// Output: video/mp4 100 <nil>
}

func ExampleMediaService_FaceDocument() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.SelfieWithID())

	fetch(server.Client().Media.FaceDocument(context.Background(), token))
	// Output: image/jpeg true
}

func ExampleMediaService_GeneralDocument() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.ProofOfAddress(identomat.BankStatement))

	fetch(server.Client().Media.GeneralDocument(context.Background(), token, identomat.BankStatementMedia))
	// Output: application/pdf true
}

func ExampleMediaService_DocumentFacePhoto() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument())

	photo, err := server.Client().Media.DocumentFacePhoto(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	_, err = photo.Bytes()
	fmt.Println(photo.ContentType, err)
	// Output: image/jpeg <nil>
}

// list prints what is in the archives.
func list(archives iter.Seq2[*identomat.Media, error]) {
	for archive, err := range archives {
		if err != nil {
			log.Fatal(err)
		}
		for file, err := range archive.Files() {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(file.Name, file.Size > 0)
		}
	}
}

func ExampleMediaService_VisualMarkers() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument())

	list(server.Client().Media.VisualMarkers(context.Background(), token))
	// Output:
	// marker-1.png true
	// marker-2.png true
}

func ExampleMediaService_QuestionFile() {
	server := exampleServer(identomattest.WithBareQuestionFiles())
	defer server.Close()
	token := approvedSession(server, identomat.UserQuestionnaire("employment").Ask(
		identomat.FileQuestion("contract", identomat.Text{"en": "Contract"}).FileTypes("pdf").Mandatory(true)))

	contract, err := server.Client().Media.QuestionFile(context.Background(), token, "employment", "contract", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer contract.Close()
	fmt.Println(contract.ContentType)
	// Output: application/pdf
}

func ExampleSessionsService_ExportPDF() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.IdentityDocument())

	fetch(server.Client().Sessions.ExportPDF(context.Background(), token, identomat.PDFParts{Session: true, Screening: true}))
	// Output: application/pdf true
}

func ExampleVideoCallsService_Shots() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.VideoCall())

	list(server.Client().VideoCalls.Shots(context.Background(), token))
	// Output:
	// shot-1.jpg true
	// shot-2.jpg true
}

func ExampleVideoCallsService_Videos() {
	server := exampleServer()
	defer server.Close()
	token := approvedSession(server, identomat.VideoCall())
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	videos, err := server.Client().VideoCalls.Videos(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	n, err := videos.ExtractTo(filepath.Join(dir, "videos"))
	fmt.Println(n, err)
	// Output: 1 <nil>
}

// scan is an image to read; identomat.FileFromPath("passport.jpg") is another.
func scan() identomat.File { return identomat.FileFromBytes(identomattest.FaceJPEG(320, 400)) }

func firstName(document *identomat.Document, err error) {
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Person.FirstName, document.Fields.Text(identomat.DocFieldGivenNames))
}

func ExampleDocumentsService_CardFront() {
	server := exampleServer()
	defer server.Close()
	firstName(server.Client().Documents.CardFront(context.Background(), scan()))
	// Output: JOHN JOHN
}

func ExampleDocumentsService_CardBack() {
	server := exampleServer()
	defer server.Close()
	document, err := server.Client().Documents.CardBack(context.Background(), scan())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Fields.Text(identomat.DocFieldPlaceOfBirth))
	// Output: USA
}

func ExampleDocumentsService_LicenseFront() {
	server := exampleServer()
	defer server.Close()
	document, err := server.Client().Documents.LicenseFront(context.Background(), scan())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Fields.TextIn(identomat.DocFieldSurname, "ka_GE"))
	// Output: დო
}

func ExampleDocumentsService_LicenseBack() {
	server := exampleServer()
	defer server.Close()
	document, err := server.Client().Documents.LicenseBack(context.Background(), scan())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Person.IssuingState)
	// Output: USA
}

func ExampleDocumentsService_ResidenceFront() {
	server := exampleServer()
	defer server.Close()
	firstName(server.Client().Documents.ResidenceFront(context.Background(), scan()))
	// Output: John John
}

func ExampleDocumentsService_ResidenceBack() {
	server := exampleServer()
	defer server.Close()
	document, err := server.Client().Documents.ResidenceBack(context.Background(), scan())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Person.DocumentIssuedTime)
	// Output: 2020-07-01T00:00:00.000Z
}

func ExampleDocumentsService_Passport() {
	server := exampleServer()
	defer server.Close()
	document, err := server.Client().Documents.Passport(context.Background(), scan())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.MRZData.Text(identomat.DocFieldSurname), document.VisualData.Text(identomat.DocFieldPlaceOfBirth))
	// Output: DOE NEW YORK
}

func ExampleDocumentsService_CompareFaces() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	far := identomat.FileFromBytes(identomattest.FaceJPEG(40, 60))
	for _, other := range []identomat.File{scan(), far} {
		comparison, err := client.Documents.CompareFaces(context.Background(), scan(), other)
		if err != nil {
			log.Fatal(err)
		}
		if comparison.Similarity == nil {
			fmt.Println("not comparable", comparison.Face2Statuses)
		} else {
			fmt.Println(*comparison.Similarity)
		}
	}
	// Output:
	// 1
	// not comparable [FACE_FAR_AWAY]
}
