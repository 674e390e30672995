package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/operation"
)

// DocumentsService reads images of documents and compares faces, outside of any session.
// (API reference, Processing an image and Additional processing.) A call may cost money, so
// it is sent again only when it is certain that the service did not process it.
type DocumentsService struct{ client *Client }

// Document is what was read from an image of a document. It holds personal data: fmt, slog
// and encoding/json show a mask; store [Document.Raw].
type Document struct {
	private
	// Fields are what was read, by the service's names. For a passport they are empty; see
	// MRZData and VisualData.
	Fields DocumentFields
	// MRZData and VisualData are what the machine-readable zone and the rest of a
	// passport's page say.
	MRZData    DocumentFields
	VisualData DocumentFields
	// Person is the same put together.
	Person Person
	// RequestID identifies the call, for questions to Identomat.
	RequestID string

	raw json.RawMessage
}

// Raw is the reply as it came. The caller must not write to it.
func (d *Document) Raw() json.RawMessage { return d.raw }

// Extra holds the fields of the reply's person that this SDK does not know, by their path:
// "person.eye_color". Unknown fields of the document itself are in Fields.
func (d *Document) Extra() map[string]json.RawMessage {
	found := map[string]json.RawMessage{}
	unknownFields(d.raw, reflect.TypeFor[documentReply](), "", found)
	for path := range found {
		if _, field := d.Fields[path]; field {
			delete(found, path)
		}
	}
	return found
}

// UnmarshalJSON reads a reply of an image reader. It fails if that is not a reply to a
// document.
func (d *Document) UnmarshalJSON(data []byte) error { return d.decode(bytes.Clone(data)) }

// documentReply are the members that are not fields of the document.
type documentReply struct {
	MRZData    DocumentFields `json:"mrzData"`
	VisualData DocumentFields `json:"visualData"`
	Person     personReply    `json:"person"`
	RequestID  string         `json:"requestId"`
}

var documentMembers = [...]string{"mrzData", "visualData", "person", "requestId"}

func (d *Document) decode(data []byte) error {
	*d = Document{}
	reply := documentReply{}
	err := decodeTolerantly(data, func() any {
		d.Person = Person{}
		reply = documentReply{Person: personReply{personFields: (*personFields)(&d.Person)}}
		return &reply
	})
	if err != nil {
		return err
	}
	hasPerson, hasFields := false, false
	for quoted := range membersOf(data) {
		name := string(memberName(quoted))
		hasPerson = hasPerson || name == "person"
		hasFields = hasFields || !slices.Contains(documentMembers[:], name)
	}
	fields := DocumentFields{}
	if hasFields { // a passport has none
		if err := json.Unmarshal(data, &fields); err != nil {
			return err
		}
		for _, name := range documentMembers {
			delete(fields, name)
		}
	}
	if reply.RequestID == "" && !hasPerson && reply.MRZData == nil && reply.VisualData == nil {
		// Every reply in the documents has both. Without either it is some other object.
		return errors.New("identomat: not what was read from a document")
	}
	if d.Person.PhoneNumber == "" {
		d.Person.PhoneNumber = reply.Person.Phone
	}
	d.Fields, d.MRZData, d.VisualData, d.RequestID, d.raw = fields, reply.MRZData, reply.VisualData, reply.RequestID, data
	return nil
}

// CardFront reads the front of an identity card with POST card/front/. (API reference,
// Processing an image, ID card front side.)
//
// Errors of this and the other readers: [ValidationError] for a missing or empty file,
// [TransportError] for a file that cannot be read to its end, with nothing processed;
// [ErrInvalidKey], [ErrRateLimited], [ErrUnexpectedResponse]. The documents show no error of
// the readers.
func (s *DocumentsService) CardFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.CardFront, image)
}

// CardBack reads the back of an identity card with POST card/back/. (API reference,
// Processing an image, ID card back side.) Errors: as for [DocumentsService.CardFront].
func (s *DocumentsService) CardBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.CardBack, image)
}

// LicenseFront reads the front of a driver's license with POST license/front/. (API
// reference, Processing an image, Driver license front side.) Errors: as for
// [DocumentsService.CardFront].
func (s *DocumentsService) LicenseFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.LicenseFront, image)
}

// LicenseBack reads the back of a driver's license with POST license/back/. (API
// reference, Processing an image, Driver license back side.) Errors: as for
// [DocumentsService.CardFront].
func (s *DocumentsService) LicenseBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.LicenseBack, image)
}

