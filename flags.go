package identomat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// DocumentType is a kind of identity document. Others than the listed ones can be
// sent: the sample configuration of the API reference says residence_permit for
// residence_license, and the Android SDK knows non_bio_passport.
type DocumentType string

// The identity documents of the Developer guide 2025, Identity document verification.
const (
	Passport         DocumentType = "passport"
	IDCard           DocumentType = "id"
	DriverLicense    DocumentType = "driver_license" // the general document is DriversLicense
	ResidenceLicense DocumentType = "residence_license"
)

// GeneralDocumentType is a kind of document other than an identity document. Others
// than the listed ones can be sent.
type GeneralDocumentType string

// The general documents of the Developer guide 2025, Proof of Address.
const (
	UtilityBill                    GeneralDocumentType = "utility_bill"
	BankStatement                  GeneralDocumentType = "bank_statement"
	YellowSlip                     GeneralDocumentType = "yellow_slip"
	DriversLicense                 GeneralDocumentType = "drivers_license" // the identity document is DriverLicense
	VehicleRegistrationCertificate GeneralDocumentType = "vehicle_registration_certificate"
)

// Flags are the options of a whole session. A Flags value never changes: every method
// returns a new one, so a shared base may be extended from many goroutines at once.
// The zero value holds no flag and is left out of a request.
//
// A flag that is never set is not sent and has the service's default; false is sent
// when it is set. Several flags of the System manual have since become flags of one
// step; beside custom steps, prefer the methods of the step.
type Flags struct{ m members }

// NewFlags returns no flags, to be extended with the methods of [Flags].
func NewFlags() Flags { return Flags{} }

// Set sends any flag, also one that this SDK has no method for. A value without a JSON
// form is reported when the request is validated.
//
// Flags that integrations and Identomat's SDKs send although no document describes
// them: skip_agreement (boolean), server ("computer", the default, or "human" for a
// call with an operator), platform (such as "desktop"), allow_nfc_capture (boolean),
// inn (boolean) and one boolean per document: document_type_id,
// document_type_passport, document_type_driver_license,
// document_type_residence_license, document_type_non_bio_passport,
// document_type_driver_license_vis.
func (f Flags) Set(name string, value any) Flags { return Flags{f.m.set(name, freeze(value))} }

// Get is the value of a flag as it is sent, by its wire name; false when the flag is
// not set or has no JSON form.
func (f Flags) Get(name string) (json.RawMessage, bool) { return f.m.json(name) }

// IsZero reports whether no flag is set.
func (f Flags) IsZero() bool { return f.m.last == nil }

// SkipFace leaves out the face scan that the service adds by itself, for sessions that
// bring a liveness step of their own or want none. Default false. (Developer guide
// 2025, Flags; System manual.)
func (f Flags) SkipFace(skip bool) Flags { return f.with("skip_face", jsonBool(skip)) }

// SkipDocument leaves out the document scan that the service adds by itself, for
// sessions that bring an identity-document step of their own or want none. Default
// false. (Developer guide 2025, Flags; System manual.)
func (f Flags) SkipDocument(skip bool) Flags { return f.with("skip_document", jsonBool(skip)) }

// ReturnURL is where the browser goes when the customer is done; the service appends
// session_token to its query. Default none, which means that the widget is embedded in
// an iframe. (Developer guide 2025, Flags.)
func (f Flags) ReturnURL(url string) Flags { return f.with("return_url", jsonString(url)) }

// Language is the language of the user interface. Default [English]. (Developer guide
// 2025, Flags.)
func (f Flags) Language(language Language) Flags {
	return f.with("language", jsonString(string(language)))
}

// SkipDesktop keeps the session on mobile devices: a desktop shows a QR code instead.
// Default false. (Developer guide 2025, Flags.)
func (f Flags) SkipDesktop(skip bool) Flags { return f.with("skip_desktop", jsonBool(skip)) }

// SwitchDeviceURL is the address behind the QR code that is shown when the camera
// cannot be used. Default none: no QR code then. (Developer guide 2025, Flags.)
func (f Flags) SwitchDeviceURL(url string) Flags { return f.with("switch_device_url", jsonString(url)) }

