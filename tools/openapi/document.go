package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/documented"
	"github.com/identomat-go/identomat/internal/operation"
)

const (
	widgetHost = "https://widget.identomat.com"
	apiHost    = "https://external-api.identomat.com"
	samples    = "testdata/samples"
)

const about = `Identomat verifies people and companies over the Internet. This description is not published by Identomat. It is generated from the tables of a Go SDK, which follow Identomat's documentation, and is tested against the SDK's fake of the service. Members named x-source name the document and the section.

**Hosts.** Each operation belongs to one of two hosts. Parameters of widget.identomat.com are in snake case, and its paths end with a slash. Parameters of external-api.identomat.com are in camel case.

**Encodings.** Parameters can be sent as JSON, as a URL-encoded form or as a multipart form. Forms hold objects, lists, numbers and booleans as JSON text. In a multipart form, text parts come before file parts. The service also reads parameters in the query string, and accepts JSON with the content type of a form, as curl sends it. Operations with GET are deprecated: they put the company key into the URL, which proxies and servers write to their logs. Identomat's guides also show begin/ without the prefix /external-api.

**Errors have status 200.** Do not trust the status: a response is an error if it is one of the schemas Error and ErrorCode. Other errors, such as those of proxies, have other statuses and can have any content. Compare error codes without regard to case, hyphens and underscores.

**Open lists.** x-extensible-enum lists known values. Other values can occur, in requests and in responses, and so can other members of objects.

**Extensions.** x-retryable says that a second call has no further effect, so the call can be retried after a lost response. x-billable says that a call may be billed; Identomat publishes no prices.`

const hmacAbout = `For company keys of the HMAC type. The value of the header is signature="CODE". CODE is the Base64 form of the HMAC-SHA-256 of the request body, with the secret key as the key. For a multipart form, the HMAC is chained over the contents of the parts in their order: the binary result for one part is the key for the next part. The service signs successful responses in the same way, and does not sign errors. A signature does not cover the query string.`

// byQuery is the tag of the operations with GET.
const byQuery = "With GET"

// callbacks is the tag of the requests that Identomat sends.
const callbacks = "Callbacks"

// tags are the sections of the API reference.
var tags = []any{
	tag("Session management", "Begin sessions, read their results and delete their data."),
	tag("Accessing Data and More", "Media, activities and statistics of sessions."),
	tag("AML Screening", "Search sanctions lists, regulatory lists and lists of politically exposed persons, and monitor people."),
	tag("Blacklist management", "The company's list of people to be refused."),
	tag("Video call", "Recordings of video calls, and the end of a call."),
	tag("Other methods", "Groups, users and configurations of the dashboard."),
	tag("Processing an image", "Read images of documents, outside of any session."),
	tag("Additional processing", "Compare faces, outside of any session."),
	tag(callbacks, "Requests from Identomat to the company."),
	tag(byQuery, "The same operations with parameters in the query string. They put the company key into the URL."),
}

func tag(name, description string) object {
	return object{{"name", name}, {"description", description}}
}

