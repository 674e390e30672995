package identomat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
)

// Outcome is how a session ended, or that it has not. Only [OutcomeApproved] is an
// approval; any other value, known or not, is none. Known outcomes come in the lower case
// of the constants whatever the case on the wire; others are kept as they are.
type Outcome string

// The outcomes of the documents. Production has one more, for people who disagreed with
// the terms; its spelling has not been seen.
const (
	// OutcomeApproved: the person was accepted.
	OutcomeApproved Outcome = "approved"
	// OutcomeRejected: [Result.RejectReason] and [Result.Errors] say why.
	OutcomeRejected Outcome = "rejected"
	// OutcomeManualCheck: left to an operator, who decides later. (System manual.)
	OutcomeManualCheck Outcome = "manual_check"
	// OutcomeInProgress: not settled, and perhaps abandoned. (System manual.)
	OutcomeInProgress Outcome = "in_progress"
)

// Result is what result/ tells about a session. (API reference, Session results.) Every
// field but Outcome is optional; what is absent is the zero value.
//
// It holds personal data: fmt, slog and encoding/json show a mask. To store a result, store
// [Result.Raw], which [json.Unmarshal] reads back into a Result.
type Result struct {
	private

	// Outcome is how the session ended, or that it has not; it is never empty.
	Outcome Outcome `json:"result"`
	// Similarity tells from 0 to 1 how well the face matches the document; nil if absent.
	Similarity *float64 `json:"similarity"`
	// Live tells whether the person was taken to be alive and present; nil if absent.
	Live *bool `json:"live"`
	// DocumentType is the identity document that was used; it may be empty.
	DocumentType DocumentType `json:"document_type"`
	// GeneralDocuments are the proofs of address.
	GeneralDocuments []GeneralDocument `json:"generalDocuments"`
	// RejectReason is empty unless the session was rejected.
	RejectReason RejectReason `json:"reject_reason"`
	// ResultComment is what an operator wrote with the decision.
	ResultComment string `json:"result_comment"`
	// Name is the session's name, which the person's name replaces.
	Name string `json:"name"`
	// Errors are reasons for a rejection, such as LOW_SIMILARITY.
	Errors []string `json:"errors"`
	// FaceImages counts the images of the face.
	FaceImages int `json:"face_images"`
	// IDCardFront and IDCardBack are what was read from the two sides of the document.
	IDCardFront DocumentFields `json:"id_card_front"`
	IDCardBack  DocumentFields `json:"id_card_back"`
	// Person is the data of the documents put together.
	Person Person `json:"person"`
	// Questionnaires are the answers, one entry for each questionnaire step; see
	// [Result.Answer].
	Questionnaires []Questionnaire `json:"questionnaires"`
	// Geolocation is where the person was, one entry for each geolocation step.
	Geolocation []Location `json:"geolocation"`
	// TechnicalDetails describe the browser.
	TechnicalDetails TechnicalDetails `json:"technicalDetails"`
	// ConfigID is the configuration that the session was begun with.
	ConfigID string `json:"configId"`
	// ScreeningMatches are hits in sanctions lists. (System manual.) An empty list does not
	// prove that the person was looked up: to be sure, ask [ScreeningService.Search].
	ScreeningMatches []ScreeningMatch `json:"screeningMatches"`
	// TrustedDatabaseRecord and Suggested are objects whose fields are not documented.
	TrustedDatabaseRecord json.RawMessage `json:"trustedDatabaseRecord"`
	Suggested             json.RawMessage `json:"suggested"`

	raw json.RawMessage
}

// Approved reports whether the person was accepted. It is false for everything but an
// outcome of exactly approved, for a nil Result, too.
func (r *Result) Approved() bool {
	return r != nil && strings.EqualFold(string(r.Outcome), string(OutcomeApproved))
}

// Answer is the answer to a question of a questionnaire step, both by their keys. It is
// the zero Answer if there is none.
func (r *Result) Answer(stepKey, questionKey string) Answer {
	if r == nil {
		return Answer{}
	}
	for _, q := range r.Questionnaires {
		if q.Key != stepKey {
			continue
		}
		for _, question := range q.Questions {
			if question.Key == questionKey {
				return question.Answer
			}
		}
	}
	return Answer{}
}

// Raw is the reply as it came, nil for a nil Result. The caller must not write to it.
func (r *Result) Raw() json.RawMessage {
	if r == nil {
		return nil
	}
	return r.raw
}

