package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

const aboutIdenfy = `iDenfy creates a verification session, to whose page you send your customer. This description is not iDenfy's own. It is generated from the types of a Go SDK, which follow iDenfy's page "Create verification session".

A session can cost credits. Send the request again only if iDenfy certainly created none: if no part of it was sent, or after the statuses 421, 425 and 429. x-extensible-enum lists known values; others can occur.`

// idenfyRules are the rules of the API page for single parameters.
var idenfyRules = map[string]object{
	"clientId":                  {{"maxLength", 100}},
	"firstName":                 {{"maxLength", 100}},
	"lastName":                  {{"maxLength", 100}},
	"successUrl":                {{"minLength", 5}, {"maxLength", 2048}},
	"errorUrl":                  {{"minLength", 5}, {"maxLength", 2048}},
	"unverifiedUrl":             {{"minLength", 5}, {"maxLength", 2048}},
	"locale":                    {{"default", "en"}},
	"showInstructions":          {{"default", true}},
	"expiryTime":                {{"minimum", 1}, {"maximum", 2592000}, {"default", 86400}},
	"sessionLength":             {{"minimum", 60}, {"maximum", 3600}, {"default", 1800}},
	"documents":                 {{"default", []string{"ID_CARD", "PASSPORT"}}},
	"personalNumber":            {{"maxLength", 50}},
	"documentNumber":            {{"maxLength", 50}},
	"generateDigitString":       {{"default", false}},
	"address":                   {{"maxLength", 255}},
	"tokenType":                 {{"default", "IDENTIFICATION"}},
	"externalRef":               {{"maxLength", 40}},
	"utilityBill":               {{"default", false}},
	"levenshteinTextMatchRatio": {{"default", 0.8}},
	"levenshteinMrzMatchRatio":  {{"default", 0.7}},
}

// describeIdenfy returns the description of iDenfy's endpoint.
func describeIdenfy(root string) (object, error) {
	source, err := readSource(filepath.Join(root, "idenfy"))
	if err != nil {
		return nil, err
	}
	r := &reflector{source: source}
	request := r.schema(reflect.TypeFor[idenfy.SessionRequest]())
	session := r.schema(reflect.TypeFor[idenfy.Session]())
	sent, received := object{}, object{}
	for _, s := range []struct {
		label, file string
		schema      *object
		examples    *object
	}{
		{"minimal", "request-minimal.json", &request, &sent},
		{"name", "request-name.json", &request, &sent},
		{"full", "request-full.repaired.json", &request, &sent},
		{"noFields", "response-no-fields.json", &session, &received},
		{"allFields", "response-all-fields.repaired.json", &session, &received},
	} {
		data, err := os.ReadFile(filepath.Join(root, "idenfy/testdata", s.file))
		if err != nil {
			return nil, err
		}
		value, err := decodeNumbers(data)
		if err != nil {
			return nil, err
		}
		r.widen(s.schema, value)
		s.examples.set(s.label, object{{"value", json.RawMessage(data)}})
	}
	parameters := r.components.get("SessionRequest").(object)
	parameters.set("required", []string{"clientId"})
	properties := parameters.get("properties").(object)
	for _, p := range properties {
		property := p.value.(object)
		for _, rule := range idenfyRules[p.name] {
			property.set(rule.name, rule.value)
		}
		properties.set(p.name, property)
	}
	r.components.set("SessionRequest", parameters)
	created := r.components.get("Session").(object)
	created.set("required", []string{"authToken", "scanRef"})
	r.components.set("Session", created)

	responses := object{{"200", object{
		{"description", "The session."},
		{"content", object{{"application/json", object{{"schema", session}, {"examples", received}}}}},
	}}}
	for _, status := range []struct {
		code  int
		about string
	}{
		{http.StatusBadRequest, "A parameter is wrong or missing."},
		{http.StatusUnauthorized, "The API key or the secret is wrong."},
		{http.StatusPaymentRequired, "The account is out of credits."},
		{http.StatusForbidden, "The account is inactive, or may not use the endpoint."},
		{http.StatusConflict, "The client id has a session that is still active."},
		{http.StatusTooManyRequests, "Too many requests. No session was created."},
	} {
		responses.set(strconv.Itoa(status.code), idenfyError(status.about))
	}
	responses.set("default", idenfyError("Another error. The content can be anything, such as the page of a proxy."))
	return object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "iDenfy: create a verification session"},
			{"version", identomat.Version},
			{"description", aboutIdenfy},
			{"license", object{{"name", "Apache 2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []any{object{{"url", "https://ivs.idenfy.com"}}}},
		{"security", []any{object{{"basic", []string{}}}}},
		{"paths", object{{"/api/v2/token", object{{"post", object{
			{"operationId", "createSession"},
			{"summary", "Create verification session"},
			{"x-retryable", false},
			{"x-billable", true},
			{"requestBody", object{{"required", true}, {"content", object{{"application/json", object{{"schema", request}, {"examples", sent}}}}}}},
			{"responses", responses},
		}}}}}},
		{"components", object{
			{"securitySchemes", object{{"basic", object{
				{"type", "http"}, {"scheme", "basic"}, {"description", "The API key is the user name, the API secret is the password."},
			}}}},
			{"schemas", append(r.components, member{"Error", object{
				{"type", "object"},
				{"properties", object{
					{"identifier", object{
						{"type", "string"},
						{"x-extensible-enum", []string{
							"BAD_VALUE", "INTERNAL_ERROR", "MISSING_VALUE", "PARTNER_CONTRACT_ERROR", "PARTNER_ERROR", "PERMISSIONS_ERROR", "TOO_MANY_REQUESTS",
							"UNAUTHORIZED", "VALIDATION_ERROR",
						}},
						{"description", "What is wrong. It is absent if iDenfy refused the request before it processed it."},
					}},
					{"message", object{{"description", "A text for developers, or an object with one text per parameter."}}},
				}},
				{"additionalProperties", true},
			}})},
		}},
	}, nil
}

func idenfyError(about string) object {
	return object{{"description", about}, {"content", object{{"application/json", object{{"schema", ref("Error")}}}}}}
}
