package identomat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// exampleServer starts a fake of the service. In production, create the client with
// identomat.NewClientFromEnv() or identomat.NewClient(companyKey, options...).
func exampleServer(opts ...identomattest.Option) *identomattest.Server {
	server, err := identomattest.Start(opts...)
	if err != nil {
		log.Fatal(err)
	}
	return server
}

func ExampleScreeningService_Search() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	query := identomat.ScreeningQuery{FullName: "John Smith", ScoreThreshold: 80}
	for hit, err := range client.Screening.Search(context.Background(), query) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(hit.Score, hit.Name, hit.Topics)
	}
	// Output:
	// 100 John SMITH [Sanctioned entity Politician]
	// 100 John SMITH [Person of interest]
}

func ExampleScreeningService_SearchPage() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	query := identomat.ScreeningQuery{
		FullName: "Viktor Examplov", ScoreThreshold: 90, BirthdayTimeFrom: "1970-07-07",
	}
	hits, err := client.Screening.SearchPage(context.Background(), query, 0, 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range hits {
		fmt.Println(hit.Name, hit.PersonID)
	}
	// Output: Viktor Invented EXAMPLOV 67137933a2176f0797f1e604
}

func ExampleScreeningService_Person() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	person, err := client.Screening.Person(context.Background(), "67137933a2176f0797f1e601")
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range person.ExtraDetails {
		for _, detail := range group.Details {
			for _, property := range detail.Properties {
				if property.Type == identomat.PropertyDate {
					fmt.Println(group.Name, "|", detail.Name, "|", property.Name, property.Values)
				}
			}
		}
	}
	// Output:
	// Position occupied | Minister | Start Date [1999-08-16]
	// Sanctions | Office of Invented Sanctions | Start Date [2022-02-28]
}

func ExampleScreeningService_Monitor() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	query := identomat.MonitorQuery{FullName: "John Smith"}
	id, err := client.Screening.Monitor(context.Background(), query)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("store this id for Unmonitor:", len(id), "characters")
	_, err = client.Screening.Monitor(context.Background(), query)
	fmt.Println("already monitored:", errors.Is(err, identomat.ErrAlreadyExists))
	// Output:
	// store this id for Unmonitor: 24 characters
	// already monitored: true
}

func ExampleScreeningService_Unmonitor() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	id, err := client.Screening.Monitor(context.Background(), identomat.MonitorQuery{FullName: "John Smith"})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Screening.Unmonitor(context.Background(), id); err != nil {
		log.Fatal(err)
	}
	fmt.Println("no longer monitored")
	// Output: no longer monitored
}

func ExampleScreeningService_ListMonitored() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	for _, name := range []string{"John Smith", "Jane Smith"} {
		if _, err := client.Screening.Monitor(context.Background(), identomat.MonitorQuery{FullName: name}); err != nil {
			log.Fatal(err)
		}
	}
	lastWeek := identomat.MonitoredFilter{Date: time.Now().AddDate(0, 0, -7)}
	for record, err := range client.Screening.ListMonitored(context.Background(), lastWeek) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.FullName)
	}
	// Output:
	// John Smith
	// Jane Smith
}

func ExampleScreeningService_ListMonitoredPage() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	if _, err := client.Screening.Monitor(context.Background(), identomat.MonitorQuery{FullName: "John Smith"}); err != nil {
		log.Fatal(err)
	}
	page, err := client.Screening.ListMonitoredPage(context.Background(), identomat.MonitoredFilter{}, 0, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Data[0].FullName, "is the first of", page.Total)
	// Output: John Smith is the first of 1
}

