package identomat_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
)

// private is a list of values that must not be printed: two keys, a token and personal data.
var private = []string{
	companyKey, secretKey, string(sessionToken), "Wilhelmina", "Featherstone", "F00-AB-77", "wilhelmina@example.com",
	"+995599112233", "2/29/1984", "Rustaveli",
}

const sessionToken = identomat.Token("q7x0token0that0must0not0be0seen0anywhere1")

const privateResult = `{"result":"rejected","name":"Wilhelmina Featherstone","result_comment":"Wilhelmina lied",
	"reject_reason":{"value":"no-wilhelmina","description":"Wilhelmina lied"},
	"person":{"first_name":"Wilhelmina","last_name":"Featherstone","birthday":"2/29/1984","document_number":"F00-AB-77",
		"email":"wilhelmina@example.com","phone":"+995599112233","address":"Rustaveli 1"},
	"id_card_front":{"Given_Names_en_US":"Wilhelmina"},"id_card_back":{"Surname_en_US":"Featherstone"},
	"generalDocuments":[{"permanent":"Featherstone","pages":[{"statuses":["Wilhelmina"],"final":{"fullName":"Wilhelmina Featherstone","address":"Rustaveli 1"}}]}],
	"questionnaires":[{"key":"q","questions":[{"key":"name","answer":"Wilhelmina Featherstone"}]}],
	"geolocation":[{"key":"g","address":"Rustaveli 1"}],"technicalDetails":{"userAgent":"Wilhelmina's phone"},
	"screeningMatches":[{"name":"Wilhelmina Featherstone"}],"suggested":{"name":"Wilhelmina"},"trustedDatabaseRecord":{"name":"Wilhelmina"}}`

// printings returns what formatters and loggers print for v, for a pointer to v, and for a struct, a
// slice and a map that contain v.
func printings(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	pointer := reflect.New(reflect.TypeOf(v))
	pointer.Elem().Set(reflect.ValueOf(v))
	wrapped := struct {
		Field any
		List  []any
	}{v, []any{v, pointer.Interface()}}
	for _, x := range []any{v, pointer.Interface(), wrapped, map[string]any{"v": v}} {
		for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %c %e %E %f %g %G %o %O %b %U %T %z") {
			fmt.Fprintf(&out, verb+"\n", x)
		}
		fmt.Fprintln(&out, x)
		options := &slog.HandlerOptions{Level: slog.LevelDebug}
		slog.New(slog.NewTextHandler(&out, options)).Info("x", "v", x, slog.Group("g", "v", x))
		switch v.(type) {
		case identomat.Event: // encoding/json would also encode the caller's context
			continue
		case identomat.Flags, identomat.Steps, identomat.AnyStep, identomat.Session, identomat.Token:
			if _, direct := x.(slog.LogValuer); !direct {
				continue // the JSON of these types is meant to be sent or stored
			}
		}
		slog.New(slog.NewJSONHandler(&out, options)).Info("x", "v", x, slog.Group("g", "v", x))
	}
	return out.String()
}

func assertSecret(t *testing.T, text, what string) {
	t.Helper()
	for _, secret := range private {
		for _, spelling := range []string{secret, url.QueryEscape(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(spelling)); at >= 0 {
				t.Errorf("%s shows %q: …%s…", what, secret, text[max(0, at-60):min(len(text), at+60)])
				return
			}
		}
	}
}

func privateRequest() identomat.BeginRequest {
	return identomat.BeginRequest{
		Flags: identomat.NewFlags().Set("prefill", "Wilhelmina"),
		Steps: identomat.Steps{identomat.UserQuestionnaire("employment").
			Ask(identomat.TextQuestion("name", identomat.Text{"en": "For Wilhelmina"}).Answer("Wilhelmina Featherstone"))},
		Name: "Wilhelmina Featherstone", ClientUserID: "F00-AB-77", ParentSessionID: sessionToken,
		Extra: map[string]any{"note": "Featherstone"},
	}
}

// userKey is a key for a context value, which fmt would print.
type userKey struct{}

