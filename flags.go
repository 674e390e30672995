package identomat

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

// DocumentType is a kind of identity document. Values other than the constants can be sent, too: the
// sample configuration in the API reference has residence_permit instead of residence_license, and the
// Android SDK knows non_bio_passport.
type DocumentType string

// The types of identity document. (Developer guide 2025, Identity document verification.)
const (
	Passport         DocumentType = "passport"
	IDCard           DocumentType = "id"
	DriverLicense    DocumentType = "driver_license" // for a general document, use DriversLicense
	ResidenceLicense DocumentType = "residence_license"
)

// GeneralDocumentType is a kind of document other than an identity document, such as a proof of address.
// Values other than the constants can be sent, too.
type GeneralDocumentType string

// The general documents in the Developer guide 2025, Proof of Address.
const (
	UtilityBill                    GeneralDocumentType = "utility_bill"
	BankStatement                  GeneralDocumentType = "bank_statement"
	YellowSlip                     GeneralDocumentType = "yellow_slip"
	DriversLicense                 GeneralDocumentType = "drivers_license" // for an identity document, use DriverLicense
	VehicleRegistrationCertificate GeneralDocumentType = "vehicle_registration_certificate"
)

// Flags are the options of a whole session: the parameter flags of begin/. A Flags value never changes:
// every method returns a new one, so goroutines can extend a shared base. The zero value holds no flag
// and is left out of a request. fmt and slog show only the names of the flags.
//
// The comment of each method has the flag's wire name in parentheses. A flag that is not set is not
// sent, so the service's default applies, which is false for a boolean flag. A flag that is set to false
// is sent.
//
// The flags about liveness, documents, faces, email addresses, phone numbers and cascading verification
// are documented in the System manual, the others in the Developer guide 2025, Flags. Several flags in
// the System manual have since become flags of a step. In a session with steps, prefer the step method
// that the comment of such a flag names.
type Flags struct{ object }

// NewFlags returns an empty set of flags, to be extended with the methods of [Flags].
func NewFlags() Flags { return Flags{} }

// Set sets any flag by its wire name. If value cannot be encoded as JSON, [SessionsService.Begin]
// returns a [ValidationError].
//
// Integrations and Identomat's own SDKs send these flags, which are not documented: skip_agreement
// (boolean), server ("computer", the default, or "human" for a call with an operator), platform (such as
// "desktop"), allow_nfc_capture (boolean), inn (boolean) and one boolean per document: document_type_id,
// document_type_passport, document_type_driver_license, document_type_residence_license,
// document_type_non_bio_passport, document_type_driver_license_vis.
func (f Flags) Set(name string, value any) Flags { return Flags{f.set(name, value)} }

// IsZero reports whether no flag is set.
func (f Flags) IsZero() bool { return f.describe() == "flags[]" }

// SkipFace stops the service from adding a face scan of its own (skip_face). Use it if the session has a
// liveness step or needs no face scan. (Developer guide 2025, Flags; System manual.)
func (f Flags) SkipFace(on bool) Flags { return f.Set("skip_face", on) }

// SkipDocument stops the service from adding a document scan of its own (skip_document). Use it if the
// session has an identity-document step or needs no document scan. (Developer guide 2025, Flags; System
// manual.)
func (f Flags) SkipDocument(on bool) Flags { return f.Set("skip_document", on) }

// ReturnURL is the URL where the browser goes when the customer is done (return_url); the service
// appends session_token to its query. Use an absolute URL: Identomat does not document what a relative
// URL means. The SDK does not check the URL; package identomattest refuses a relative URL. Default:
// none, for a widget in an iframe.
func (f Flags) ReturnURL(url string) Flags { return f.Set("return_url", url) }

// Language is the language of the user interface (language). Default: [English].
func (f Flags) Language(l Language) Flags { return f.Set("language", string(l)) }

// SkipDesktop keeps the session on mobile devices (skip_desktop): a desktop shows a QR code.
func (f Flags) SkipDesktop(on bool) Flags { return f.Set("skip_desktop", on) }

// SwitchDeviceURL is the address in the QR code for customers without a camera (switch_device_url).
// Default: none, and no QR code.
func (f Flags) SwitchDeviceURL(url string) Flags { return f.Set("switch_device_url", url) }

// RestrictURLSharing prevents the use of the session's URL in another browser or on another device
// (restrict_url_sharing). The QR code for customers without a camera then needs [Flags.SwitchDeviceURL];
// what happens to the QR code from [Flags.SkipDesktop] is not documented.
func (f Flags) RestrictURLSharing(on bool) Flags { return f.Set("restrict_url_sharing", on) }

// OptionalContinueOnAnotherDevice lets the customer move to another device
// (optional_continue_on_another_device).
func (f Flags) OptionalContinueOnAnotherDevice(on bool) Flags {
	return f.Set("optional_continue_on_another_device", on)
}

// MultipleParticipants lets several customers join a video call (multiple_participants). The Developer
// guide 2025 documents only [VideoCallStep.MultipleParticipants]. (Developer guide 2024, Flags; System
// manual.)
func (f Flags) MultipleParticipants(on bool) Flags { return f.Set("multiple_participants", on) }

// RequireHDMedia requires a Full HD camera in the liveness and document steps (requireHdMedia); without
// such a camera, a QR code leads to another device. It is the only flag in camel case.
func (f Flags) RequireHDMedia(on bool) Flags { return f.Set("requireHdMedia", on) }

