package identomat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// Every method returns a copy of the flags, so you can start from common flags and add to them.
func ExampleFlags() {
	base := identomat.NewFlags().RestrictURLSharing(true)
	georgian := base.Language(identomat.Georgian).ReturnURL("https://bank.example/kyc/return")
	german := base.Language(identomat.German).Set("a_new_flag", 3) // a flag that this SDK does not know
	for _, flags := range []identomat.Flags{base, georgian, german} {
		sent, err := json.Marshal(flags)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(sent))
	}
	// Output:
	// {"restrict_url_sharing":true}
	// {"restrict_url_sharing":true,"language":"ka","return_url":"https://bank.example/kyc/return"}
	// {"restrict_url_sharing":true,"language":"de","a_new_flag":3}
}

func ExampleCustomStep() {
	steps, err := json.Marshal(identomat.Steps{
		identomat.CustomStep("a-new-step", "key-of-the-step").
			Title(identomat.Text{"en": "Something new"}).Flag("a_flag", true).Set("aParameter", []int{1, 2}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(steps))
	// Output:
	// [{"type":"a-new-step","key":"key-of-the-step","title":{"en":"Something new"},"flags":{"a_flag":true},"aParameter":[1,2]}]
}

// A company lists its shareholders and directors. Verify(true) verifies every shareholder:
// individuals with the KYC configuration, companies with the KYB configuration.
func ExampleBeneficiaries() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	_, err = server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{
		identomat.Company().
			Mandatory(identomat.FieldCompanyName, identomat.FieldRegistrationNumber, identomat.FieldRegistrationCountry).
			Optional(identomat.FieldTaxID),
		identomat.Beneficiaries().KYCConfig("682c60525a91a1e5b473858d").KYBConfig("682c60525a91a1e5b473858e").
			Roles(
				identomat.Shareholder().Mandatory(identomat.FieldOwnershipPercentage).Verify(true),
				identomat.Director().Mandatory(identomat.FieldFirstName, identomat.FieldLastName),
			),
		identomat.KYBReview(),
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the session has begun")
	// Output: the session has begun
}

// The customer shows a document and their face in the call. The operator answers questions
// about the call.
func ExampleVideoCall() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	session, err := server.Client().Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{
			identomat.VideoCall().NameRequired(true).Steps(identomat.IdentityDocument(), identomat.Liveness()),
			identomat.OperatorQuestionnaire("impression").Ask(
				identomat.RadioQuestion("alone", identomat.Text{"en": "Was the customer alone?"},
					identomat.Choice("yes", identomat.Text{"en": "Yes"}),
					identomat.Choice("no", identomat.Text{"en": "No"})).Mandatory(true)),
		},
		ScheduleStart: time.Now(), ScheduleEnd: time.Now().Add(2 * time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	begun, _ := server.Session(session.Token)
	for _, step := range begun.Steps {
		fmt.Println(step.Type)
	}
	// Output:
	// video-call
	// identity-document
	// liveness
	// operator-questionnaire
}

func ExampleResult_Answer() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{
		identomat.UserQuestionnaire("employment").Ask(
			identomat.TextQuestion("employer", identomat.Text{"en": "Who employs you?"}),
			identomat.CheckboxQuestion("income", identomat.Text{"en": "What do you live on?"},
				identomat.Choice("salary", identomat.Text{"en": "Salary"}),
				identomat.Choice("rent", identomat.Text{"en": "Rent"})),
		),
	}})
	if err != nil {
		log.Fatal(err)
	}
	err = server.Approve(session.Token, // stands in for the customer
		identomattest.WithAnswer("employment", "employer", "Lighthouse Ltd."),
		identomattest.WithAnswer("employment", "income", []string{"salary", "rent"}))
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.Sessions.Result(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Answer("employment", "employer").Text())
	fmt.Println(result.Answer("employment", "income").Choices())
	fmt.Println(result.Answer("employment", "nobody asked this").Exists())
	// Output:
	// Lighthouse Ltd.
	// [salary rent]
	// false
}

// To store a result, store Raw. Encoding the result itself returns an error.
func ExampleResult_Raw() {
	var result identomat.Result
	if err := json.Unmarshal([]byte(`{"result":"approved","person":{"first_name":"John"},"a_new_field":7}`), &result); err != nil {
		log.Fatal(err)
	}
	_, err := json.Marshal(result)
	fmt.Println("refused, so that no personal data is encoded by accident:", err != nil)
	fmt.Println(string(result.Raw()))
	fmt.Println(string(result.Extra()["a_new_field"]))
	// Output:
	// refused, so that no personal data is encoded by accident: true
	// {"result":"approved","person":{"first_name":"John"},"a_new_field":7}
	// 7
}

// Read the files in an archive one after another, without holding the archive in memory.
func ExampleMedia_Files() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{identomat.VideoCall()}})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}

	recordings, err := client.VideoCalls.Videos(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	for file, err := range recordings.Files() {
		if err != nil {
			log.Fatal(err)
		}
		var head [12]byte
		n, err := file.Read(head[:]) // or io.Copy to your storage
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(file.Name, "read:", n, "bytes")
	}
	// Output:
	// video-1.mp4 read: 12 bytes
}

// Stream a customer's face to an operator's browser.
func ExampleMedia_WriteTo() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client()
	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}

	show := func(w http.ResponseWriter, r *http.Request) {
		face, err := client.Media.Face(r.Context(), session.Token)
		if err != nil {
			http.Error(w, "there is no picture", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", face.ContentType)
		w.Header().Set("Cache-Control", "no-store")
		if _, err := face.WriteTo(w); err != nil {
			panic(http.ErrAbortHandler) // so that the browser does not show a truncated image
		}
	}
	w := httptest.NewRecorder()
	show(w, httptest.NewRequest(http.MethodGet, "/face", nil))
	fmt.Println(w.Header().Get("Content-Type"), "empty:", w.Body.Len() == 0)
	// Output: image/jpeg empty: false
}
