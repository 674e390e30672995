package identomattest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/identomat-go/identomat"
)

// defaultLifetime is how long the widget accepts a session whose configuration says
// nothing else.
const defaultLifetime = 15 * time.Minute

// sampleConfiguration is the one that the API reference shows.
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

// session is what the server remembers of one begin/.
type session struct {
	token        string
	parent       string
	configID     string
	name         string
	clientUserID string
	groupID      string
	flags        object
	steps        []object
	created      time.Time
	expires      time.Time
	opens        time.Time // zero: at once
	closes       time.Time // zero: with the lifetime
	activities   []activity
	decision     decision
	media        map[string]customMedia
	callEnded    bool
	visit        visit
	// configLanguage is the language of the configuration, if it names one.
	configLanguage string
}

// Session is a copy of what the server knows about a session.
type Session struct {
	// Token is the session's, Parent that of the parent session, or "".
	Token  identomat.Token
	Parent identomat.Token
	// ConfigID, Name, ClientUserID and GroupID are those of begin/, ReturnURL is the flag.
	ConfigID     string
	Name         string
	ClientUserID string
	GroupID      string
	ReturnURL    string
	// Steps are the customer's, those of the configuration included.
	Steps []Step
	// Outcome is the wire text: in_progress, approved, rejected, manual_check, or what
	// SetResult said.
	Outcome string
	// Created is when the session was begun, Expires when its lifetime ends.
	Created time.Time
	Expires time.Time
}

// Step is one step of a session in the order of the flow, steps inside a video call
// after the call.
type Step struct {
	// Type and Key are those of the wire: "identity-document".
	Type string
	Key  string
}

var beginFields = []field{
	{name: "flags", kind: anyObject},
	{name: "steps", kind: anyList},
	{name: "config_id"},
	{name: "parent_session_id", nullable: true},
	{name: "name", nullable: true},
	{name: "clientUserId", nullable: true},
	{name: "groupId", nullable: true},
	{name: "scheduleStartTime", nullable: true},
	{name: "scheduleEndTime", nullable: true},
}

// Sessions returns the sessions that exist, in the order of their beginning.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Session, len(s.order))
	for i, ses := range s.order {
		out[i] = ses.copy()
	}
	return out
}

// Session returns one session.
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
		Expires:      ses.end(),
	}
	for _, step := range ses.flow() {
		c.Steps = append(c.Steps, Step{Type: step.text("type"), Key: step.text("key")})
	}
	return c
}

// flow lists the steps, those inside a video call after the call.
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

// step returns the first step of a type in the flow.
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

// end is when the widget stops taking the session.
func (ses *session) end() time.Time {
	if !ses.closes.IsZero() && ses.closes.Before(ses.expires) {
		return ses.closes
	}
	return ses.expires
}

func (s *Server) begin(c *call) response {
	now := s.now()
	ses := &session{
		token:        newToken(),
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
		if _, ok := s.sessions[ses.parent]; !ok {
			return refuse(sessionNotFound, "the parent session does not exist")
		}
	}
	if err := s.checkFlags(ses.flags); err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	given, err := s.checkSteps(c.params.list("steps"))
	if err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	if _, named := c.params.get("config_id"); named {
		config, ok := s.configs[ses.configID]
		if !ok {
			return refuse(wrongParameters, "no configuration has the id %q", ses.configID)
		}
		ses.steps = override(config, given)
		ses.configLanguage = config.child("general").text("language")
		if minutes := config.child("general").integer("sessionLifetime", 0); minutes > 0 {
			lifetime = time.Duration(minutes) * time.Minute
		}
	} else {
		ses.steps = withImplied(ses.flags, given)
	}
	if err := uniqueKeys(ses.flow()); err != nil {
		return refuse(wrongParameters, "%v", err)
	}
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"scheduleStartTime", &ses.opens}, {"scheduleEndTime", &ses.closes}} {
		value := c.params.text(t.name)
		if value == "" {
			continue
		}
		if *t.to, err = time.Parse(time.RFC3339, value); err != nil {
			return refuse(wrongParameters, "%s is not an ISO 8601 time", t.name)
		}
	}
	if !ses.opens.IsZero() && !ses.closes.IsZero() && !ses.closes.After(ses.opens) {
		return refuse(wrongParameters, "the schedule ends before it starts")
	}
	// The lifetime of a scheduled session counts from its opening.
	ses.expires = now.Add(lifetime)
	if ses.opens.After(now) {
		ses.expires = ses.opens.Add(lifetime)
	}
	s.sessions[ses.token] = ses
	s.order = append(s.order, ses)
	return jsonResponse(ses.token)
}

// override replaces the steps of a configuration by the given ones of the same key.
// What the configuration has no step for is put behind its steps.
func override(config object, given []object) []object {
	var out []object
	for _, v := range config.list("steps") {
		if step, ok := v.(object); ok {
			out = append(out, step)
		}
	}
	for _, step := range given {
		i := slices.IndexFunc(out, func(o object) bool { return o.text("key") == step.text("key") })
		if i < 0 {
			out = append(out, step)
			continue
		}
		out[i] = step
	}
	return out
}

// withImplied adds what the service adds by itself: a document and a liveness step,
// unless they are skipped, and the steps of the oldest manual's global flags.
func withImplied(flags object, given []object) []object {
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
	return append(out, given...)
}

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

// lookup finds the session of a call, by the name its host gives the token.
func (s *Server) lookup(c *call) (*session, bool) {
	token := c.params.text("session_token")
	if token == "" {
		token = c.params.text("sessionId")
	}
	ses, ok := s.sessions[token]
	return ses, ok
}

func noSession() response { return refuse(sessionNotFound, "no session has this token") }

func (s *Server) delete(c *call) response {
	ses, ok := s.lookup(c)
	if !ok {
		return noSession()
	}
	delete(s.sessions, ses.token)
	s.order = slices.DeleteFunc(s.order, func(o *session) bool { return o == ses })
	return jsonResponse(true)
}

// Expire ends the lifetime of a session now. Its result can still be read.
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
		return errors.New("identomattest: a configuration needs an id")
	}
	s.configs[config.text("id")] = config
	return nil
}

func (s *Server) sessionConfig(c *call) response {
	config, ok := s.configs[c.params.text("sessionConfigId")]
	if !ok {
		return refuse(wrongParameters, "no configuration has this id")
	}
	return resultResponse(config)
}

// pageLoaded is the only type of activity that the documents show.
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

// statistics answers with a list of one, as the reference shows. The document was
// scanned in the first part of the session and the face in the last.
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
		at := func(eighths time.Duration) any { return wireTime(ses.created.Add(d * eighths / 8)) }
		if ses.has("identity-document") {
			times[0], times[1], attempts = at(1), at(3), 1
		}
		if ses.has("liveness") {
			times[2], times[3] = at(5), at(8)
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

// wireTime is the service's ISO 8601: UTC with milliseconds.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// newToken is 40 characters of [0-9a-z], as the service's tokens are.
func newToken() string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	buf := make([]byte, 64)
	for b.Len() < 40 {
		_, _ = rand.Read(buf) // never fails
		for _, r := range buf {
			// 252 is the last multiple of 36 in a byte.
			if r < 252 && b.Len() < 40 {
				b.WriteByte(alphabet[r%36])
			}
		}
	}
	return b.String()
}

// newID is 24 hexadecimal digits, as the service's object ids are.
func newID() string {
	id := make([]byte, 12)
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}
