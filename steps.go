package identomat

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// Steps are the steps of a session in the order in which the customer meets them.
type Steps []AnyStep

// AnyStep is a [Step] or a type that embeds one, such as [LivenessStep]. The methods are those of Step.
type AnyStep interface {
	Key(key string) Step
	Title(title Text) Step
	Flag(name string, value any) Step
	Set(name string, value any) Step
	Get(name string) (json.RawMessage, bool)
	StepType() string
	StepKey() string
	StepFlags() Flags

	texter
}

// Step is one step of a session, made by a constructor such as [IdentityDocument] or [CustomStep], or
// decoded from a configuration. A step never changes: its methods return a new one. Key, Title, Flag and
// Set return a Step, so they come last in a chain. Printing or logging a step shows its type and key only.
//
// The comment of a constructor names the section of Identomat's API documentation that also describes the
// methods of the type. The common methods are in the Developer guide 2025, Steps.
type Step struct{ object }

// Key replaces the step's key. Keys must be unique in the session, steps inside a video call included.
func (s Step) Key(key string) Step { return Step{s.setString("key", key)} }

// Title is what the customer reads above the step. Default a text of the service.
func (s Step) Title(title Text) Step { return Step{s.setText("title", title)} }

// Flag sets any flag of the step, also one that this SDK has no method for.
func (s Step) Flag(name string, value any) Step { return s.flag(name, []byte(encodeValue(value))) }

// Set sets any parameter of the step by its wire name, also one that this SDK has no method for. A value
// without a JSON form is reported when the request is validated.
func (s Step) Set(name string, value any) Step { return Step{s.setAny(name, value)} }

// StepType is the type on the wire, such as identity-document.
func (s Step) StepType() string { return getString(s.text(), "type") }

// StepKey is the key, unique in the session.
func (s Step) StepKey() string { return getString(s.text(), "key") }

// StepFlags are the flags of the step. To change one, use Flag or the step's methods.
func (s Step) StepFlags() Flags {
	flags, _ := asObject(get(s.text(), "flags"))
	return Flags{newObject(wire.Normalize(flags))}
}

func (s Step) flag(name string, value []byte) Step {
	var buf [512]byte
	flags, _ := asObject(get(s.text(), "flags"))
	return Step{s.set("flags", wire.AppendSet(buf[:0], flags, name, value))}
}

func (s Step) flagBool(name string, value bool) Step {
	return s.flag(name, []byte(strconv.FormatBool(value)))
}

func flagStrings[S ~string](s Step, name string, list []S) Step {
	var buf [256]byte
	return s.flag(name, wire.AppendStrings(buf[:0], list))
}

var stepTypes = map[string]func(Step) AnyStep{
	"language":               func(s Step) AnyStep { return LanguageSelectionStep{s} },
	"identity-document":      func(s Step) AnyStep { return IdentityDocumentStep{s} },
	"liveness":               func(s Step) AnyStep { return LivenessStep{s} },
	"general-document":       func(s Step) AnyStep { return ProofOfAddressStep{s} },
	"face-document":          func(s Step) AnyStep { return SelfieWithIDStep{s} },
	"company":                func(s Step) AnyStep { return CompanyStep{s} },
	"beneficiaries":          func(s Step) AnyStep { return BeneficiariesStep{s} },
	"kyb-review":             func(s Step) AnyStep { return KYBReviewStep{s} },
	"video-call":             func(s Step) AnyStep { return VideoCallStep{s} },
	"phone-number":           func(s Step) AnyStep { return PhoneNumberStep{s} },
	"email":                  func(s Step) AnyStep { return EmailStep{s} },
	"geolocation":            func(s Step) AnyStep { return GeolocationStep{s} },
	"user-questionnaire":     func(s Step) AnyStep { return UserQuestionnaireStep{s} },
	"operator-questionnaire": func(s Step) AnyStep { return OperatorQuestionnaireStep{s} },
}

// known returns a decoded step as its own type if this SDK has one.
func (s Step) known() AnyStep {
	if as := stepTypes[s.StepType()]; as != nil {
		return as(s)
	}
	return s
}