func ExampleBlacklistService_Add() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	id, err := client.Blacklist.Add(context.Background(), identomat.BlacklistEntry{DocumentNumber: "AB1", Reason: "forged"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("store this id for Remove:", len(id), "characters")
	_, err = client.Blacklist.Add(context.Background(), identomat.BlacklistEntry{Birthday: "14/5/1990"})
	fmt.Println(err)
	// Output:
	// store this id for Remove: 24 characters
	// identomat: add-blacklist-record: invalid request: query.birthday: must be a date in ISO 8601, such as 1990-05-14; query.reason: must not be empty
}

func ExampleBlacklistService_Remove() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	id, err := client.Blacklist.Add(context.Background(), identomat.BlacklistEntry{DocumentNumber: "AB1", Reason: "forged"})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Blacklist.Remove(context.Background(), id); err != nil {
		log.Fatal(err)
	}
	err = client.Blacklist.Remove(context.Background(), id)
	fmt.Println("already removed:", errors.Is(err, identomat.ErrNotFound))
	// Output: already removed: true
}

func ExampleBlacklistService_List() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	for _, number := range []string{"AB1", "AB2"} {
		if _, err := client.Blacklist.Add(context.Background(), identomat.BlacklistEntry{DocumentNumber: number, Reason: "forged"}); err != nil {
			log.Fatal(err)
		}
	}
	for record, err := range client.Blacklist.List(context.Background(), identomat.BlacklistFilter{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(record.DocumentNumber, record.Reason)
	}
	// Output:
	// AB1 forged
	// AB2 forged
}

func ExampleBlacklistService_ListPage() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	for _, number := range []string{"AB1", "AB2", "AB3"} {
		if _, err := client.Blacklist.Add(context.Background(), identomat.BlacklistEntry{DocumentNumber: number, Reason: "forged"}); err != nil {
			log.Fatal(err)
		}
	}
	page, err := client.Blacklist.ListPage(context.Background(), identomat.BlacklistFilter{}, 1, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Data[0].DocumentNumber, "of", page.Total)
	// Output: AB2 of 3
}

func ExampleVideoCallsService_End() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{identomat.VideoCall()}})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.VideoCalls.End(context.Background(), session.Token); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the call has ended")
	// Output: the call has ended
}

func ExampleGroupsService_List() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	if _, err := client.Groups.Create(context.Background(), identomat.CreateGroupRequest{Name: "Video calls"}); err != nil {
		log.Fatal(err)
	}
	groups, err := client.Groups.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range groups {
		fmt.Println(group.Name, "with", len(group.Members), "members")
	}
	// Output: Video calls with 0 members
}

func ExampleGroupsService_Create() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	users, err := client.Users.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	id, err := client.Groups.Create(context.Background(), identomat.CreateGroupRequest{Name: "Video calls", MemberIDs: []string{users[0].ID}})
	if err != nil {
		log.Fatal(err)
	}
	// The members of the group can take the call.
	_, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{
		Steps: identomat.Steps{identomat.VideoCall()}, GroupID: id,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the group can take the call")
	// Output: the group can take the call
}

// MemberIDs replaces the list of members. To add a member, include the existing members.
func ExampleGroupsService_Update() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	users, err := client.Users.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	members := []string{users[0].ID}
	id, err := client.Groups.Create(context.Background(), identomat.CreateGroupRequest{Name: "Video calls", MemberIDs: members})
	if err != nil {
		log.Fatal(err)
	}
	jane, err := client.Users.Create(context.Background(), identomat.CreateUserRequest{Email: "jane@bank.example", Password: "correct horse"})
	if err != nil {
		log.Fatal(err)
	}
	err = client.Groups.Update(context.Background(), id, identomat.UpdateGroupRequest{MemberIDs: append(members, jane)})
	if err != nil {
		log.Fatal(err)
	}
	groups, err := client.Groups.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, member := range groups[0].Members {
		fmt.Println(member.Username)
	}
	// Unordered output:
	// administrator@company.example
	// jane@bank.example
}

func ExampleGroupsService_Delete() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	id, err := client.Groups.Create(context.Background(), identomat.CreateGroupRequest{Name: "Video calls"})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Groups.Delete(context.Background(), id); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the group is deleted")
	// Output: the group is deleted
}

func ExampleUsersService_List() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	users, err := client.Users.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range users {
		fmt.Println(user.Username, user.Roles)
	}
	// Output: administrator@company.example [identomat_admin administrator operator call_center_operator]
}

