package documented

import "slices"

const (
	flags2025     = "Developer guide 2025, Flags"
	flags2024     = "Developer guide 2024, Flags"
	manual        = "System manual"
	notDocumented = "not documented; integrations and Identomat's own SDKs send it"
)

// DocumentTypes are the known types of identity documents.
var DocumentTypes = []string{"id", "passport", "driver_license", "residence_license", "residence_permit", "non_bio_passport"}

var (
	generalDocumentTypes = []string{"bank_statement", "utility_bill", "yellow_slip", "drivers_license", "vehicle_registration_certificate"}
	languages            = []string{
		"en", "ar", "az", "bn", "de", "es", "fr", "gr", "hi", "hy", "it", "ja", "ka", "kk", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "uz",
	}
)

// flag is a boolean flag that is false by default.
func flag(name, source, description string) Field {
	return Field{Name: name, Kind: Boolean, Default: "false", Source: source, Description: description}
}

// Flags are the flags of begin/. The undocumented ones come last.
var Flags = []Field{
	flag("skip_face", flags2025, "Stops the service from adding a face scan of its own. Set it if steps has a liveness step, or if the session needs no face scan."),
	flag("skip_document", flags2025, "Stops the service from adding a document scan of its own. Set it if steps has an identity-document step, or if the session needs no document scan."),
	{Name: "return_url", Nullable: true, Default: "null", Source: flags2025, Description: "Where the browser goes when the customer is done. The service appends session_token to the query. Leave it out if the widget is in an iframe."},
	{Name: "language", Default: `"en"`, Values: languages, Source: flags2025, Description: "The language of the user interface."},
	flag("skip_desktop", flags2025, "Keeps the session on mobile devices: a desktop shows a QR code."),
	{Name: "switch_device_url", Nullable: true, Default: "null", Source: flags2025, Description: "The address in the QR code for customers without a camera. Without it, no QR code is shown."},
	flag("restrict_url_sharing", flags2025, "Prevents the use of the session's URL in another browser or on another device."),
	flag("optional_continue_on_another_device", flags2025, "Lets the customer move to another device."),
	flag("multiple_participants", flags2024, "Lets several customers join a video call. The Developer guide 2025 makes it a parameter of the video-call step."),
	flag("requireHdMedia", flags2025, "Requires a Full HD camera in the liveness and identity-document steps."),
	flag("liveness", manual, "Checks that the customer is present. With steps, use the flag of the liveness step."),
	{Name: "document_types", Kind: Texts, Values: DocumentTypes, Source: manual, Description: "The accepted identity documents. Default: all. With steps, use the flag of the identity-document step."},
	{Name: "document_countries", Kind: Texts, Source: manual, Description: "The accepted issuing countries, as codes of three letters such as DEU. Default: all. With steps, use the flag of the identity-document step."},
	{Name: "general_document_types", Kind: Texts, Values: generalDocumentTypes, Source: manual, Description: "The accepted general documents. Default: all. It needs allow_general_document_capture or allow_general_document_upload."},
	flag("allow_general_document_capture", manual, "Lets the customer photograph a general document."),
	flag("allow_general_document_upload", manual, "Lets the customer upload a general document."),
	flag("allow_document_upload", manual, "Lets the customer upload the identity document. With steps, use the flag of the identity-document step."),
	flag("allow_face_upload", manual, "Lets the customer upload a selfie. With steps, use the flag of the liveness step."),
	flag("allow_face_doc_upload", manual, "Lets the customer upload a selfie with the document. With steps, use the flag of the face-document step."),
	flag("require_face_document", manual, "Requires a selfie with the document. With steps, use the flag of the face-document step."),
	flag("disable_document_capture", manual, "Disables the camera for identity documents, so that only uploads remain. With steps, use the flag of the identity-document step."),
	flag("capture_double_page_passport", manual, "Scans both pages of a passport instead of one."),
	flag("require_email_check", manual, "Verifies the email address with a code. With steps, use the flag of the email step."),
	flag("require_email", manual, "Collects the customer's email address. With steps, use the flag of the email step."),
	flag("require_phone_number_check", manual, "Verifies the phone number with a code. With steps, use the flag of the phone-number step."),
	flag("require_phone_number", manual, "Collects the customer's phone number. With steps, use the flag of the phone-number step."),
	flag("cascading_identity_verification", manual, "Enables cascading verification in Identomat's mobile SDKs."),

	{Name: "skip_agreement", Kind: Boolean, Source: notDocumented, Description: "Its name suggests that it skips the agreement to the terms."},
	{Name: "server", Values: []string{"computer", "human"}, Source: notDocumented, Description: "human asks for a call with an operator, computer for the normal flow."},
	{Name: "platform", Values: []string{"desktop"}, Source: notDocumented, Description: "The platform of the customer."},
	{Name: "allow_nfc_capture", Kind: Boolean, Source: notDocumented, Description: "Its name suggests that the customer can read the document's chip."},
	{Name: "document_type_id", Kind: Boolean, Source: notDocumented, Description: "Accepts identity cards. document_types replaced this flag."},
	{Name: "document_type_passport", Kind: Boolean, Source: notDocumented, Description: "Accepts passports. document_types replaced this flag."},
	{Name: "document_type_driver_license", Kind: Boolean, Source: notDocumented, Description: "Accepts driver's licenses. document_types replaced this flag."},
	{Name: "document_type_residence_license", Kind: Boolean, Source: notDocumented, Description: "Accepts residence permits. document_types replaced this flag."},
	{Name: "document_type_non_bio_passport", Kind: Boolean, Source: notDocumented, Description: "Accepts passports without biometrics."},
	{Name: "document_type_driver_license_vis", Kind: Boolean, Source: notDocumented, Description: "Accepts a further kind of driver's license."},
	{Name: "inn", Kind: Boolean, Source: notDocumented, Description: "Accepts the INN document."},
}