// describeIdentomat returns the description of Identomat's API. The root is the repository.
func describeIdentomat(root string) (object, error) {
	source, err := readSource(root)
	if err != nil {
		return nil, err
	}
	documentedSamples, err := readSamples(filepath.Join(root, samples))
	if err != nil {
		return nil, err
	}
	r := &reflector{source: source}
	paths := object{}
	requests := beginSchemas()
	for _, op := range operation.All() {
		item := object{{"servers", []any{object{{"url", widgetHost}}}}}
		if op.Host == operation.API {
			item = object{{"servers", []any{object{{"url", apiHost}}}}}
		}
		name := pascal(op.Name) + "Request"
		source := "API reference, " + documented.Endpoints[op].Title
		parameters := append([]documented.Field{documented.CompanyKey(op)}, documented.Endpoints[op].Parameters...)
		requests.set(name, fieldsSchema(parameters, "Flags", source))
		post := describeOperation(op, "")
		post.set("requestBody", requestBody(op, name))
		post.set("responses", r.responses(op, documentedSamples[op], true))
		item.set("post", post)
		if op.Encoding != operation.Multipart {
			get := describeOperation(op, "ByQuery")
			get.set("deprecated", true)
			get.set("tags", []string{byQuery})
			get.set("parameters", queryParameters(parameters, source))
			get.set("responses", r.responses(op, documentedSamples[op], false))
			item.set("get", get)
		}
		paths.set(op.Path(), item)
	}
	webhooks, err := describeCallbacks(root, source)
	if err != nil {
		return nil, err
	}
	return object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "Identomat"},
			{"version", identomat.Version},
			{"description", about},
			{"license", object{{"name", "Apache 2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []any{
			object{{"url", widgetHost}, {"description", "Sessions, media and images."}},
			object{{"url", apiHost}, {"description", "Everything else."}},
		}},
		{"tags", tags},
		{"security", []any{object{}, object{{"hmac", []string{}}}}},
		{"paths", paths},
		{"webhooks", webhooks},
		{"components", object{
			{"securitySchemes", object{{"hmac", object{
				{"type", "apiKey"}, {"in", "header"}, {"name", "Authorization"}, {"description", hmacAbout},
			}}}},
			{"headers", object{{"Signature", object{
				{"description", "The signature of the response body, if the request was signed and succeeded."}, {"schema", object{{"type", "string"}}},
			}}}},
			{"schemas", slices.Concat(requests, r.components, errorSchemas(source))},
		}},
	}, nil
}

func describeOperation(op *operation.Operation, suffix string) object {
	endpoint := documented.Endpoints[op]
	return object{
		{"operationId", camel(op.Name) + suffix},
		{"summary", endpoint.Title},
		{"tags", []string{op.Section}},
		{"x-source", "API reference, " + endpoint.Title},
		{"x-retryable", op.Retryable},
		{"x-billable", op.Billable},
	}
}

// requestBody returns the encodings of the parameters. Forms hold all values except strings as JSON
// text.
func requestBody(op *operation.Operation, schema string) object {
	var encodings object
	for _, f := range documented.Endpoints[op].Parameters {
		switch f.Kind {
		case documented.Nested, documented.FlagSet, documented.StepList, documented.Texts:
			encodings.set(f.Name, object{{"contentType", "application/json"}})
		case documented.Picture:
			encodings.set(f.Name, object{{"contentType", "image/jpeg, image/png"}})
		}
	}
	form := object{{"schema", ref(schema)}}
	if encodings != nil {
		form.set("encoding", encodings)
	}
	body := object{{"required", true}, {"content", object{
		{"application/json", object{{"schema", ref(schema)}}},
		{"application/x-www-form-urlencoded", form},
		{"multipart/form-data", form},
	}}}
	if op.Encoding == operation.Multipart {
		body = object{{"description", "The text part comes before the files."}, {"required", true}, {"content", object{{"multipart/form-data", form}}}}
	}
	return body
}

// queryParameters returns the parameters in a query string.
func queryParameters(fields []documented.Field, source string) []any {
	var out []any
	for _, f := range fields {
		schema := fieldSchema(f, "Flags", source)
		p := object{{"name", f.Name}, {"in", "query"}}
		if f.Required {
			p.set("required", true)
		}
		p.set("description", schema.get("description"))
		schema = slices.DeleteFunc(schema, func(m member) bool { return m.name == "description" || m.name == "x-source" })
		switch f.Kind {
		case documented.Nested, documented.FlagSet, documented.StepList, documented.Texts:
			p.set("content", object{{"application/json", object{{"schema", schema}}}})
		default:
			p.set("schema", schema)
		}
		out = append(out, p)
	}
	return out
}

