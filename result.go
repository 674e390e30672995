package identomat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/wire"
)

// Outcome says how a session ended, or that it has not ended. Only [OutcomeApproved] is an approval.
// The others are [OutcomeRejected], [OutcomeManualCheck] and [OutcomeInProgress]; more may occur.
// Known outcomes are in lower case like the constants, whatever their case on the wire. Other outcomes
// are kept as they are.
type Outcome string

// The outcomes in Identomat's API documentation. Production has another outcome for people who disagreed
// with the terms; its spelling is not known.
const (
	// OutcomeApproved: the person was accepted.
	OutcomeApproved Outcome = "approved"
	// OutcomeRejected: [Result.RejectReason] and [Result.Errors] say why.
	OutcomeRejected Outcome = "rejected"
	// OutcomeManualCheck: an operator will decide. (System manual.)
	OutcomeManualCheck Outcome = "manual_check"
	// OutcomeInProgress: the customer has not finished, and may never finish. (System manual.)
	OutcomeInProgress Outcome = "in_progress"
)

// Result is the result of a session. (API reference, Session results.) Every field but Outcome is
// optional; an absent one has the zero value.
//
// It is personal data: fmt and slog show a mask, and encoders refuse it. To store a result, store
// [Result.Raw], which [json.Unmarshal] decodes into a Result again.
type Result struct {
	record

	// Outcome is what was decided. It is never empty.
	Outcome Outcome `json:"result" wire:"required"`
	// Similarity says how well the face matches the document, from 0 to 1; nil if absent.
	Similarity *float64 `json:"similarity"`
	// Live says whether the liveness check passed; nil if absent. The API reference has an approved
	// result in which it is false, so decide by [Result.Approved], not by Live.
	Live *bool `json:"live"`
	// DocumentType is the identity document that was used. GeneralDocuments are the proofs of address.
	DocumentType     DocumentType      `json:"document_type"`
	GeneralDocuments []GeneralDocument `json:"generalDocuments" wire:"alias=general_document"`
	// RejectReason is empty unless the session was rejected. ResultComment is the operator's comment.
	RejectReason  RejectReason `json:"reject_reason"`
	ResultComment string       `json:"result_comment"`
	// Name is the session's name until the person's name replaces it.
	Name string `json:"name"`
	// Errors are reasons for a rejection, such as LOW_SIMILARITY.
	Errors []string `json:"errors"`
	// FaceImages counts the images of the face.
	FaceImages int `json:"face_images"`
	// IDCardFront and IDCardBack hold what was read from the two sides of the document.
	IDCardFront DocumentFields `json:"id_card_front"`
	IDCardBack  DocumentFields `json:"id_card_back"`
	// Person combines the data of the documents and what the person stated.
	Person Person `json:"person"`
	// Questionnaires are the answers, one entry for each questionnaire step; see [Result.Answer].
	Questionnaires []Questionnaire `json:"questionnaires"`
	// Geolocation is where the person was, one entry for each geolocation step.
	Geolocation []Location `json:"geolocation"`
	// TechnicalDetails describe the browser.
	TechnicalDetails TechnicalDetails `json:"technicalDetails"`
	// ConfigID is the configuration that the session was begun with.
	ConfigID string `json:"configId"`
	// ScreeningMatches are hits in sanctions lists. (System manual.) An empty list does not prove that
	// the person was screened. To be certain, screen the person with [ScreeningService.Search].
	ScreeningMatches []ScreeningMatch `json:"screeningMatches"`
	// TrustedDatabaseRecord and Suggested are objects whose fields are not documented.
	TrustedDatabaseRecord json.RawMessage `json:"trustedDatabaseRecord"`
	Suggested             json.RawMessage `json:"suggested"`
}

// Approved reports whether the outcome is approved, regardless of case. It is false for a nil Result. If
// a response with this outcome also reports an error, or has screening matches that cannot be read,
// [SessionsService.Result] returns [ErrUnexpectedResponse] instead of a Result.
func (r *Result) Approved() bool {
	return r != nil && strings.EqualFold(string(r.Outcome), string(OutcomeApproved))
}

