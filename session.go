package identomat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/wire"
)

// SessionsService begins verification sessions, reads their results, and erases them. (API reference,
// Session management.)
//
// [SessionsService.Begin] may be billed, so it is not retried after a lost response; see
// [MaybeProcessed]. The other methods read or erase, and are retried. [SessionsService.Result] and
// [SessionsService.Wait] return the outcome.
type SessionsService struct{ client *Client }

// Token identifies a session: session_token or sessionId on the wire, because Identomat also calls it
// the session id. Whoever has it can open the widget as the customer, so fmt and slog show a mask. To
// store or compare a token, use string(token) or its JSON, which are not masked. Do not give a token to
// a logger that encodes JSON.
type Token string

// Format writes a mask for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns a mask, because a panic prints a value's String.
func (Token) String() string { return redacted }

// LogValue returns a mask.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// Session is a session that [SessionsService.Begin] has begun: its token and the URL of the widget. By
// default, the customer can use a session for 15 minutes. A configuration in the dashboard can set another
// lifetime (SessionLifetime in [GeneralConfig]). The response does not contain the lifetime, so the SDK
// cannot know it.
//
// The JSON of a Session holds both fields, and you can store it or hand it to your front end. fmt and slog
// show a mask.
type Session struct {
	masked

	// Token is needed by every later call. Store it with your customer's id.
	Token Token `json:"token"`
	// URL is the address of the widget, to which you send the customer's browser by redirect or in an
	// iframe (package widget). It contains the token and is valid for 15 minutes, or for the lifetime
	// that the configuration sets.
	//
	// If you redirect in response to a form, and the form's page has a Content-Security-Policy, its
	// form-action must name [Client.WidgetURL]. Otherwise Chromium blocks the redirect.
	URL string `json:"url"`
}

// BeginRequest describes a session. All fields are optional; the zero value begins a session with the
// company's defaults. Names and preset answers are personal data: fmt and slog show a mask, and encoders
// refuse a request. To queue a request, store the data that you make it from.
type BeginRequest struct {
	private

	// Flags apply to the whole session (flags).
	Flags Flags `json:"-"`
	// Steps are the steps in order (steps). A step given with a ConfigID replaces the configuration's
	// step with that key. Without a ConfigID, the flags skip_face and skip_document are sent as true
	// unless Flags sets them, so that the service adds no steps of its own. A session with only a
	// questionnaire therefore checks neither a document nor a face.
	Steps Steps `json:"-"`
	// ConfigID is the id of a configuration in the dashboard. Identomat recommends using one.
	ConfigID string `json:"config_id,omitzero"`
	// ParentSessionID makes this a child session, for calls with several participants.
	ParentSessionID Token `json:"parent_session_id,omitzero"`
	// Name is shown in the dashboard until the person's name replaces it.
	Name string `json:"name,omitzero"`
	// ClientUserID is your own id for the customer. It links the sessions of one person.
	ClientUserID string `json:"clientUserId,omitzero"`
	// GroupID is the group whose members may take the session's video call.
	GroupID string `json:"groupId,omitzero"`
	// ScheduleStart and ScheduleEnd bound the time in which the session can be used; the zero time sets
	// no bound. They are sent in UTC with milliseconds.
	ScheduleStart time.Time `json:"scheduleStartTime,omitzero"`
	ScheduleEnd   time.Time `json:"scheduleEndTime,omitzero"`
	// Extra holds parameters that this SDK does not know, keyed by wire name.
	Extra map[string]any `json:",inline"`
}

// beginParams are the parameters of begin/.
type beginParams struct {
	Flags wire.Appender `json:"flags,omitzero"`
	Steps wire.Appender `json:"steps,omitzero"`
	BeginRequest
	flagsText, stepsText []byte // the JSON text of Flags and Steps
}

// allowed remembers steps that break no rule by their hashes, because a program begins most of its sessions
// with the same steps. Each hash has one slot, where it replaces an older hash.
var allowed [256]atomic.Uint64

func (b *beginParams) validateEncoded(p *problems) {
	p.in("flags", checkCountries(wire.NewReader(b.flagsText)))
	sum := hash(b.stepsText)
	if b.ConfigID != "" {
		sum = ^sum // fewer rules apply
	}
	if slot := &allowed[sum%uint64(len(allowed))]; slot.Load() != sum {
		broken := checkSteps(wire.NewReader(b.stepsText), b.ConfigID != "")
		if len(broken) == 0 {
			slot.Store(sum)
		}
		*p = append(*p, broken...)
	}
	isOrdered := b.ScheduleStart.IsZero() || b.ScheduleEnd.IsZero() || b.ScheduleEnd.After(b.ScheduleStart)
	p.require(isOrdered, "scheduleEndTime", "must be after scheduleStartTime")
}

// requestFlags appends the flags of a request, and the flags that its steps require.
type requestFlags beginParams