// RestrictURLSharing keeps the session's address from being used in another browser or on
// another device. The QR code for a missing camera then needs [Flags.SwitchDeviceURL]; what
// becomes of that of [Flags.SkipDesktop] is not documented. Default false. (Developer guide
// 2025, Flags.)
func (f Flags) RestrictURLSharing(restrict bool) Flags {
	return f.with("restrict_url_sharing", jsonBool(restrict))
}

// OptionalContinueOnAnotherDevice lets the customer move to another device. Default
// false. (Developer guide 2025, Flags.)
func (f Flags) OptionalContinueOnAnotherDevice(allow bool) Flags {
	return f.with("optional_continue_on_another_device", jsonBool(allow))
}

// MultipleParticipants lets several customers join a video call. Default false. The
// newest guide has it as [VideoCallStep.MultipleParticipants] only; this is the older
// place. (Developer guide 2024, Flags; System manual.)
func (f Flags) MultipleParticipants(allow bool) Flags {
	return f.with("multiple_participants", jsonBool(allow))
}

// RequireHDMedia asks for a Full HD camera in the liveness and document steps; without
// one a QR code leads to another device. Default false. (Developer guide 2025, Flags,
// where it is the one flag in camel case.)
func (f Flags) RequireHDMedia(require bool) Flags { return f.with("requireHdMedia", jsonBool(require)) }

// Liveness checks that the customer is present. Default false. For custom steps it is
// [LivenessStep.Active]. (System manual.)
func (f Flags) Liveness(check bool) Flags { return f.with("liveness", jsonBool(check)) }

// DocumentTypes are the identity documents that are accepted. Default all. For custom
// steps it is [IdentityDocumentStep.Types]. (System manual.)
func (f Flags) DocumentTypes(types ...DocumentType) Flags {
	return f.with("document_types", jsonStrings(types))
}

// DocumentCountries are the issuing countries that are accepted, as three-letter codes
// such as "DEU". Default all. For custom steps it is [IdentityDocumentStep.Countries].
// (System manual.)
func (f Flags) DocumentCountries(codes ...string) Flags {
	return f.with(flagDocumentCountries, jsonStrings(codes))
}

// GeneralDocumentTypes are the general documents that are accepted. Default all. It
// needs [Flags.AllowGeneralDocumentCapture] or [Flags.AllowGeneralDocumentUpload]. For
// custom steps it is [ProofOfAddress]. (System manual.)
func (f Flags) GeneralDocumentTypes(types ...GeneralDocumentType) Flags {
	return f.with("general_document_types", jsonStrings(types))
}

// AllowGeneralDocumentCapture lets the customer photograph a general document. Default
// false. (System manual.)
func (f Flags) AllowGeneralDocumentCapture(allow bool) Flags {
	return f.with("allow_general_document_capture", jsonBool(allow))
}

// AllowGeneralDocumentUpload lets the customer upload a general document. Default
// false. (System manual.)
func (f Flags) AllowGeneralDocumentUpload(allow bool) Flags {
	return f.with("allow_general_document_upload", jsonBool(allow))
}

// AllowDocumentUpload lets the customer upload an image of the identity document.
// Default false. For custom steps it is [IdentityDocumentStep.AllowUpload]. (System
// manual.)
func (f Flags) AllowDocumentUpload(allow bool) Flags {
	return f.with("allow_document_upload", jsonBool(allow))
}

// AllowFaceUpload lets the customer upload a selfie. Default false. For custom steps it
// is [LivenessStep.AllowUpload]. (System manual.)
func (f Flags) AllowFaceUpload(allow bool) Flags { return f.with("allow_face_upload", jsonBool(allow)) }

// AllowFaceDocUpload lets the customer upload a picture of themselves holding the
// document. Default false. For custom steps it is [SelfieWithIDStep.AllowUpload].
// (System manual.)
func (f Flags) AllowFaceDocUpload(allow bool) Flags {
	return f.with("allow_face_doc_upload", jsonBool(allow))
}

// RequireFaceDocument asks for a picture of the customer holding the document. Default
// false. For custom steps it is [SelfieWithIDStep.Require]. (System manual.)
func (f Flags) RequireFaceDocument(require bool) Flags {
	return f.with("require_face_document", jsonBool(require))
}