// Answer returns the answer to the question with questionKey in the questionnaire step with stepKey. If
// there is no such answer, it returns the zero Answer.
func (r *Result) Answer(stepKey, questionKey string) Answer {
	if r == nil {
		return Answer{}
	}
	for _, q := range r.Questionnaires {
		for _, question := range q.Questions {
			if q.Key == stepKey && question.Key == questionKey {
				return question.Answer
			}
		}
	}
	return Answer{}
}

// Raw returns the response, or nil for a nil Result. The caller must not modify it.
func (r *Result) Raw() json.RawMessage {
	if r == nil {
		return nil
	}
	return r.raw
}

// Extra returns the response's members that this SDK does not know or whose type is wrong, keyed by path,
// such as "person.eye_color" or "generalDocuments[0].new_field".
func (r *Result) Extra() map[string]json.RawMessage { return codec.Extra(r.Raw(), r) }

// UnmarshalJSON decodes a response from result/, such as a recorded one. It fails unless the response has
// exactly one outcome and reports no error.
func (r *Result) UnmarshalJSON(data []byte) error {
	if _, refusal := response.Classify(operation.SessionResult, http.StatusOK, data); refusal != nil {
		return errors.New("identomat: not a result")
	}
	return codec.Unmarshal(data, r)
}

func (r *Result) complete(held bool) error {
	switch known := Outcome(strings.ToLower(string(r.Outcome))); known {
	case OutcomeApproved, OutcomeRejected, OutcomeManualCheck, OutcomeInProgress:
		r.Outcome = known
	}
	if !held && r.Approved() && r.ScreeningMatches == nil && wire.HasMember(r.raw, "screeningMatches") {
		return errors.New("an approval beside screening matches that cannot be read")
	}
	for _, document := range r.GeneralDocuments {
		for i := range document.Pages {
			if final := &document.Pages[i].Final; final.Authority == "" {
				final.Authority = final.IssuingAuthority
			}
		}
	}
	return nil
}

// RejectReason says why a session was rejected.
type RejectReason struct {
	private

	// Value is a code such as low_similarity or face_mismatch. Identomat publishes no list of the codes.
	// Neither of these two codes means that a document was forged: let a person decide whom to add to the
	// blacklist. Description is the reason in words.
	Value       string `json:"value"`
	Description string `json:"description"`
}

// Person combines what the documents say about a person and what the person stated. (System manual; API
// reference, Session results.) Every field may be empty.
type Person struct {
	private

	// FirstName and LastName are the names; LocalFirstName, LocalLastName and LocalMiddleName are in the
	// script of the issuing country.
	FirstName       string `json:"first_name"`
	LastName        string `json:"last_name"`
	LocalFirstName  string `json:"local_first_name"`
	LocalLastName   string `json:"local_last_name"`
	LocalMiddleName string `json:"local_middle_name"`
	// Birthday is the date with the month first, such as 1/8/1980; BirthdayTime is the same in ISO 8601.
	Birthday     Date `json:"birthday"`
	BirthdayTime Date `json:"birthday_time"`
	// Age is in years. BirthPlace is a town or a country, as in the document. Sex is M or F in all
	// responses seen. Citizenship and Nationality are codes such as GEO.
	Age         int    `json:"age"`
	BirthPlace  string `json:"birth_place"`
	Sex         string `json:"sex"`
	Citizenship string `json:"citizenship"`
	Nationality string `json:"nationality"`
	// PersonalNumber identifies the person, DocumentNumber the document.
	PersonalNumber string `json:"personal_number"`
	DocumentNumber string `json:"document_number"`
	// DocumentIssued and DocumentExpires have the format of Birthday; DocumentIssuedTime and
	// DocumentExpiresTime have the format of BirthdayTime.
	DocumentIssued      Date `json:"document_issued"`
	DocumentIssuedTime  Date `json:"document_issued_time"`
	DocumentExpires     Date `json:"document_expires"`
	DocumentExpiresTime Date `json:"document_expires_time"`
	// IssuingState is a code such as GEO. Authority is the office that issued the document.
	// LocalAuthority and LocalAddress are Authority and Address in the script of the issuing country.
	IssuingState   string `json:"issuing_state"`
	Authority      string `json:"authority"`
	LocalAuthority string `json:"local_authority"`
	Address        string `json:"address"`
	LocalAddress   string `json:"local_address"`
	// Email and PhoneNumber are the person's contact details. Some responses use the name phone for
	// PhoneNumber.
	Email       string `json:"email"`
	PhoneNumber string `json:"phoneNumber" wire:"alias=phone"`
	// Status is FIELDS_MATCH or FIELDS_MISMATCH in all responses seen.
	Status string `json:"status"`
	// MRZ is the machine-readable zone, with its lines separated by line feeds.
	MRZ string `json:"mrz"`
}