// shown returns a value of every exported type that can hold a secret or personal data, by the type's
// name.
func shown(t *testing.T) map[string]any {
	t.Helper()
	var result identomat.Result
	require.NoError(t, json.Unmarshal([]byte(privateResult), &result))
	require.Equal(t, "Wilhelmina", result.Person.FirstName)
	client, err := identomat.NewClient(companyKey, identomat.WithHMAC(secretKey))
	require.NoError(t, err)
	request := privateRequest()
	step := request.Steps[0].(identomat.QuestionnaireStep)
	cause := errors.New(companyKey)
	person := read[identomat.ScreeningPerson](t, `{"lastName":"Featherstone","extraDetails":[{"groupName":"Wilhelmina","details":[
		{"detailName":"Featherstone","properties":[{"propertyName":"Alias","value":["Wilhelmina"]}]}]}]}`)
	blacklisted := read[identomat.BlacklistRecord](t, `{"id":"F00-AB-77","firstName":"Wilhelmina","birthday":"2/29/1984"}`)
	group := read[identomat.Group](t, `{"id":"F00-AB-77","name":"Featherstone","members":[{"username":"wilhelmina@example.com"}]}`)
	config := read[identomat.SessionConfig](t, `{"id":"F00-AB-77","name":"Featherstone","general":{"x":"Wilhelmina"},
		"steps":[{"type":"liveness","key":"l","title":"Wilhelmina"}]}`)
	document := read[identomat.Document](t, `{"Surname_en_US":"Featherstone","mrzData":{"a":"Featherstone"},"visualData":{"b":["Wilhelmina"]},
		"requestId":"F00-AB-77","person":{"first_name":"Wilhelmina"}}`)
	callback := parseCallback(t, `{"callbackApiKey":"`+callbackKey+`","type":"one-time-password-request","sessionId":"F00-AB-77",
		"phoneNumber":"Featherstone","text":"Wilhelmina Featherstone"}`)
	message, ok := callback.SMS()
	require.True(t, ok)
	return map[string]any{
		"Callback": callback, "SMS": message,
		"Client": client, "SessionsService": *client.Sessions,
		"BeginRequest": request, "Flags": request.Flags, "Steps": request.Steps, "QuestionnaireStep": step,
		"Session": identomat.Session{Token: sessionToken, URL: "https://x/?session_token=" + string(sessionToken)}, "Token": sessionToken,
		"DeletedSession": identomat.DeletedSession{Result: &result},
		"Result":         result, "Person": result.Person, "DocumentFields": result.IDCardFront,
		"GeneralDocument": result.GeneralDocuments[0], "GeneralDocumentPage": result.GeneralDocuments[0].Pages[0],
		"GeneralDocumentData": result.GeneralDocuments[0].Pages[0].Final,
		"Questionnaire":       result.Questionnaires[0], "QuestionAnswer": result.Questionnaires[0].Questions[0],
		"Answer": result.Answer("q", "name"), "Location": result.Geolocation[0], "TechnicalDetails": result.TechnicalDetails,
		"ScreeningMatch": result.ScreeningMatches[0], "RejectReason": result.RejectReason,

		"ScreeningService": *client.Screening, "BlacklistService": *client.Blacklist, "GroupsService": *client.Groups,
		"UsersService": *client.Users, "VideoCallsService": *client.VideoCalls,
		"ScreeningQuery": privateQuery(), "MonitorQuery": identomat.MonitorQuery{FullName: "Wilhelmina"},
		"MonitoredFilter": identomat.MonitoredFilter{Extra: map[string]any{"x": "Wilhelmina"}},
		"ScreeningHit":    read[identomat.ScreeningHit](t, `{"score":90,"personId":"F00-AB-77","name":"Wilhelmina Featherstone"}`),
		"ScreeningPerson": person, "ScreeningGroup": person.ExtraDetails[0], "ScreeningDetail": person.ExtraDetails[0].Details[0],
		"ScreeningProperty": person.ExtraDetails[0].Details[0].Properties[0],
		"MonitoredRecord":   read[identomat.MonitoredRecord](t, `{"id":"F00-AB-77","fullName":"Wilhelmina Featherstone"}`),
		"BlacklistEntry":    privateEntry(), "BlacklistFilter": identomat.BlacklistFilter{Extra: map[string]any{"x": "Wilhelmina"}},
		"BlacklistRecord": blacklisted,
		"Page":            read[identomat.Page[identomat.BlacklistRecord]](t, `{"total":1,"data":[`+string(blacklisted.Raw())+`]}`),
		"Group":           group, "GroupMember": group.Members[0], "CreateGroupRequest": identomat.CreateGroupRequest{Name: "Featherstone", MemberIDs: []string{"F00-AB-77"}},
		"UpdateGroupRequest": identomat.UpdateGroupRequest{Name: "Featherstone", MemberIDs: []string{"F00-AB-77"}},
		"User":               read[identomat.User](t, `{"id":"F00-AB-77","username":"wilhelmina@example.com"}`),
		"CreateUserRequest":  privateUser(), "Password": privateUser().Password,
		"SessionConfig": config, "GeneralConfig": config.General,
		"Activity":       read[identomat.Activity](t, `{"id":"F00-AB-77","type":"T","data":{"name":"Wilhelmina Featherstone"}}`),
		"Statistics":     read[identomat.Statistics](t, `{"sessionStartDate":"2/29/1984","livenessFailReasons":["Wilhelmina"]}`),
		"FaceComparison": read[identomat.FaceComparison](t, `{"similarity":0.9,"face1Statuses":["F00-AB-77"]}`),
		"Document":       document, "File": identomat.FileFromPath("/tmp/Wilhelmina Featherstone.jpg"), "DocumentsService": *client.Documents,
		"MediaService":   *client.Media,
		"Media":          identomat.Media{ContentType: "image/jpeg", Size: 7},
		"ArchiveFile":    identomat.ArchiveFile{Name: "Wilhelmina.jpg"},
		"APIError":       identomat.APIError{Operation: "result/"},
		"Event":          identomat.Event{Context: context.WithValue(t.Context(), userKey{}, "Wilhelmina"), Operation: "result/"},
		"TransportError": identomat.TransportError{Operation: "result/", Err: scrub(t, cause)},
	}
}