func ExampleUsersService_Create() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	user := identomat.CreateUserRequest{
		Email: "jane@bank.example", Password: "correct horse", Rights: []identomat.UserRight{identomat.RightOperator},
	}
	id, err := client.Users.Create(context.Background(), user)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the id has", len(id), "characters; fmt masks the user:", user)
	_, err = client.Users.Create(context.Background(), user)
	fmt.Println("already a user:", errors.Is(err, identomat.ErrUserAlreadyExists))
	// Output:
	// the id has 24 characters; fmt masks the user: [redacted]
	// already a user: true
}

// Change one step of a configuration, for one session only.
func ExampleSessionsService_Config() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	config, err := client.Sessions.Config(context.Background(), "679c74e4d9725987e3879265")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(config.Name, config.General.SessionLifetime, "minutes", config.Steps)
	for i, step := range config.Steps {
		if document, ok := step.(identomat.IdentityDocumentStep); ok {
			config.Steps[i] = document.Title(identomat.Text{"en": "Your passport, please"})
		}
	}
	_, err = client.Sessions.Begin(context.Background(), identomat.BeginRequest{ConfigID: config.ID, Steps: config.Steps})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("begun with another title")
	// Output:
	// Configuration Template 15 minutes [identity-document "select_document_id" liveness "liveness"]
	// begun with another title
}

func ExampleSessionsService_Activities() {
	server := exampleServer()
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{})
	if err != nil {
		log.Fatal(err)
	}
	page, err := http.Get(session.URL) // the customer opens the widget
	if err != nil {
		log.Fatal(err)
	}
	defer page.Body.Close()

	activities, err := client.Sessions.Activities(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	for _, activity := range activities {
		fmt.Println(activity.Type)
	}
	// Output: PAGE_LOADED
}

func ExampleSessionsService_Statistics() {
	now := time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)
	server := exampleServer(identomattest.WithClock(func() time.Time { return now }))
	defer server.Close()
	client := server.Client()

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{Steps: identomat.Steps{identomat.Liveness()}})
	if err != nil {
		log.Fatal(err)
	}
	now = now.Add(8 * time.Second)
	if err := server.Approve(session.Token); err != nil {
		log.Fatal(err)
	}
	statistics, err := client.Sessions.Statistics(context.Background(), session.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(statistics.SessionStartDate, *statistics.SessionTimeSpan, "ms", statistics.ScanDocumentAttempts)
	// Output: 2026-05-04T12:00:00.000Z 8000 ms 0
}

// scan returns an image of a document. identomat.FileFromPath reads one from disk.
func scan() identomat.File { return identomat.FileFromBytes(identomattest.FaceJPEG(320, 400)) }

// printGivenNames prints the given names that the service read.
func printGivenNames(document *identomat.Document, err error) {
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Person.FirstName, document.Fields.Text(identomat.DocFieldGivenNames))
}

func ExampleDocumentsService_CardFront() {
	server := exampleServer()
	defer server.Close()
	printGivenNames(server.Client().Documents.CardFront(context.Background(), scan()))
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
	printGivenNames(server.Client().Documents.ResidenceFront(context.Background(), scan()))
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

	server.Fault("passport/", identomattest.ErrorCode("document-blurry"), 1)
	_, err = server.Client().Documents.Passport(context.Background(), scan())
	var apiErr *identomat.APIError
	if errors.Is(err, identomat.ErrImageRefused) && errors.As(err, &apiErr) {
		fmt.Println("ask for a better picture:", apiErr.ImageCode())
	}
	// Output:
	// DOE NEW YORK
	// ask for a better picture: DOCUMENT_BLURRY
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
			fmt.Println("not comparable:", comparison.Face2Statuses)
		} else {
			fmt.Println("similarity:", *comparison.Similarity)
		}
	}
	// Output:
	// similarity: 1
	// not comparable: [FACE_FAR_AWAY]
}
