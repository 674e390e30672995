package idenfy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/idenfy/idenfytest"
)

// inlaid is injected anywhere in a response; no error may show it.
const inlaid = "Zviad 7 Ąnonymous"

// FuzzResponse checks that every response is either a session with both references, or an error that
// does not show the response.
func FuzzResponse(f *testing.F) {
	for _, name := range []string{"response-all-fields.txt", "response-all-fields.repaired.json", "response-no-fields.json", "request-full.txt"} {
		f.Add(200, page(f, name), uint16(200))
	}
	for text, status := range map[string]int{
		tokenResponse: 201,
		`{"identifier":"PERMISSIONS_ERROR","message":"Partner reached token limit."}`: 400,
		`{"message":"Invalid authorization credentials"}`:                             401,
		"<html>Bad Gateway</html>":                                                    502,
		`{"authToken":"a","authToken":"b","scanRef":"s"}`:                             200,
	} {
		f.Add(status, text, uint16(len(text)-3))
		f.Add(status, text, uint16(17))
	}
	f.Fuzz(func(t *testing.T, status int, body string, cut uint16) {
		if status < 200 || status > 599 {
			status = 200
		}
		client := answering(t, status, body, identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
		session, err := client.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "100000"})
		if err == nil {
			var plain map[string]json.RawMessage
			if json.Unmarshal([]byte(body), &plain) != nil {
				t.Fatal("malformed JSON was accepted as a session")
			}
			for name, value := range map[string]string{"authToken": string(session.AuthToken), "scanRef": session.ScanRef} {
				var want string
				if json.Unmarshal(plain[name], &want) != nil || want == "" || want != value {
					t.Fatalf("%s differs from the response", name)
				}
			}
			if !strings.Contains(session.RedirectURL(), "?authToken=") || string(session.Raw()) != body || status > 299 {
				t.Fatal("the session differs from the response")
			}
			return
		}
		var api *idenfy.APIError
		if session != nil || !errors.As(err, &api) {
			t.Fatalf("%v", err)
		}
		if status >= 500 && !api.MaybeProcessed {
			t.Fatal("MaybeProcessed must be true after a 5xx")
		}

		// Errors never show a name, wherever the response contains one.
		at := int(cut) % (len(body) + 1)
		client = answering(t, status, body[:at]+inlaid+body[at:], identomat.WithRetry(identomat.RetryPolicy{MaxAttempts: 1}))
		if _, err = client.CreateSession(t.Context(), idenfy.SessionRequest{ClientID: "100000"}); !errors.As(err, &api) {
			return // a session may contain the name
		}
		for _, shown := range []string{fmt.Sprintf("%v %+v %#v", err, err, err), api.Code, api.Sample, api.ContentType} {
			if strings.Contains(strings.ToLower(shown), "zviad") {
				t.Fatalf("the error shows the response: %s", shown)
			}
		}
	})
}

// FuzzRequest checks that a request passes validation if and only if the fake accepts it. Both accept
// unlisted values.
func FuzzRequest(f *testing.F) {
	server, err := idenfytest.Start(idenfytest.AllowUnknown())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(server.Close)
	client, unchecked := server.Client(), server.Client(identomat.WithoutValidation())
	f.Cleanup(client.CloseIdleConnections)
	f.Cleanup(unchecked.CloseIdleConnections)
	f.Add("100000", "John Tom", "https://a.example", "1990-12-20", "lt", "PASSPORT", "{}", 600)
	f.Add("é", "J0hn", "a:b", "1990-02-30", "LTU", "OTHER", "[]", 0)
	f.Add("\x7f", "O'Neill", "http://x", "0000-00-00", "é", "", "null", 86401)
	f.Fuzz(func(t *testing.T, id, name, url, date, country, document, object string, seconds int) {
		req := idenfy.SessionRequest{
			ClientID: id, FirstName: name, LastName: name, SuccessURL: url, DateOfBirth: identomat.Date(date), Country: country,
			Documents: []idenfy.DocumentType{idenfy.DocumentType(document)}, AdditionalSteps: json.RawMessage(object), ExpiryTime: &seconds, SessionLength: &seconds,
			PersonalNumber: id, Address: name, ExternalRef: country,
		}
		_, err := client.CreateSession(t.Context(), req)
		if api, ok := errors.AsType[*idenfy.APIError](err); ok {
			t.Fatalf("the fake refuses a valid request: %v %s", err, api.Message())
		}
		var invalid *identomat.ValidationError
		if err == nil || !errors.As(err, &invalid) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if seconds < 60 || seconds > 3600 || id == "" || !utf8.ValidString(id+name+url+date+country+document+object) || !json.Valid([]byte(object)) && object != "" {
			return // the encoder or the fake refuses these
		}
		if _, err = unchecked.CreateSession(t.Context(), req); err == nil {
			t.Fatalf("the SDK refuses a request that the fake accepts: %v", invalid)
		}
	})
}

// FuzzWebhook checks that a body is returned only with its own signature, that it is one JSON
// object, that only an explicit approval approves, and that a stored webhook decodes to the same.
func FuzzWebhook(f *testing.F) {
	f.Add([]byte(vectorBody), vectorSignature)
	f.Add([]byte(`{"final":true,"status":{"overall":"APPROVED"}}`), "")
	f.Add([]byte(`{"final":true,"final":false}`), "")
	f.Add([]byte(`{"stAtus":11}`), "")
	f.Add([]byte(`{"final":"true","status":{"overall":"APPROVED"}}`), "")
	f.Add([]byte(`{"final":true}x`), strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		right := idenfytest.Sign(vectorKey, body)
		forged := webhook(string(body), signature)
		if w, err := idenfy.ParseWebhook(forged, []string{vectorKey}); w != nil && !strings.EqualFold(signature, right) || w != nil && err != nil {
			t.Fatal("a forged webhook was accepted")
		}
		w, err := idenfy.ParseWebhook(webhook(string(body), right), []string{"other", vectorKey})
		if err != nil {
			var refused *identomat.CallbackError
			if w != nil || !errors.As(err, &refused) || refused.StatusCode == http.StatusForbidden {
				t.Fatalf("%v", err)
			}
			return
		}
		var plain, status map[string]json.RawMessage
		if json.Unmarshal(body, &plain) != nil || !bytes.Equal(w.Raw(), body) {
			t.Fatal("a webhook that is not one JSON object was accepted")
		}
		var overall string
		_ = json.Unmarshal(plain["status"], &status)
		_ = json.Unmarshal(status["overall"], &overall)
		if approved := string(plain["final"]) == "true" && overall == "APPROVED"; w.Approved() != approved {
			t.Fatalf("approved: %v", w.Approved())
		}
		stored, err := idenfy.DecodeWebhook(w.EventType, w.Raw())
		if err != nil || stored.Approved() != w.Approved() || stored.Ended() != w.Ended() || !bytes.Equal(stored.Raw(), w.Raw()) {
			t.Fatalf("the stored webhook differs: %v", err)
		}
	})
}