// Step is a type of step. Every step also has the members in [StepMembers].
type Step struct {
	Type string
	// Key is the default key. If it is "", the request must set a key.
	Key         string
	Description string
	Source      string
	Flags       []Field
	// Parameters are the members other than those in StepMembers.
	Parameters []Field
}

// StepMembers are the members of every step.
var StepMembers = []Field{
	{Name: "type", Required: true, Description: "The type of the step."},
	{Name: "key", Description: "A key that is unique in the session."},
	{Name: "title", Kind: Title, Description: "The heading of the step."},
	{Name: "flags", Kind: FlagSet, Description: "The flags of the step."},
}

var (
	description = Field{Name: "description", Kind: Title, Description: "The text below the title."}
	questions   = Field{Name: "questions", Kind: QuestionList, Description: "The questions. Their keys are unique in the questionnaire."}
)

// Steps are the types of steps.
var Steps = []Step{
	{Type: "language", Key: "language", Source: "Developer guide 2025, Language",
		Description: "Lets the customer choose the language of the user interface.",
		Parameters:  []Field{{Name: "languages", Kind: Texts, Values: languages, Description: "The offered languages. Default, and the meaning of an empty list: all."}}},
	{Type: "identity-document", Key: "identity-document", Source: "Developer guide 2025, Identity document verification",
		Description: "Scans an identity document, or takes pictures of one.",
		Flags: []Field{
			flag("disable_document_capture", "", "Disables the scan, so that only uploads remain."),
			flag("allow_document_upload", "", "Lets the customer upload a picture."),
			{Name: "document_types", Kind: Texts, Values: DocumentTypes, Description: "The accepted documents. Default: all."},
			{Name: "documentTypes", Kind: Texts, Values: DocumentTypes, Source: "API reference, Get session configuration", Description: "document_types, as get-session-config spells it."},
			{Name: "document_countries", Kind: Texts, Description: "The accepted issuing countries, as codes of three letters such as DEU. Default: all."},
		}},
	{Type: "liveness", Key: "liveness", Source: "Developer guide 2025, Liveness check",
		Description: "Checks with the camera that the customer is present and alive.",
		Flags: []Field{
			flag("liveness", "", "Asks the customer to perform actions. If it is false, the check is passive."),
			flag("allow_face_upload", "", "Lets the customer upload a selfie. The service ignores it for the active check."),
			{Name: "maxLivenessAttempts", Kind: Integer, Source: "API reference, Get session configuration", Description: "The maximum number of attempts."},
		}},
	{Type: "general-document", Key: "select_general_document", Source: "Developer guide 2025, Proof of Address",
		Description: "Asks for a proof of address, such as a utility bill, and reads it.",
		Flags: []Field{
			{Name: "general_document_types", Kind: Texts, Values: generalDocumentTypes, Description: "The accepted documents. Default: all."},
		}},
	{Type: "face-document", Key: "capture_face_document", Source: "Developer guide 2025, Selfie with ID",
		Description: "Takes a picture of the customer with the document.",
		Flags: []Field{
			flag("allow_face_doc_upload", "", "Lets the customer upload the picture."),
			flag("require_face_document", "", "Requires the picture to be taken live."),
		}},
	{Type: "company", Key: "company", Source: "Developer guide 2025, Company data step",
		Description: "Asks for data about a company.",
		Parameters: []Field{description,
			{Name: "fields", Kind: KYBFieldList, Description: "The data to ask for."},
		}},
	{Type: "beneficiaries", Key: "beneficiaries", Source: "Developer guide 2025, Beneficiaries step",
		Description: "Asks for the company's shareholders, directors and other beneficiaries.",
		Parameters: []Field{description,
			{Name: "roles", Kind: RoleSet, Description: "The roles to ask for."},
			{Name: "kycConfigId", Description: "The configuration that verifies individuals."},
			{Name: "kybConfigId", Description: "The configuration that verifies companies, which can be shareholders."},
		}},
	{Type: "kyb-review", Key: "kyb-review", Source: "Developer guide 2025, KYB",
		Description: "Lets the customer check the data about the company.",
		Parameters:  []Field{description}},
	{Type: "video-call", Key: "video-call", Source: "Developer guide 2025, Video call",
		Description: "Connects the customer with an operator.",
		Parameters: []Field{
			{Name: "steps", Kind: StepList, Default: "[]", Description: "The call's steps, of any type but language, operator-questionnaire and video-call."},
			flag("resetSteps", "", "Discards the customer's data when they rejoin the call."),
			flag("hideCameraOption", "", "Hides the button that turns the camera off."),
			flag("nameRequired", "", "Asks customers for their name before they join."),
			flag("multiple_participants", "", "Lets several customers join the call."),
			{Name: "multiple_participans", Kind: Boolean, Description: "multiple_participants, as one list of the guide misspells it."},
		}},
	{Type: "phone-number", Key: "phone_number", Source: "Developer guide 2025, Phone number",
		Description: "Asks for the customer's phone number.",
		Flags: []Field{
			flag("require_phone_number_check", "", "Sends a code to the number, and asks the customer for the code."),
			flag("require_phone_number", "", "Asks for the number without verifying it."),
		}},
	{Type: "email", Key: "require_email", Source: "Developer guide 2025, Email",
		Description: "Asks for the customer's email address.",
		Flags: []Field{
			flag("require_email_check", "", "Sends a code to the address, and asks the customer for the code."),
			flag("require_email", "", "Asks for the address without verifying it."),
		}},
	{Type: "geolocation", Key: "require_geolocation", Source: "Developer guide 2025, Geolocation",
		Description: "Asks the browser for the customer's location.",
		Flags: []Field{
			{Name: "require_geolocation", Kind: Boolean, Default: "true", Description: "Stops the customer until the location is given."},
		}},
	{Type: "user-questionnaire", Source: "Developer guide 2025, User questionnaire",
		Description: "Asks the customer questions.",
		Parameters: []Field{description, questions,
			{Name: "successButtonTitle", Kind: Title, Default: `"Confirm"`, Description: "The text on the button."},
		}},
	{Type: "operator-questionnaire", Source: "Developer guide 2025, Operator questionnaire",
		Description: "Asks the operator questions.",
		Parameters:  []Field{description, questions}},
}