// Liveness checks that the customer is present (liveness). With steps, use [LivenessStep.Active].
func (f Flags) Liveness(on bool) Flags { return f.Set("liveness", on) }

// DocumentTypes sets the accepted identity documents (document_types). Default: all. With steps, use
// [IdentityDocumentStep.Types].
func (f Flags) DocumentTypes(types ...DocumentType) Flags {
	return Flags{setStrings(f.object, "document_types", types)}
}

// DocumentCountries sets the accepted issuing countries (document_countries): three-letter codes like
// "DEU". Default: all. With steps, use [IdentityDocumentStep.Countries].
func (f Flags) DocumentCountries(codes ...string) Flags {
	return Flags{setStrings(f.object, "document_countries", codes)}
}

// GeneralDocumentTypes sets the accepted general documents (general_document_types). Default: all. It
// needs [Flags.AllowGeneralDocumentCapture] or [Flags.AllowGeneralDocumentUpload]. With steps, use
// [ProofOfAddress].
func (f Flags) GeneralDocumentTypes(types ...GeneralDocumentType) Flags {
	return Flags{setStrings(f.object, "general_document_types", types)}
}

// AllowGeneralDocumentCapture lets the customer photograph a general document
// (allow_general_document_capture).
func (f Flags) AllowGeneralDocumentCapture(on bool) Flags {
	return f.Set("allow_general_document_capture", on)
}

// AllowGeneralDocumentUpload lets the customer upload a general document
// (allow_general_document_upload).
func (f Flags) AllowGeneralDocumentUpload(on bool) Flags {
	return f.Set("allow_general_document_upload", on)
}

// AllowDocumentUpload lets the customer upload the identity document (allow_document_upload). With
// steps, use [IdentityDocumentStep.AllowUpload].
func (f Flags) AllowDocumentUpload(on bool) Flags { return f.Set("allow_document_upload", on) }

// AllowFaceUpload lets the customer upload a selfie (allow_face_upload). With steps, use
// [LivenessStep.AllowUpload].
func (f Flags) AllowFaceUpload(on bool) Flags { return f.Set("allow_face_upload", on) }

// AllowFaceDocUpload lets the customer upload a selfie with the document (allow_face_doc_upload). With
// steps, use [SelfieWithIDStep.AllowUpload].
func (f Flags) AllowFaceDocUpload(on bool) Flags { return f.Set("allow_face_doc_upload", on) }

// RequireFaceDocument requires a selfie with the document (require_face_document). With steps, use
// [SelfieWithIDStep.Require].
func (f Flags) RequireFaceDocument(on bool) Flags { return f.Set("require_face_document", on) }

// DisableDocumentCapture disables the camera for identity documents (disable_document_capture), so that
// only uploads remain. With steps, use [IdentityDocumentStep.DisableCapture].
func (f Flags) DisableDocumentCapture(on bool) Flags { return f.Set("disable_document_capture", on) }

// CaptureDoublePagePassport scans both pages of a passport instead of one
// (capture_double_page_passport).
func (f Flags) CaptureDoublePagePassport(on bool) Flags {
	return f.Set("capture_double_page_passport", on)
}

// RequireEmailCheck verifies the email address with a code (require_email_check). With steps, use
// [EmailStep.Verify].
func (f Flags) RequireEmailCheck(on bool) Flags { return f.Set("require_email_check", on) }

// RequireEmail collects the customer's email address (require_email). With steps, use
// [EmailStep.Collect].
func (f Flags) RequireEmail(on bool) Flags { return f.Set("require_email", on) }

// RequirePhoneNumberCheck verifies the phone number with a code (require_phone_number_check). With
// steps, use [PhoneNumberStep.Verify].
func (f Flags) RequirePhoneNumberCheck(on bool) Flags { return f.Set("require_phone_number_check", on) }

// RequirePhoneNumber collects the customer's phone number (require_phone_number). With steps, use
// [PhoneNumberStep.Collect].
func (f Flags) RequirePhoneNumber(on bool) Flags { return f.Set("require_phone_number", on) }

// CascadingIdentityVerification enables cascading verification in Identomat's mobile SDKs
// (cascading_identity_verification).
func (f Flags) CascadingIdentityVerification(on bool) Flags {
	return f.Set("cascading_identity_verification", on)
}

// UnmarshalJSON decodes flags, known or not, in their order. The service may send [] for no flags.
func (f *Flags) UnmarshalJSON(data []byte) error {
	text := string(wire.Trim(data))
	if text == "null" {
		return nil
	}
	if object, ok := asObject(text); ok {
		text = object
	}
	decoded, err := decodeObject([]byte(text))
	if err == nil {
		*f = Flags{decoded}
	}
	return err
}

// Format writes only the names of the flags, for every verb.
func (f Flags) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.describe()) }

// LogValue returns only the names of the flags.
func (f Flags) LogValue() slog.Value { return slog.StringValue(f.describe()) }

func (f Flags) describe() string {
	var names []string
	for m := wire.Members(f.json.AppendJSON(nil)); m.Next(); {
		names = append(names, printable(wire.Unquote(m.Name)))
	}
	return "flags[" + strings.Join(names, " ") + "]"
}