// read decodes JSON text.
func read[T any](t *testing.T, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

// scrub returns the Err that a call reports if its RoundTripper fails with cause.
func scrub(t *testing.T, cause error) error {
	t.Helper()
	client := stubbed(t, func(*http.Request) (*http.Response, error) { return nil, cause })
	err := begin(client, t.Context())
	var transport *identomat.TransportError
	require.ErrorAs(t, err, &transport)
	require.ErrorIs(t, err, cause)
	return transport.Err
}

func TestExportedTypesPrintNoSecret(t *testing.T) {
	for name, v := range shown(t) {
		assertSecret(t, printings(t, v), name)
	}
	options := []any{identomat.WithHMAC(secretKey), identomat.NewHMACTransport(secretKey, nil)}
	assertSecret(t, printings(t, options), "options")
}

// TestExportedTypesAreSearched fails for a new type that is neither in shown nor known to be
// harmless.
func TestExportedTypesAreSearched(t *testing.T) {
	harmless := map[string]string{
		"CallbackType": "enumeration", "Host": "enumeration", "Endpoint": "a name", "CallbackError": "a status and a text of this SDK", "CallbackOption": "function",
		"Option": "function", "HMACOption": "function", "RateLimiter": "interface", "MultipartDigest": "function",
		"RetryPolicy": "numbers", "Problem": "paths and rules", "ValidationError": "paths and rules",
		"DocumentPageNumber": "a number",
		"Date":               "text that callers print", "Text": "text that callers print",
		"Outcome": "enumeration", "Language": "enumeration", "DocumentType": "enumeration", "GeneralDocumentType": "enumeration",
		"KYBField":             "enumeration",
		"GeneralDocumentMedia": "enumeration", "PDFParts": "switches",
		"ScreeningTopic": "enumeration", "PropertyType": "enumeration", "UserRight": "enumeration", "ActivityType": "enumeration", "ImageCode": "enumeration",
		"AnyStep": "interface", "AnyQuestion": "interface", "BeneficiaryRole": "object",
		// Questions, options and roles are built like the steps. Other tests search them.
		"ChoiceOption": "object", "TextInput": "object", "CheckboxInput": "object", "RadioInput": "object",
		"DropdownInput": "object", "FileInput": "object",
	}
	values := shown(t)
	for _, name := range exportedTypes(t) {
		_, searched := values[name]
		if searched || harmless[name] != "" || strings.HasSuffix(name, "Step") || strings.HasSuffix(name, "Question") {
			continue
		}
		t.Errorf("%s is neither searched for secrets nor known to be harmless", name)
	}
}

// TestResponseTypesAreMasked requires a mask for every type of this package that a type in shown
// contains, except services and the types in unmasked.
func TestResponseTypesAreMasked(t *testing.T) {
	unmasked := map[string]string{
		"DocumentPageNumber": "a number", "TransportError": "its text is safe", "APIError": "its text is safe", "Problem": "it contains no value",
		"Date": "text that callers print", "Text": "text that callers print", "Language": "enumeration", "ImageCode": "enumeration", "Steps": "each step has a mask",
		"Outcome": "enumeration", "DocumentType": "enumeration", "GeneralDocumentType": "enumeration", "ScreeningTopic": "enumeration",
		"PropertyType": "enumeration", "UserRight": "enumeration", "ActivityType": "enumeration", "CallbackType": "enumeration",
	}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		if typ.PkgPath() == reflect.TypeFor[identomat.Result]().PkgPath() && ast.IsExported(typ.Name()) && typ.Kind() != reflect.Interface {
			name, _, _ := strings.Cut(typ.Name(), "[")
			_, isService := strings.CutSuffix(name, "Service")
			masked := typ.Implements(reflect.TypeFor[fmt.Formatter]()) && typ.Implements(reflect.TypeFor[slog.LogValuer]())
			assert.True(t, masked || isService || unmasked[name] != "", "%s has no mask", name)
		}
		switch typ.Kind() {
		case reflect.Struct:
			for field := range typ.Fields() {
				visit(field.Type)
			}
		case reflect.Map:
			visit(typ.Key())
			visit(typ.Elem())
		case reflect.Slice, reflect.Array, reflect.Pointer:
			visit(typ.Elem())
		}
	}
	for _, v := range shown(t) {
		visit(reflect.TypeOf(v))
	}
}