// errorSchemas returns the forms of errors.
func errorSchemas(s *source) object {
	return object{
		{"SessionToken", object{
			{"type", "string"},
			{"pattern", "^[0-9A-Za-z-]*[0-9a-z-][0-9A-Za-z-]*$"},
			{"minLength", 8},
			{"description", "Identifies a session. All tokens seen have 40 characters, digits and lowercase letters. Whoever has it can open the widget as the customer."},
		}},
		{"ErrorCode", object{
			{"type", "string"},
			{"pattern", "^[A-Z][A-Z0-9_]*$"},
			{"x-extensible-enum", append([]string{"SESSION_NOT_FOUND", "SESSION_INVALID", "COMPANY_KEY_INVALID"}, s.values["ImageCode"]...)},
			{"description", "An error of widget.identomat.com, as a bare string. The codes about documents and faces say what is wrong with an image. They are from Identomat's mobile SDKs: the documentation does not list them."},
		}},
		{"Error", object{
			{"description", "An error, in spite of the status 200."},
			{"oneOf", []any{
				object{
					{"type", "object"},
					{"required", []string{"argumentError"}},
					{"properties", object{
						{"argumentError", object{
							{"type", "string"},
							{"x-extensible-enum", []string{
								"session-not-found", "wrong-parameters", "invalid-access", "face-photo-not-found", "company-missing", "access-denied", "already-exists",
								"invalid-company-key", "not-found", "invalid-email-format", "password-too-short", "invalid-rights", "user-already-exists",
							}},
							{"description", "The code of the error. Five codes mean that the company key is wrong: invalid-access, invalid-company-key, company-missing, access-denied, and the ErrorCode COMPANY_KEY_INVALID."},
						}},
						{"errorSourceGroup", object{{"type", "string"}, {"description", "The part of the service that refused the request."}}},
					}},
					{"additionalProperties", true},
				},
				object{
					{"type", "object"},
					{"required", []string{"internalError"}},
					{"properties", object{{"internalError", object{{"type", "string"}, {"description", "Free text about an error inside the service."}}}}},
					{"additionalProperties", true},
				},
			}},
		}},
	}
}

// mediaTypes are the likely content types of the operations that return files. The documentation names
// none, so any other type is possible.
func mediaTypes(op *operation.Operation) []string {
	switch op {
	case operation.ResultFaceVideo:
		return []string{"video/mp4", "video/webm"}
	case operation.ResultGeneralDocument:
		return []string{"image/jpeg", "image/png", "application/pdf"}
	case operation.ExportSessionPDF:
		return []string{"application/pdf"}
	case operation.VideoCallVideos:
		return []string{"application/x-tar"}
	}
	return []string{"image/jpeg", "image/png"}
}

// responses returns the responses of an operation. Errors have status 200, too.
func (r *reflector) responses(op *operation.Operation, documented []sample, withExamples bool) object {
	failures := []any{ref("Error")}
	if op.Host == operation.Widget {
		failures = append(failures, ref("ErrorCode"))
	}
	content := object{}
	alternatives := failures
	if op.Shape == operation.Binary {
		for _, t := range append(mediaTypes(op), "*/*") {
			content.set(t, object{{"schema", object{{"type", "string"}, {"format", "binary"}}}})
		}
	} else {
		success := r.success(op, documented)
		alternatives = append(success, failures...)
	}
	media := object{{"schema", alternatives[0]}}
	if len(alternatives) > 1 {
		media = object{{"schema", object{{"oneOf", alternatives}}}}
	}
	examples := object{}
	for _, s := range documented {
		examples.set(s.label, object{{"value", s.json}})
	}
	if withExamples && len(examples) > 0 {
		media.set("examples", examples)
	}
	content.set("application/json", media)
	ok := object{{"description", responseDescription(op)}, {"headers", object{{"Authorization", object{{"$ref", "#/components/headers/Signature"}}}}}, {"content", content}}
	failure := object{{"schema", ref("Error")}}
	if len(failures) > 1 {
		failure = object{{"schema", object{{"oneOf", failures}}}}
	}
	return object{
		{"200", ok},
		{"default", object{
			{"description", "An error with another status. The content can be anything, such as the page of a proxy."},
			{"content", object{{"application/json", failure}, {"*/*", object{}}}},
		}},
	}
}

