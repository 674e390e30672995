package identomat

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
)

// The types of steps, as they are written on the wire.
const (
	stepLanguage              = "language"
	stepIdentityDocument      = "identity-document"
	stepLiveness              = "liveness"
	stepProofOfAddress        = "general-document"
	stepSelfieWithID          = "face-document"
	stepCompany               = "company"
	stepBeneficiaries         = "beneficiaries"
	stepKYBReview             = "kyb-review"
	stepVideoCall             = "video-call"
	stepPhoneNumber           = "phone-number"
	stepEmail                 = "email"
	stepGeolocation           = "geolocation"
	stepUserQuestionnaire     = "user-questionnaire"
	stepOperatorQuestionnaire = "operator-questionnaire"
)

// Step is one step of a session, made by a constructor such as [IdentityDocument] or
// [CustomStep], or decoded from a configuration. A step never changes: its methods
// return a new one. Printing or logging a step shows its type and key alone.
type Step interface {
	// StepType is the type on the wire, such as identity-document.
	StepType() string
	// StepKey is the key, unique in the session.
	StepKey() string
	// StepTitle is the title, nil when there is none.
	StepTitle() Text
	// StepFlags are the flags of the step.
	StepFlags() Flags
	// Param is any member of the step as it is sent, by its wire name.
	Param(name string) (json.RawMessage, bool)

	fields() members
}

// Steps are the steps of a session in the order in which the customer meets them.
type Steps []Step

// stepBase is what all steps have. Self is the step's own type, which its methods return.
type stepBase[Self ~struct{ stepBase[Self] }] struct{ wireObject }

// with returns the step with a member set to a JSON value.
func (s stepBase[Self]) with(name string, value jsonValue) Self {
	return asStep[Self](s.m.set(name, value))
}

// withFlag returns the step with a flag set to a JSON value.
func (s stepBase[Self]) withFlag(name string, value jsonValue) Self {
	return s.with("flags", jsonObject(s.StepFlags().m.set(name, value)))
}

// Key replaces the step's key. Keys must be unique in the session, steps inside a video
// call included. (Developer guide 2025, Steps.)
func (s stepBase[Self]) Key(key string) Self { return s.with("key", jsonString(key)) }

// Title is what the customer reads above the step, in several languages. Default a text
// of the service. (Developer guide 2025, Steps.)
func (s stepBase[Self]) Title(title Text) Self { return s.with("title", title.json()) }

// Flag sets any flag of the step, also one that this SDK has no method for.
// (Developer guide 2025, Steps.)
func (s stepBase[Self]) Flag(name string, value any) Self { return s.withFlag(name, freeze(value)) }

// Set sets any parameter of the step by its wire name, also one that this SDK has no
// method for. A value without a JSON form is reported when the request is validated.
func (s stepBase[Self]) Set(name string, value any) Self { return s.with(name, freeze(value)) }

// StepType is the type on the wire, such as identity-document.
func (s stepBase[Self]) StepType() string { return s.m.str("type") }

// StepKey is the key, unique in the session.
func (s stepBase[Self]) StepKey() string { return s.m.str("key") }

// StepTitle is the title, nil when there is none. A plain string is under the key "".
func (s stepBase[Self]) StepTitle() Text {
	title, _ := s.m.json("title")
	return readText(title)
}

// StepFlags are the flags of the step. To change one, use Flag or the step's methods.
func (s stepBase[Self]) StepFlags() Flags {
	m, _ := s.m.get("flags").object()
	return Flags{m}
}

func asStep[Self ~struct{ stepBase[Self] }](m members) Self {
	return Self{stepBase[Self]{wireObject{m}}}
}

func newStep[Self ~struct{ stepBase[Self] }](typ, key string) Self {
	return asStep[Self](chain(member{name: "type", value: jsonString(typ)}, member{name: "key", value: jsonString(key)}))
}

// decodedStep is the step of the type that m names.
func decodedStep(m members) Step {
	switch m.str("type") {
	case stepLanguage:
		return asStep[LanguageSelectionStep](m)
	case stepIdentityDocument:
		return asStep[IdentityDocumentStep](m)
	case stepLiveness:
		return asStep[LivenessStep](m)
	case stepProofOfAddress:
		return asStep[ProofOfAddressStep](m)
	case stepSelfieWithID:
		return asStep[SelfieWithIDStep](m)
	case stepCompany:
		return asStep[CompanyStep](m)
	case stepBeneficiaries:
		return asStep[BeneficiariesStep](m)
	case stepKYBReview:
		return asStep[KYBReviewStep](m)
	case stepVideoCall:
		return asStep[VideoCallStep](m)
	case stepPhoneNumber:
		return asStep[PhoneNumberStep](m)
	case stepEmail:
		return asStep[EmailStep](m)
	case stepGeolocation:
		return asStep[GeolocationStep](m)
	case stepUserQuestionnaire:
		return asStep[UserQuestionnaireStep](m)
	case stepOperatorQuestionnaire:
		return asStep[OperatorQuestionnaireStep](m)
	}
	return asStep[GenericStep](m)
}

