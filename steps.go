package identomat

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/identomat-go/identomat/internal/wire"
)

// Steps are the steps of a session in the order in which the customer meets them: the parameter steps of
// begin/.
type Steps []AnyStep

// AnyStep is a [Step] or a type that embeds one, such as [LivenessStep]. The methods are those of Step.
type AnyStep interface {
	StepType() string
	StepKey() string
	Flag(name string, value any) Step
	Get(name string) (json.RawMessage, bool)
	Set(name string, value any) Step
	objecter
}

// Step is one step of a session, made by a constructor such as [IdentityDocument] or decoded from a
// configuration. It is immutable: its methods return a new step. Methods of Step itself return a Step,
// so they come last in a chain. Boolean flags and parameters are false by default. fmt and slog show
// only the type and key. (Developer guide 2025, Steps.)
//
// The comment of each constructor has the step's type and key on the wire, and the comment of each
// method the wire name of the flag or parameter that it sets.
type Step struct{ object }

// Key replaces the step's key. Keys must be unique in the session, including the keys of steps inside a
// video call. An empty key is not sent.
func (s Step) Key(key string) Step {
	if key == "" {
		return Step{object{s.json.Set("key", nil)}}
	}
	return s.Set("key", key)
}

// Title is what the customer reads above the step (title). Default: the service's text.
func (s Step) Title(title Text) Step { return Step{setText(s.object, "title", title)} }

// Description is the text below the title (description). Questionnaires and KYB steps have a
// description; in a user questionnaire, the System manual allows Markdown. Default: none, or the
// service's text.
func (s Step) Description(text Text) Step { return Step{setText(s.object, "description", text)} }

// Flag sets any flag of the step by its wire name (a member of flags). It encodes the value as Set does.
func (s Step) Flag(name string, value any) Step {
	var buf [512]byte
	return Step{object{s.json.SetIn("flags", name, appendValue(buf[:0], value))}}
}

// Set sets any parameter of the step by its wire name. If value cannot be encoded as JSON,
// [SessionsService.Begin] returns a [ValidationError].
func (s Step) Set(name string, value any) Step { return Step{s.set(name, value)} }

// StepType returns the type on the wire, such as identity-document.
func (s Step) StepType() string { return s.getString("type") }

// StepKey returns the key, which is unique in the session.
func (s Step) StepKey() string { return s.getString("key") }

func flagStrings[S ~string](s Step, name string, list []S) Step {
	var buf [256]byte
	return Step{object{s.json.SetIn("flags", name, wire.AppendStrings(buf[:0], list))}}
}

// stepTypes maps a type on the wire to the function that gives a decoded step its Go type.
var stepTypes = map[string]func(Step) AnyStep{
	"identity-document":      func(s Step) AnyStep { return IdentityDocumentStep{s} },
	"liveness":               func(s Step) AnyStep { return LivenessStep{s} },
	"face-document":          func(s Step) AnyStep { return SelfieWithIDStep{s} },
	"company":                func(s Step) AnyStep { return CompanyStep{s} },
	"beneficiaries":          func(s Step) AnyStep { return BeneficiariesStep{s} },
	"video-call":             func(s Step) AnyStep { return VideoCallStep{s} },
	"phone-number":           func(s Step) AnyStep { return PhoneNumberStep{s} },
	"email":                  func(s Step) AnyStep { return EmailStep{s} },
	"geolocation":            func(s Step) AnyStep { return GeolocationStep{s} },
	"user-questionnaire":     func(s Step) AnyStep { return QuestionnaireStep{s} },
	"operator-questionnaire": func(s Step) AnyStep { return QuestionnaireStep{s} },
}

func asKnown(s Step) AnyStep {
	if known := stepTypes[s.StepType()]; known != nil {
		return known(s)
	}
	return s
}

type (
	// IdentityDocumentStep is a step that scans an identity document or takes pictures of one
	// (identity-document). [IdentityDocument] makes it.
	IdentityDocumentStep struct{ Step }
	// LivenessStep is a step that checks that the customer is present and alive (liveness). [Liveness]
	// makes it.
	LivenessStep struct{ Step }
	// SelfieWithIDStep is a step that takes a picture of the customer with the document (face-document).
	// [SelfieWithID] makes it.
	SelfieWithIDStep struct{ Step }
	// CompanyStep is a step that collects the data of the company to verify (company). [Company] makes
	// it.
	CompanyStep struct{ Step }
	// BeneficiariesStep is a step that collects the data of the people and companies behind the company
	// (beneficiaries). [Beneficiaries] makes it.
	BeneficiariesStep struct{ Step }
	// VideoCallStep is a step that connects the customer with an operator (video-call). [VideoCall]
	// makes it.
	VideoCallStep struct{ Step }
	// PhoneNumberStep is a step that asks for the customer's phone number (phone-number). [PhoneNumber]
	// makes it.
	PhoneNumberStep struct{ Step }
	// EmailStep is a step that asks for the customer's email address (email). [Email] makes it.
	EmailStep struct{ Step }
	// GeolocationStep is a step that asks for the customer's location (geolocation). [Geolocation] makes
	// it.
	GeolocationStep struct{ Step }
	// QuestionnaireStep is a step that asks the customer or the operator questions (user-questionnaire,
	// operator-questionnaire). [UserQuestionnaire] and [OperatorQuestionnaire] make it.
	QuestionnaireStep struct{ Step }
)