// StepOf returns the type of step with this name, and whether there is one.
func StepOf(name string) (Step, bool) {
	i := slices.IndexFunc(Steps, func(s Step) bool { return s.Type == name })
	if i < 0 {
		return Step{}, false
	}
	return Steps[i], true
}

// Question is a type of question. Every question also has the members in [QuestionMembers].
type Question struct {
	Type        string
	Description string
	Source      string
	Parameters  []Field
}

// QuestionMembers are the members of every question.
var QuestionMembers = []Field{
	{Name: "type", Required: true, Description: "The type of the question."},
	{Name: "key", Required: true, Description: "A key that is unique in the questionnaire."},
	{Name: "title", Kind: Title, Description: "The question."},
	flag("mandatory", "", "Whether the question must be answered."),
	flag("readOnly", "", "Whether the preset answer cannot be changed."),
	{Name: "showConditions", Kind: Nested, Description: "Shows the question only if another question has this answer.", Fields: []Field{
		{Name: "questionKey", Required: true, Description: "The key of the other question."},
		{Name: "answer", Required: true, Description: "The answer, or the key of an option."},
	}},
}

// OptionMembers are the members of an option of a question.
var OptionMembers = []Field{
	{Name: "key", Required: true, Description: "A key that is unique in the questionnaire."},
	{Name: "title", Kind: Title, Description: "The text of the option."},
}

