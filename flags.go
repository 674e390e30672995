package identomat

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// DocumentType is a kind of identity document. Others than the listed ones can be sent: the
// sample configuration of the API reference has residence_permit for residence_license, and
// the Android SDK knows non_bio_passport.
type DocumentType string

// The identity documents of the Developer guide 2025, Identity document verification.
const (
	Passport         DocumentType = "passport"
	IDCard           DocumentType = "id"
	DriverLicense    DocumentType = "driver_license" // the general document is DriversLicense
	ResidenceLicense DocumentType = "residence_license"
)

// GeneralDocumentType is a kind of document other than an identity document. Others than the
// listed ones can be sent.
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
// returns a new one, so goroutines can extend a shared base. The zero value holds no flag
// and is left out of a request. Printing or logging flags shows their names only.
//
// A flag that is not set is not sent, and has the service's default. A flag that is set to
// false is sent. Methods without a section are documented in the Developer guide 2025,
// Flags. Several flags of the older System manual have become flags of one step: with custom
// steps, prefer the methods of the step.
type Flags struct{ object }

// NewFlags returns no flags, to be extended with the methods of [Flags].
func NewFlags() Flags { return Flags{} }

// Set sets any flag by its wire name, also one that this SDK has no method for. A value
// without a JSON form is reported when the request is validated.
//
// Integrations and Identomat's own SDKs send these flags, which are not documented:
// skip_agreement (boolean), server ("computer", the default, or "human" for a call with an
// operator), platform (such as "desktop"), allow_nfc_capture (boolean), inn (boolean) and one
// boolean per document: document_type_id, document_type_passport,
// document_type_driver_license, document_type_residence_license,
// document_type_non_bio_passport, document_type_driver_license_vis.
func (f Flags) Set(name string, value any) Flags { return Flags{f.setAny(name, value)} }

// IsZero reports whether no flag is set.
func (f Flags) IsZero() bool { return f.text() == "{}" }

// SkipFace omits the face scan that the service adds by itself, for sessions that have a
// liveness step or want none. Default false. (Developer guide 2025, Flags; System manual.)
func (f Flags) SkipFace(skip bool) Flags { return f.flag("skip_face", skip) }

// SkipDocument omits the document scan that the service adds by itself, for sessions that
// have an identity-document step or want none. Default false. (Developer guide 2025, Flags;
// System manual.)
func (f Flags) SkipDocument(skip bool) Flags { return f.flag("skip_document", skip) }

// ReturnURL is where the browser goes when the customer is done; the service appends
// session_token to its query. Default none, for a widget that is embedded in an iframe.
func (f Flags) ReturnURL(url string) Flags { return Flags{f.setString("return_url", url)} }

// Language is the language of the user interface. Default [English].
func (f Flags) Language(language Language) Flags {
	return Flags{f.setString("language", string(language))}
}

// SkipDesktop keeps the session on mobile devices: a desktop shows a QR code. Default false.
func (f Flags) SkipDesktop(skip bool) Flags { return f.flag("skip_desktop", skip) }

// SwitchDeviceURL is the address behind the QR code that is shown when the camera cannot be
// used. Default none, which shows no QR code.
func (f Flags) SwitchDeviceURL(url string) Flags { return Flags{f.setString("switch_device_url", url)} }

// RestrictURLSharing prevents the use of the session's URL in another browser or on another
// device. The QR code for a missing camera then needs [Flags.SwitchDeviceURL]; what happens
// to the QR code of [Flags.SkipDesktop] is not documented. Default false.
func (f Flags) RestrictURLSharing(restrict bool) Flags {
	return f.flag("restrict_url_sharing", restrict)
}

// OptionalContinueOnAnotherDevice lets the customer move to another device. Default false.
func (f Flags) OptionalContinueOnAnotherDevice(allow bool) Flags {
	return f.flag("optional_continue_on_another_device", allow)
}

// MultipleParticipants lets several customers join a video call. Default false. The guide of
// 2025 only has [VideoCallStep.MultipleParticipants]. (Developer guide 2024, Flags; System
// manual.)
func (f Flags) MultipleParticipants(allow bool) Flags { return f.flag("multiple_participants", allow) }

// RequireHDMedia requires a Full HD camera in the liveness and document steps; without one,
// a QR code leads to another device. Default false. It is the only flag in camel case.
func (f Flags) RequireHDMedia(require bool) Flags { return f.flag("requireHdMedia", require) }

// Liveness checks that the customer is present. Default false. For custom steps it is
// [LivenessStep.Active]. (System manual.)
func (f Flags) Liveness(check bool) Flags { return f.flag("liveness", check) }

// DocumentTypes are the accepted identity documents. Default all. For custom steps it is
// [IdentityDocumentStep.Types]. (System manual.)
func (f Flags) DocumentTypes(types ...DocumentType) Flags {
	return Flags{setStrings(f.object, "document_types", types)}
}

// DocumentCountries are the accepted issuing countries, as three-letter codes such as "DEU".
// Default all. For custom steps it is [IdentityDocumentStep.Countries]. (System manual.)
func (f Flags) DocumentCountries(codes ...string) Flags {
	return Flags{setStrings(f.object, "document_countries", codes)}
}