// LanguageSelectionStep lets the customer choose the language; see [LanguageStep].
type LanguageSelectionStep struct {
	stepBase[LanguageSelectionStep]
}

// LanguageStep lets the customer choose the language of the user interface at the
// beginning. Without languages all are offered. Its key is "language". It cannot run
// inside a video call. (Developer guide 2025, Language.)
func LanguageStep(languages ...Language) LanguageSelectionStep {
	s := newStep[LanguageSelectionStep](stepLanguage, "language")
	if len(languages) > 0 {
		s = s.Languages(languages...)
	}
	return s
}

// Languages are the languages on offer. Default, and when empty, all. (Developer guide
// 2025, Language.)
func (s LanguageSelectionStep) Languages(languages ...Language) LanguageSelectionStep {
	return s.with("languages", jsonStrings(languages))
}

// IdentityDocumentStep scans an identity document; see [IdentityDocument].
type IdentityDocumentStep struct {
	stepBase[IdentityDocumentStep]
}

// IdentityDocument scans an identity document or takes pictures of one. Its key is
// "identity-document". (Developer guide 2025, Identity document verification.)
func IdentityDocument() IdentityDocumentStep {
	return newStep[IdentityDocumentStep](stepIdentityDocument, "identity-document")
}

// Types are the documents that are accepted. Default all. (Developer guide 2025,
// Identity document verification.)
func (s IdentityDocumentStep) Types(types ...DocumentType) IdentityDocumentStep {
	return s.withFlag("document_types", jsonStrings(types))
}

// Countries are the issuing countries that are accepted, as three-letter codes such as
// "DEU". Default all. (Developer guide 2025, Identity document verification.)
func (s IdentityDocumentStep) Countries(codes ...string) IdentityDocumentStep {
	return s.withFlag(flagDocumentCountries, jsonStrings(codes))
}

// AllowUpload offers the upload of a picture beside the scan. Default false. (Developer
// guide 2025, Identity document verification.)
func (s IdentityDocumentStep) AllowUpload(allow bool) IdentityDocumentStep {
	return s.withFlag("allow_document_upload", jsonBool(allow))
}

// DisableCapture takes the scan away, which leaves the upload. Default false.
// (Developer guide 2025, Identity document verification.)
func (s IdentityDocumentStep) DisableCapture(disable bool) IdentityDocumentStep {
	return s.withFlag("disable_document_capture", jsonBool(disable))
}

// LivenessStep checks that the customer is present; see [Liveness].
type LivenessStep struct{ stepBase[LivenessStep] }

// Liveness checks in front of the camera that the customer is present and alive. Its
// key is "liveness". (Developer guide 2025, Liveness check.)
func Liveness() LivenessStep { return newStep[LivenessStep](stepLiveness, "liveness") }

// Active asks the customer to perform actions; the passive check is a video of about
// two seconds. Default false, passive. (Developer guide 2025, Liveness check.)
func (s LivenessStep) Active(active bool) LivenessStep {
	return s.withFlag("liveness", jsonBool(active))
}

// AllowUpload lets the customer upload a selfie in place of the camera. The service
// ignores it for the active check. Default false. (Developer guide 2025, Liveness check.)
func (s LivenessStep) AllowUpload(allow bool) LivenessStep {
	return s.withFlag("allow_face_upload", jsonBool(allow))
}

// ProofOfAddressStep takes a general document; see [ProofOfAddress].
type ProofOfAddressStep struct{ stepBase[ProofOfAddressStep] }

// ProofOfAddress takes a document such as a utility bill and reads it. Without types
// all are accepted. Its key is "select_general_document". (Developer guide 2025, Proof
// of Address; the step type is general-document.)
func ProofOfAddress(types ...GeneralDocumentType) ProofOfAddressStep {
	s := newStep[ProofOfAddressStep](stepProofOfAddress, "select_general_document")
	if len(types) > 0 {
		s = s.Types(types...)
	}
	return s
}

