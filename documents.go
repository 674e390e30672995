package identomat

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/wire"
)

// DocumentsService reads images of documents and compares faces, outside of any session. (API reference,
// Processing an image; the methods name their sections.)
//
// Every method may be billed, so it is not retried after a lost response; see [MaybeProcessed]. Whether
// an image that the service refuses is billed is not documented.
//
// The API reference asks for a JPEG. Identomat also accepts a PNG. The image must be in color and not a
// screenshot. The SDK does not check this. The error for a file that is neither a JPEG nor a PNG is
// undocumented; package identomattest returns [ErrWrongParameters]. The images are the file parts image,
// or face1 and face2.
//
// Errors of all methods: [ValidationError] for a missing or empty file; [TransportError] for a file that
// cannot be read to its end, in which case nothing was processed; [ErrInvalidKey], [ErrRateLimited],
// [ErrUnexpectedResponse]; [ErrImageRefused] for an unreadable image. For such an image, the API
// reference promises "a string with an error code", but names no code.
type DocumentsService struct{ client *Client }

// Document holds what was read from an image of a document. It is personal data: fmt and slog show a
// mask, and encoders refuse it; store [Document.Raw].
type Document struct {
	record
	// Fields holds what was read, keyed by the service's names. For a passport, use MRZData, which is
	// from the machine-readable zone, and VisualData, which is from the rest of the page.
	Fields     DocumentFields `json:"-"`
	MRZData    DocumentFields `json:"mrzData"`
	VisualData DocumentFields `json:"visualData"`
	// Person combines everything that was read about the person.
	Person Person `json:"person"`
	// RequestID identifies the call, for questions to Identomat.
	RequestID string `json:"requestId"`
}

// Extra returns the members of "person" that this SDK does not know or whose type is wrong, keyed by
// path, such as "person.eye_color". Unknown fields of the document itself are in Fields.
func (d *Document) Extra() map[string]json.RawMessage {
	extra := codec.Extra(d.raw, d)
	for name := range d.Fields {
		delete(extra, name)
	}
	return extra
}

// UnmarshalJSON decodes a document, such as a recorded one.
func (d *Document) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, d) }

func (d *Document) complete(bool) error {
	hasPerson := false
	d.Fields = DocumentFields{}
	for m := wire.Members(d.raw); m.Next(); {
		switch name := wire.Unquote(m.Name); name {
		case "person":
			hasPerson = true
		case "mrzData", "visualData", "requestId":
		default:
			var field any
			if err := codec.Decode(m.Value, &field); err != nil {
				return err
			}
			d.Fields[name] = field
		}
	}
	if d.RequestID == "" && !hasPerson && d.MRZData == nil && d.VisualData == nil {
		// Every response in the API documentation has a person and a request id.
		return errors.New("no document")
	}
	return nil
}

// CardFront reads the front of an identity card with card/front/. (API reference, ID card front side.)
func (s *DocumentsService) CardFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.CardFront, image)
}

// CardBack reads the back of an identity card with card/back/. (API reference, ID card back side.)
func (s *DocumentsService) CardBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.CardBack, image)
}

// LicenseFront reads the front of a driver's license with license/front/. (API reference, Driver license
// front side.)
func (s *DocumentsService) LicenseFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.LicenseFront, image)
}

// LicenseBack reads the back of a driver's license with license/back/. (API reference, Driver license back
// side.)
func (s *DocumentsService) LicenseBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.LicenseBack, image)
}

// ResidenceFront reads a residence permit's front with residence/front/. (API reference, Residence permit
// front side.)
func (s *DocumentsService) ResidenceFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.ResidenceFront, image)
}

// ResidenceBack reads a residence permit's back with residence/back/. (API reference, Residence permit
// back side.)
func (s *DocumentsService) ResidenceBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.ResidenceBack, image)
}

// Passport reads a passport's photo page with passport/. (API reference, Passport photo page.) The data is
// in [Document.MRZData] and [Document.VisualData].
func (s *DocumentsService) Passport(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.Passport, image)
}

