package idenfy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/internal/redact"
)

// secret lists values that must never be shown: the keys, a token and personal data.
var secret = []string{
	apiKey, apiSecret, base64.StdEncoding.EncodeToString([]byte(apiKey + ":" + apiSecret)), vectorKey, authToken,
	"Wilhelmina", "Featherstone", "F00-AB-77", "1984-02-29", "Rustaveli", "415-22-9981", "8846201937", "7719305526", "customer-4711",
}

const authToken = "q7x0token0that0must0not0be0seen0anywhere"

// privateResponse echoes the values of privateRequest.
const privateResponse = `{"message":"for Wilhelmina","authToken":"` + authToken + `","scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac","clientId":"customer-4711",
	"firstName":"WILHELMINA","lastName":"FEATHERSTONE","dateOfBirth":"1984-02-29","personalNumber":"F00-AB-77","documentNumber":"8846201937",
	"address":"Rustaveli 1","additionalData":{"UTILITY_BILL":{"ssn":"415-22-9981","account":7719305526}},"digitString":"8846201937","personScanRef":"customer-4711"}`

func privateRequest() idenfy.SessionRequest {
	return idenfy.SessionRequest{
		ClientID: "customer-4711", FirstName: "Wilhelmina", LastName: "Featherstone", DateOfBirth: "1984-02-29", PersonalNumber: "F00-AB-77",
		DocumentNumber: "8846201937", Address: "Rustaveli 1", AdditionalSteps: json.RawMessage("{}"),
		AdditionalData: json.RawMessage(`{"UTILITY_BILL":{"ssn":"415-22-9981","account":7719305526}}`),
		Extra:          map[string]any{"note": "Featherstone"},
	}
}

// printings returns what formatters, loggers and encoders print for v, for a pointer to v, and for a
// struct, a slice and a map that contain v.
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
		slog.New(slog.NewJSONHandler(&out, options)).Info("x", "v", x, slog.Group("g", "v", x))
		if data, err := json.Marshal(x); err == nil {
			out.Write(data)
		} else {
			out.WriteString(err.Error())
		}
		_ = xml.NewEncoder(&out).Encode(x)
	}
	return out.String()
}

func assertSecret(t *testing.T, text, what string) {
	t.Helper()
	for _, value := range secret {
		for _, spelling := range []string{value, url.QueryEscape(value), fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(spelling)); at >= 0 {
				t.Errorf("%s shows %q: …%s…", what, value, text[max(0, at-60):min(len(text), at+60)])
				return
			}
		}
	}
}

// shown returns values of every exported type that can hold a secret or personal data.
func shown(t *testing.T) map[string]any {
	t.Helper()
	client, err := idenfy.NewClient(apiKey, apiSecret)
	require.NoError(t, err)
	session, err := answering(t, 200, privateResponse).CreateSession(t.Context(), privateRequest())
	require.NoError(t, err)
	require.Equal(t, authToken, string(session.AuthToken))
	require.Equal(t, "8846201937", session.DocumentNumber)
	hook, err := idenfy.ParseWebhook(signed(`{"final":true,"scanRef":"s","clientId":"customer-4711","externalRef":"F00-AB-77","status":{"overall":"DENIED","fraudTags":["Wilhelmina"]},"data":{"docFirstName":"WILHELMINA"}}`), []string{vectorKey})
	require.NoError(t, err)
	_, refusal := answering(t, 400, `{"identifier":"BAD_VALUE","message":"Field 'firstName' is Wilhelmina"}`).CreateSession(t.Context(), privateRequest())
	var api *idenfy.APIError
	require.ErrorAs(t, refusal, &api)
	require.Equal(t, "Field 'firstName' is Wilhelmina", api.Message())
	return map[string]any{
		"Client": client, "SessionRequest": privateRequest(), "Session": *session, "AuthToken": session.AuthToken, "Webhook": *hook, "WebhookStatus": hook.Status,
		"APIError": *api,
	}
}