// Types are the documents that are accepted. Default, and when empty, all. (Developer
// guide 2025, Proof of Address.)
func (s ProofOfAddressStep) Types(types ...GeneralDocumentType) ProofOfAddressStep {
	return s.withFlag("general_document_types", jsonStrings(types))
}

// SelfieWithIDStep shows face and document together; see [SelfieWithID].
type SelfieWithIDStep struct{ stepBase[SelfieWithIDStep] }

// SelfieWithID takes a picture of the customer holding the document. Its key is
// "capture_face_document". (Developer guide 2025, Selfie with ID; the step type is
// face-document.)
func SelfieWithID() SelfieWithIDStep {
	return newStep[SelfieWithIDStep](stepSelfieWithID, "capture_face_document")
}

// AllowUpload lets the customer upload the picture. Default false. (Developer guide
// 2025, Selfie with ID.)
func (s SelfieWithIDStep) AllowUpload(allow bool) SelfieWithIDStep {
	return s.withFlag("allow_face_doc_upload", jsonBool(allow))
}

// Require asks for the picture to be taken live. Default false. (Developer guide 2025,
// Selfie with ID.)
func (s SelfieWithIDStep) Require(require bool) SelfieWithIDStep {
	return s.withFlag("require_face_document", jsonBool(require))
}

// VideoCallStep is a call with an operator; see [VideoCall].
type VideoCallStep struct{ stepBase[VideoCallStep] }

// VideoCall connects the customer with an operator. Its key is "video-call".
// (Developer guide 2025, Video call.)
func VideoCall() VideoCallStep { return newStep[VideoCallStep](stepVideoCall, "video-call") }

// Steps are the steps that run during the call, all kinds but a language step and an
// operator questionnaire. It replaces the steps given before. Default none. (Developer
// guide 2025, Video call.)
func (s VideoCallStep) Steps(steps ...Step) VideoCallStep {
	return s.with("steps", jsonList(Steps(steps).values()))
}

// NestedSteps are the steps that run during the call.
func (s VideoCallStep) NestedSteps() Steps {
	list, _ := s.m.get("steps").list()
	var steps Steps
	for _, item := range list {
		if m, ok := item.object(); ok {
			steps = append(steps, decodedStep(m))
		}
	}
	return steps
}

// ResetSteps throws the customer's data away when they join the call again. Default
// false. (Developer guide 2025, Video call.)
func (s VideoCallStep) ResetSteps(reset bool) VideoCallStep {
	return s.with("resetSteps", jsonBool(reset))
}

// HideCameraOption hides the button that turns the camera off. Default false.
// (Developer guide 2025, Video call.)
func (s VideoCallStep) HideCameraOption(hide bool) VideoCallStep {
	return s.with("hideCameraOption", jsonBool(hide))
}

// NameRequired asks customers for their name before they join. Default false.
// (Developer guide 2025, Video call.)
func (s VideoCallStep) NameRequired(require bool) VideoCallStep {
	return s.with("nameRequired", jsonBool(require))
}

// MultipleParticipants lets several customers join the call. It is a parameter of the
// step, not a flag. Default false. (Developer guide 2025, Video call.)
func (s VideoCallStep) MultipleParticipants(allow bool) VideoCallStep {
	return s.with("multiple_participants", jsonBool(allow))
}

// PhoneNumberStep asks for a phone number; see [PhoneNumber].
type PhoneNumberStep struct{ stepBase[PhoneNumberStep] }

// PhoneNumber asks for the customer's phone number. Its key is "phone_number".
// (Developer guide 2025, Phone number.)
func PhoneNumber() PhoneNumberStep {
	return newStep[PhoneNumberStep](stepPhoneNumber, "phone_number")
}

// Verify sends a code to the number and asks for it. Default false. (Developer guide
// 2025, Phone number.)
func (s PhoneNumberStep) Verify(verify bool) PhoneNumberStep {
	return s.withFlag("require_phone_number_check", jsonBool(verify))
}

// Collect asks for the number without verifying it. Default false. (Developer guide
// 2025, Phone number.)
func (s PhoneNumberStep) Collect(collect bool) PhoneNumberStep {
	return s.withFlag("require_phone_number", jsonBool(collect))
}

// EmailStep asks for an email address; see [Email].
type EmailStep struct{ stepBase[EmailStep] }

// Email asks for the customer's email address. Its key is "require_email". (Developer
// guide 2025, Email.)
func Email() EmailStep { return newStep[EmailStep](stepEmail, "require_email") }

// Verify sends a code to the address and asks for it. Default false. (Developer guide
// 2025, Email.)
func (s EmailStep) Verify(verify bool) EmailStep {
	return s.withFlag("require_email_check", jsonBool(verify))
}