func exportedTypes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), entry.Name(), nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == gotoken.TYPE {
				for _, spec := range gen.Specs {
					if name := spec.(*ast.TypeSpec).Name; name.IsExported() {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}

// positions returns v and a pointer to v in places where fmt and encoders find values: alone, in
// fields, lists and maps, and as the cause of an error.
func positions(v any) (all []any) {
	pointer := reflect.New(reflect.TypeOf(v))
	pointer.Elem().Set(reflect.ValueOf(v))
	for _, x := range []any{v, pointer.Interface()} {
		inner := struct{ v any }{x}
		all = append(all, x, inner, &inner, struct{ V any }{x}, []any{x}, map[string]any{"k": x}, [1]any{x}, []any{inner})
		if reflect.TypeOf(x).Comparable() {
			all = append(all, map[any]bool{x: true})
		}
		if err, ok := x.(error); ok {
			wrapped, joined := fmt.Errorf("call: %w", err), errors.Join(io.EOF, err)
			all = append(all, wrapped, joined, fmt.Errorf("%w and %w", joined, err), struct{ error }{err}, struct{ err error }{err}, struct{ err error }{wrapped},
				&url.Error{Op: "Post", URL: "https://x.example", Err: err}, []error{err, joined})
		}
	}
	return all
}

// diffs records what testify prints. testify ignores the methods of values.
type diffs struct{ strings.Builder }

func (d *diffs) Errorf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// dumps returns the output of formatters, loggers, encoders and test libraries for x.
func dumps(x any) string {
	var out diffs
	for _, flags := range []string{"", "+", "#", "-+#0", " ", "60.40"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspwz!" {
			fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", x)
		}
	}
	fmt.Fprintln(&out, x)
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
		slog.New(handler).Info("x", "v", x, slog.Group("g", "v", x))
	}
	for _, encode := range encoders {
		func() {
			defer func() { fmt.Fprintln(&out, recover()) }() // encoding/gob and yaml panic for functions
			data, err := encode(x)
			fmt.Fprintf(&out, "%s %v\n", data, err)
		}()
	}
	out.WriteString(expvar.Func(func() any { return x }).String())
	for _, text := range []string{"{{.}}", "{{printf `%s %v %+v %#v %t` . . . . .}}", "{{range $k, $v := .}}{{$k}}{{$v}}{{end}}", "{{.V}}"} {
		_ = template.Must(template.New("").Parse(text)).Execute(&out, x)
	}
	assert.Equal(&out, x, "another value")
	assert.Nil(&out, x)
	return out.String()
}