// skips reports whether the service must not add steps of its own.
func (r *requestFlags) skips() bool { return len(r.BeginRequest.Steps) > 0 && r.ConfigID == "" }

func (r *requestFlags) AppendJSON(dst []byte) []byte {
	from := len(dst)
	dst = r.BeginRequest.Flags.json.AppendJSON(dst)
	for _, name := range [...]string{"skip_face", "skip_document"} {
		if r.skips() && !r.BeginRequest.Flags.json.Has(name) {
			dst = dst[:len(dst)-1] // without the closing bracket
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), name...), `":true}`...)
		}
	}
	r.flagsText = dst[from:]
	return dst
}

// requestSteps appends a request's steps.
type requestSteps beginParams

func (s *requestSteps) AppendJSON(dst []byte) []byte {
	from := len(dst)
	dst = s.BeginRequest.Steps.appendJSON(dst)
	s.stepsText = dst[from:]
	return dst
}

// Begin begins a session with begin/, and returns its token and the URL of the widget. (API reference,
// Session creation; Developer guide 2025, Additional session parameters.)
//
// A session costs money, so the call is retried only when the service certainly began none. If
// [MaybeProcessed] is true for an error, a session may exist, and its token is lost. Then:
//
//  1. Record that it is unclear whether the customer has a session, and begin no other session.
//  2. Let a person look for the session in the dashboard's list of sessions, by ClientUserID, Name and time.
//     It is not documented that the dashboard shows or finds a ClientUserID, nor when a new session appears.
//  3. Use the session if it is there. Otherwise begin another one when that person has decided so, or when
//     the lifetime of the lost session (see [Session]) is over: nobody can use it then, but it may be billed.
//
// Module river records such customers and lists them for a person.
//
// Errors: [ErrWrongParameters]. An error code is never taken for a token.
func (s *SessionsService) Begin(ctx context.Context, req BeginRequest) (*Session, error) {
	params := beginParams{BeginRequest: req}
	if flags := (*requestFlags)(&params); flags.skips() || !req.Flags.IsZero() {
		params.Flags = flags
	}
	if len(req.Steps) > 0 {
		params.Steps = (*requestSteps)(&params)
	}
	token, err := do[Token](ctx, s.client, operation.SessionBegin, &params)
	if err != nil {
		return nil, err
	}
	return &Session{Token: token, URL: s.client.widgetURL + "/?session_token=" + url.QueryEscape(string(token))}, nil
}

// Result returns a session's result with result/, even while the session is in progress. (API reference,
// Session results.) Use [Result.Approved] to let a customer in. Errors: [ErrSessionNotFound].
func (s *SessionsService) Result(ctx context.Context, token Token) (*Result, error) {
	return do[*Result](ctx, s.client, operation.SessionResult, ofSession(token))
}

// DeletedSession is what the service returned about a session that it deleted. If the service returned
// no object, Raw returns only the JSON value true, so store Raw only if Result is not nil. The object
// may be the last copy of the customer's data: do not store it if you may no longer keep the data. fmt
// and slog show a mask, and encoders refuse it.
type DeletedSession struct {
	// record holds the response: true, or an object about the session.
	record
	// Result is the last result of the session, or nil if the response holds none.
	Result *Result
}

// Delete erases a session and its data for good with delete/. (API reference, Session data deletion.) The
// response is true, or an object with "all the information about the deleted session" (System manual);
// most callers ignore it.
//
// The call is retried after a lost response. If the lost attempt erased the session, the retry finds no
// session: the error is [ErrSessionNotFound], and its MaybeProcessed is true. For a token from Begin,
// ErrSessionNotFound therefore means that the session is gone.
//
// Errors: [ErrSessionNotFound], [ErrSessionInvalid].
func (s *SessionsService) Delete(ctx context.Context, token Token) (*DeletedSession, error) {
	raw, err := do[json.RawMessage](ctx, s.client, operation.SessionDelete, ofSession(token))
	if err != nil {
		return nil, err
	}
	deleted := &DeletedSession{record: record{raw: raw}}
	if result := new(Result); result.UnmarshalJSON(raw) == nil {
		deleted.Result = result
	}
	return deleted, nil
}

const (
	// minPoll is the shortest interval between two polls of one session.
	minPoll = time.Second
	maxPoll = 15 * time.Second
	// maxPause bounds what a Retry-After can add to an interval.
	maxPause = 5 * time.Minute
	// maxFailedPolls is how many polls may fail in a row before Wait gives up.
	maxFailedPolls = 5
)

