package identomat

import (
	"context"

	"github.com/identomat-go/identomat/internal/operation"
)

// PDFParts chooses the parts of an exported session. At least one must be true.
type PDFParts struct {
	// Session includes the session itself, with the person and the documents.
	Session bool
	// Screening includes the results of screening the person.
	Screening bool
	// ProofOfAddress includes the proofs of address.
	ProofOfAddress bool
}

// ExportPDF fetches a report on a session as a PDF with POST export-session-as-pdf. (API
// reference, Session management.)
//
// Errors: [ValidationError] for an empty token or if no part is chosen, [ErrSessionNotFound],
// [ErrWrongParameters], [ErrUnexpectedResponse] for a response that is not media.
func (s *SessionsService) ExportPDF(ctx context.Context, token Token, parts PDFParts) (*Media, error) {
	return media(ctx, s.client, operation.ExportSessionPDF, exportParams{string(token), parts.Session, parts.Screening, parts.ProofOfAddress})
}

type exportParams struct {
	Token          string `json:"sessionId"`
	Session        bool   `json:"exportSession"`
	Screening      bool   `json:"exportScreening"`
	ProofOfAddress bool   `json:"exportProofOfAddress"`
}

func (e exportParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("sessionId", e.Token)
	if !e.Session && !e.Screening && !e.ProofOfAddress {
		p.add("exportSession", "no part is chosen; one of exportSession, exportScreening and exportProofOfAddress must be true")
	}
}
