package idenfy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/wire"
)

// encode returns the body of a request, or an error with every problem.
func (c *Client) encode(r *SessionRequest) ([]byte, error) {
	var v validation
	if c.validate {
		r.validate(&v, c.maxDigits)
	}
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
	v.seconds("expiryTime", r.ExpiryTime, 1, 2592000)
	if isSet(r.GenerateDigitString) && r.ExpiryTime != nil && *r.ExpiryTime > maxDigits {
		v.add("expiryTime", "must be at most "+strconv.Itoa(maxDigits)+" with generateDigitString")
	}
	v.seconds("sessionLength", r.SessionLength, 60, 3600)
	v.text("country", r.Country, isCountry)
	v.text("dateOfBirth", string(r.DateOfBirth), isDate)
	v.text("dateOfExpiry", string(r.DateOfExpiry), isDate)
	v.text("dateOfIssue", string(r.DateOfIssue), isDate)
	v.text("nationality", r.Nationality, isCountry)
	v.text("personalNumber", r.PersonalNumber, isASCII, atMost(50))
	v.text("documentNumber", r.DocumentNumber, isASCII, atMost(50))
	v.text("address", r.Address, atMost(255))
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
}

// validation collects the problems of a request.
type validation struct{ problems []identomat.Problem }

func (v *validation) add(path, message string) {
	v.problems = append(v.problems, identomat.Problem{Path: path, Message: message})
}

// A rule says what a text must be.
type rule struct {
	message  string
	complies func(string) bool
}

// text checks text unless it is empty. The encoder reports invalid UTF-8.
func (v *validation) text(path, text string, rules ...rule) {
	if text == "" || !utf8.ValidString(text) {
		return
	}
	for _, rule := range rules {
		if !rule.complies(text) {
			v.add(path, "must "+rule.message)
		}
	}
}

// seconds checks value unless it is nil.
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

func atMost(n int) rule {
	return rule{"have at most " + strconv.Itoa(n) + " characters", func(s string) bool { return utf8.RuneCountInString(s) <= n }}
}

func atLeast(n int) rule {
	return rule{"have at least " + strconv.Itoa(n) + " characters", func(s string) bool { return utf8.RuneCountInString(s) >= n }}
}

// notInNames holds the characters that a name must not contain.
const notInNames = `~!@#$%^*()_+={}[]|:;",<>/?`

var (
	isASCII = rule{"be ASCII", func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
	}}
	isPersonName = rule{"have no digit and none of " + notInNames, func(s string) bool {
		return !strings.ContainsAny(s, notInNames) && !strings.ContainsFunc(s, unicode.IsDigit)
	}}
	isCountry = rule{"be a country code of two letters", func(s string) bool {
		letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
		return len(s) == 2 && letter(s[0]) && letter(s[1])
	}}
	isDate = rule{"be a date such as 1990-12-20", func(s string) bool {
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	}}
	isHTTPS = rule{"be an https URL", func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.Scheme == "https" && u.Hostname() != ""
	}}
)