// The steps that always begin with the same text, so that their constructors allocate nothing.
var (
	languageText         = `{"type":"language","key":"language"}`
	identityDocumentText = `{"type":"identity-document","key":"identity-document"}`
	livenessText         = `{"type":"liveness","key":"liveness"}`
	proofOfAddressText   = `{"type":"general-document","key":"select_general_document"}`
	selfieWithIDText     = `{"type":"face-document","key":"capture_face_document"}`
	companyText          = `{"type":"company","key":"company"}`
	beneficiariesText    = `{"type":"beneficiaries","key":"beneficiaries"}`
	kybReviewText        = `{"type":"kyb-review","key":"kyb-review"}`
	videoCallText        = `{"type":"video-call","key":"video-call"}`
	phoneNumberText      = `{"type":"phone-number","key":"phone_number"}`
	emailText            = `{"type":"email","key":"require_email"}`
	geolocationText      = `{"type":"geolocation","key":"require_geolocation"}`
)

func constant(text *string) Step { return Step{object{text}} }

// CustomStep is a step of any type, for types that this SDK does not know. Its parameters are given with
// Set and Flag.
func CustomStep(typ, key string) Step {
	var buf [128]byte
	return Step{newObject(string(append(appendTyped(buf[:0], typ, key), '}')))}
}

func appendTyped(dst []byte, typ, key string) []byte {
	dst = wire.AppendString(append(dst, `{"type":`...), typ)
	return wire.AppendString(append(dst, `,"key":`...), key)
}

// LanguageSelectionStep lets the customer choose the language; see [LanguageSelection].
type LanguageSelectionStep struct{ Step }

// LanguageSelection lets the customer choose the language of the user interface at the beginning. Without
// languages, all are offered. Its key is "language". It cannot be part of a video call. (Developer guide
// 2025, Language.)
func LanguageSelection(languages ...Language) LanguageSelectionStep {
	s := LanguageSelectionStep{constant(&languageText)}
	if len(languages) > 0 {
		s = s.Languages(languages...)
	}
	return s
}

// Languages are the languages on offer. Default, and when empty, all.
func (s LanguageSelectionStep) Languages(languages ...Language) LanguageSelectionStep {
	return LanguageSelectionStep{Step{setStrings(s.object, "languages", languages)}}
}

// IdentityDocumentStep scans an identity document; see [IdentityDocument].
type IdentityDocumentStep struct{ Step }

// IdentityDocument scans an identity document or takes pictures of one. Its key is "identity-document".
// (Developer guide 2025, Identity document verification.)
func IdentityDocument() IdentityDocumentStep {
	return IdentityDocumentStep{constant(&identityDocumentText)}
}

// Types are the accepted documents. Default all.
func (s IdentityDocumentStep) Types(types ...DocumentType) IdentityDocumentStep {
	return IdentityDocumentStep{flagStrings(s.Step, "document_types", types)}
}

// Countries are the accepted issuing countries, as three-letter codes such as "DEU". Default all.
func (s IdentityDocumentStep) Countries(codes ...string) IdentityDocumentStep {
	return IdentityDocumentStep{flagStrings(s.Step, "document_countries", codes)}
}

// AllowUpload offers the upload of a picture beside the scan. Default false.
func (s IdentityDocumentStep) AllowUpload(allow bool) IdentityDocumentStep {
	return IdentityDocumentStep{s.flagBool("allow_document_upload", allow)}
}

// DisableCapture disables the scan, which leaves the upload. Default false.
func (s IdentityDocumentStep) DisableCapture(disable bool) IdentityDocumentStep {
	return IdentityDocumentStep{s.flagBool("disable_document_capture", disable)}
}

// LivenessStep checks that the customer is present; see [Liveness].
type LivenessStep struct{ Step }

// Liveness checks with the camera that the customer is present and alive. Its key is "liveness".
// (Developer guide 2025, Liveness check.)
func Liveness() LivenessStep { return LivenessStep{constant(&livenessText)} }

// Active asks the customer to perform actions. Default false: the passive check, a video of about two
// seconds.
func (s LivenessStep) Active(active bool) LivenessStep {
	return LivenessStep{s.flagBool("liveness", active)}
}