// Extra holds the fields of the reply that this SDK does not know, by their path:
// "person.eye_color", "generalDocuments[0].new_field".
func (r *Result) Extra() map[string]json.RawMessage {
	found := map[string]json.RawMessage{}
	unknownFields(r.Raw(), reflect.TypeFor[resultReply](), "", found)
	return found
}

// UnmarshalJSON reads a reply of result/, such as a recorded one. It fails if there is not
// exactly one outcome in it, or an error of the service.
func (r *Result) UnmarshalJSON(data []byte) error { return r.decode(bytes.Clone(data)) }

var errNoOutcome = errors.New("identomat: a result without exactly one outcome")

type (
	resultFields Result // without UnmarshalJSON
	personFields Person

	// resultReply are a result's fields, and the members that need a second look.
	resultReply struct {
		*resultFields
		Outcome          onceString        `json:"result"`
		ArgumentError    neverSet          `json:"argumentError"`
		InternalError    neverSet          `json:"internalError"`
		Person           personReply       `json:"person"`
		GeneralDocument2 []GeneralDocument `json:"general_document"` // in 2022
	}
	personReply struct {
		*personFields
		Phone string `json:"phone"` // in the system manual
	}
)

// decode reads data and keeps it.
func (r *Result) decode(data []byte) error {
	var reply resultReply
	passes := 0
	err := decodeTolerantly(data, func() any {
		passes++
		*r = Result{}
		reply = resultReply{resultFields: (*resultFields)(r), Person: personReply{personFields: (*personFields)(&r.Person)}}
		return &reply
	})
	if err != nil {
		return err
	}
	if reply.Outcome == "" || !bytes.Contains(data, []byte(`"result"`)) {
		return errNoOutcome
	}
	if passes > 1 {
		// Something did not fit, and was made to. From Go 1.27 on the error of a misfit hides
		// those of onceString and neverSet, and the second pass sees each member once.
		if e := openEnvelope(data); e.odd || present(e.argumentError) != nil || present(e.internalError) != nil {
			return errNoOutcome
		}
	}
	r.Outcome = Outcome(reply.Outcome)
	switch known := Outcome(strings.ToLower(string(r.Outcome))); known {
	case OutcomeApproved, OutcomeRejected, OutcomeManualCheck, OutcomeInProgress:
		r.Outcome = known
	}
	if len(r.GeneralDocuments) == 0 {
		r.GeneralDocuments = reply.GeneralDocument2
	}
	for _, document := range r.GeneralDocuments {
		for i := range document.Pages {
			if final := &document.Pages[i].Final; final.Authority == "" {
				final.Authority = final.IssuingAuthority
			}
		}
	}
	if r.Person.PhoneNumber == "" {
		r.Person.PhoneNumber = reply.Person.Phone
	}
	r.raw = data
	return nil
}

// onceString is a string that may be set once. encoding/json takes any letter case for a
// name and the last of several values; nobody shall be approved by a second opinion.
type onceString string

func (s *onceString) UnmarshalJSON(data []byte) error {
	// An empty one would be forgotten when a second one comes.
	if *s != "" || len(data) == 0 || data[0] != '"' || string(data) == `""` {
		return errNoOutcome
	}
	if text := data[1 : len(data)-1]; bytes.IndexByte(text, '\\') < 0 {
		*s = onceString(text) // an outcome is a word
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}

// neverSet is a member that may only be null: no reply of the service has an outcome and an
// error.
type neverSet struct{}

func (neverSet) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	return errNoOutcome
}

// RejectReason says why a session was rejected.
type RejectReason struct {
	// Value is a code such as low_similarity or face_mismatch.
	Value string `json:"value"`
	// Description is the reason in words.
	Description string `json:"description"`
}

