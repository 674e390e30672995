package identomat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"time"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/wire"
)

// SessionsService begins sessions and learns how they ended. (API reference, Session
// management.)
type SessionsService struct{ client *Client }

// Token identifies a session; Identomat also calls it the session id. Whoever has it can
// open the widget in the customer's place, so fmt and slog show a mask. To store or compare
// it, use string(token) or its JSON form, which are the token itself: a logger that encodes
// JSON shows a token inside of other values.
type Token string

// Format writes a mask under every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String is a mask: a panic prints a text of any type, but asks for this first.
func (Token) String() string { return redacted }

// LogValue is a mask.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// Session is a session that was begun. Its JSON form is the session itself, to store it
// or to hand it to your front end; fmt and slog show a mask.
type Session struct {
	// Token is needed for everything that follows: store it with your customer's id.
	Token Token `json:"token"`
	// URL is the widget, where the customer's browser must be sent, by redirect or in an
	// iframe. It contains the token and is valid for 15 minutes, or as long as the
	// configuration says.
	//
	// A page whose form is answered with the redirect must name the widget's origin,
	// [Client.WidgetURL], in the form-action of its Content-Security-Policy, if it has one:
	// Chromium blocks the redirect otherwise, and its console names the form's own address.
	URL string `json:"url"`
}

// Format writes a mask under every verb, because the URL contains the token.
func (Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is a mask.
func (Session) LogValue() slog.Value { return slog.StringValue(redacted) }

// BeginRequest says what a session consists of. Everything is optional; a session of
// nothing follows the company's defaults. Presets and names are personal data: fmt, slog
// and encoding/json show a mask, so a request cannot be queued as JSON; queue what it is
// made from.
type BeginRequest struct {
	private

	// Flags are settings of the whole session.
	Flags Flags
	// Steps are the steps in their order. With a ConfigID they replace the steps of the
	// same key in that configuration. Without one, the flags skip_face and skip_document
	// are sent as true unless Flags sets them, because the service would otherwise add
	// steps of its own beside these.
	Steps Steps
	// ConfigID names a configuration of the dashboard, the way that Identomat recommends.
	ConfigID string
	// ParentSessionID makes this a child session, for calls with several participants.
	ParentSessionID Token
	// Name is shown in the dashboard until the person's name replaces it.
	Name string
	// ClientUserID is your own id of the customer, to find the sessions of one person.
	ClientUserID string
	// GroupID is the group whose members may take the session's video call.
	GroupID string
	// ScheduleStart and ScheduleEnd bound the time in which the session can be used; the
	// zero time is no bound. They are sent in UTC with milliseconds.
	ScheduleStart, ScheduleEnd time.Time
	// Extra holds parameters that this SDK does not know, by their wire names.
	Extra map[string]any
}

// Begin makes a session with POST begin/ and returns its token and the URL of the widget.
// (API reference, Session creation; developer guide 2025, Additional session parameters.)
//
// A session costs money, so the request is sent again only when it is certain that no
// session was made. After an error of which [MaybeProcessed] is true, one may exist whose
// token is lost. ClientUserID links it to your customer; how to find it by that in the
// dashboard is not documented.
//
// Errors: [ValidationError] before anything is sent; [ErrInvalidKey],
// [ErrWrongParameters], [ErrRateLimited], [ErrUnexpectedResponse]. An error code of the
// service is never taken for a token.
func (s *SessionsService) Begin(ctx context.Context, req BeginRequest) (*Session, error) {
	op := operation.Begin
	if err := req.validate(op.Name, s.client.validate); err != nil {
		return nil, err
	}
	body, err := req.appendJSON(make([]byte, 0, 1024), s.client.key.Reveal())
	if err != nil {
		return nil, err
	}
	session := new(Session)
	err = s.client.callJSON(ctx, op, body, session)
	if err != nil {
		return nil, err
	}
	session.URL = s.client.widget + "/?session_token=" + url.QueryEscape(string(session.Token))
	return session, nil
}

// decode reads the bare string that begin/ answers with. What looks like an error code
// has been refused before.
func (s *Session) decode(data []byte) error {
	token, ok := plainString(trimJSON(data))
	if !ok || !isToken(token) {
		return errors.New("identomat: not a session token")
	}
	s.Token = Token(token)
	return nil
}

// isToken allows more than the 40 characters of [0-9a-z] that were seen, but nothing that
// could be a word or a code: those are short, or joined by hyphens, and have hardly a digit.
func isToken[T string | []byte](s T) bool {
	digits, lower, alphanumeric := 0, false, true
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' || c == '_' || c == '.' || c == '~':
			alphanumeric = false
		case c >= 'a' && c <= 'z':
			lower = true
		case !isWordByte(c):
			return false
		}
	}
	if len(s) < 16 || len(s) > 256 || !lower {
		return false
	}
	return digits >= 3 || alphanumeric && len(s) >= 32
}