// Collect asks for the address without verifying it. Default false. (Developer guide
// 2025, Email.)
func (s EmailStep) Collect(collect bool) EmailStep {
	return s.withFlag("require_email", jsonBool(collect))
}

// GeolocationStep asks for the location; see [Geolocation].
type GeolocationStep struct{ stepBase[GeolocationStep] }

// Geolocation asks the browser for the customer's location. Its key is
// "require_geolocation". (Developer guide 2025, Geolocation.)
func Geolocation() GeolocationStep {
	return newStep[GeolocationStep](stepGeolocation, "require_geolocation")
}

// Require stops the customer until the location is given. Default true, unlike other
// flags, so false has to be sent. (Developer guide 2025, Geolocation.)
func (s GeolocationStep) Require(require bool) GeolocationStep {
	return s.withFlag("require_geolocation", jsonBool(require))
}

// GenericStep is a step of a type that this SDK does not know; see [CustomStep].
type GenericStep struct{ stepBase[GenericStep] }

// CustomStep is a step of any type, for types that this SDK does not know. Its
// parameters are given with Set and Flag.
func CustomStep(typ, key string) GenericStep { return newStep[GenericStep](typ, key) }

// MarshalJSON writes the steps with everything that they hold.
func (s Steps) MarshalJSON() ([]byte, error) { return s.appendJSON(nil) }

// UnmarshalJSON reads steps. A known type becomes its builder, such as
// [IdentityDocumentStep], any other a [GenericStep]; both keep every member, known or
// not, in its order and exact text.
func (s *Steps) UnmarshalJSON(data []byte) error {
	if strings.TrimSpace(string(data)) == "null" {
		return nil
	}
	list, err := decodeValues(data)
	if err != nil {
		return err
	}
	steps := make(Steps, len(list))
	for i, item := range list {
		m, err := decodeMembers([]byte(item.text))
		if err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		steps[i] = decodedStep(m)
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
		list[i] = "nil"
		if m, ok := fieldsOf(step); ok {
			list[i] = m.describe()
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (s Steps) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, step := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = jsonPart(step).appendJSON(dst); err != nil {
			return dst, errorIn("["+strconv.Itoa(i)+"]", err)
		}
	}
	return append(dst, ']'), nil
}

// values are the steps as members hold them.
func (s Steps) values() values {
	list := make(values, len(s))
	for i, step := range s {
		list[i] = jsonPart(step)
	}
	return list
}

// validate adds a problem for everything in the steps that the documents rule out. It
// reads decoded steps as it reads built ones.
func (s Steps) validate(p *problems, at place) {
	check := stepCheck{problems: p, keys: make(map[string]bool, len(s))}
	for i, step := range s {
		part := jsonPart(step)
		checkValue(p, at.item(i), part)
		check.step(at.item(i), part, false)
	}
}

// stepCheck is one walk over the steps of a session.
type stepCheck struct {
	*problems
	keys map[string]bool // of all steps so far, nested ones included
}

func (c *stepCheck) step(at place, v jsonValue, inCall bool) {
	if v.bad() {
		return // reported by checkValue
	}
	m, ok := v.object()
	if !ok {
		c.addAt(at, "must be an object")
		return
	}
	typ, key := m.str("type"), m.str("key")
	switch {
	case typ == "":
		c.addAt(at.member("type"), "must not be empty")
	case inCall && typ == stepLanguage:
		c.addAt(at.member("type"), "must not be a language step inside a video call")
	case inCall && typ == stepOperatorQuestionnaire:
		c.addAt(at.member("type"), "must not be an operator questionnaire inside a video call")
	}
	switch {
	case key == "":
		c.addAt(at.member("key"), "must not be empty")
	case c.keys[key]:
		c.addAt(at.member("key"), "must be unique in the session")
	}
	c.keys[key] = true
	switch typ {
	case stepIdentityDocument:
		flags, _ := m.get("flags").object()
		for _, i := range wrongCountries(flags) {
			c.addAt(at.member("flags").member(flagDocumentCountries).item(i), notACountry)
		}
	case stepVideoCall:
		list, _ := m.get("steps").list()
		at = at.member("steps")
		for i, item := range list {
			c.step(at.item(i), item, true)
		}
	case stepBeneficiaries:
		checkBeneficiaries(c.problems, at, m)
	case stepUserQuestionnaire, stepOperatorQuestionnaire:
		checkQuestions(c.problems, at, m)
	}
}