func newStep(text string) Step { return Step{newObject(text)} }

// The steps that constructors return. All calls of a constructor share one step.
var (
	languageStep         = newStep(`{"type":"language","key":"language"}`)
	identityDocumentStep = newStep(`{"type":"identity-document","key":"identity-document"}`)
	livenessStep         = newStep(`{"type":"liveness","key":"liveness"}`)
	proofOfAddressStep   = newStep(`{"type":"general-document","key":"select_general_document"}`)
	selfieWithIDStep     = newStep(`{"type":"face-document","key":"capture_face_document"}`)
	videoCallStep        = newStep(`{"type":"video-call","key":"video-call"}`)
	phoneNumberStep      = newStep(`{"type":"phone-number","key":"phone_number"}`)
	emailStep            = newStep(`{"type":"email","key":"require_email"}`)
	geolocationStep      = newStep(`{"type":"geolocation","key":"require_geolocation"}`)
	companyStep          = newStep(`{"type":"company","key":"company"}`)
	beneficiariesStep    = newStep(`{"type":"beneficiaries","key":"beneficiaries"}`)
	kybReviewStep        = newStep(`{"type":"kyb-review","key":"kyb-review"}`)
)

// CustomStep is a step of a type that this SDK does not know. An empty key is not sent. Give it
// parameters with [Step.Set] and [Step.Flag].
func CustomStep(typ, key string) Step {
	if key == "" {
		return Step{}.Set("type", typ)
	}
	var buf [256]byte
	return Step{object{wire.NewObject(append(appendTyped(buf[:0], typ, key), '}'))}}
}

// appendTyped appends an object with a type and a key, without the closing brace.
func appendTyped(dst []byte, typ, key string) []byte {
	dst = wire.AppendString(append(dst, `{"type":`...), typ)
	return wire.AppendString(append(dst, `,"key":`...), key)
}

// LanguageSelection lets the customer choose the language of the user interface at the beginning.
// Without languages, all are offered (languages). Its type and key are "language". It cannot be part of
// a video call. (Developer guide 2025, Language.)
func LanguageSelection(languages ...Language) Step {
	step := languageStep
	if len(languages) > 0 {
		step = Step{setStrings(step.object, "languages", languages)}
	}
	return step
}

// IdentityDocument scans an identity document or takes pictures of one. Its type and key are
// "identity-document". (Developer guide 2025, Identity document verification.)
func IdentityDocument() IdentityDocumentStep {
	return IdentityDocumentStep{identityDocumentStep}
}

// Types sets the accepted documents (document_types). Default: all.
func (s IdentityDocumentStep) Types(types ...DocumentType) IdentityDocumentStep {
	return IdentityDocumentStep{flagStrings(s.Step, "document_types", types)}
}

// Countries sets the accepted issuing countries (document_countries): three-letter codes like "DEU".
// Default: all.
func (s IdentityDocumentStep) Countries(codes ...string) IdentityDocumentStep {
	return IdentityDocumentStep{flagStrings(s.Step, "document_countries", codes)}
}

// AllowUpload also lets the customer upload a picture (allow_document_upload).
func (s IdentityDocumentStep) AllowUpload(on bool) IdentityDocumentStep {
	return IdentityDocumentStep{s.Flag("allow_document_upload", on)}
}

// DisableCapture disables the scan (disable_document_capture), so that only uploads remain.
func (s IdentityDocumentStep) DisableCapture(on bool) IdentityDocumentStep {
	return IdentityDocumentStep{s.Flag("disable_document_capture", on)}
}

// Liveness checks with the camera that the customer is present and alive. Its type and key are
// "liveness". (Developer guide 2025, Liveness check.)
func Liveness() LivenessStep { return LivenessStep{livenessStep} }

// Active asks the customer to perform actions (the flag liveness). The default is the passive check, a
// two-second video.
func (s LivenessStep) Active(on bool) LivenessStep { return LivenessStep{s.Flag("liveness", on)} }

// AllowUpload lets the customer upload a selfie instead (allow_face_upload). The service ignores this
// flag for the active check.
func (s LivenessStep) AllowUpload(on bool) LivenessStep {
	return LivenessStep{s.Flag("allow_face_upload", on)}
}

// ProofOfAddress asks for a document such as a utility bill and reads it. Without types, all are
// accepted (general_document_types). Its type is "general-document", and its key is
// "select_general_document". (Developer guide 2025, Proof of Address.)
func ProofOfAddress(types ...GeneralDocumentType) Step {
	step := proofOfAddressStep
	if len(types) > 0 {
		step = flagStrings(step, "general_document_types", types)
	}
	return step
}