func (s *DocumentsService) read(ctx context.Context, op *operation.Operation, image File) (*Document, error) {
	return do[*Document](ctx, s.client, op, upload{{"image", image}})
}

// ImageCode says what is wrong with an image, in [APIError.ImageCode] or a [FaceComparison]. The
// constants begin with Image, such as [ImageDocumentBlurry]; other codes may occur.
type ImageCode string

// The codes in Identomat's mobile SDKs. The API documentation lists only FACE_FAR_AWAY.
const (
	ImageDocumentAlign               ImageCode = "DOCUMENT_ALIGN"
	ImageDocumentBlurry              ImageCode = "DOCUMENT_BLURRY"
	ImageDocumentFaceBlurry          ImageCode = "DOCUMENT_FACE_BLURRY"
	ImageDocumentFaceRequireBrighter ImageCode = "DOCUMENT_FACE_REQUIRE_BRIGHTER"
	ImageDocumentFaceTooBright       ImageCode = "DOCUMENT_FACE_TOO_BRIGHT"
	ImageDocumentFaceAlign           ImageCode = "DOCUMENT_FACE_ALIGN"
	ImageDocumentMoveAway            ImageCode = "DOCUMENT_MOVE_AWAY"
	ImageDocumentMoveCloser          ImageCode = "DOCUMENT_MOVE_CLOSER"
	ImageDocumentMoveDown            ImageCode = "DOCUMENT_MOVE_DOWN"
	ImageDocumentMoveLeft            ImageCode = "DOCUMENT_MOVE_LEFT"
	ImageDocumentMoveRight           ImageCode = "DOCUMENT_MOVE_RIGHT"
	ImageDocumentMoveUp              ImageCode = "DOCUMENT_MOVE_UP"
	ImageDocumentTypeUnknown         ImageCode = "DOCUMENT_TYPE_UNKNOWN"
	ImageDocumentCovered             ImageCode = "DOCUMENT_COVERED"
	ImageDocumentGrayscale           ImageCode = "DOCUMENT_GRAYSCALE"
	ImageDocumentFormatMismatch      ImageCode = "DOCUMENT_FORMAT_MISMATCH"
	ImageDocumentTypeMismatch        ImageCode = "DOCUMENT_TYPE_MISMATCH"
	ImageDocumentPageMismatch        ImageCode = "DOCUMENT_PAGE_MISMATCH"
	ImageDocumentNotReadable         ImageCode = "DOCUMENT_NOT_READABLE"
	ImageDocumentSpoofingDetected    ImageCode = "DOCUMENT_SPOOFING_DETECTED2"
	ImageNoDocumentInImage           ImageCode = "NO_DOCUMENT_IN_IMAGE"

	ImageFaceAlign           ImageCode = "FACE_ALIGN"
	ImageFaceAwayFromCenter  ImageCode = "FACE_AWAY_FROM_CENTER"
	ImageFaceBlurry          ImageCode = "FACE_BLURRY"
	ImageFaceFarAway         ImageCode = "FACE_FAR_AWAY"
	ImageFaceTooClose        ImageCode = "FACE_TOO_CLOSE"
	ImageFaceRequireBrighter ImageCode = "FACE_REQUIRE_BRIGHTER"
	ImageFaceTooBright       ImageCode = "FACE_TOO_BRIGHT"
	ImageFaceLookStraight    ImageCode = "FACE_LOOK_STRAIGHT"
	ImageFaceMismatch        ImageCode = "FACE_MISMATCH"
	ImageSmileDetected       ImageCode = "SMILE_DETECTED"
)