// ResidenceFront reads the front of a residence permit with POST residence/front/. (API
// reference, Processing an image, Residence permit front side.) Errors: as for
// [DocumentsService.CardFront].
func (s *DocumentsService) ResidenceFront(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.ResidenceFront, image)
}

// ResidenceBack reads the back of a residence permit with POST residence/back/. (API
// reference, Processing an image, Residence permit back side.) Errors: as for
// [DocumentsService.CardFront].
func (s *DocumentsService) ResidenceBack(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.ResidenceBack, image)
}

// Passport reads the photo page of a passport with POST passport/. (API reference,
// Processing an image, Passport photo page.) The result is in [Document.MRZData] and
// [Document.VisualData]. Errors: as for [DocumentsService.CardFront].
func (s *DocumentsService) Passport(ctx context.Context, image File) (*Document, error) {
	return s.read(ctx, operation.Passport, image)
}

func (s *DocumentsService) read(ctx context.Context, op *operation.Operation, image File) (*Document, error) {
	document := new(Document)
	if err := s.client.upload(ctx, op, "company_key", document, namedFile{"image", image}); err != nil {
		return nil, err
	}
	return document, nil
}

// FaceComparison says how much two faces are alike.
type FaceComparison struct {
	// Similarity goes from 0 to 1. It is nil if the faces could not be compared; the
	// statuses say why.
	Similarity *float64 `json:"similarity"`
	// Face1Statuses and Face2Statuses are remarks on the images, such as FACE_FAR_AWAY.
	Face1Statuses []string `json:"face1Statuses"`
	Face2Statuses []string `json:"face2Statuses"`

	raw json.RawMessage
}

// Raw is the comparison as it came. The caller must not write to it.
func (c *FaceComparison) Raw() json.RawMessage { return c.raw }

// UnmarshalJSON reads a comparison. It fails if the similarity is missing, or neither a
// number nor null: a comparison that was not understood must not look like one without a
// result.
func (c *FaceComparison) UnmarshalJSON(data []byte) error {
	var reply struct {
		Similarity    json.RawMessage `json:"similarity"`
		Face1Statuses []string        `json:"face1Statuses"`
		Face2Statuses []string        `json:"face2Statuses"`
	}
	if err := decodeTolerant(data, &reply); err != nil {
		return err
	}
	*c = FaceComparison{Face1Statuses: reply.Face1Statuses, Face2Statuses: reply.Face2Statuses, raw: bytes.Clone(data)}
	if reply.Similarity == nil {
		return errors.New("identomat: a comparison without a similarity")
	}
	return json.Unmarshal(reply.Similarity, &c.Similarity)
}

// CompareFaces tells how much two faces are alike with POST compare-faces. (API reference,
// Additional processing.) The reference wants faces of at least 80 pixels. A reply without a
// similarity is no error; its Similarity is nil. The documents name no threshold above which
// two faces are one person's.
//
// Errors: as for [DocumentsService.CardFront].
func (s *DocumentsService) CompareFaces(ctx context.Context, face1, face2 File) (*FaceComparison, error) {
	var reply comparisonReply
	err := s.client.upload(ctx, operation.CompareFaces, "companyKey", &reply, namedFile{"face1", face1}, namedFile{"face2", face2})
	if err != nil {
		return nil, err
	}
	return &reply.Result, nil
}

// comparisonReply is strict where wrapped is not.
type comparisonReply struct {
	Result FaceComparison `json:"result"`
}

func (r *comparisonReply) decode(data []byte) error { return json.Unmarshal(data, r) }

type namedFile struct {
	name string
	file File
}

// upload sends the company key and then the files.
func (c *Client) upload(ctx context.Context, op *operation.Operation, keyName string, into decoder, files ...namedFile) error {
	var p problems
	for _, f := range files { // before the first is read, which some can be only once
		switch {
		case f.file.open == nil:
			p.add(f.name, "is missing")
		case f.file.once && c.secret.Reveal() != "":
			p.add(f.name, "can be read only once, and a signature reads it before it is sent")
		}
	}
	if err := p.err(op.Name); err != nil {
		return err
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
	if err := p.err(op.Name); err != nil {
		return err
	}
	return c.callUpload(ctx, op, form.New([]form.Field{{Name: keyName, Value: c.key.Reveal()}}, parts), into)
}
