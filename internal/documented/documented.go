// Package documented holds what Identomat's documentation says about requests: the parameters of
// every endpoint, and the flags, steps, questions and fields of begin/. The fake checks requests with
// these tables, and the OpenAPI description is generated from them.
//
// A Source names a document and a section. The documents are the API reference, the Developer guides
// of 2024 and 2025, and the System manual, which is the oldest.
package documented

import "github.com/identomat-go/identomat/internal/operation"

// Kind is the type of a parameter.
type Kind uint8

const (
	// Text is a JSON string.
	Text Kind = iota
	// Boolean is true or false.
	Boolean
	// Integer is a JSON number without a fraction.
	Integer
	// Texts is an array of strings.
	Texts
	// Nested is an object with the given fields.
	Nested
	// Picture is a file part that is a JPEG or a PNG.
	Picture
	// Password is a string. The fake checks its type later, because a wrong type has its own error.
	Password
	// Title is a string, or an object with one string per language.
	Title

	// FlagSet is an object of flags.
	FlagSet
	// StepList is an array of steps.
	StepList
	// QuestionList is an array of questions.
	QuestionList
	// OptionList is an array of the options of a question.
	OptionList
	// KYBFieldList is an array of pieces of data about a company or a person.
	KYBFieldList
	// RoleSet is an object with one member for each role.
	RoleSet
)

// Field is a parameter, a flag, or a member of an object.
type Field struct {
	Name     string
	Kind     Kind
	Required bool
	// Nullable is set if null is the documented default. Null then means absent.
	Nullable bool
	// Default is JSON text, or "" if no default is documented.
	Default string
	// Values are the known values of a Text, or of the items of Texts. Others may exist.
	Values []string
	// Fields are the members of a Nested.
	Fields []Field
	// Description says what the field means.
	Description string
	// Source overrides the source of the endpoint, the step or the question.
	Source string
}

// Endpoint is what the documentation says about one row of the operation table.
type Endpoint struct {
	// Title is the heading in the API reference.
	Title string
	// Parameters are all parameters except the company key.
	Parameters []Field
}

// CompanyKey returns the parameter that every endpoint requires.
func CompanyKey(op *operation.Operation) Field {
	return Field{Name: op.KeyName(), Required: true, Description: "The company key. It is not the secret key, which signs requests."}
}

var (
	sessionToken = Field{Name: "session_token", Required: true, Description: "The session token from begin/."}
	sessionID    = Field{Name: "sessionId", Required: true, Description: "The session token from begin/."}
	image        = Field{Name: "image", Kind: Picture, Required: true, Description: "A JPEG image. The service also accepts a PNG. The image must be in color."}
)

const (
	additional   = "Developer guide 2025, Additional session parameters"
	fullName     = "The full name of the person."
	birthdayFrom = "The earliest birthday, in ISO 8601."
	toSkip       = "How many items to skip."
	toReturn     = "The maximum number of items to return."
)

func endpoint(title string, parameters ...Field) Endpoint { return Endpoint{title, parameters} }