// Person is what the documents say about a person, put together by the service, and what
// the person stated. (System manual; API reference, Session results.) Every field may be
// empty.
type Person struct {
	private

	// FirstName and LastName are the names; LocalFirstName, LocalLastName and
	// LocalMiddleName are in the script of the issuing country.
	FirstName       string `json:"first_name"`
	LastName        string `json:"last_name"`
	LocalFirstName  string `json:"local_first_name"`
	LocalLastName   string `json:"local_last_name"`
	LocalMiddleName string `json:"local_middle_name"`
	// Birthday is the date with the month first, such as 1/8/1980; BirthdayTime is the same in
	// ISO 8601.
	Birthday     Date `json:"birthday"`
	BirthdayTime Date `json:"birthday_time"`
	// Age is in years.
	Age int `json:"age"`
	// BirthPlace is as the document has it: a town or a country.
	BirthPlace string `json:"birth_place"`
	// Sex is M or F in the replies seen.
	Sex string `json:"sex"`
	// Citizenship and Nationality are codes such as GEO.
	Citizenship string `json:"citizenship"`
	Nationality string `json:"nationality"`
	// PersonalNumber is the person's, DocumentNumber the document's.
	PersonalNumber string `json:"personal_number"`
	DocumentNumber string `json:"document_number"`
	// DocumentIssued and DocumentExpires have the form of Birthday, DocumentIssuedTime and
	// DocumentExpiresTime that of BirthdayTime.
	DocumentIssued      Date `json:"document_issued"`
	DocumentIssuedTime  Date `json:"document_issued_time"`
	DocumentExpires     Date `json:"document_expires"`
	DocumentExpiresTime Date `json:"document_expires_time"`
	// IssuingState is a code such as GEO, Authority the office that issued the document.
	// LocalAuthority and LocalAddress are in the script of the issuing country, beside
	// Authority and Address.
	IssuingState   string `json:"issuing_state"`
	Authority      string `json:"authority"`
	LocalAuthority string `json:"local_authority"`
	Address        string `json:"address"`
	LocalAddress   string `json:"local_address"`
	// Email is the address that the person stated.
	Email string `json:"email"`
	// PhoneNumber is phoneNumber, or phone in other replies.
	PhoneNumber string `json:"phoneNumber"`
	// Status is FIELDS_MATCH or FIELDS_MISMATCH in the replies seen.
	Status string `json:"status"`
	// MRZ is the machine-readable zone, its lines separated by line feeds.
	MRZ string `json:"mrz"`
}

// GeneralDocument is a proof of address or another general document.
type GeneralDocument struct {
	private
	// Pages are the pages in the order of the service.
	Pages []GeneralDocumentPage `json:"pages"`
	// DocumentType is in upper case: UTILITY_BILL.
	DocumentType string `json:"documentType"`
	// TypeID is in lower case: utility_bill.
	TypeID GeneralDocumentType `json:"typeId"`
	// Permanent has only been seen as null.
	Permanent any `json:"permanent"`
}

// GeneralDocumentPage is one page of a general document.
type GeneralDocumentPage struct {
	private
	// TypeID is hyphenated: utility-bill.
	TypeID string `json:"typeId"`
	// Final is what was read from the page.
	Final GeneralDocumentData `json:"final"`
	// DocumentPages are the pages of the file that were read.
	DocumentPages []DocumentPageNumber `json:"documentPages"`
	// PageNumber counts from 1.
	PageNumber int `json:"pageNumber"`
	// Statuses are remarks such as issued-date-was-not-found.
	Statuses []string `json:"statuses"`
}

// DocumentPageNumber is the number of a page in the file it came in.
type DocumentPageNumber struct {
	// PageNumber counts from 1.
	PageNumber int `json:"pageNumber"`
}