// GeneralDocument is a proof of address or another general document.
type GeneralDocument struct {
	private
	// Pages are the pages in the service's order.
	Pages []GeneralDocumentPage `json:"pages"`
	// DocumentType is in upper case (UTILITY_BILL), TypeID in lower case (utility_bill).
	DocumentType string              `json:"documentType"`
	TypeID       GeneralDocumentType `json:"typeId"`
	// Permanent has only been seen as null.
	Permanent any `json:"permanent"`
}

// GeneralDocumentPage is one page of a general document.
type GeneralDocumentPage struct {
	private
	// TypeID is hyphenated: utility-bill.
	TypeID string `json:"typeId"`
	// Final holds what was read from the page.
	Final GeneralDocumentData `json:"final"`
	// DocumentPages are the pages of the file that were read. PageNumber counts from 1.
	DocumentPages []DocumentPageNumber `json:"documentPages"`
	PageNumber    int                  `json:"pageNumber"`
	// Statuses are remarks, such as issued-date-was-not-found.
	Statuses []string `json:"statuses"`
}

// DocumentPageNumber is a page of a file. PageNumber counts from 1.
type DocumentPageNumber struct {
	PageNumber int `json:"pageNumber"`
}

// GeneralDocumentData holds what was read from a general document. Every field may be empty.
type GeneralDocumentData struct {
	private

	// FullName, FirstName and LastName belong to the person to whom the document was issued.
	FullName  string `json:"fullName"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	// RegistrationNumber has been seen in production and is not documented.
	RegistrationNumber string `json:"registrationNumber"`
	// Address is the address as it was read, FormattedAddress a normalized form. Street, StreetNumber,
	// HouseNumber, PostalCode, PostalTown, Sublocality, City, County, State and Country are parts of the
	// address. CountryCode has three letters in all responses seen.
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
	// LocalType says how exact the position is, such as ROOFTOP.
	LocalType string `json:"localType"`
	// Latitude and Longitude are in degrees; nil if absent.
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	// Authority and IssuingAuthority name who issued the document. If a response has only
	// IssuingAuthority, both fields hold it.
	Authority        string `json:"authority"`
	IssuingAuthority string `json:"issuingAuthority"`
	// DocumentIssued has the month first, such as 1/15/2025; DocumentIssuedTime is the same in ISO 8601.
	// DocumentExpires may be empty.
	DocumentIssued     Date `json:"documentIssued"`
	DocumentIssuedTime Date `json:"documentIssuedTime"`
	DocumentExpires    Date `json:"documentExpires"`
	// Permanent has only been seen as null.
	Permanent any `json:"permanent"`
}

// Questionnaire holds the answers to the questionnaire step with this Key.
type Questionnaire struct {
	private
	Key string `json:"key"`
	// Questions are the questions with their answers.
	Questions []QuestionAnswer `json:"questions"`
}

// Location is where the person was, from the geolocation step with this Key.
type Location struct {
	private
	Key string `json:"key"`
	// Latitude and Longitude are in degrees; nil if absent. Address is derived from the position.
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	Address   string   `json:"address"`
}

// TechnicalDetails describe the browser that the session ran in.
type TechnicalDetails struct {
	private
	// RemoteAddress is the browser's IP address, UserAgent its User-Agent header.
	RemoteAddress string `json:"remoteAddress"`
	UserAgent     string `json:"userAgent"`
	// CountryCode has two letters, unlike the country codes of documents.
	CountryCode string `json:"countryCode"`
}

// ScreeningMatch is a hit in a sanctions list. The System manual names these four fields but no values.
// No response with a hit has been seen.
type ScreeningMatch struct {
	private
	// Score says how well the entry called Name matches the person; its scale is not documented.
	Score float64 `json:"score"`
	Name  string  `json:"name"`
	// PersonID is the id of the entry; see [ScreeningService.Person].
	PersonID string `json:"personId"`
	// ReviewStatus is the decision about the hit. Its values are not documented.
	ReviewStatus string `json:"reviewStatus"`
}

// DocumentFields holds the fields that were read from a document, keyed by the service's names. If the
// text depends on the script, the name ends in a locale, such as Given_Names_en_US or
// Given_Names_ka_GE. fmt and slog show a mask, and encoders refuse it. Numbers are of type
// [json.Number], because document numbers can be long.
type DocumentFields map[string]any

// Names of fields without their locale, as the API documentation and production show them.
const (
	DocFieldGivenNames       = "Given_Names"
	DocFieldSurname          = "Surname"
	DocFieldMiddleName       = "localMiddleName" // has no locale
	DocFieldSex              = "Sex"
	DocFieldDateOfBirth      = "Date_of_Birth"
	DocFieldDateOfIssue      = "Date_of_Issue"
	DocFieldDateOfExpiry     = "Date_of_Expiry"
	DocFieldDateOfBirthISO   = "Date_of_Birth_ISO"  // has no locale
	DocFieldDateOfIssueISO   = "Date_of_Issued_ISO" // has no locale; the wire name says Issued
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

// Text returns the field with exactly this name, or else its English form (en_US). It returns "" if
// neither is a text, a number or a boolean.
func (d DocumentFields) Text(name string) string {
	if text, ok := d.text(name); ok {
		return text
	}
	return d.TextIn(name, "en_US")
}

// TextIn returns the field in a locale such as ka_GE, or "".
func (d DocumentFields) TextIn(name, locale string) string {
	text, _ := d.text(name + "_" + locale)
	return text
}

// text returns a string, number or boolean as text.
func (d DocumentFields) text(name string) (text string, ok bool) {
	switch field := d[name].(type) {
	case string, json.Number, bool:
		return fmt.Sprint(field), true
	}
	return "", false
}

// Format writes a mask for every verb.
func (DocumentFields) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a mask.
func (DocumentFields) LogValue() slog.Value { return slog.StringValue(redacted) }

// GobEncode returns an error, like MarshalText.
func (DocumentFields) GobEncode() ([]byte, error) { return nil, redact.ErrEncode }

// MarshalText returns an error: encode single fields, or store the Raw of the response.
func (DocumentFields) MarshalText() ([]byte, error) { return nil, redact.ErrEncode }

// Date is a date or a time in the service's notation: "1/8/1980" with the month first, ISO 8601, or
// empty. ISO 8601 may have a space instead of the T, and may lack milliseconds or a zone.
type Date string

// layouts are the accepted notations. time.Parse accepts fractions of a second without a layout for them.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05",
	"2006-01-02",
	"1/2/2006",
}

// Time parses the date. A time without a zone is in UTC, and a date alone is midnight in UTC. The error
// does not contain the date.
func (d Date) Time() (time.Time, error) {
	if d == "" {
		return time.Time{}, errors.New("identomat: the date is empty")
	}
	text := strings.Replace(string(d), " ", "T", 1)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("identomat: the date has an unknown notation")
}