// Endpoints has one entry per row of the operation table.
var Endpoints = map[*operation.Operation]Endpoint{
	operation.SessionBegin: endpoint("Session creation",
		Field{Name: "flags", Kind: FlagSet, Description: "Options for the whole session."},
		Field{Name: "steps", Kind: StepList, Description: "The steps in the order in which the customer meets them. Without config_id, set the flags skip_face and skip_document, or the service adds a face scan and a document scan of its own."},
		Field{Name: "config_id", Description: "The id of a configuration in the dashboard. A step in steps replaces the configuration's step with the same key."},
		Field{Name: "parent_session_id", Nullable: true, Description: "The parent session's token, to begin a child session for a further participant."},
		Field{Name: "name", Nullable: true, Default: "null", Source: additional, Description: "The name that the dashboard shows until the person's name replaces it."},
		Field{Name: "clientUserId", Nullable: true, Default: "null", Source: additional, Description: "The company's own id for the customer. It links the sessions of one person."},
		Field{Name: "groupId", Nullable: true, Default: "null", Source: additional, Description: "The id of the group whose members may take the session's video call."},
		Field{Name: "scheduleStartTime", Nullable: true, Default: "null", Source: additional, Description: "When the session can first be used, in ISO 8601."},
		Field{Name: "scheduleEndTime", Nullable: true, Default: "null", Source: additional, Description: "When the session can last be used, in ISO 8601."}),
	operation.SessionResult: endpoint("Session results", sessionToken),
	operation.SessionDelete: endpoint("Session data deletion", sessionToken),
	operation.ExportSessionPDF: endpoint("Export session", sessionID,
		Field{Name: "exportSession", Kind: Boolean, Description: "Whether to export the session's data. At least one of the three export parameters must be true."},
		Field{Name: "exportScreening", Kind: Boolean, Description: "Whether to export the screening results."},
		Field{Name: "exportProofOfAddress", Kind: Boolean, Description: "Whether to export the proof of address."}),

	operation.ResultCardFront:    endpoint("Card front side image", sessionToken),
	operation.ResultCardBack:     endpoint("Card back side image", sessionToken),
	operation.ResultPassport:     endpoint("Passport photo page image", sessionToken),
	operation.ResultFace:         endpoint("Face image", sessionToken),
	operation.ResultFaceVideo:    endpoint("Face motion video", sessionToken),
	operation.ResultFaceDocument: endpoint("Selfie with ID", sessionToken),
	operation.ResultGeneralDocument: endpoint("Proof of Address image or PDF", sessionToken,
		Field{Name: "typeId", Required: true, Description: "The type of the document.", Values: []string{
			"bank-statement", "utility-bill", "vehicle-registration-certificate-front", "vehicle-registration-certificate-back", "drivers-license"}}),
	operation.DocumentFacePhoto: endpoint("Get face photo from main document", sessionID),
	operation.SessionActivities: endpoint("List of session activities", sessionID),
	operation.SessionStatistics: endpoint("Session statistical summary", sessionID),
	operation.VisualMarkers:     endpoint("Get document visual markers", sessionID),
	operation.QuestionFile: endpoint("Get file from the question", sessionID,
		Field{Name: "stepKey", Required: true, Description: "The key of the questionnaire step."},
		Field{Name: "questionKey", Required: true, Description: "The key of the question in the questionnaire."},
		Field{Name: "fileIndex", Kind: Integer, Description: "The index of the file if the question has several."}),

	operation.ScreeningSearch: endpoint("Search for a person in screening databases",
		Field{Name: "query", Kind: Nested, Required: true, Description: "Whom to search for.", Fields: []Field{
			{Name: "fullName", Required: true, Description: fullName},
			{Name: "birthdayTimeFrom", Description: birthdayFrom},
			{Name: "scoreThreshold", Kind: Integer, Required: true, Description: "The lowest score of a hit. The scores in the API reference go up to 100."},
		}},
		Field{Name: "offset", Kind: Integer, Description: toSkip},
		Field{Name: "limit", Kind: Integer, Description: toReturn}),
	operation.ScreeningPerson: endpoint("Get person details from screening databases",
		Field{Name: "personId", Required: true, Description: "The id of the person, from a hit of search-screening-person."}),
	operation.ScreeningMonitor: endpoint("Set person on monitoring",
		Field{Name: "query", Kind: Nested, Required: true, Description: "Whom to monitor.", Fields: []Field{
			{Name: "fullName", Required: true, Description: fullName},
			{Name: "birthdayTimeFrom", Description: birthdayFrom},
		}}),
	operation.ScreeningUnmonitor: endpoint("Remove person from monitoring",
		Field{Name: "id", Required: true, Description: "The id of the monitored query."}),
	operation.ScreeningMonitored: endpoint("List screening records that are monitored",
		Field{Name: "start", Kind: Integer, Description: toSkip},
		Field{Name: "limit", Kind: Integer, Description: toReturn},
		Field{Name: "date", Description: "Returns only records after this time, in ISO 8601. Without a date, the service returns all records."}),

	operation.BlacklistAdd: endpoint("Add person to the blacklist",
		Field{Name: "query", Kind: Nested, Required: true, Description: "Whom to blacklist: a reason and at least one other member.", Fields: []Field{
			{Name: "firstName", Description: "The person's first name."},
			{Name: "lastName", Description: "The person's last name."},
			{Name: "personalNumber", Description: "The number that identifies the person."},
			{Name: "documentNumber", Description: "The number of an identity document."},
			{Name: "birthday", Description: "The birthday in ISO 8601, such as 1990-05-14."},
			{Name: "reason", Required: true, Description: "Why the person is on the blacklist."},
		}}),
	operation.BlacklistRemove: endpoint("Remove record from the blacklist",
		Field{Name: "id", Required: true, Description: "The id of the record."}),
	// The API reference's parameter list puts offset and limit inside query.
	operation.BlacklistList: endpoint("List all blacklist records associated with the company",
		Field{Name: "query", Kind: Nested, Description: "Selects records.", Fields: []Field{
			{Name: "offset", Kind: Integer, Description: toSkip},
			{Name: "limit", Kind: Integer, Description: toReturn},
		}}),

	operation.VideoCallShots:  endpoint("Video call shots", sessionID),
	operation.VideoCallVideos: endpoint("Video call videos", sessionID),
	operation.VideoCallEnd:    endpoint("End video call for the connected user", sessionID),

	operation.GroupsList: endpoint("List groups"),
	operation.GroupCreate: endpoint("Create a new group",
		Field{Name: "name", Required: true, Description: "The name of the new group."},
		Field{Name: "memberIds", Kind: Texts, Description: "The ids of the users in the group."}),
	operation.GroupUpdate: endpoint("Update existing group",
		Field{Name: "groupId", Required: true, Description: "The id of the group."},
		Field{Name: "name", Description: "The new name of the group."},
		Field{Name: "memberIds", Kind: Texts, Description: "The complete new list of members, as ids of users. Members who are not in the list are removed."}),
	operation.GroupDelete: endpoint("Delete a group",
		Field{Name: "groupId", Required: true, Description: "The id of the group."}),
	operation.UsersList: endpoint("List users"),
	operation.UserCreate: endpoint("Create a user",
		Field{Name: "email", Required: true, Description: "The new user's email address."},
		Field{Name: "emailVerified", Kind: Boolean, Default: "false", Description: "Whether to mark the address as verified."},
		Field{Name: "password", Kind: Password, Required: true, Description: "The new user's password, of at least 8 characters."},
		Field{Name: "firstName", Description: "The user's first name."},
		Field{Name: "lastName", Description: "The user's last name."},
		Field{Name: "rights", Kind: Texts, Default: `["call_center_operator"]`, Description: "What the user may do.",
			Values: []string{"call_center_operator", "operator", "administrator"}}),
	operation.SessionConfig: endpoint("Get session configuration",
		Field{Name: "sessionConfigId", Required: true, Description: "The id of the configuration."}),

	operation.CardFront:      endpoint("ID card front side", image),
	operation.CardBack:       endpoint("ID card back side", image),
	operation.LicenseFront:   endpoint("Driver license front side", image),
	operation.LicenseBack:    endpoint("Driver license back side", image),
	operation.ResidenceFront: endpoint("Residence permit front side", image),
	operation.ResidenceBack:  endpoint("Residence permit back side", image),
	operation.Passport:       endpoint("Passport photo page", image),
	operation.CompareFaces: endpoint("Get a similarity score for two faces",
		Field{Name: "face1", Kind: Picture, Required: true, Description: "A JPEG image of the first face."},
		Field{Name: "face2", Kind: Picture, Required: true, Description: "A JPEG image of the second face."}),
}