func TestExportedTypesPrintNoSecret(t *testing.T) {
	for name, v := range shown(t) {
		assertSecret(t, printings(t, v), name)
	}
	assertSecret(t, printings(t, []any{idenfy.WithBaseURL("https://x.example"), identomat.WithHTTPClient(&http.Client{})}), "options")
	hidden := struct{ err idenfy.APIError }{shown(t)["APIError"].(idenfy.APIError)}
	assertSecret(t, fmt.Sprintf("%v %+v %#v", hidden, hidden, hidden), "unexported field")
	client := shown(t)["Client"]
	assert.Equal(t, "[redacted] [redacted] [redacted]", fmt.Sprintf("%v %+v %#v", client, client, client))
	assert.Equal(t, "[redacted]", client.(slog.LogValuer).LogValue().String())
	for name, v := range shown(t) {
		switch v.(type) {
		case idenfy.SessionRequest, idenfy.Session, idenfy.AuthToken, idenfy.Webhook, idenfy.WebhookStatus:
			for _, wrapped := range []any{v, []any{v}, map[string]any{"v": v}} {
				_, err := json.Marshal(wrapped)
				require.ErrorIs(t, err, redact.ErrEncode, name)
			}
			require.ErrorIs(t, gob.NewEncoder(io.Discard).Encode(v), redact.ErrEncode, name)
		}
	}
}

// TestExportedTypesAreSearched fails for a new type that is neither in shown nor known to be
// harmless.
func TestExportedTypesAreSearched(t *testing.T) {
	harmless := map[string]string{
		"Option": "function", "Locale": "enumeration", "DocumentType": "enumeration", "TokenType": "enumeration", "Sex": "enumeration",
		"FraudService": "enumeration", "DetectionType": "enumeration", "Overall": "enumeration",
	}
	values := shown(t)
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	found := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), entry.Name(), nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != gotoken.TYPE {
				continue
			}
			for _, spec := range gen.Specs {
				name := spec.(*ast.TypeSpec).Name
				if _, searched := values[name.Name]; name.IsExported() {
					found++
					assert.True(t, searched || harmless[name.Name] != "", "%s is neither searched for secrets nor known to be harmless", name)
				}
			}
		}
	}
	assert.Equal(t, len(values)+len(harmless), found)
}

// TestPanicPrintsNoToken panics in a separate process, because the runtime prints the value without
// fmt.
func TestPanicPrintsNoToken(t *testing.T) {
	const child = "IDENFY_PANICS"
	if os.Getenv(child) != "" {
		panic(idenfy.AuthToken(authToken))
	}
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	printed, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(printed), "panic: ")
	assertSecret(t, string(printed), "the panic")
}

// dumpError is an error from a RoundTripper. It contains the whole request.
type dumpError struct{ Request, Body string }

func (e *dumpError) Error() string { return "sending " + e.Request + ": " + e.Body }

