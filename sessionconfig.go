package identomat

import (
	"context"

	"github.com/identomat-go/identomat/internal/operation"
)

// SessionConfig is a configuration of the dashboard that sessions can be begun with. fmt and
// slog show a mask.
//
// Its steps can be changed and sent. This session follows the configuration but requires
// active liveness:
//
//	for i, step := range config.Steps {
//		if liveness, ok := step.(identomat.LivenessStep); ok {
//			config.Steps[i] = liveness.Active(true)
//		}
//	}
//	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{ConfigID: config.ID, Steps: config.Steps})
type SessionConfig struct {
	record

	// ID is for [BeginRequest.ConfigID].
	ID string `json:"id" wire:"required"`
	// Name is shown in the dashboard.
	Name string `json:"name"`
	// General applies to the whole session.
	General GeneralConfig `json:"general"`
	// Steps keep all members, including those that this SDK does not know.
	Steps Steps `json:"steps" wire:"strict"`
}

// GeneralConfig is the part of a configuration that applies to the whole session.
type GeneralConfig struct {
	record

	// Language is that of the user interface; "" if the configuration does not set it.
	Language Language `json:"language"`
	// SessionLifetime is how long a session can be used, in minutes. 0 means that the
	// configuration does not set it; the service's default is 15.
	SessionLifetime int `json:"sessionLifetime"`
}

// UnmarshalJSON decodes a configuration, such as a recorded one.
func (c *SessionConfig) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, c) }

// Config returns a configuration of the dashboard with get-session-config, by the id for
// [BeginRequest.ConfigID]. (API reference, Other methods.)
//
// Errors: [ErrWrongParameters], the only one that the reference lists.
func (s *SessionsService) Config(ctx context.Context, configID string) (*SessionConfig, error) {
	return do[*SessionConfig](ctx, s.client, operation.SessionConfig, configParams{configID})
}

type configParams struct {
	ID string `json:"sessionConfigId"`
}

func (c configParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("sessionConfigId", c.ID)
}
