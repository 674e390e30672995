package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

const aboutCallbacks = `Identomat posts callbacks to the company's Callback URL. There is no signature: a callback is genuine if callbackApiKey is the key in the company's settings. Compare the key in constant time, and do not log the body. Retries and the order of callbacks are not documented. Status updates have other types, which are not published: take one as a hint to read the result.`

// describeCallbacks returns the description of Identomat's callbacks.
func describeCallbacks(root string, s *source) (object, error) {
	files, err := filepath.Glob(filepath.Join(root, samples, "callbacks/*.json"))
	if err != nil {
		return nil, err
	}
	examples := object{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(file)
		examples.set(name[:len(name)-len(".json")], object{{"value", json.RawMessage(data)}})
	}
	return object{{"callback", object{{"post", object{
		{"operationId", "callback"},
		{"summary", "Callbacks"},
		{"tags", []string{callbacks}},
		{"x-source", s.typeSource("Callback")},
		{"description", aboutCallbacks},
		{"security", []any{}},
		{"requestBody", object{{"required", true}, {"content", object{{"application/json", object{{"schema", callbackSchema(s)}, {"examples", examples}}}}}}},
		{"responses", object{{"default", object{{"description", "The documentation does not say what Identomat expects."}}}}},
	}}}}}, nil
}

// callbackSchema is no component: oapi-codegen leaves out components that only webhooks use.
func callbackSchema(s *source) object {
	return object{
		{"type", "object"},
		{"description", "A message from Identomat to the company."},
		{"required", []string{"callbackApiKey", "type"}},
		{"properties", object{
			{"callbackApiKey", object{{"type", "string"}, {"description", "The key in the company's settings. It is secret."}}},
			{"type", object{{"type", "string"}, {"x-extensible-enum", s.values["CallbackType"]}, {"description", "The kind of the callback."}}},
			{"sessionId", object{{"type", "string"}, {"description", "The session token."}}},
			{"text", object{{"type", "string"}, {"description", "The text message to send, including the one-time password or the link."}}},
			{"phoneNumber", object{{"type", "string"}, {"description", "The recipient of the text message."}}},
			{"sessionLink", object{{"type", "string"}, {"description", "The link in the text."}}},
		}},
		{"additionalProperties", true},
	}
}