var options = Field{Name: "options", Kind: OptionList, Required: true, Description: "The options."}

// Questions are the types of questions.
var Questions = []Question{
	{Type: "string", Source: "Developer guide 2025, Question type: Text input", Description: "Asks for text.",
		Parameters: []Field{{Name: "answer", Kind: Title, Description: "The preset answer."}}},
	{Type: "multiple-choice", Source: "Developer guide 2025, Question type: Checkbox", Description: "Lets the customer choose any number of options.",
		Parameters: []Field{{Name: "answer", Kind: Texts, Description: "The keys of the preset options."}, options}},
	{Type: "options", Source: "Developer guide 2025, Question type: Radio", Description: "Lets the customer choose one option.",
		Parameters: []Field{{Name: "answer", Description: "The key of the preset option."}, options}},
	{Type: "dropdown", Source: "Developer guide 2025, Question type: Dropdown", Description: "Lets the customer choose from a list.",
		Parameters: []Field{options, flag("multiple", "", "Whether the customer can choose several options.")}},
	{Type: "file", Source: "Developer guide 2025, Question type: File upload", Description: "Asks for files.",
		Parameters: []Field{
			{Name: "description", Kind: Title, Description: "The text below the title."},
			{Name: "fileTypes", Kind: Texts, Default: `["pdf","image"]`, Values: []string{"pdf", "image"}, Description: "The accepted kinds of files."},
			{Name: "filesMaxCount", Kind: Integer, Default: "10", Description: "The maximum number of files, from 1 to 10."},
		}},
	{Type: "boolean", Source: "System manual", Description: "Asks for yes or no. Only an example in the oldest document has it.",
		Parameters: []Field{{Name: "answer", Kind: Boolean, Description: "The preset answer."}}},
}

// QuestionOf returns the type of question with this name, and whether there is one.
func QuestionOf(name string) (Question, bool) {
	i := slices.IndexFunc(Questions, func(q Question) bool { return q.Type == name })
	if i < 0 {
		return Question{}, false
	}
	return Questions[i], true
}

// KYBFields are the types of data about a company or a person.
var KYBFields = []string{
	"companyName", "registrationNumber", "registrationCountry", "companyEntityType", "legalAddress", "taxId",
	"dateOfIncorporation", "contactNumber", "email", "website", "ownershipPercentage", "firstName", "lastName",
	"dateOfBirth", "positionName",
}

// KYBFieldMembers are the members of one item of a [KYBFieldList].
var KYBFieldMembers = []Field{
	{Name: "type", Required: true, Values: KYBFields, Description: "What to ask for."},
	flag("mandatory", "", "Whether the customer must give it."),
}

// Roles are the roles of beneficiaries.
var Roles = []string{"shareholder", "ubo", "director", "representative", "other"}

// RoleMembers are the members of one role in a [RoleSet].
var RoleMembers = []Field{
	{Name: "fields", Kind: KYBFieldList, Description: "The data to ask for."},
	flag("verification", "", "Whether to verify the beneficiary, with kycConfigId, or with kybConfigId for a company."),
}