var imageCodes = [...]ImageCode{
	ImageDocumentAlign, ImageDocumentBlurry, ImageDocumentFaceBlurry, ImageDocumentFaceRequireBrighter,
	ImageDocumentFaceTooBright, ImageDocumentFaceAlign, ImageDocumentMoveAway, ImageDocumentMoveCloser,
	ImageDocumentMoveDown, ImageDocumentMoveLeft, ImageDocumentMoveRight, ImageDocumentMoveUp,
	ImageDocumentTypeUnknown, ImageDocumentCovered, ImageDocumentGrayscale, ImageDocumentFormatMismatch,
	ImageDocumentTypeMismatch, ImageDocumentPageMismatch, ImageDocumentNotReadable, ImageDocumentSpoofingDetected,
	ImageNoDocumentInImage, ImageFaceAlign, ImageFaceAwayFromCenter, ImageFaceBlurry, ImageFaceFarAway,
	ImageFaceTooClose, ImageFaceRequireBrighter, ImageFaceTooBright, ImageFaceLookStraight, ImageFaceMismatch,
	ImageSmileDetected,
}

// ImageCode says what is wrong with the image if the error is [ErrImageRefused]. A known code is one of
// the constants, even if the service spells it differently, such as documentNotReadable. Any other code
// is returned as the service spells it. ImageCode returns "" if there is no code, and for other errors.
func (e *APIError) ImageCode() ImageCode {
	if !errors.Is(e, ErrImageRefused) {
		return ""
	}
	for _, code := range imageCodes {
		if response.IsSameCode(e.Code, string(code)) {
			return code
		}
	}
	return ImageCode(e.Code)
}

// FaceComparison says how similar two faces are.
type FaceComparison struct {
	record
	// Similarity is from 0 to 1, or nil if the faces could not be compared; Face1Statuses and
	// Face2Statuses say why.
	Similarity *float64 `json:"similarity" wire:"present,strict"`
	// Face1Statuses and Face2Statuses are remarks on the images, such as [ImageFaceFarAway].
	Face1Statuses []ImageCode `json:"face1Statuses"`
	Face2Statuses []ImageCode `json:"face2Statuses"`
}

// Extra returns, keyed by path, the comparison's members that this SDK does not know or whose type is
// wrong.
func (c *FaceComparison) Extra() map[string]json.RawMessage { return codec.Extra(c.raw, c) }

// UnmarshalJSON decodes a comparison, such as a recorded one.
func (c *FaceComparison) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, c) }

// CompareFaces compares two faces with compare-faces. (API reference, Additional processing.) The API
// reference requires faces of at least 80 pixels. If the faces cannot be compared, Similarity is nil and
// there is no error. Identomat documents no threshold above which two faces belong to one person.
func (s *DocumentsService) CompareFaces(ctx context.Context, face1, face2 File) (*FaceComparison, error) {
	return do[*FaceComparison](ctx, s.client, operation.CompareFaces, upload{{"face1", face1}, {"face2", face2}})
}

// upload holds the files of a multipart call. In the form, the company key precedes them.
type upload []struct {
	name string
	file File
}

// multipartForm is [upload] as an interface, so that a program without uploads links no code for them.
type multipartForm interface {
	fill(ctx context.Context, c *Client, op *operation.Operation, call *engine.Call, p *problems) error
}

// fill adds what is wrong with the files to p. If nothing is wrong, it sets the body of the call.
func (files upload) fill(ctx context.Context, c *Client, op *operation.Operation, call *engine.Call, p *problems) error {
	for _, f := range files { // before any file is opened, because some can be read only once
		switch {
		case f.file.open == nil:
			p.add(f.name, "must not be missing")
		case f.file.once && c.secret.Reveal() != "":
			p.add(f.name, "can be read only once, but a signature is computed before it is sent")
		}
	}
	if len(*p) > 0 {
		return nil
	}
	var parts []form.File
	for _, f := range files {
		part, err := f.file.part(ctx, f.name)
		if unreadable, ok := errors.AsType[*form.SourceError](err); ok {
			return &TransportError{Operation: op.Name, Err: unreadable}
		}
		if err != nil {
			p.add(f.name, err.Error())
		}
		parts = append(parts, part)
	}
	body := form.New(op.KeyName(), c.key.Reveal(), parts)
	call.ContentType, call.Source = body.ContentType(), body
	return nil
}