// TestErrorsAndClientsAreOutOfReach checks types whose secrets are not in exported fields. Even code
// that ignores methods must not reach the secrets.
func TestErrorsAndClientsAreOutOfReach(t *testing.T) {
	internal := func(*http.Request) (*http.Response, error) {
		return newResponse(400, `{"internalError":"Wilhelmina `+companyKey+`","message":"Wilhelmina `+secretKey+`","identifier":"BAD_VALUE"}`), nil
	}
	dump := func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		return nil, &url.Error{Op: "Post", URL: string(body), Err: &dumpError{fmt.Sprint(r.Header), base64.StdEncoding.EncodeToString(body)}}
	}
	values := map[string]any{}
	for name, fault := range map[string]roundTrip{"APIError": internal, "TransportError": dump} {
		client := stubbed(t, fault, quick, identomat.WithHMAC(secretKey))
		_, err := client.Sessions.Begin(t.Context(), privateRequest())
		values[name] = reflect.ValueOf(err).Elem().Interface()
		other, newErr := idenfy.NewClient(companyKey, secretKey, identomat.WithHTTPClient(&http.Client{Transport: fault}))
		require.NoError(t, newErr)
		_, err = other.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "F00-AB-77", FirstName: "Wilhelmina"})
		values["idenfy "+name] = reflect.ValueOf(err).Elem().Interface()
		values["Client"], values["SessionsService"], values["idenfy Client"] = *client, *client.Sessions, *other
		values["WithHMAC"], values["HMACTransport"] = identomat.WithHMAC(secretKey), identomat.NewHMACTransport(secretKey, nil)
	}
	api, other := values["APIError"].(identomat.APIError), values["idenfy APIError"].(idenfy.APIError)
	require.Contains(t, api.Message(), companyKey)
	require.Contains(t, other.Message(), secretKey)
	for name, v := range values {
		for i, x := range positions(v) {
			assertSecret(t, dumps(x), fmt.Sprintf("%s in position %d (%T)", name, i, x))
		}
	}
}