func TestErrorsLogsAndEventsShowNoSecret(t *testing.T) {
	echo := func(status int, format string, header ...string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return response(status, strings.ReplaceAll(format, "%s", string(body)), header...), nil
		}
	}
	faults := map[string]roundTrip{
		"the request is dumped": func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			return nil, &dumpError{fmt.Sprint(r.Header), string(body)}
		},
		"the header is dumped": func(r *http.Request) (*http.Response, error) { return nil, &dumpError{fmt.Sprint(r.Header), ""} },
		"the credentials are dumped": func(r *http.Request) (*http.Response, error) {
			key, password, _ := r.BasicAuth()
			return nil, fmt.Errorf("proxy: %w", &url.Error{Op: "Post", URL: "https://" + key + ":" + url.QueryEscape(password) + "@x", Err: io.EOF})
		},
		"the key is dumped":           func(*http.Request) (*http.Response, error) { return nil, errors.New("proxy: user " + apiKey) },
		"the secret is dumped":        func(*http.Request) (*http.Response, error) { return nil, errors.New("proxy: password " + apiSecret) },
		"a number is dumped":          func(r *http.Request) (*http.Response, error) { return nil, errors.New("7719305526 is closed") },
		"the request is echoed":       echo(500, "%s"),
		"echoed with 200":             echo(200, "%s"),
		"echoed in HTML":              echo(200, "<p>%s</p>", "Content-Type", "text/html"),
		"echoed as a message":         echo(400, `{"identifier":"BAD_VALUE","message":"Wilhelmina"}`),
		"echoed as identifier":        echo(400, `{"identifier":"WILHELMINA","message":"x"}`),
		"echoed as content type":      echo(200, "{}", "Content-Type", "Wilhelmina Featherstone"),
		"echoed in a subtype":         echo(502, "{}", "Content-Type", "text/Featherstone"),
		"echoed as location":          echo(302, "", "Location", "://\x7f"+apiKey),
		"the session is truncated":    echo(200, privateResponse[:300]),
		"the session lacks a token":   echo(200, strings.Replace(privateResponse, `"scanRef"`, `"ref"`, 1)),
		"the session is a list":       echo(200, "["+privateResponse+"]"),
		"the response is too large":   echo(200, privateResponse+strings.Repeat(" ", 2000)),
		"a refusal has personal data": echo(402, privateResponse),
		"the status is unauthorized":  echo(401, `{"message":"no such key: `+apiKey+`"}`),
		"the header is the token":     echo(200, `{"authToken":"`+base64.StdEncoding.EncodeToString([]byte(apiKey+":"+apiSecret))+`","scanRef":"s"}`),
		"the key is the token":        echo(200, `{"authToken":"`+apiKey+`","scanRef":"s"}`),
		"the reading fails": func(*http.Request) (*http.Response, error) {
			resp := response(200, privateResponse)
			resp.ContentLength = -1
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(privateResponse), failing{&dumpError{"response", apiKey + " Wilhelmina"}}))
			return resp, nil
		},
	}
	for name, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			options := &slog.HandlerOptions{Level: slog.LevelDebug}
			client := stubbed(t, fault, identomat.WithMaxResponseSize(1900),
				identomat.WithLogger(slog.New(slog.NewTextHandler(&log, options))),
				identomat.WithLogger(slog.New(slog.NewJSONHandler(&log, options))),
				identomat.WithObserver(func(e identomat.Event) { fmt.Fprintf(&log, "%v %+v %#v %s\n", e, e, e, e.Err) }))
			session, err := client.CreateSession(t.Context(), privateRequest())
			require.Error(t, err, name)
			assert.Nil(t, session)
			for e := err; e != nil; e = errors.Unwrap(e) {
				assertSecret(t, fmt.Sprintf("%s %v %+v %#v %q", e, e, e, e, e)+printings(t, e), name)
			}
			var dump *dumpError
			assert.NotErrorAs(t, err, &dump, "the dump is exposed")
			assert.NotEmpty(t, log.String())
			assertSecret(t, log.String(), "the log")
		})
	}
}

func TestIdentifierThatRepeatsRequestIsNotShown(t *testing.T) {
	for identifier, shown := range map[string]string{
		"WILHELMINA": "", "FEATHERSTONE": "", "WILHELMINA_FEATHERSTONE": "", "NO_RUSTAVELI_STREET": "", "MARIA_IS_UNKNOWN": "", "NO_ANNA": "",
		"BRAND_NEW": "BRAND_NEW", "BRAND_NEW_ERROR": "BRAND_NEW_ERROR", "BAD_VALUE": "BAD_VALUE",
	} {
		req := privateRequest()
		req.FirstName, req.ErrorURL = "Wilhelmina Anna Maria", "https://bank.example/error"
		_, err := answering(t, 400, `{"identifier":"`+identifier+`","message":"x"}`).CreateSession(t.Context(), req)
		var api *idenfy.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, shown, api.Code)
		if shown == "" {
			assert.NotContains(t, printings(t, *api), identifier)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestValidationErrorRepeatsNoValue(t *testing.T) {
	req := privateRequest()
	req.FirstName, req.Country, req.CallbackURL = "Wilhelmina 2", "Featherstone", "http://Wilhelmina"
	req.DateOfBirth, req.PersonalNumber, req.UtilityBill = "1984-02-29T00", strings.Repeat("F00-AB-77", 6), new(true)
	req.Extra = map[string]any{"f": func() string { return "Wilhelmina" }, "address": "Rustaveli", "m": map[string]any{"Wilhelmina": make(chan int)}}
	_, err := silent(t).CreateSession(t.Context(), req)
	var invalid *identomat.ValidationError
	require.ErrorAs(t, err, &invalid)
	assert.Len(t, invalid.Problems, 9)
	assertSecret(t, printings(t, *invalid)+err.Error(), "the validation error")
}

func TestGuardErrorShowsNoSecret(t *testing.T) {
	leak := errors.New("customer-4711 of " + apiKey)
	_, err := silent(t, idenfy.WithGuard(func(context.Context, string) error { return leak })).CreateSession(t.Context(), privateRequest())
	require.ErrorIs(t, err, leak)
	assertSecret(t, printings(t, err), "the guard's error")
}