// paramSessionToken is also what the widget appends to the return_url.
const paramSessionToken = "session_token"

const (
	paramCompanyKey    = "company_key"
	paramFlags         = "flags"
	paramSteps         = "steps"
	paramConfigID      = "config_id"
	paramParentSession = "parent_session_id"
	paramName          = "name"
	paramClientUserID  = "clientUserId"
	paramGroupID       = "groupId"
	paramScheduleStart = "scheduleStartTime"
	paramScheduleEnd   = "scheduleEndTime"
)

// appendJSON writes the request as begin/ takes it.
func (r *BeginRequest) appendJSON(dst []byte, companyKey string) ([]byte, error) {
	dst = wire.AppendString(append(dst, `{"`+paramCompanyKey+`":`...), companyKey)
	member := func(name string) { dst = append(wire.AppendString(append(dst, ','), name), ':') }
	if flags := r.flags(); !flags.IsZero() {
		member(paramFlags)
		dst = append(dst, flags.text()...)
	}
	if len(r.Steps) > 0 {
		member(paramSteps)
		dst = r.Steps.appendText(dst)
	}
	for _, p := range [...]struct{ name, value string }{
		{paramConfigID, r.ConfigID},
		{paramParentSession, string(r.ParentSessionID)},
		{paramName, r.Name},
		{paramClientUserID, r.ClientUserID},
		{paramGroupID, r.GroupID},
		{paramScheduleStart, scheduleTime(r.ScheduleStart)},
		{paramScheduleEnd, scheduleTime(r.ScheduleEnd)},
	} {
		if p.value != "" {
			member(p.name)
			dst = wire.AppendString(dst, p.value)
		}
	}
	for _, name := range sortedNames(r.Extra) {
		member(name)
		dst = append(dst, encodeValue(r.Extra[name])...)
	}
	return append(dst, '}'), nil
}

// flags are the request's flags, with those that its steps call for.
func (r *BeginRequest) flags() Flags {
	flags := r.Flags
	if len(r.Steps) == 0 || r.ConfigID != "" {
		return flags
	}
	text := flags.text()
	for _, name := range [...]string{"skip_face", "skip_document"} {
		if _, set := flags.Get(name); !set {
			text = wire.Set(text, name, []byte("true"))
		}
	}
	return Flags{newObject(text)}
}

func sortedNames[V any](extra map[string]V) []string {
	if len(extra) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(extra))
}

// scheduleTime has the precision of the guide's example.
func scheduleTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// validate checks what the documents say, and always what cannot be sent at all.
func (r *BeginRequest) validate(op string, documents bool) error {
	var p problems
	at := newPath("")
	if documents {
		r.Flags.validate(&p, at.member(paramFlags))
		r.Steps.validate(&p, at.member(paramSteps))
		if !r.ScheduleStart.IsZero() && !r.ScheduleEnd.IsZero() && !r.ScheduleEnd.After(r.ScheduleStart) {
			p.add(paramScheduleEnd, "must be after "+paramScheduleStart)
		}
	} else {
		p.addUnencodable(at.member(paramFlags), r.Flags.text())
		p.addUnencodable(at.member(paramSteps), r.Steps.text())
	}
	p.checkExtra(r.Extra, paramCompanyKey, paramFlags, paramSteps, paramConfigID, paramParentSession, paramName,
		paramClientUserID, paramGroupID, paramScheduleStart, paramScheduleEnd)
	return p.err(op)
}

// sessionForm is the form of every widget endpoint that takes a session.
type sessionForm struct {
	CompanyKey   string `url:"company_key"`
	SessionToken string `url:"session_token"`
}

