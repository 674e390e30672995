package identomattest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/identomat-go/identomat"
)

// defaultLifetime is how long the widget accepts a session if its configuration sets no lifetime.
const defaultLifetime = 15 * time.Minute

// sampleConfiguration is the example from the API reference.
const sampleConfiguration = `{
	"id": "679c74e4d9725987e3879265",
	"name": "Configuration Template",
	"general": {"language": "en", "sessionLifetime": 15},
	"steps": [
		{
			"title": {"en": "ID Verification"},
			"type": "identity-document",
			"key": "select_document_id",
			"flags": {"documentTypes": ["id", "passport", "driver_license", "residence_permit"]}
		},
		{
			"title": {"en": "Liveness Check"},
			"type": "liveness",
			"key": "liveness",
			"flags": {"liveness": true, "maxLivenessAttempts": 3}
		}
	]
}`

// session is the state of a session. Server.mu guards its fields.
type session struct {
	token        string
	company      *company
	parent       string
	configID     string
	name         string
	clientUserID string
	groupID      string
	flags        object
	steps        []object
	created      time.Time
	expires      time.Time
	opens        time.Time // scheduled start; zero means now
	closes       time.Time // scheduled end; zero means the end of the lifetime
	activities   []activity
	decision     decision
	media        map[string]customMedia
	callEnded    bool
	visit        visit
	// configLanguage is the language of the configuration, or "".
	configLanguage string
}

// Session is a copy of a session's state in the server.
type Session struct {
	// Token is the session token. Parent is the parent session's token, or "".
	Token  identomat.Token
	Parent identomat.Token
	// ConfigID, Name, ClientUserID and GroupID are parameters of begin/. ReturnURL is the flag
	// return_url.
	ConfigID     string
	Name         string
	ClientUserID string
	GroupID      string
	ReturnURL    string
	// Steps are the session's steps, including the steps from its configuration.
	Steps []Step
	// Outcome is the value on the wire: in_progress, approved, rejected, manual_check, or the value
	// that [Server.SetResult] set.
	Outcome string
	// Created is when the session began. Expires is when its lifetime or its schedule ends, whichever
	// is earlier.
	Created time.Time
	Expires time.Time
}

// Step is a step of a session. In a list of steps, a video call's steps follow the call.
type Step struct {
	// Type and Key are the values on the wire, such as "identity-document".
	Type string
	Key  string
}

// Sessions returns the sessions in the order in which they began, without deleted sessions.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Session, len(s.order))
	for i, ses := range s.order {
		out[i] = ses.copy()
	}
	return out
}

// Session returns the session with the token, and whether it exists.
func (s *Server) Session(token identomat.Token) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[string(token)]
	if !ok {
		return Session{}, false
	}
	return ses.copy(), true
}

func (ses *session) copy() Session {
	c := Session{
		Token:        identomat.Token(ses.token),
		Parent:       identomat.Token(ses.parent),
		ConfigID:     ses.configID,
		Name:         ses.name,
		ClientUserID: ses.clientUserID,
		GroupID:      ses.groupID,
		ReturnURL:    ses.flags.text("return_url"),
		Outcome:      ses.decision.outcome,
		Created:      ses.created,
		Expires:      ses.deadline(),
	}
	for _, step := range ses.flow() {
		c.Steps = append(c.Steps, Step{Type: step.text("type"), Key: step.text("key")})
	}
	return c
}

// flow returns the steps. A video call's steps follow the call.
func (ses *session) flow() []object {
	var out []object
	for _, step := range ses.steps {
		out = append(out, step)
		for _, inner := range step.list("steps") {
			if o, ok := inner.(object); ok {
				out = append(out, o)
			}
		}
	}
	return out
}

// step returns the first step of this type, and whether there is one.
func (ses *session) step(stepType string) (object, bool) {
	for _, step := range ses.flow() {
		if step.text("type") == stepType {
			return step, true
		}
	}
	return nil, false
}

func (ses *session) has(stepType string) bool {
	_, ok := ses.step(stepType)
	return ok
}

func (ses *session) decided() bool { return ses.decision.outcome != inProgress }

// deadline returns when the widget stops accepting the session.
func (ses *session) deadline() time.Time {
	if !ses.closes.IsZero() && ses.closes.Before(ses.expires) {
		return ses.closes
	}
	return ses.expires
}

