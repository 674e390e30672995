package idenfy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/wire"
)

// encode returns the body of a request, or an error with every problem of the request.
func (c *Client) encode(r *SessionRequest) ([]byte, error) {
	v := validation{unknown: c.unknown}
	if c.validate {
		r.validate(&v, c.maxDigits)
	}
	v.extra(r)
	body, unsendable := wire.JSON("", "", r)
	for _, problem := range unsendable {
		v.add(problem.Path, problem.Message)
	}
	if v.problems != nil {
		return nil, &identomat.ValidationError{Operation: operation, Problems: v.problems}
	}
	return body, nil
}

// validate checks the documented rules.
func (r *SessionRequest) validate(v *validation, maxDigits int) {
	v.text("clientId", r.ClientID, isASCII, atMost(100))
	if r.ClientID == "" {
		v.add("clientId", "is required")
	}
	v.text("firstName", r.FirstName, atMost(100), isPersonName)
	v.text("lastName", r.LastName, atMost(100), isPersonName)
	v.text("successUrl", r.SuccessURL, atLeast(5), atMost(2048))
	v.text("errorUrl", r.ErrorURL, atLeast(5), atMost(2048))
	v.text("unverifiedUrl", r.UnverifiedURL, atLeast(5), atMost(2048))
	v.text("locale", string(r.Locale), oneOf(v, locales))
	v.seconds("expiryTime", r.ExpiryTime, 1, 2592000)
	if isSet(r.GenerateDigitString) && r.ExpiryTime != nil && *r.ExpiryTime > maxDigits {
		v.add("expiryTime", "must be at most "+strconv.Itoa(maxDigits)+" with generateDigitString")
	}
	v.seconds("sessionLength", r.SessionLength, 60, 3600)
	v.text("country", r.Country, isCountry)
	eachOf(v, "documents", r.Documents, documentTypes)
	v.text("dateOfBirth", string(r.DateOfBirth), isDate)
	v.text("dateOfExpiry", string(r.DateOfExpiry), isDate)
	v.text("dateOfIssue", string(r.DateOfIssue), isDate)
	v.text("nationality", r.Nationality, isCountry)
	v.text("personalNumber", r.PersonalNumber, isASCII, atMost(50))
	v.text("documentNumber", r.DocumentNumber, isASCII, atMost(50))
	v.text("sex", string(r.Sex), oneOf(v, sexes))
	v.text("address", r.Address, atMost(255))
	v.text("tokenType", string(r.TokenType), oneOf(v, tokenTypes))
	v.text("externalRef", r.ExternalRef, isASCII, atMost(40))
	if isSet(r.UtilityBill) && isGiven(r.AdditionalSteps) {
		v.add("utilityBill", "cannot be used together with additionalSteps")
	}
	v.object("additionalSteps", r.AdditionalSteps)
	v.object("additionalData", r.AdditionalData)
	if isGiven(r.AdditionalData) && !isGiven(r.AdditionalSteps) {
		v.add("additionalData", "must be used with additionalSteps")
	}
	v.text("callbackUrl", r.CallbackURL, isHTTPS)
	eachOf(v, "fraudServices", r.FraudServices, fraudServices)
	eachOf(v, "detectionTypes", r.DetectionTypes, detectionTypes)
}

// validation collects the problems of a request.
type validation struct {
	problems []identomat.Problem
	unknown  bool // allows values that are not documented
}

func (v *validation) add(path, message string) {
	v.problems = append(v.problems, identomat.Problem{Path: path, Message: message})
}

// A rule returns what a text must be, or "" if it complies.
type rule func(string) string

// text checks a text that is not empty. The encoder reports invalid UTF-8.
func (v *validation) text(path, text string, rules ...rule) {
	if text == "" || !utf8.ValidString(text) {
		return
	}
	for _, rule := range rules {
		if message := rule(text); message != "" {
			v.add(path, message)
		}
	}
}

// oneOf returns the rule for values that have a documented list.
func oneOf[T ~string](v *validation, documented []T) rule {
	return func(s string) string {
		if v.unknown || slices.Contains(documented, T(s)) {
			return ""
		}
		message := "must be one of " + string(documented[0])
		for _, value := range documented[1:] {
			message += ", " + string(value)
		}
		return message
	}
}

// eachOf checks the elements of a list. No element may be empty.
func eachOf[T ~string](v *validation, path string, values, documented []T) {
	for i, value := range values {
		if message := oneOf(v, documented)(string(value)); message != "" && utf8.ValidString(string(value)) {
			v.add(path+"["+strconv.Itoa(i)+"]", message)
		}
	}
}

// seconds checks a duration that is not nil.
func (v *validation) seconds(path string, value *int, least, most int) {
	if value != nil && (*value < least || *value > most) {
		v.add(path, fmt.Sprintf("must be %d to %d seconds", least, most))
	}
}

// object checks a JSON object, which may be null. The encoder reports malformed JSON.
func (v *validation) object(path string, value json.RawMessage) {
	if isGiven(value) && json.Valid(value) && bytes.TrimSpace(value)[0] != '{' {
		v.add(path, "must be a JSON object")
	}
}

// isGiven reports whether an object is neither absent nor null.
func isGiven(object json.RawMessage) bool {
	return len(object) > 0 && string(bytes.TrimSpace(object)) != "null"
}

func isSet(flag *bool) bool { return flag != nil && *flag }

// extra refuses unknown names that some parser could take for a field, such as CLIENTID or
// client_id for clientId, because a duplicate key could mean two things to two parsers.
// The encoder reports exact duplicates of fields.
func (v *validation) extra(r *SessionRequest) {
	if len(r.Extra) == 0 {
		return
	}
	fields := wire.Names(r)
	own, seen := map[string]bool{}, map[string]bool{}
	for _, name := range fields {
		own[letters(name)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.Extra)) {
		spelled := letters(name)
		switch {
		case name == "", !utf8.ValidString(name), slices.Contains(fields, name):
		case own[spelled]:
			v.add("Extra."+name, "has a field of its own")
		case seen[spelled]:
			v.add("Extra."+name, "is a duplicate in another spelling")
		}
		seen[spelled] = true
	}
}

// letters returns the letters and digits of a name in lower case.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // ToUpper maps ſ, the long s, to S
	}, name)
}

// must returns a rule with a fixed message.
func must(message string, complies func(string) bool) rule {
	return func(s string) string {
		if complies(s) {
			return ""
		}
		return "must " + message
	}
}

func atMost(n int) rule {
	return must("have at most "+strconv.Itoa(n)+" characters", func(s string) bool { return utf8.RuneCountInString(s) <= n })
}

func atLeast(n int) rule {
	return must("have at least "+strconv.Itoa(n)+" characters", func(s string) bool { return utf8.RuneCountInString(s) >= n })
}

// notInNames holds the characters that a name must not contain.
const notInNames = `~!@#$%^*()_+={}[]|:;",<>/?`

var (
	isASCII = must("be ASCII", func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
	})
	isPersonName = must("have no digit and none of "+notInNames, func(s string) bool {
		return !strings.ContainsAny(s, notInNames) && !strings.ContainsFunc(s, unicode.IsDigit)
	})
	isCountry = must("be a country code of two letters", func(s string) bool {
		letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
		return len(s) == 2 && letter(s[0]) && letter(s[1])
	})
	isDate = must("be a date such as 1990-12-20", func(s string) bool {
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	})
	isHTTPS = must("be an https URL", func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.Scheme == "https" && u.Hostname() != ""
	})
)