// AllowUpload lets the customer upload a selfie instead of using the camera. The service ignores it for
// the active check. Default false.
func (s LivenessStep) AllowUpload(allow bool) LivenessStep {
	return LivenessStep{s.flagBool("allow_face_upload", allow)}
}

// ProofOfAddressStep takes a general document; see [ProofOfAddress].
type ProofOfAddressStep struct{ Step }

// ProofOfAddress takes a document such as a utility bill and reads it. Without types, all are accepted. Its
// key is "select_general_document". (Developer guide 2025, Proof of Address; the type is general-document.)
func ProofOfAddress(types ...GeneralDocumentType) ProofOfAddressStep {
	s := ProofOfAddressStep{constant(&proofOfAddressText)}
	if len(types) > 0 {
		s = s.Types(types...)
	}
	return s
}

// Types are the accepted documents. Default, and when empty, all.
func (s ProofOfAddressStep) Types(types ...GeneralDocumentType) ProofOfAddressStep {
	return ProofOfAddressStep{flagStrings(s.Step, "general_document_types", types)}
}

// SelfieWithIDStep shows face and document together; see [SelfieWithID].
type SelfieWithIDStep struct{ Step }

// SelfieWithID takes a picture of the customer with the document. Its key is "capture_face_document".
// (Developer guide 2025, Selfie with ID; the type is face-document.)
func SelfieWithID() SelfieWithIDStep { return SelfieWithIDStep{constant(&selfieWithIDText)} }

// AllowUpload lets the customer upload the picture. Default false.
func (s SelfieWithIDStep) AllowUpload(allow bool) SelfieWithIDStep {
	return SelfieWithIDStep{s.flagBool("allow_face_doc_upload", allow)}
}

// Require requires the picture to be taken live. Default false.
func (s SelfieWithIDStep) Require(require bool) SelfieWithIDStep {
	return SelfieWithIDStep{s.flagBool("require_face_document", require)}
}

// VideoCallStep is a call with an operator; see [VideoCall].
type VideoCallStep struct{ Step }

// VideoCall connects the customer with an operator. Its key is "video-call". (Developer guide 2025, Video
// call.)
func VideoCall() VideoCallStep { return VideoCallStep{constant(&videoCallText)} }

// Steps are the steps of the call, of all types but language and operator questionnaire. They replace the
// steps that the call has. Default none.
func (s VideoCallStep) Steps(steps ...AnyStep) VideoCallStep {
	var buf [512]byte
	return VideoCallStep{Step{s.set("steps", Steps(steps).appendText(buf[:0]))}}
}

// NestedSteps are the steps of the call.
func (s VideoCallStep) NestedSteps() (steps Steps) {
	for o := range s.objects("steps") {
		steps = append(steps, Step{o}.known())
	}
	return steps
}

// ResetSteps discards the customer's data when they join the call again. Default false.
func (s VideoCallStep) ResetSteps(reset bool) VideoCallStep {
	return VideoCallStep{Step{s.setBool("resetSteps", reset)}}
}

// HideCameraOption hides the button that turns the camera off. Default false.
func (s VideoCallStep) HideCameraOption(hide bool) VideoCallStep {
	return VideoCallStep{Step{s.setBool("hideCameraOption", hide)}}
}

// NameRequired asks customers for their name before they join. Default false.
func (s VideoCallStep) NameRequired(require bool) VideoCallStep {
	return VideoCallStep{Step{s.setBool("nameRequired", require)}}
}

// MultipleParticipants lets several customers join the call. It is a parameter of the step, not a flag.
// Default false.
func (s VideoCallStep) MultipleParticipants(allow bool) VideoCallStep {
	return VideoCallStep{Step{s.setBool("multiple_participants", allow)}}
}

// PhoneNumberStep asks for a phone number; see [PhoneNumber].
type PhoneNumberStep struct{ Step }

// PhoneNumber asks for the customer's phone number. Its key is "phone_number". (Developer guide 2025, Phone
// number.)
func PhoneNumber() PhoneNumberStep { return PhoneNumberStep{constant(&phoneNumberText)} }

// Verify sends a code to the number and asks for it. Default false.
func (s PhoneNumberStep) Verify(verify bool) PhoneNumberStep {
	return PhoneNumberStep{s.flagBool("require_phone_number_check", verify)}
}