func (s *Server) begin(c *call) response {
	now := s.now()
	ses := &session{
		token:        s.newToken(),
		company:      c.company,
		parent:       c.params.text("parent_session_id"),
		configID:     c.params.text("config_id"),
		name:         c.params.text("name"),
		clientUserID: c.params.text("clientUserId"),
		groupID:      c.params.text("groupId"),
		flags:        c.params.child("flags"),
		created:      now,
		decision:     decision{outcome: inProgress},
		media:        map[string]customMedia{},
		visit:        newVisit(),
	}
	lifetime := defaultLifetime
	if ses.parent != "" {
		if parent, ok := s.sessions[ses.parent]; !ok || parent.company != c.company {
			return refuse(sessionNotFound, "parent_session_id: the session does not exist")
		}
	}
	if err := s.checkFlags(ses.flags); err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	steps, err := s.checkSteps(c.params.list("steps"))
	if err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	if _, named := c.params.get("config_id"); named {
		config, ok := s.configs[ses.configID]
		if !ok {
			return refuse(wrongParameters, "unknown config_id %q", ses.configID)
		}
		ses.steps = mergeSteps(config, steps)
		ses.configLanguage = config.child("general").text("language")
		if minutes := config.child("general").integer("sessionLifetime", 0); minutes > 0 {
			lifetime = time.Duration(minutes) * time.Minute
		}
	} else {
		ses.steps = withDefaultSteps(ses.flags, steps)
	}
	if err := uniqueKeys(ses.flow()); err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	for _, p := range []struct {
		name string
		time *time.Time
	}{{"scheduleStartTime", &ses.opens}, {"scheduleEndTime", &ses.closes}} {
		value := c.params.text(p.name)
		if value == "" {
			continue
		}
		if *p.time, err = time.Parse(time.RFC3339, value); err != nil {
			return refuse(wrongParameters, "%s is not an ISO 8601 time", p.name)
		}
	}
	if !ses.opens.IsZero() && !ses.closes.IsZero() && !ses.closes.After(ses.opens) {
		return refuse(wrongParameters, "scheduleEndTime is not after scheduleStartTime")
	}
	// The lifetime of a scheduled session starts at its scheduled start.
	ses.expires = now.Add(lifetime)
	if ses.opens.After(now) {
		ses.expires = ses.opens.Add(lifetime)
	}
	if !ses.checksAnyone() {
		c.record.warn("the steps check no document, no face and no company, so the result does not say who the person is")
	}
	s.sessions[ses.token] = ses
	s.order = append(s.order, ses)
	return jsonResponse(ses.token)
}

// checksAnyone reports whether a step verifies a person or a company. Steps of the listed types only
// collect data.
func (ses *session) checksAnyone() bool {
	return slices.ContainsFunc(ses.flow(), func(step object) bool {
		switch step.text("type") {
		case "language", "user-questionnaire", "operator-questionnaire", "phone-number", "email", "geolocation":
			return false
		}
		return true
	})
}

// mergeSteps returns the steps from a configuration. A step in the request replaces the configuration's
// step with the same key; the request's other steps follow.
func mergeSteps(config object, steps []object) []object {
	var out []object
	for _, v := range config.list("steps") {
		if step, ok := v.(object); ok {
			out = append(out, step)
		}
	}
	for _, step := range steps {
		i := slices.IndexFunc(out, func(o object) bool { return o.text("key") == step.text("key") })
		if i < 0 {
			out = append(out, step)
			continue
		}
		out[i] = step
	}
	return out
}

// withDefaultSteps prepends the steps that the service adds: an identity document and liveness, unless
// flags skip them, and any step that a global flag in Identomat's oldest manual adds.
func withDefaultSteps(flags object, steps []object) []object {
	var out []object
	if !flags.flag("skip_document") {
		out = append(out, mustObject(`{"type":"identity-document","key":"select_document_id"}`).
			with("flags", flags.only("document_types", "document_countries", "allow_document_upload", "disable_document_capture")))
	}
	if !flags.flag("skip_face") {
		out = append(out, mustObject(`{"type":"liveness","key":"face"}`).
			with("flags", flags.only("liveness", "allow_face_upload")))
	}
	if flags.flag("allow_general_document_capture") || flags.flag("allow_general_document_upload") {
		out = append(out, mustObject(`{"type":"general-document","key":"general_document"}`).
			with("flags", flags.only("general_document_types")))
	}
	if flags.flag("require_face_document") {
		out = append(out, mustObject(`{"type":"face-document","key":"face_document"}`))
	}
	if flags.flag("require_phone_number") || flags.flag("require_phone_number_check") {
		out = append(out, mustObject(`{"type":"phone-number","key":"phone"}`))
	}
	if flags.flag("require_email") || flags.flag("require_email_check") {
		out = append(out, mustObject(`{"type":"email","key":"email"}`))
	}
	return append(out, steps...)
}