// GeneralDocumentData is what was read from a general document. Every field may be empty.
type GeneralDocumentData struct {
	private

	// FullName, FirstName and LastName are of the person to whom the document was issued.
	FullName  string `json:"fullName"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	// RegistrationNumber has been seen in production and is not documented.
	RegistrationNumber string `json:"registrationNumber"`
	// Address is the address as it was read, FormattedAddress the same in a common form. The
	// parts of it are Street, StreetNumber, HouseNumber, PostalCode, PostalTown, Sublocality,
	// City, County, State and Country, where the service tells them. CountryCode has three
	// letters in the replies seen.
	Address          string `json:"address"`
	FormattedAddress string `json:"formattedAddress"`
	Street           string `json:"street"`
	StreetNumber     string `json:"streetNumber"`
	HouseNumber      string `json:"houseNumber"`
	PostalCode       string `json:"postalCode"`
	PostalTown       string `json:"postalTown"`
	Sublocality      string `json:"sublocality"`
	City             string `json:"city"`
	County           string `json:"county"`
	State            string `json:"state"`
	Country          string `json:"country"`
	CountryCode      string `json:"countryCode"`
	// LocalType tells how exact the position is, such as ROOFTOP.
	LocalType string `json:"localType"`
	// Latitude and Longitude are in degrees; nil if absent.
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	// Authority issued the document. Some replies have IssuingAuthority instead, which is
	// then in both.
	Authority        string `json:"authority"`
	IssuingAuthority string `json:"issuingAuthority"`
	// DocumentIssued has the month first, such as 1/15/2025; DocumentIssuedTime is the same in
	// ISO 8601. DocumentExpires may be empty.
	DocumentIssued     Date `json:"documentIssued"`
	DocumentIssuedTime Date `json:"documentIssuedTime"`
	DocumentExpires    Date `json:"documentExpires"`
	// Permanent has only been seen as null.
	Permanent any `json:"permanent"`
}

// Questionnaire holds the answers of one questionnaire step.
type Questionnaire struct {
	private
	// Key is the step's.
	Key string `json:"key"`
	// Questions are the questions with their answers.
	Questions []QuestionAnswer `json:"questions"`
}

// Location is where the person was, from a geolocation step.
type Location struct {
	private
	// Key is the step's.
	Key string `json:"key"`
	// Latitude and Longitude are in degrees; nil if absent.
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	// Address is what the service makes of the position.
	Address string `json:"address"`
}

// TechnicalDetails describe the browser that the session ran in.
type TechnicalDetails struct {
	private
	// RemoteAddress is the IP address, UserAgent the header of the browser.
	RemoteAddress string `json:"remoteAddress"`
	UserAgent     string `json:"userAgent"`
	// CountryCode has two letters, unlike those of documents.
	CountryCode string `json:"countryCode"`
}

// ScreeningMatch is a hit in a sanctions list. The System manual names these four fields and
// no values; no reply with a hit has been seen.
type ScreeningMatch struct {
	private
	// Score tells how well the entry fits; its scale is not documented.
	Score float64 `json:"score"`
	// Name is the name of the entry.
	Name string `json:"name"`
	// PersonID is for [ScreeningService.Person].
	PersonID string `json:"personId"`
	// ReviewStatus is what was decided about the hit. Its values are not documented.
	ReviewStatus string `json:"reviewStatus"`
}

// DocumentFields are the fields read from a document, by the service's names. The set is
// open. A name ends in a locale where the text depends on the script:
// Given_Names_en_US, Given_Names_ka_GE.
type DocumentFields map[string]any

// Names of fields without their locale, as the documents and production show them.
const (
	DocFieldGivenNames       = "Given_Names"
	DocFieldSurname          = "Surname"
	DocFieldMiddleName       = "localMiddleName" // has no locale
	DocFieldSex              = "Sex"
	DocFieldDateOfBirth      = "Date_of_Birth"
	DocFieldDateOfIssue      = "Date_of_Issue"
	DocFieldDateOfExpiry     = "Date_of_Expiry"
	DocFieldDateOfBirthISO   = "Date_of_Birth_ISO"  // has no locale
	DocFieldDateOfIssueISO   = "Date_of_Issued_ISO" // has no locale, and another tense
	DocFieldDateOfExpiryISO  = "Date_of_Expiry_ISO" // has no locale
	DocFieldPlaceOfBirth     = "Place_of_Birth"
	DocFieldNationality      = "Nationality"
	DocFieldNationalityCode  = "Nationality_Code"
	DocFieldCitizenship      = "citizenship" // has no locale
	DocFieldPersonalNumber   = "Personal_Number"
	DocFieldDocumentNumber   = "Document_Number"
	DocFieldIssuingStateCode = "Issuing_State_Code"
	DocFieldAuthority        = "Authority"
	DocFieldLocalAuthority   = "localAuthority" // has no locale
	DocFieldAddress          = "Address"
	DocFieldLocalAddress     = "Local_Address"
	DocFieldLicenseClass     = "Drivers_License_Class"
	DocFieldMRZ              = "mrz" // has no locale
)

// Text is the field of exactly this name, or in English (en_US) where the name has
// none; "" if there is none or if it is no string.
func (d DocumentFields) Text(name string) string {
	if text, ok := d[name].(string); ok {
		return text
	}
	return d.TextIn(name, "en_US")
}

// TextIn is the field in a locale such as ka_GE, or "".
func (d DocumentFields) TextIn(name, locale string) string {
	text, _ := d[name+"_"+locale].(string)
	return text
}

// Format hides the fields under every verb.
func (DocumentFields) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the fields.
func (DocumentFields) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the fields from encoders, because loggers encode what they are given.
func (DocumentFields) MarshalText() ([]byte, error) { return private{}.MarshalText() }
