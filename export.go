package identomat

import (
	"context"

	"github.com/identomat-go/identomat/internal/operation"
)

// PDFParts are the parts of an exported session. At least one must be chosen.
type PDFParts struct {
	// Session is the session itself, with the person and the documents.
	Session bool
	// Screening are the results of screening the person.
	Screening bool
	// ProofOfAddress are the proofs of address.
	ProofOfAddress bool
}

// ExportPDF fetches a session as a PDF document with POST export-session-as-pdf. (API
// reference, Session management.)
//
// Errors: [ValidationError] for an empty token or if no part is chosen;
// [ErrSessionNotFound], [ErrInvalidKey], [ErrWrongParameters], [ErrUnexpectedResponse] for
// what is no media; [TransportError].
func (s *SessionsService) ExportPDF(ctx context.Context, token Token, parts PDFParts) (*Media, error) {
	op := operation.ExportSessionPDF
	if s.client.validate {
		var p problems
		p.checkToken("sessionId", token)
		if parts == (PDFParts{}) {
			p.add("exportSession", "no part is chosen; one of exportSession, exportScreening and exportProofOfAddress must be true")
		}
		if err := p.err(op.Name); err != nil {
			return nil, err
		}
	}
	body, err := s.client.sessionBody(op, token,
		member{name: "exportSession", value: jsonBool(parts.Session)},
		member{name: "exportScreening", value: jsonBool(parts.Screening)},
		member{name: "exportProofOfAddress", value: jsonBool(parts.ProofOfAddress)})
	if err != nil {
		return nil, err
	}
	return s.client.media(ctx, op, "application/json", body)
}