// with returns the object with one more member.
func (o object) with(name string, value any) object {
	return append(slices.Clone(o), member{name, value})
}

func (o object) only(names ...string) object {
	out := object{}
	for _, m := range o {
		if slices.Contains(names, m.name) {
			out = append(out, m)
		}
	}
	return out
}

func uniqueKeys(steps []object) error {
	seen := map[string]bool{}
	for _, step := range steps {
		key := step.text("key")
		if seen[key] {
			return fmt.Errorf("two steps have the key %q", key)
		}
		seen[key] = true
	}
	return nil
}

// lookup finds the session of a call. The token's parameter name depends on the host.
func (s *Server) lookup(c *call) (*session, bool) {
	token := c.params.text("session_token")
	if token == "" {
		token = c.params.text("sessionId")
	}
	ses, ok := s.sessions[token]
	return ses, ok && ses.company == c.company
}

func noSession() response { return refuse(sessionNotFound, "no session has this token") }

func (s *Server) delete(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	deleted := jsonResponse(true)
	if s.deletedDocuments {
		deleted = s.result(c)
	}
	delete(s.sessions, ses.token)
	s.order = slices.DeleteFunc(s.order, func(o *session) bool { return o == ses })
	return deleted
}

// Expire ends a session's lifetime now. The result can still be fetched. An unknown token is an error,
// which also fails the test given to [NewServer].
func (s *Server) Expire(token identomat.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses, ok := s.sessions[string(token)]
	if !ok {
		return s.misuse("Expire: no session has the token %q", string(token))
	}
	ses.expires = s.now()
	return nil
}

func (s *Server) addConfiguration(raw string) error {
	v, err := decodeJSON([]byte(raw))
	if err != nil {
		return fmt.Errorf("identomattest: a configuration: %w", err)
	}
	config, ok := v.(object)
	if !ok || config.text("id") == "" {
		return errors.New("identomattest: a configuration must be an object with an id")
	}
	s.configs[config.text("id")] = config
	return nil
}

func (s *Server) sessionConfig(c *call) response {
	config, ok := s.configs[c.params.text("sessionConfigId")]
	if !ok {
		return refuse(wrongParameters, "unknown sessionConfigId")
	}
	return resultResponse(config)
}

// pageLoaded is the only type of activity that the API reference shows.
const pageLoaded = "PAGE_LOADED"

type activity struct {
	id   string
	name string
	time time.Time
}

func (s *Server) listActivities(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	list := []any{}
	for _, a := range ses.activities {
		list = append(list, object{{"id", a.id}, {"type", a.name}, {"time", wireTime(a.time)}, {"data", []any{}}})
	}
	return resultResponse(list)
}

// statistics returns a list with one item, as in the API reference. The times are made up: the document
// scan is in the first half of the session, and the liveness check in the second half.
func (s *Server) statistics(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	var span any
	times := make([]any, 4)
	attempts := 0
	if ses.decided() {
		d := ses.decision.time.Sub(ses.created)
		span = int(d / time.Millisecond)
		after := func(eighths time.Duration) any { return wireTime(ses.created.Add(d * eighths / 8)) }
		if ses.has("identity-document") {
			times[0], times[1], attempts = after(1), after(3), 1
		}
		if ses.has("liveness") {
			times[2], times[3] = after(5), after(8)
		}
	}
	return resultResponse([]any{object{
		{"sessionStartDate", wireTime(ses.created)},
		{"sessionTimeSpan", span},
		{"scanDocumentStartTime", times[0]},
		{"scanDocumentEndTime", times[1]},
		{"scanDocumentAttempts", attempts},
		{"scanDocumentFailReason", nil},
		{"livenessStartTime", times[2]},
		{"livenessEndTime", times[3]},
		{"livenessFailReasons", nil},
		{"sessionTerminationStep", nil},
		{"sessionTerminationReasons", nil},
	}})
}

// wireTime formats a time as the service does: ISO 8601 in UTC with milliseconds.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