// SelfieWithID takes a picture of the customer with the document. Its type is "face-document", and its
// key is "capture_face_document". (Developer guide 2025, Selfie with ID.)
func SelfieWithID() SelfieWithIDStep {
	return SelfieWithIDStep{selfieWithIDStep}
}

// AllowUpload lets the customer upload the picture (allow_face_doc_upload).
func (s SelfieWithIDStep) AllowUpload(on bool) SelfieWithIDStep {
	return SelfieWithIDStep{s.Flag("allow_face_doc_upload", on)}
}

// Require requires the picture to be taken live (require_face_document).
func (s SelfieWithIDStep) Require(on bool) SelfieWithIDStep {
	return SelfieWithIDStep{s.Flag("require_face_document", on)}
}

// VideoCall connects the customer with an operator. Its type and key are "video-call". (Developer guide
// 2025, Video call.)
func VideoCall() VideoCallStep {
	return VideoCallStep{videoCallStep}
}

// Steps replaces the call's steps (steps), which can be of any type but language and operator
// questionnaire.
func (s VideoCallStep) Steps(steps ...AnyStep) VideoCallStep {
	return VideoCallStep{s.Set("steps", Steps(steps))}
}

// NestedSteps returns the call's steps (steps).
func (s VideoCallStep) NestedSteps() (steps Steps) {
	for _, o := range s.objects("steps") {
		steps = append(steps, asKnown(Step{o}))
	}
	return steps
}

// ResetSteps discards the customer's data when they rejoin the call (resetSteps).
func (s VideoCallStep) ResetSteps(on bool) VideoCallStep {
	return VideoCallStep{s.Set("resetSteps", on)}
}

// HideCameraOption hides the button that turns the camera off (hideCameraOption).
func (s VideoCallStep) HideCameraOption(on bool) VideoCallStep {
	return VideoCallStep{s.Set("hideCameraOption", on)}
}

// NameRequired asks customers for their name before they join (nameRequired).
func (s VideoCallStep) NameRequired(on bool) VideoCallStep {
	return VideoCallStep{s.Set("nameRequired", on)}
}

// MultipleParticipants lets several customers join the call (multiple_participants). It is a parameter
// of the step, not a flag.
func (s VideoCallStep) MultipleParticipants(on bool) VideoCallStep {
	return VideoCallStep{s.Set("multiple_participants", on)}
}

// PhoneNumber asks for the customer's phone number. Its type is "phone-number", and its key is
// "phone_number". (Developer guide 2025, Phone number.)
func PhoneNumber() PhoneNumberStep {
	return PhoneNumberStep{phoneNumberStep}
}

// Verify sends a code to the number and asks the customer for the code (require_phone_number_check).
func (s PhoneNumberStep) Verify(on bool) PhoneNumberStep {
	return PhoneNumberStep{s.Flag("require_phone_number_check", on)}
}

// Collect asks for the number without verifying it (require_phone_number).
func (s PhoneNumberStep) Collect(on bool) PhoneNumberStep {
	return PhoneNumberStep{s.Flag("require_phone_number", on)}
}

// Email asks for the customer's email address. Its type is "email", and its key is "require_email".
// (Developer guide 2025, Email.)
func Email() EmailStep { return EmailStep{emailStep} }

// Verify sends a code to the address and asks the customer for the code (require_email_check).
func (s EmailStep) Verify(on bool) EmailStep { return EmailStep{s.Flag("require_email_check", on)} }

// Collect asks for the address without verifying it (require_email).
func (s EmailStep) Collect(on bool) EmailStep { return EmailStep{s.Flag("require_email", on)} }

// Geolocation asks the browser for the customer's location. Its type is "geolocation", and its key is
// "require_geolocation".
func Geolocation() GeolocationStep {
	return GeolocationStep{geolocationStep}
}

// Require stops the customer until the location is given (the flag require_geolocation). Default: true,
// unlike other flags.
func (s GeolocationStep) Require(on bool) GeolocationStep {
	return GeolocationStep{s.Flag("require_geolocation", on)}
}

// MarshalJSON returns what is sent, personal data included.
func (s Steps) MarshalJSON() ([]byte, error) { return marshal(s.appendJSON(nil)) }

// UnmarshalJSON decodes steps. A step of a known type becomes a value of its own type, such as
// [IdentityDocumentStep]; any other step becomes a [Step]. Both keep every member, known or not, in
// order and with its exact text, but without white space.
func (s *Steps) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil { // null changes nothing
		return err
	}
	steps := make(Steps, len(list))
	for i, element := range list {
		o, err := decodeObject(element)
		if err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		steps[i] = asKnown(Step{o})
	}
	*s = steps
	return nil
}

// LogValue returns only the types and keys of the steps.
func (s Steps) LogValue() slog.Value { return slog.StringValue(fmt.Sprint([]AnyStep(s))) }

func (s Steps) appendJSON(dst []byte) []byte {
	return append(appendObjects(append(dst, '['), s), ']')
}