// TestPanicPrintsNoSecret panics in a separate process, because the runtime prints the value without
// fmt.
func TestPanicPrintsNoSecret(t *testing.T) {
	const child = "IDENTOMAT_PANICS"
	secrets := map[string]any{"token": sessionToken, "password": privateUser().Password}
	if secret := secrets[os.Getenv(child)]; secret != nil {
		panic(secret)
	}
	program, err := os.Executable()
	require.NoError(t, err)
	for name := range secrets {
		cmd := exec.Command(program, "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"="+name)
		printed, err := cmd.CombinedOutput()
		require.Error(t, err, name)
		assert.Contains(t, string(printed), "panic: ", name)
		assertSecret(t, string(printed), "the panic with "+name)
	}
}

// dumpError is an error from a RoundTripper. It contains the whole request.
type dumpError struct{ Request, Body string }

func (e *dumpError) Error() string { return "sending " + e.Request + ": " + e.Body }

// heldRequest is an error from a RoundTripper. Its text does not contain the request, but its field does.
type heldRequest struct{ Request *http.Request }

func (heldRequest) Error() string { return "refused" }

func TestErrorsLogsAndEventsShowNoSecret(t *testing.T) {
	faults := map[string]roundTrip{
		"error with the request": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, &dumpError{fmt.Sprint(r.Header), string(body)}
		},
		"error with the body in base64": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, &dumpError{"a body", "x" + base64.RawURLEncoding.EncodeToString(body)}
		},
		"error with the body in hexadecimal": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, &dumpError{"a body", hex.EncodeToString(body)}
		},
		"error with the key in upper case": func(*http.Request) (*http.Response, error) {
			return nil, &dumpError{"a key", strings.ToUpper(companyKey)}
		},
		"error that holds the request": func(r *http.Request) (*http.Response, error) {
			return nil, errors.Join(&dumpError{}, heldRequest{r})
		},
		"wrapped error with the request": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, fmt.Errorf("proxy: %w", &url.Error{Op: "Post", URL: string(body), Err: io.EOF})
		},
		"response with the request": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return newResponse(500, string(body)), nil
		},
		"page with the request": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return newResponse(200, "<p>"+string(body)+"</p>", "Content-Type", "text/html"), nil
		},
		"name as content type": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, "{}", "Content-Type", "Wilhelmina Featherstone"), nil
		},
		"name as subtype": func(r *http.Request) (*http.Response, error) {
			return newResponse(502, "{}", "Content-Type", "text/Featherstone"), nil
		},
		"key in the redirect location": func(r *http.Request) (*http.Response, error) {
			return newResponse(302, "", "Location", "://\x7f"+companyKey), nil
		},
		"truncated result": func(r *http.Request) (*http.Response, error) { return newResponse(200, privateResult[:200]), nil },
		"result is not JSON": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, "Wilhelmina Featherstone, 2/29/1984, wilhelmina@example.com"), nil
		},
		"result is a string": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, `"Wilhelmina Featherstone"`), nil
		},
		"result is a list": func(r *http.Request) (*http.Response, error) { return newResponse(200, `[`+privateResult+`]`), nil },
		"result without an outcome": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, `{"person":{"first_name":"Wilhelmina"}}`), nil
		},
		"internalError with a name": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, `{"internalError":"no Wilhelmina Featherstone here"}`), nil
		},
		"argumentError with a name": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, `{"argumentError":"no Wilhelmina Featherstone here"}`), nil
		},
		"wrong signature": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, privateResult, "Authorization", `signature="AAAA"`), nil
		},
		"response too large": func(r *http.Request) (*http.Response, error) {
			return newResponse(200, `{"name":"Wilhelmina Featherstone"}`+strings.Repeat(" ", 2000)), nil
		},
		"read fails": func(r *http.Request) (*http.Response, error) {
			resp := newResponse(200, privateResult)
			resp.ContentLength = -1
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(privateResult), failing{&dumpError{"response", companyKey + " Wilhelmina"}}))
			return resp, nil
		},
	}
	for name, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			options := &slog.HandlerOptions{Level: slog.LevelDebug}
			client := stubbed(t, fault, quick, identomat.WithHMAC(secretKey), identomat.WithMaxResponseSize(1900),
				identomat.WithLogger(slog.New(slog.NewTextHandler(&log, options))),
				identomat.WithLogger(slog.New(slog.NewJSONHandler(&log, options))),
				identomat.WithObserver(func(e identomat.Event) { fmt.Fprintf(&log, "%v %+v %#v %s\n", e, e, e, e.Err) }))
			_, beginErr := client.Sessions.Begin(t.Context(), privateRequest())
			_, resultErr := client.Sessions.Result(t.Context(), sessionToken)
			_, waitErr := client.Sessions.Wait(t.Context(), sessionToken)
			_, deleteErr := client.Sessions.Delete(t.Context(), sessionToken)
			for _, err := range []error{beginErr, resultErr, waitErr, deleteErr} {
				if err == nil {
					continue // delete/ accepts any JSON object
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					assertSecret(t, fmt.Sprintf("%s %v %+v %#v %q", e, e, e, e, e)+printings(t, e), name)
				}
				var dump *dumpError
				assert.NotErrorAs(t, err, &dump, "an error with the request must not be returned")
			}
			require.Error(t, beginErr)
			require.Error(t, resultErr)
			assert.NotEmpty(t, log.String())
			assertSecret(t, log.String(), "the log")
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestValidationErrorShowsNoValue(t *testing.T) {
	client, mock := mocked(t)
	request := privateRequest()
	request.Extra["name"] = "Wilhelmina"
	request.Extra["bad"] = map[string]any{"Wilhelmina": make(chan int)}
	request.Flags = request.Flags.Set("x", func() string { return "Wilhelmina" })
	request.Steps = append(request.Steps, request.Steps[0], identomat.UserQuestionnaire("u").Ask(
		identomat.RadioQuestion("q", nil, identomat.Choice("a", nil)).Answer("Wilhelmina").ShowIf("Featherstone", "F00-AB-77")))
	_, err := client.Sessions.Begin(t.Context(), request)
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	paths := make([]string, len(invalid.Problems))
	for i, p := range invalid.Problems {
		paths[i] = p.Path
	}
	assert.Equal(t, []string{
		"steps[1].key", "steps[2].questions[0].answer", "steps[2].questions[0].showConditions.questionKey",
		"flags.x", "Extra.bad", "Extra.name",
	}, paths)
	assertSecret(t, printings(t, err)+printings(t, *invalid)+printings(t, invalid.Problems), "the validation error")
	assert.Zero(t, mock.GetTotalCallCount())

	client, mock = mocked(t, identomat.WithoutValidation())
	_, err = client.Sessions.Begin(t.Context(), request)
	require.ErrorAs(t, err, &invalid, "a value without a JSON form must be refused even without validation")
	paths = paths[:0]
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	assert.Equal(t, []string{"flags.x", "Extra.bad", "Extra.name"}, paths)
	assert.Zero(t, mock.GetTotalCallCount())

	answers(mock, beginURL, 200, "application/json", tokenResponse)
	request.Flags, request.Extra = identomat.Flags{}, nil
	_, err = client.Sessions.Begin(t.Context(), request)
	require.NoError(t, err)
}