// Wait polls result/ until the session is no longer in progress or the context ends. The intervals grow
// from one second to at most fifteen, with jitter so that many waiting sessions spread their load. A
// Retry-After extends an interval by at most five minutes.
//
// Wait returns for every outcome but in_progress: approved, rejected, manual_check (an operator decides
// later) and any outcome that this SDK does not know. It gives up after five failed polls in a row.
// Together with an error, Wait returns the last result that it has read, or nil. When the context has
// ended, errors.Is matches [context.DeadlineExceeded] or [context.Canceled].
//
// Give the context a deadline, such as the session's lifetime of 15 minutes: a session that its customer
// has left stays in progress forever. A service that must survive restarts polls from a job queue or
// waits for the callback instead.
func (s *SessionsService) Wait(ctx context.Context, token Token) (*Result, error) {
	// last is the last response. A Result would be much larger, and thousands of sessions may wait at
	// once.
	var last json.RawMessage
	// A pause is between half of the interval and the whole, so that sessions that began together are
	// not polled together. The first pause is at least minPoll.
	interval, failed := 2*minPoll, 0
	for {
		result, err := s.poll(ctx, token)
		pause := interval/2 + rand.N(interval/2)
		switch {
		case err == nil && result.Outcome != OutcomeInProgress:
			return result, nil
		case err == nil:
			last, failed = result.raw, 0
		case ctx.Err() != nil || !IsTemporary(err):
			return resultOf(last), err
		default:
			if failed++; failed == maxFailedPolls {
				return resultOf(last), err
			}
			if api, ok := errors.AsType[*APIError](err); ok {
				pause += min(api.RetryAfter, maxPause)
			}
		}
		if ended := engine.Sleep(ctx, pause); ended != nil {
			failure := s.notPolled(ended, token)
			if err != nil {
				failure.Err = fmt.Errorf("%w; last poll: %w", failure.Err, err)
			}
			return resultOf(last), failure
		}
		interval = min(interval*3/2, maxPoll)
	}
}

// poll reads a result. It waits for the limiter before it prepares the call.
func (s *SessionsService) poll(ctx context.Context, token Token) (result *Result, err error) {
	if err := s.client.engine.Admit(ctx); err != nil {
		return nil, s.notPolled(err, token)
	}
	if err := s.client.do(ctx, operation.SessionResult, ofSession(token), &result, true); err != nil {
		return nil, err
	}
	return result, nil
}

// notPolled returns the error of a poll that was not sent.
func (s *SessionsService) notPolled(err error, token Token) *TransportError {
	err = redact.Error(err, string(token), s.client.key.Reveal(), s.client.secret.Reveal())
	return &TransportError{Operation: operation.SessionResult.Name, Err: err}
}

// resultOf decodes a response again. It returns nil if there was none.
func resultOf(raw json.RawMessage) *Result {
	result := new(Result)
	if raw == nil || result.UnmarshalJSON(raw) != nil {
		return nil
	}
	return result
}

// PDFParts chooses the parts of an exported session: Session (the person and the documents;
// exportSession), Screening (the results of screening the person; exportScreening) and ProofOfAddress
// (exportProofOfAddress). At least one must be true.
type PDFParts struct {
	Session        bool
	Screening      bool
	ProofOfAddress bool
}

// ExportPDF fetches a report on a session as a PDF with export-session-as-pdf.
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
	p.require(e.Session || e.Screening || e.ProofOfAddress, "exportSession",
		"must be true, unless exportScreening or exportProofOfAddress is")
}

// SessionConfig is a configuration in the dashboard. Its steps can be changed and sent. In this example,
// the session follows the configuration but requires active liveness:
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

	// Language is the language of the user interface, or "" if the configuration does not set it.
	Language Language `json:"language"`
	// SessionLifetime is how long a session can be used, in minutes. A value of 0 means that the
	// configuration does not set it; the service's default is 15.
	SessionLifetime int `json:"sessionLifetime"`
}

// Extra returns, keyed by path, the general configuration's members that this SDK does not know or whose
// type is wrong.
func (g *GeneralConfig) Extra() map[string]json.RawMessage { return codec.Extra(g.raw, g) }

// Extra returns, keyed by path, the configuration's members that this SDK does not know or whose type is
// wrong.
func (c *SessionConfig) Extra() map[string]json.RawMessage { return codec.Extra(c.raw, c) }

// UnmarshalJSON decodes a configuration, such as a recorded one.
func (c *SessionConfig) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, c) }

// Config returns a configuration in the dashboard with get-session-config. The id (sessionConfigId) is
// the same as in [BeginRequest.ConfigID]. (API reference, Other methods.) The only error that the API
// reference lists is [ErrWrongParameters].
func (s *SessionsService) Config(ctx context.Context, configID string) (*SessionConfig, error) {
	return do[*SessionConfig](ctx, s.client, operation.SessionConfig, configParams{configID})
}

type configParams struct {
	ID string `json:"sessionConfigId"`
}

func (c configParams) validate(_ *operation.Operation, p *problems) {
	p.requireText("sessionConfigId", c.ID)
}
