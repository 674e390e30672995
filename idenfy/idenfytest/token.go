package idenfytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/fake"
)

// params are the members of a request, in order.
type params []param

type param struct {
	name string
	raw  json.RawMessage
}

func (p params) raw(name string) json.RawMessage {
	for _, member := range p {
		if member.name == name {
			return member.raw
		}
	}
	return nil
}

func (p params) text(name string) (s string) {
	_ = json.Unmarshal(p.raw(name), &s)
	return s
}

func (p params) flag(name string) bool { return string(p.raw(name)) == "true" }

// isSet reports whether a member exists and is not null.
func (p params) isSet(name string) bool {
	raw := p.raw(name)
	return raw != nil && string(raw) != "null"
}

func badRequest(identifier, format string, args ...any) *response {
	return refuse(http.StatusBadRequest, identifier, format, args...)
}

// readParams decodes the body. It refuses duplicate names.
func readParams(body []byte) (params, *response) {
	if !utf8.Valid(body) {
		return nil, badRequest("ENCODING_ERROR", "The body is not UTF-8.")
	}
	notJSON := badRequest("JSON_ERROR", "The body is not a JSON object.")
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte(fake.ByteOrderMark))))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, notJSON
	}
	var p params
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		var raw json.RawMessage
		if err != nil || !ok || dec.Decode(&raw) != nil {
			return nil, notJSON
		}
		if p.raw(name) != nil {
			return nil, badRequest("JSON_ERROR", "Duplicate name %q.", name)
		}
		p = append(p, param{name, raw})
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, notJSON
	}
	return p, nil
}

type kind uint8

const (
	text kind = iota
	boolean
	integer
	number
	texts
	anyObject
)

// field is a documented parameter. It is nullable only if the documented default is null.
type field struct {
	name     string
	kind     kind
	nullable bool
	// min and max are in characters for strings and in seconds for integers. A max of 0 means
	// unlimited.
	min, max int
	valid    func(string) bool
	values   string // the documented values, separated by spaces
}

const (
	notInNames = `~!@#$%^*()_+={}[]|:;",<>/?`
	documents  = `ID_CARD PASSPORT RESIDENCE_PERMIT DRIVER_LICENSE AADHAAR PAN_CARD VISA BORDER_CROSSING ASYLUM
		NATIONAL_PASSPORT VOTER_CARD OLD_ID_CARD TRAVEL_CARD PHOTO_CARD MILITARY_CARD PROOF_OF_AGE_CARD DIPLOMATIC_ID`
	tokens = `DOCUMENT IDENTIFICATION VIDEO_CALL VIDEO_CALL_PHOTOS VIDEO_CALL_IDENTIFICATION`
)

// fields are the 29 documented parameters and 15 documented settings. Any locale is valid: iDenfy
// shows English for a locale that it does not support.
var fields = []field{
	{name: "clientId", min: 1, max: 100, valid: ascii},
	{name: "firstName", min: 1, max: 100, valid: personName},
	{name: "lastName", min: 1, max: 100, valid: personName},
	{name: "successUrl", min: 5, max: 2048},
	{name: "errorUrl", min: 5, max: 2048},
	{name: "unverifiedUrl", min: 5, max: 2048},
	{name: "locale", min: 1},
	{name: "showInstructions", kind: boolean},
	{name: "expiryTime", kind: integer, min: 1, max: 2592000},
	{name: "sessionLength", kind: integer, min: 60, max: 3600},
	{name: "country", nullable: true, valid: alpha2},
	{name: "documents", kind: texts, values: documents},
	{name: "dateOfBirth", nullable: true, valid: date},
	{name: "dateOfExpiry", nullable: true, valid: date},
	{name: "dateOfIssue", nullable: true, valid: date},
	{name: "nationality", nullable: true, valid: alpha2},
	{name: "personalNumber", nullable: true, min: 1, max: 50, valid: ascii},
	{name: "documentNumber", nullable: true, min: 1, max: 50, valid: ascii},
	{name: "sex", nullable: true, values: "M F"},
	{name: "generateDigitString", kind: boolean},
	{name: "address", nullable: true, max: 255},
	{name: "tokenType", values: tokens},
	{name: "externalRef", nullable: true, max: 40, valid: ascii},
	{name: "utilityBill", kind: boolean},
	{name: "additionalSteps", kind: anyObject, nullable: true},
	{name: "additionalData", kind: anyObject, nullable: true},
	{name: "callbackUrl", valid: https},
	{name: "questionnaire", nullable: true},
	{name: "riskAssessmentProfile", nullable: true},

	{name: "checkLiveness", kind: boolean},
	{name: "reviewSuccessful", kind: boolean},
	{name: "reviewFailed", kind: boolean},
	{name: "driverLicenseBack", kind: boolean},
	{name: "autoAmlMonitoring", kind: boolean},
	{name: "fraudServices", kind: texts, values: "AML_NAMES_CHECK LID AML_NEWS"},
	{name: "checkIpProxy", kind: boolean},
	{name: "checkFaceBlacklist", kind: boolean},
	{name: "checkDocFaceBlacklist", kind: boolean},
	{name: "checkDuplicateFaces", kind: boolean},
	{name: "checkDuplicateDocFaces", kind: boolean},
	{name: "nfcRequired", kind: boolean},
	{name: "levenshteinTextMatchRatio", kind: number},
	{name: "levenshteinMrzMatchRatio", kind: number},
	{name: "detectionTypes", kind: texts, values: "FACE EYES"},
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func personName(s string) bool {
	return !strings.ContainsAny(s, notInNames) && !strings.ContainsFunc(s, unicode.IsDigit)
}

func alpha2(s string) bool {
	return len(s) == 2 && !strings.ContainsFunc(strings.ToLower(s), func(r rune) bool { return r < 'a' || r > 'z' })
}

func date(s string) bool {
	_, err := time.Parse("2006-01-02", s)
	return err == nil
}

func https(s string) bool {
	scheme, host, found := strings.Cut(s, "://")
	return found && strings.EqualFold(scheme, "https") && host != ""
}

// check checks the documented rules. The messages contain no values from the request.
func (s *Server) check(p params) *response {
	if !p.isSet("clientId") {
		return badRequest("MISSING_VALUE", "Field 'clientId' is missing.")
	}
	for _, member := range p {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == member.name })
		if i < 0 {
			if s.allowUnknown {
				continue
			}
			return badRequest("BAD_VALUE", "Field %q is not documented.", member.name)
		}
		if problem := fields[i].check(member.raw, s.allowUnknown); problem != "" {
			return badRequest("BAD_VALUE", "Field '%s' %s.", member.name, problem)
		}
	}
	var expiry int
	_ = json.Unmarshal(p.raw("expiryTime"), &expiry)
	switch {
	case p.flag("utilityBill") && p.isSet("additionalSteps"):
		return badRequest("VALIDATION_ERROR", "Field 'utilityBill' can't be used together with 'additionalSteps'.")
	case p.isSet("additionalData") && !p.isSet("additionalSteps"):
		return badRequest("VALIDATION_ERROR", "Field 'additionalData' must be used with 'additionalSteps'.")
	case p.flag("generateDigitString") && expiry > s.maxDigitExpiry:
		return badRequest("PARTNER_CONTRACT_ERROR", "Field 'expiryTime' exceeds the maximum for a digit string.")
	}
	return nil
}

