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

// approvedSession begins a session with these steps and approves it.
func approvedSession(server *identomattest.Server, steps ...identomat.AnyStep) identomat.Token {
	session, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: steps})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil {
		log.Fatal(err)
	}
	return session.Token
}

// startApproved starts a fake of the service and approves a session with these steps.
func startApproved(steps ...identomat.AnyStep) (*identomattest.Server, identomat.Token) {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	return server, approvedSession(server, steps...)
}

// fetch reads media to the end, and prints the content type and whether all bytes arrived.
func fetch(media *identomat.Media, err error) {
	if err != nil {
		log.Fatal(err)
	}
	data, err := media.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(media.ContentType, "complete:", int64(len(data)) == media.Size)
}

func ExampleMediaService_CardFront() {
	server, token := startApproved(identomat.IdentityDocument())
	defer server.Close()

	fetch(server.Client().Media.CardFront(context.Background(), token))
	// Output: image/jpeg complete: true
}

func ExampleMediaService_CardBack() {
	server, token := startApproved(identomat.IdentityDocument())
	defer server.Close()

	fetch(server.Client().Media.CardBack(context.Background(), token))
	// Output: image/jpeg complete: true
}

func ExampleMediaService_Passport() {
	server, token := startApproved(identomat.IdentityDocument().Types(identomat.Passport))
	defer server.Close()
	client := server.Client()

	fetch(client.Media.Passport(context.Background(), token))
	_, err := client.Media.CardFront(context.Background(), token)
	fmt.Println("no card:", errors.Is(err, identomat.ErrNotFound))
	// Output:
	// image/jpeg complete: true
	// no card: true
}

func ExampleMediaService_Face() {
	server, token := startApproved(identomat.Liveness())
	defer server.Close()
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
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("complete:", n == face.Size)
	// Output: complete: true
}

func ExampleMediaService_FaceVideo() {
	server, token := startApproved(identomat.Liveness())
	defer server.Close()

	video, err := server.Client().Media.FaceVideo(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	defer video.Close()
	var percent int64
	video.Progress(func(done, total int64) { percent = done * 100 / total })
	_, err = video.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(video.ContentType, percent, "%")
	// Output: video/mp4 100 %
}

func ExampleMediaService_FaceDocument() {
	server, token := startApproved(identomat.SelfieWithID())
	defer server.Close()

	fetch(server.Client().Media.FaceDocument(context.Background(), token))
	// Output: image/jpeg complete: true
}

func ExampleMediaService_GeneralDocument() {
	server, token := startApproved(identomat.ProofOfAddress(identomat.BankStatement))
	defer server.Close()

	fetch(server.Client().Media.GeneralDocument(context.Background(), token, identomat.BankStatementMedia))
	// Output: application/pdf complete: true
}

func ExampleMediaService_DocumentFacePhoto() {
	server, token := startApproved(identomat.IdentityDocument())
	defer server.Close()

	photo, err := server.Client().Media.DocumentFacePhoto(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	if _, err = photo.Bytes(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(photo.ContentType)
	// Output: image/jpeg
}

// printFiles prints the names of the files in the archives, and whether they are empty.
func printFiles(archives iter.Seq2[*identomat.Media, error]) {
	for archive, err := range archives {
		if err != nil {
			log.Fatal(err)
		}
		for file, err := range archive.Files() {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(file.Name, "empty:", file.Size == 0)
		}
	}
}

func ExampleMediaService_VisualMarkers() {
	server, token := startApproved(identomat.IdentityDocument())
	defer server.Close()

	printFiles(server.Client().Media.VisualMarkers(context.Background(), token))
	// Output:
	// marker-1.png empty: false
	// marker-2.png empty: false
}

func ExampleMediaService_QuestionFile() {
	server, err := identomattest.Start(identomattest.WithBareQuestionFiles())
	if err != nil {
		log.Fatal(err)
	}
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

// Fetch the files of every question that was answered with files. A result does not say which questions
// these are: a question without a file is refused with ErrWrongParameters. So is a misspelled key, which
// is why this example takes the keys from the result: a key from elsewhere needs a comparison with the
// questions that you asked.
func ExampleMediaService_QuestionFiles() {
	server, err := identomattest.Start(identomattest.WithBareQuestionFiles())
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	token := approvedSession(server, identomat.UserQuestionnaire("employment").Ask(
		identomat.TextQuestion("employer", identomat.Text{"en": "Employer"}),
		identomat.FileQuestion("payslips", identomat.Text{"en": "Payslips"}).FileTypes("pdf").MaxFiles(3)))

	result, err := client.Sessions.Result(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	n, ok := result.Answer("employment", "payslips").Number() // in the fake's results, the number of files
	fmt.Println("files according to the answer:", n, ok)
	for _, questionnaire := range result.Questionnaires {
		for _, question := range questionnaire.Questions {
			if !question.Answer.Exists() {
				continue
			}
			for file, err := range client.Media.QuestionFiles(context.Background(), token, questionnaire.Key, question.Key) {
				if errors.Is(err, identomat.ErrWrongParameters) {
					break // not a question with files
				}
				if err != nil {
					log.Fatal(err)
				}
				fmt.Println(question.Key, file.ContentType) // in production: file.SaveFile
			}
		}
	}
	// Output:
	// files according to the answer: 2 true
	// payslips application/pdf
	// payslips application/pdf
}

func ExampleSessionsService_ExportPDF() {
	server, token := startApproved(identomat.IdentityDocument())
	defer server.Close()

	fetch(server.Client().Sessions.ExportPDF(context.Background(), token, identomat.PDFParts{Session: true, Screening: true}))
	// Output: application/pdf complete: true
}

func ExampleVideoCallsService_Shots() {
	server, token := startApproved(identomat.VideoCall())
	defer server.Close()

	printFiles(server.Client().VideoCalls.Shots(context.Background(), token))
	// Output:
	// shot-1.jpg empty: false
	// shot-2.jpg empty: false
}

func ExampleVideoCallsService_Videos() {
	server, token := startApproved(identomat.VideoCall())
	defer server.Close()
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
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("videos:", n)
	// Output: videos: 1
}