// encodable lists the types in shown that can be encoded, and why. Encoding any other type must
// return an error.
var encodable = map[string]string{
	"Token": "to be stored", "Session": "to be stored",
	"Flags": "the JSON is sent", "Steps": "the JSON is sent", "QuestionnaireStep": "the JSON is sent",
	"APIError": "its text is safe", "TransportError": "its text is safe",
	"Event": "its errors are safe", "Media": "a type and a size", "File": "no exported fields",
	"Client": "services", "SessionsService": "no exported fields", "MediaService": "no exported fields",
	"DocumentsService": "no exported fields", "ScreeningService": "no exported fields",
	"BlacklistService": "no exported fields", "GroupsService": "no exported fields",
	"UsersService": "no exported fields", "VideoCallsService": "no exported fields",
}

var encoders = map[string]func(v any) ([]byte, error){
	"encoding/json": json.Marshal,
	"encoding/gob": func(v any) ([]byte, error) {
		var out bytes.Buffer
		err := gob.NewEncoder(&out).Encode(v)
		return out.Bytes(), err
	},
	"encoding/xml": xml.Marshal,
	"yaml":         yaml.Marshal,
}

// TestMaskedTypesAreNotEncoded checks that encoders return an error that says what to do instead,
// whether the value is encoded alone or inside another value. A mask in a database would be silent data
// loss.
func TestMaskedTypesAreNotEncoded(t *testing.T) {
	values := shown(t)
	for name := range encodable {
		_, known := values[name]
		assert.True(t, known, "%s is not in shown", name)
	}
	for name, v := range values {
		if encodable[name] != "" {
			continue
		}
		typ := reflect.TypeOf(v)
		pointer := reflect.New(typ)
		pointer.Elem().Set(reflect.ValueOf(v))
		field := reflect.New(reflect.StructOf([]reflect.StructField{
			{Name: "XMLName", Type: reflect.TypeFor[xml.Name](), Tag: `xml:"holder"`}, {Name: "Field", Type: typ},
		})).Elem()
		field.Field(1).Set(reflect.ValueOf(v))
		list := reflect.Append(reflect.MakeSlice(reflect.SliceOf(typ), 0, 1), reflect.ValueOf(v))
		object := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), typ))
		object.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf(v))
		for encoder, encode := range encoders {
			for form, x := range map[string]any{
				"value": v, "pointer": pointer.Interface(), "field": field.Interface(), "list": list.Interface(), "map": object.Interface(),
			} {
				if encoder == "encoding/xml" && form == "map" {
					continue // encoding/xml does not encode maps
				}
				data, err := encode(x)
				require.ErrorContains(t, err, "personal data is not encoded: store Raw", "%s of %s as %s", encoder, name, form)
				assertSecret(t, string(data)+err.Error(), encoder+" of "+name)
			}
		}
	}
}