func responseDescription(op *operation.Operation) string {
	if op.Shape == operation.Binary {
		return "The file, or an error as JSON."
	}
	return "The data, or an error."
}

// success returns the schemas of successful responses.
func (r *reflector) success(op *operation.Operation, documented []sample) []any {
	switch op.Shape {
	case operation.Token:
		return []any{ref("SessionToken")}
	case operation.Done:
		return []any{
			object{{"type", "boolean"}, {"const", true}},
			ref("Result"), // the System manual returns the deleted data
		}
	case operation.Empty:
		return []any{object{{"type", "object"}, {"maxProperties", 0}}}
	case operation.True:
		return []any{r.envelope(op, object{{"type", "boolean"}, {"const", true}})}
	case operation.Outcome, operation.Object:
		s := r.schema(results[op])
		r.widenWith(&s, documented, false)
		if op.Shape == operation.Object {
			i := r.components.index(typeName(results[op]))
			component := r.components[i].value.(object)
			component.set("not", ref("Error"))
			r.components[i].value = component
		}
		return []any{s}
	}
	if results[op] == nil {
		panic("no type for " + op.Name)
	}
	s := r.schema(results[op])
	if op == operation.ScreeningMonitored {
		r.rename("PageOfMonitoredRecord", "offset", "start")
	}
	r.widenWith(&s, documented, true)
	return []any{r.envelope(op, s)}
}

func (r *reflector) widenWith(s *object, documented []sample, wrapped bool) {
	for _, sample := range documented {
		value := sample.decoded
		if o, isObject := value.(map[string]any); isObject {
			if o["argumentError"] != nil || o["internalError"] != nil {
				continue
			}
			if wrapped {
				value = o["result"]
			}
		}
		if value != nil {
			r.widen(s, value)
		}
	}
}

// envelope adds a component for {"result": …}.
func (r *reflector) envelope(op *operation.Operation, result object) object {
	name := pascal(op.Name) + "Result"
	result.set("description", meanings[op])
	r.components.set(name, object{
		{"type", "object"},
		{"required", []string{"result"}},
		{"properties", object{{"result", result}}},
		{"additionalProperties", true},
	})
	return ref(name)
}

// sample is a response in the API reference.
type sample struct {
	label   string
	json    json.RawMessage
	decoded any
}

// readSamples returns the samples by operation. Their files are called after the operation and the label,
// such as list-groups-default.json. A sample that was malformed in the API reference has a repaired copy.
func readSamples(dir string) (map[*operation.Operation][]sample, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	out := map[*operation.Operation][]sample{}
	for _, file := range files {
		name := filepath.Base(file)
		op := operationOf(name)
		if op == nil || strings.HasSuffix(name, ".txt") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		label := strings.TrimPrefix(name, hyphenated(op)+"-")
		label, _, _ = strings.Cut(label, ".")
		decoded, err := decodeNumbers(data)
		if err != nil {
			return nil, err
		}
		out[op] = append(out[op], sample{label, data, decoded})
	}
	return out, nil
}

// operationOf returns the operation with the longest name that the file's name begins with.
func operationOf(file string) *operation.Operation {
	var found *operation.Operation
	for _, op := range operation.All() {
		if strings.HasPrefix(file, hyphenated(op)+"-") && (found == nil || len(hyphenated(op)) > len(hyphenated(found))) {
			found = op
		}
	}
	return found
}

func hyphenated(op *operation.Operation) string {
	return strings.ReplaceAll(strings.TrimSuffix(op.Name, "/"), "/", "-")
}