// check returns a description of what is wrong with a value, or "" if it is valid.
func (f *field) check(raw json.RawMessage, allowUnknown bool) string {
	if string(raw) == "null" {
		if f.nullable {
			return ""
		}
		return "must not be null"
	}
	switch f.kind {
	case text:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "must be a string"
		}
		return f.checkText(s, allowUnknown)
	case texts:
		var all []*string
		if json.Unmarshal(raw, &all) != nil || slices.Contains(all, nil) {
			return "must be a list of strings"
		}
		for _, s := range all {
			if problem := f.checkText(*s, allowUnknown); problem != "" {
				return problem
			}
		}
	case boolean:
		if s := string(raw); s != "true" && s != "false" {
			return "must be a boolean"
		}
	case integer:
		var n int
		if json.Unmarshal(raw, &n) != nil {
			return "must be an integer"
		}
		if n < f.min || n > f.max {
			return fmt.Sprintf("must be from %d to %d", f.min, f.max)
		}
	case number:
		var n float64
		if json.Unmarshal(raw, &n) != nil {
			return "must be a number"
		}
	case anyObject:
		if raw[0] != '{' {
			return "must be an object"
		}
	}
	return ""
}

func (f *field) checkText(s string, allowUnknown bool) string {
	n := utf8.RuneCountInString(s)
	switch {
	case n < f.min || f.max > 0 && n > f.max:
		return "has the wrong length"
	case f.valid != nil && !f.valid(s):
		return "has the wrong format"
	case f.values != "" && !allowUnknown && !slices.Contains(strings.Fields(f.values), s):
		return "is not a documented value"
	}
	return ""
}

// created returns the response for a session. The members are in the order of the documented
// examples and have the defaults from the second example.
func created(session Session, p params) string {
	var b strings.Builder
	b.WriteString(`{"message":"Token created successfully","authToken":"` + session.AuthToken + `","scanRef":"` + session.ScanRef + `"`)
	add := func(name, value string) { b.WriteString("," + quote(name) + ":" + value) }
	digits := "null"
	if p.flag("generateDigitString") {
		digits = `"89567412"`
	}
	allowed := `{"ALL":["ID_CARD","PASSPORT","RESIDENCE_PERMIT","DRIVER_LICENSE"]}`
	defaults := []struct{ name, value string }{
		{"clientId", "null"}, {"firstName", "null"}, {"lastName", "null"}, {"successUrl", "null"}, {"errorUrl", "null"},
		{"unverifiedUrl", "null"}, {"locale", `"en"`}, {"showInstructions", "true"}, {"country", "null"},
		{"expiryTime", "3600"}, {"sessionLength", "300"},
		{"documents", `["ID_CARD","PASSPORT","RESIDENCE_PERMIT","DRIVER_LICENSE"]`},
		{"dateOfBirth", "null"}, {"dateOfExpiry", "null"}, {"dateOfIssue", "null"}, {"nationality", "null"},
		{"personalNumber", "null"}, {"documentNumber", "null"}, {"sex", "null"}, {"address", "null"},
		{"tokenType", `"IDENTIFICATION"`}, {"externalRef", "null"}, {"questionnaire", "null"}, {"utilityBill", "false"},
		{"additionalSteps", "null"}, {"additionalData", "null"}, {"riskAssessmentProfile", "null"},
	}
	for _, d := range defaults {
		value := d.value
		if raw := p.raw(d.name); raw != nil {
			value = string(raw)
		}
		if d.name == "firstName" || d.name == "lastName" {
			if name := p.text(d.name); name != "" {
				value = quote(strings.ToUpper(name))
			}
		}
		add(d.name, value)
	}
	add("allowedDocuments", allowed)
	add("digitString", digits)
	for _, member := range p {
		switch member.name {
		case "message", "authToken", "scanRef", "allowedDocuments", "digitString":
			continue // AllowUnknown must not let a request override these
		}
		if !slices.ContainsFunc(defaults, func(d struct{ name, value string }) bool { return d.name == member.name }) {
			add(member.name, string(member.raw))
		}
	}
	return b.String() + "}"
}