// Collect asks for the number without verifying it. Default false.
func (s PhoneNumberStep) Collect(collect bool) PhoneNumberStep {
	return PhoneNumberStep{s.flagBool("require_phone_number", collect)}
}

// EmailStep asks for an email address; see [Email].
type EmailStep struct{ Step }

// Email asks for the customer's email address. Its key is "require_email". (Developer guide 2025, Email.)
func Email() EmailStep { return EmailStep{constant(&emailText)} }

// Verify sends a code to the address and asks for it. Default false.
func (s EmailStep) Verify(verify bool) EmailStep {
	return EmailStep{s.flagBool("require_email_check", verify)}
}

// Collect asks for the address without verifying it. Default false.
func (s EmailStep) Collect(collect bool) EmailStep {
	return EmailStep{s.flagBool("require_email", collect)}
}

// GeolocationStep asks for the location; see [Geolocation].
type GeolocationStep struct{ Step }

// Geolocation asks the browser for the customer's location. Its key is "require_geolocation". (Developer
// guide 2025, Geolocation.)
func Geolocation() GeolocationStep { return GeolocationStep{constant(&geolocationText)} }

// Require stops the customer until the location is given. Default true, unlike other flags.
func (s GeolocationStep) Require(require bool) GeolocationStep {
	return GeolocationStep{s.flagBool("require_geolocation", require)}
}

// MarshalJSON returns what is sent, personal data included.
func (s Steps) MarshalJSON() ([]byte, error) { return marshalText(s.text()) }

// UnmarshalJSON decodes steps. A step of a known type becomes a value of its own type, such as
// [IdentityDocumentStep], and any other a [Step]. Both keep every member, known or not, in its order and
// exact text.
func (s *Steps) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil { // null changes nothing
		return err
	}
	steps := make(Steps, len(list))
	for i, element := range list {
		o, err := decodeText(element)
		if err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		steps[i] = Step{o}.known()
	}
	*s = steps
	return nil
}

// Format writes the types and keys of the steps under every verb, and nothing else.
func (s Steps) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.describe()) }

// LogValue is the types and keys of the steps, and nothing else.
func (s Steps) LogValue() slog.Value { return slog.StringValue(s.describe()) }

func (s Steps) describe() string {
	list := make([]string, len(s))
	for i, step := range s {
		if list[i] = "nil"; jsonText(step) != wire.Nil {
			list[i] = describe(jsonText(step))
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (s Steps) text() string {
	var buf [1024]byte
	return string(s.appendText(buf[:0]))
}

func (s Steps) appendText(dst []byte) []byte { return appendList(dst, "", s) }

// validate adds a problem for everything that Identomat's API documentation rules out.
func (s Steps) validate(p *problems, at fieldPath) {
	keys := make(map[string]bool, len(s))
	for i, step := range s {
		p.checkStep(at.item(i), jsonText(step), keys, false)
	}
}

// checkStep adds the problems of one step. It adds the step's key to the keys of the session so far.
func (p *problems) checkStep(at fieldPath, value string, keys map[string]bool, inCall bool) {
	step, ok := p.requireObject(at, value)
	if !ok {
		return
	}
	typ, key := getString(step, "type"), getString(step, "key")
	p.require(typ != "", at.member("type"), "must not be empty")
	p.require(!inCall || typ != "language", at.member("type"), "must not be a language step inside a video call")
	p.require(!inCall || typ != "operator-questionnaire", at.member("type"),
		"must not be an operator questionnaire inside a video call")
	p.require(key != "", at.member("key"), "must not be empty")
	p.require(key == "" || !keys[key], at.member("key"), "must be unique in the session")
	keys[key] = true
	switch typ {
	case "identity-document":
		p.checkCountries(at.member("flags"), get(step, "flags"))
	case "video-call":
		for at, nested := range at.member("steps").items(get(step, "steps")) {
			p.checkStep(at, nested, keys, true)
		}
	case "beneficiaries":
		p.checkBeneficiaries(at, step)
	case "user-questionnaire", "operator-questionnaire":
		p.checkQuestions(at.member("questions"), get(step, "questions"))
	}
}