type (
	// customer embeds a masked type, so the masked type's methods are promoted to customer.
	customer struct {
		identomat.Person
		Note string `json:"note"`
	}
	verification struct {
		*identomat.Result
		Note string `json:"note"`
	}
)

// TestStructThatEmbedsMaskedTypeIsNotEncoded checks that encoding such a struct is an error. The other
// fields must not be lost silently.
func TestStructThatEmbedsMaskedTypeIsNotEncoded(t *testing.T) {
	result := read[identomat.Result](t, privateResult)
	for name, v := range map[string]any{
		"Person": customer{result.Person, "a note"}, "*Result": verification{&result, "a note"}, "pointer": &customer{result.Person, "a note"},
	} {
		for encoder, encode := range encoders {
			data, err := encode(v)
			require.ErrorContains(t, err, "do not embed the type in a struct that you encode", "%s of %s", encoder, name)
			assertSecret(t, string(data), encoder+" of "+name)
		}
		assertSecret(t, printings(t, v), name)
	}
	// Fields that are copied to another struct can be encoded.
	stored, err := json.Marshal(struct{ Name, Note string }{result.Person.FirstName, "a note"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Name":"Wilhelmina","Note":"a note"}`, string(stored))
}

// TestStoredTypesKeepJSON checks the types that fmt and slog mask, but JSON does not.
func TestStoredTypesKeepJSON(t *testing.T) {
	session := identomat.Session{Token: sessionToken, URL: "u"}
	stored, err := json.Marshal(session)
	require.NoError(t, err)
	assert.JSONEq(t, `{"token":"`+string(sessionToken)+`","url":"u"}`, string(stored))
	assert.Equal(t, session, read[identomat.Session](t, string(stored)))

	stored, err = json.Marshal(map[identomat.Token]identomat.Token{sessionToken: sessionToken})
	require.NoError(t, err)
	assert.JSONEq(t, `{"`+string(sessionToken)+`":"`+string(sessionToken)+`"}`, string(stored))

	request := privateRequest()
	stored, err = json.Marshal(struct {
		Flags identomat.Flags
		Steps identomat.Steps
	}{request.Flags, request.Steps})
	require.NoError(t, err)
	assert.Contains(t, string(stored), `"Flags":{"prefill":"Wilhelmina"},"Steps":[{"type":"user-questionnaire","key":"employment"`)
	assert.Contains(t, string(stored), `"Wilhelmina Featherstone"`)
	decoded := read[struct {
		Flags identomat.Flags
		Steps identomat.Steps
	}](t, string(stored))
	encoded, err := json.Marshal(decoded)
	require.NoError(t, err)
	assert.Equal(t, string(stored), string(encoded))
}