// DisableDocumentCapture takes away the camera for identity documents, which leaves the
// upload. Default false. For custom steps it is [IdentityDocumentStep.DisableCapture].
// (System manual.)
func (f Flags) DisableDocumentCapture(disable bool) Flags {
	return f.with("disable_document_capture", jsonBool(disable))
}

// CaptureDoublePagePassport scans both pages of a passport in place of one. Default
// false. (System manual.)
func (f Flags) CaptureDoublePagePassport(both bool) Flags {
	return f.with("capture_double_page_passport", jsonBool(both))
}

// RequireEmailCheck verifies the customer's email address with a code. Default false.
// For custom steps it is [EmailStep.Verify]. (System manual.)
func (f Flags) RequireEmailCheck(require bool) Flags {
	return f.with("require_email_check", jsonBool(require))
}

// RequireEmail collects the customer's email address. Default false. For custom steps
// it is [EmailStep.Collect]. (System manual.)
func (f Flags) RequireEmail(require bool) Flags { return f.with("require_email", jsonBool(require)) }

// RequirePhoneNumberCheck verifies the customer's phone number with a code. Default
// false. For custom steps it is [PhoneNumberStep.Verify]. (System manual.)
func (f Flags) RequirePhoneNumberCheck(require bool) Flags {
	return f.with("require_phone_number_check", jsonBool(require))
}

// RequirePhoneNumber collects the customer's phone number. Default false. For custom
// steps it is [PhoneNumberStep.Collect]. (System manual.)
func (f Flags) RequirePhoneNumber(require bool) Flags {
	return f.with("require_phone_number", jsonBool(require))
}

// CascadingIdentityVerification turns on cascading verification in Identomat's mobile
// SDKs. Default false. (System manual.)
func (f Flags) CascadingIdentityVerification(cascade bool) Flags {
	return f.with("cascading_identity_verification", jsonBool(cascade))
}

// with is Set for values that are JSON already.
func (f Flags) with(name string, value jsonValue) Flags { return Flags{f.m.set(name, value)} }

// MarshalJSON writes the flags in the order in which they were first set.
func (f Flags) MarshalJSON() ([]byte, error) { return f.m.appendJSON(nil) }

// UnmarshalJSON reads flags, unknown ones too, in their order. The service may write no
// flags as an empty array.
func (f *Flags) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if string(data) == "null" {
		return nil
	}
	m, ok := decodedValue(data).object()
	if !ok {
		return errNotObject
	}
	f.m = m
	return nil
}

// Format writes the names of the flags under every verb, and no value.
func (f Flags) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.describe()) }

// LogValue is the names of the flags, and no value.
func (f Flags) LogValue() slog.Value { return slog.StringValue(f.describe()) }

func (f Flags) describe() string {
	var names []string
	for _, m := range f.m.inOrder(nil) {
		names = append(names, m.name)
	}
	return "flags[" + strings.Join(names, " ") + "]"
}

func (f Flags) fields() members { return f.m }

func (f Flags) appendJSON(dst []byte) ([]byte, error) { return f.m.appendJSON(dst) }

// validate adds a problem for every flag that cannot be sent.
func (f Flags) validate(p *problems, at place) {
	checkValue(p, at, jsonObject(f.m))
	for _, i := range wrongCountries(f.m) {
		p.addAt(at.member(flagDocumentCountries).item(i), notACountry)
	}
}

// The countries are a flag of the session, and of its identity document.
const (
	flagDocumentCountries = "document_countries"
	notACountry           = "must be three capital letters, such as DEU"
)

// wrongCountries are the places of the codes that name no country: whom they would keep out is
// not documented. A list of the builders without such a code is not decoded for that.
func wrongCountries(flags members) (wrong []int) {
	isCountry := func(code string) bool {
		return len(code) == 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}
	list := flags.get(flagDocumentCountries)
	sound := true
	for item := range strings.SplitSeq(strings.Trim(list.text, "[]"), ",") {
		sound = sound && (item == "" || isCountry(strings.Trim(item, `"`)))
	}
	if sound && list.part == nil {
		return nil
	}
	codes, _ := list.list()
	for i, code := range codes {
		if text, ok := code.str(); !ok || !isCountry(text) {
			wrong = append(wrong, i)
		}
	}
	return wrong
}