// GeneralDocumentTypes are the accepted general documents. Default all. It needs
// [Flags.AllowGeneralDocumentCapture] or [Flags.AllowGeneralDocumentUpload]. For custom steps
// it is [ProofOfAddress]. (System manual.)
func (f Flags) GeneralDocumentTypes(types ...GeneralDocumentType) Flags {
	return Flags{setStrings(f.object, "general_document_types", types)}
}

// AllowGeneralDocumentCapture lets the customer photograph a general document. Default false.
// (System manual.)
func (f Flags) AllowGeneralDocumentCapture(allow bool) Flags {
	return f.flag("allow_general_document_capture", allow)
}

// AllowGeneralDocumentUpload lets the customer upload a general document. Default false.
// (System manual.)
func (f Flags) AllowGeneralDocumentUpload(allow bool) Flags {
	return f.flag("allow_general_document_upload", allow)
}

// AllowDocumentUpload lets the customer upload an image of the identity document. Default
// false. For custom steps it is [IdentityDocumentStep.AllowUpload]. (System manual.)
func (f Flags) AllowDocumentUpload(allow bool) Flags { return f.flag("allow_document_upload", allow) }

// AllowFaceUpload lets the customer upload a selfie. Default false. For custom steps it is
// [LivenessStep.AllowUpload]. (System manual.)
func (f Flags) AllowFaceUpload(allow bool) Flags { return f.flag("allow_face_upload", allow) }

// AllowFaceDocUpload lets the customer upload a picture that shows them with the document.
// Default false. For custom steps it is [SelfieWithIDStep.AllowUpload]. (System manual.)
func (f Flags) AllowFaceDocUpload(allow bool) Flags { return f.flag("allow_face_doc_upload", allow) }

// RequireFaceDocument requires a picture of the customer with the document. Default false.
// For custom steps it is [SelfieWithIDStep.Require]. (System manual.)
func (f Flags) RequireFaceDocument(require bool) Flags {
	return f.flag("require_face_document", require)
}

// DisableDocumentCapture disables the camera for identity documents, which leaves the upload.
// Default false. For custom steps it is [IdentityDocumentStep.DisableCapture]. (System manual.)
func (f Flags) DisableDocumentCapture(disable bool) Flags {
	return f.flag("disable_document_capture", disable)
}

// CaptureDoublePagePassport scans both pages of a passport. Default false, one page. (System
// manual.)
func (f Flags) CaptureDoublePagePassport(both bool) Flags {
	return f.flag("capture_double_page_passport", both)
}

// RequireEmailCheck verifies the customer's email address with a code. Default false. For
// custom steps it is [EmailStep.Verify]. (System manual.)
func (f Flags) RequireEmailCheck(require bool) Flags { return f.flag("require_email_check", require) }

// RequireEmail collects the customer's email address. Default false. For custom steps it is
// [EmailStep.Collect]. (System manual.)
func (f Flags) RequireEmail(require bool) Flags { return f.flag("require_email", require) }

// RequirePhoneNumberCheck verifies the customer's phone number with a code. Default false.
// For custom steps it is [PhoneNumberStep.Verify]. (System manual.)
func (f Flags) RequirePhoneNumberCheck(require bool) Flags {
	return f.flag("require_phone_number_check", require)
}

// RequirePhoneNumber collects the customer's phone number. Default false. For custom steps
// it is [PhoneNumberStep.Collect]. (System manual.)
func (f Flags) RequirePhoneNumber(require bool) Flags { return f.flag("require_phone_number", require) }

// CascadingIdentityVerification enables cascading verification in Identomat's mobile SDKs.
// Default false. (System manual.)
func (f Flags) CascadingIdentityVerification(cascade bool) Flags {
	return f.flag("cascading_identity_verification", cascade)
}

func (f Flags) flag(name string, value bool) Flags { return Flags{f.setBool(name, value)} }

// UnmarshalJSON decodes flags, unknown ones included, in their order. The service may write
// no flags as an empty array.
func (f *Flags) UnmarshalJSON(data []byte) error {
	text := string(wire.Trim(data))
	if text == "null" {
		return nil
	}
	if object, ok := asObject(text); ok {
		text = object
	}
	decoded, err := decodeText([]byte(text))
	if err == nil {
		*f = Flags{decoded}
	}
	return err
}

// Format writes the names of the flags under every verb, and no value.
func (f Flags) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.describe()) }

// LogValue is the names of the flags, and no value.
func (f Flags) LogValue() slog.Value { return slog.StringValue(f.describe()) }

func (f Flags) describe() string {
	var names []string
	for quoted := range wire.Members(f.text()) {
		names = append(names, wire.Unquote(quoted))
	}
	return "flags[" + strings.Join(names, " ") + "]"
}

// checkCountries adds a problem for every code that names no country: whom such a code would
// keep out is not documented. The countries are a flag of the session and of its
// identity-document steps.
func (p *problems) checkCountries(at fieldPath, flags string) {
	const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for at, code := range at.member("document_countries").items(get(flags, "document_countries")) {
		country := wire.Unquote(code)
		p.require(len(country) == 3 && strings.Trim(country, capitals) == "", at, "must be three capital letters, such as DEU")
	}
}
