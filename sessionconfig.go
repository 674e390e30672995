package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/identomat-go/identomat/internal/operation"
)

// SessionConfig is a configuration of the dashboard, which sessions can be begun with. fmt, slog and
// encoding/json show a mask.
//
// Its steps can be changed and sent back. Here every session of the configuration looks
// at the customer in the same way but asks for active liveness:
//
//	for i, step := range config.Steps {
//		if liveness, ok := step.(identomat.LivenessStep); ok {
//			config.Steps[i] = liveness.Active(true)
//		}
//	}
//	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{ConfigID: config.ID, Steps: config.Steps})
type SessionConfig struct {
	private

	// ID is for [BeginRequest.ConfigID].
	ID string `json:"id"`
	// Name is what the dashboard shows.
	Name string `json:"name"`
	// General holds for the session as a whole.
	General GeneralConfig `json:"general"`
	// Steps keep every member that they came with, known or not.
	Steps Steps `json:"steps"`

	raw json.RawMessage
}

// GeneralConfig is what a configuration says about a session as a whole.
type GeneralConfig struct {
	private

	// Language is that of the user interface; "" if the configuration does not say.
	Language Language `json:"language"`
	// SessionLifetime is how long a session can be used, in minutes; 0 if the
	// configuration does not say, and then it is 15.
	SessionLifetime int `json:"sessionLifetime"`

	raw json.RawMessage
}

// Raw is this part of the configuration as it came. The caller must not write to it.
func (g *GeneralConfig) Raw() json.RawMessage { return g.raw }

// UnmarshalJSON reads an object; the service may write an empty one as [].
func (g *GeneralConfig) UnmarshalJSON(data []byte) error {
	type fields GeneralConfig // without UnmarshalJSON
	var general fields
	if err := decodeTolerant(data, &general); err != nil {
		return err
	}
	general.raw = bytes.Clone(data)
	*g = GeneralConfig(general)
	return nil
}

// Raw is the configuration as it came. The caller must not write to it.
func (c *SessionConfig) Raw() json.RawMessage { return c.raw }

// UnmarshalJSON reads a configuration. It fails without an id, and for a step that is no
// object: a configuration that lost a step must not be sent back.
func (c *SessionConfig) UnmarshalJSON(data []byte) error {
	type fields SessionConfig // without UnmarshalJSON
	var config fields
	if err := decodeObject(data, &config); err != nil {
		return err
	}
	if config.ID == "" {
		return errors.New("identomat: a configuration without an id")
	}
	var whole struct {
		Steps Steps `json:"steps"`
	}
	if err := json.Unmarshal(data, &whole); err != nil { // not tolerant
		return err
	}
	config.raw = bytes.Clone(data)
	*c = SessionConfig(config)
	return nil
}

// Config returns a configuration of the dashboard with get-session-config, by the id that
// sessions are begun with. (API reference, Other methods, get-session-config.)
//
// Errors: [ValidationError] before anything is sent; [ErrWrongParameters], the only one
// that the reference lists; [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *SessionsService) Config(ctx context.Context, configID string) (*SessionConfig, error) {
	op := operation.SessionConfig
	if err := s.client.require(op, "sessionConfigId", configID); err != nil {
		return nil, err
	}
	var config wrapped[SessionConfig]
	params := s.client.params().and("sessionConfigId", jsonString(configID))
	if err := s.client.callAPI(ctx, op, params, &config); err != nil {
		return nil, err
	}
	return &config.value, nil
}