// encode is what go-querystring makes of the form, without looking at its type for every call.
func (f sessionForm) encode() []byte {
	return []byte("company_key=" + url.QueryEscape(f.CompanyKey) + "&session_token=" + url.QueryEscape(f.SessionToken))
}

func (c *Client) sessionForm(op *operation.Operation, token Token) (sessionForm, error) {
	if c.validate && token == "" {
		return sessionForm{}, problems{{Path: paramSessionToken, Message: "is empty"}}.err(op.Name)
	}
	return sessionForm{CompanyKey: c.key.Reveal(), SessionToken: string(token)}, nil
}

// Result returns what is known about a session with POST result/, also while it is in
// progress. (API reference, Session results.) Use [Result.Approved] to let a customer in.
//
// Errors: [ValidationError] for an empty token; [ErrSessionNotFound], [ErrInvalidKey],
// [ErrUnexpectedResponse].
func (s *SessionsService) Result(ctx context.Context, token Token) (*Result, error) {
	form, err := s.client.sessionForm(operation.Result, token)
	if err != nil {
		return nil, err
	}
	result := new(Result)
	if err := s.client.callForm(ctx, operation.Result, form, result); err != nil {
		return nil, err
	}
	return result, nil
}

// Delete erases a session and its data for good with POST delete/. (API reference,
// Session data deletion.)
//
// It is sent again after a lost reply. If the lost attempt had erased the session, the
// repeat finds none: [ErrSessionNotFound] from an [APIError] with MaybeProcessed.
//
// Errors: [ValidationError] for an empty token; [ErrSessionNotFound], [ErrSessionInvalid],
// [ErrInvalidKey], [ErrUnexpectedResponse].
func (s *SessionsService) Delete(ctx context.Context, token Token) error {
	form, err := s.client.sessionForm(operation.Delete, token)
	if err != nil {
		return err
	}
	return s.client.callForm(ctx, operation.Delete, form, ignored{})
}

const (
	// minPoll is the least time between two polls of one session.
	minPoll = time.Second
	maxPoll = 15 * time.Second
	// maxPause bounds what a Retry-After can add to an interval.
	maxPause = 5 * time.Minute
	// maxFailedPolls bounds a wait without a deadline for a service that is gone.
	maxFailedPolls = 5
)

// Wait polls result/ until the session is no longer in progress or the context ends. The
// intervals grow from one second to at most fifteen, with a random part, so that many
// waiting sessions spread their load; a Retry-After makes one longer, by five minutes at most.
//
// It returns at any outcome but in_progress: approved and rejected, manual_check, which
// an operator settles later, and outcomes that this SDK does not know.
// Temporary failures are waited out until five polls in a row have failed. With an error
// comes the last result that was seen, or nil; the error of a context that ended is
// [context.DeadlineExceeded] or [context.Canceled] for [errors.Is].
//
// A session that its customer has left stays in progress for ever, so give the context a
// deadline, such as the session's lifetime of 15 minutes. A service that must survive
// restarts polls from a job queue, or waits for the callback, instead.
func (s *SessionsService) Wait(ctx context.Context, token Token) (*Result, error) {
	var last *Result
	// The random half lies above the least time from the first interval on, or all that began
	// together would poll together.
	interval, failed := 2*minPoll, 0
	for {
		result, err := s.Result(ctx, token)
		pause := interval/2 + rand.N(interval/2)
		switch {
		case err == nil && result.Outcome != OutcomeInProgress:
			return result, nil
		case err == nil:
			last, failed = result, 0
		case ctx.Err() != nil || !isTemporary(err):
			return last, err
		default:
			if failed++; failed == maxFailedPolls {
				return last, err
			}
			if api, ok := errors.AsType[*APIError](err); ok {
				pause += min(api.RetryAfter, maxPause)
			}
		}
		if ended := engine.Sleep(ctx, pause); ended != nil {
			ended = redact.Error(ended, string(token), s.client.key.Reveal(), s.client.secret.Reveal())
			return last, &TransportError{Operation: operation.Result.Name, Err: errors.Join(ended, err)}
		}
		interval = min(interval*3/2, maxPoll)
	}
}

// isTemporary reports whether a read may succeed when it is made again later.
func isTemporary(err error) bool {
	if api, ok := errors.AsType[*APIError](err); ok {
		return engine.IsTemporary(api.StatusCode)
	}
	var transport *TransportError
	return errors.As(err, &transport)
}
