package identomat

import (
	"errors"

	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/wire"
)

// Parameters and results shared by endpoints of several areas.

// sessionParams are the parameters of the endpoints that take nothing but a session token.
type sessionParams struct {
	// Token is a string because go-querystring would send the mask of a Token.
	Token string `json:"sessionId" url:"session_token"`
}

func ofSession(token Token) sessionParams { return sessionParams{string(token)} }

func (s sessionParams) validate(op *operation.Operation, p *problems) {
	p.requireText(op.SessionName(), s.Token)
}

// recordParams are the parameters of the endpoints that take nothing but the id of a record.
type recordParams struct {
	ID string `json:"id"`
}

func (r recordParams) validate(_ *operation.Operation, p *problems) { p.requireText("id", r.ID) }

// queryParams puts parameters into an object named query, as some endpoints require.
type queryParams[Q validator] struct {
	Query Q `json:"query"`
}

func (q queryParams[Q]) validate(op *operation.Operation, p *problems) { q.Query.validate(op, p) }

// recordID is the id of a new record.
type recordID string

func (id *recordID) UnmarshalJSON(data []byte) error {
	text := wire.Unquote(data)
	if !response.IsID(text) {
		return errors.New("not an id")
	}
	*id = recordID(text)
	return nil
}
