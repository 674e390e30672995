package idenfy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/idenfy"
	"github.com/identomat-go/identomat/idenfy/idenfytest"
)

// These constants are a test vector that was not computed with this SDK.
const (
	vectorKey       = "unit-test-signing-key"
	vectorBody      = `{"final":true,"scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac"}`
	vectorSignature = "2123d5e25e9344cf0cd6c65c068366bb3367dea73d76880eb76fa7549948903b"
)

func webhook(body string, signatures ...string) *http.Request {
	r := httptest.NewRequest("POST", "/webhook", strings.NewReader(body))
	for _, s := range signatures {
		r.Header.Add("Idenfy-Signature", s)
	}
	return r
}

// signed returns a webhook with the correct signature.
func signed(body string) *http.Request {
	return webhook(body, idenfytest.Sign(vectorKey, []byte(body)))
}

// rejectedWith returns the status of an [identomat.CallbackError].
func rejectedWith(t *testing.T, err error) int {
	t.Helper()
	var rejected *identomat.CallbackError
	require.ErrorAs(t, err, &rejected)
	return rejected.StatusCode
}

func TestParseWebhookVerifiesVector(t *testing.T) {
	w, err := idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), []string{vectorKey})
	require.NoError(t, err)
	assert.True(t, w.Final)
	assert.Equal(t, "ec6a7108-8c26-11e9-9758-309c231b1bac", w.ScanRef)
	assert.False(t, w.Approved(), "there is no outcome")
	assert.Equal(t, vectorBody, string(w.Raw()))
	assert.Equal(t, vectorSignature, idenfytest.Sign(vectorKey, []byte(vectorBody)))
}

func TestParseWebhookContentCoding(t *testing.T) {
	for coding, want := range map[string]string{"identity": "", "none": "", "UTF-8": "", "gzip": "the body is compressed with gzip"} {
		r := webhook(vectorBody, vectorSignature)
		r.Header.Set("Content-Encoding", coding)
		_, err := idenfy.ParseWebhook(r, []string{vectorKey})
		if want == "" {
			assert.NoError(t, err, coding)
			continue
		}
		assert.Equal(t, 415, rejectedWith(t, err))
		assert.ErrorContains(t, err, want)
	}
}

func TestParseWebhookAcceptsAnyOfSeveralKeys(t *testing.T) {
	for _, keys := range [][]string{{vectorKey}, {vectorKey, "new"}, {"new", vectorKey}, {"a", "b", vectorKey, "c"}} {
		_, err := idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), keys)
		assert.NoError(t, err, keys)
	}
	w, err := idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), []string{"new", "newer"})
	assert.Equal(t, 403, rejectedWith(t, err))
	assert.Nil(t, w)
}

func TestParseWebhookNeedsUsableKeys(t *testing.T) {
	empty := webhook(vectorBody, idenfytest.Sign("", []byte(vectorBody)))
	for _, keys := range [][]string{nil, {""}, {"", vectorKey}, {vectorKey, ""}, {" "}, {vectorKey + "\n"}} {
		w, err := idenfy.ParseWebhook(empty, keys)
		require.Error(t, err)
		assert.Nil(t, w)
		var refused *identomat.CallbackError
		assert.NotErrorAs(t, err, &refused, "this is not the sender's fault")
		assert.NotContains(t, err.Error(), vectorKey)
	}
}

func TestParseWebhookRefusesWrongSignatures(t *testing.T) {
	flipped := "3" + vectorSignature[1:]
	for name, r := range map[string]*http.Request{
		"no header":         webhook(vectorBody),
		"empty":             webhook(vectorBody, ""),
		"another signature": webhook(vectorBody, flipped),
		"truncated":         webhook(vectorBody, vectorSignature[:62]),
		"too long":          webhook(vectorBody, vectorSignature+"00"),
		"two headers":       webhook(vectorBody, vectorSignature, vectorSignature),
		"list":              webhook(vectorBody, vectorSignature+","+vectorSignature),
		"scheme":            webhook(vectorBody, "sha256="+vectorSignature),
		"not hexadecimal":   webhook(vectorBody, strings.Repeat("g", 64)),
		"white space":       webhook(vectorBody, " "+vectorSignature),
		"body one longer":   webhook(vectorBody+"\n", vectorSignature),
		"body one shorter":  webhook(vectorBody[:len(vectorBody)-1], vectorSignature),
		"trailing data":     webhook(vectorBody+`{"final":true}`, vectorSignature),
		"other key order":   webhook(`{"scanRef":"ec6a7108-8c26-11e9-9758-309c231b1bac","final":true}`, vectorSignature),
		"other value":       webhook(strings.Replace(vectorBody, "true", "false", 1), vectorSignature),
		"empty body":        webhook("", vectorSignature),
		"no body":           {Method: "POST", Header: http.Header{"Idenfy-Signature": {vectorSignature}}},
		"nil header":        {Method: "POST"},
	} {
		w, err := idenfy.ParseWebhook(r, []string{vectorKey})
		require.Error(t, err, name)
		assert.Nil(t, w, "nothing of the payload is returned")
		assert.Equal(t, 403, rejectedWith(t, err))
	}
	upper, err := idenfy.ParseWebhook(webhook(vectorBody, strings.ToUpper(vectorSignature)), []string{vectorKey})
	require.NoError(t, err, "hex digits may have either case")
	assert.True(t, upper.Final)
}

func TestParseWebhookVerifiesWholeBody(t *testing.T) {
	for _, slow := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		r := webhook(vectorBody, vectorSignature)
		r.Body = io.NopCloser(slow(strings.NewReader(vectorBody)))
		_, err := idenfy.ParseWebhook(r, []string{vectorKey})
		require.NoError(t, err)
		r.Body = io.NopCloser(slow(strings.NewReader(vectorBody + " ")))
		_, err = idenfy.ParseWebhook(r, []string{vectorKey})
		assert.Equal(t, 403, rejectedWith(t, err))
	}
	r := webhook("", vectorSignature)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(vectorBody), iotest.ErrReader(errors.New("Featherstone"))))
	w, err := idenfy.ParseWebhook(r, []string{vectorKey})
	require.EqualError(t, err, "identomat: callback rejected: the body could not be read")
	assert.Nil(t, w)
}

func TestParseWebhookHintsAtBodyReadBefore(t *testing.T) {
	r := webhook(vectorBody, vectorSignature)
	_, err := idenfy.ParseWebhook(r, []string{vectorKey})
	require.NoError(t, err)
	w, err := idenfy.ParseWebhook(r, []string{vectorKey})
	assert.Equal(t, 403, rejectedWith(t, err))
	require.EqualError(t, err, "identomat: callback rejected: the signature does not match an empty body; was the body read before?")
	assert.Nil(t, w)
}

func TestParseWebhookLimitsSize(t *testing.T) {
	fits := vectorBody[:len(vectorBody)-1] + strings.Repeat(" ", idenfy.MaxWebhookSize-len(vectorBody)) + "}"
	w, err := idenfy.ParseWebhook(signed(fits), []string{vectorKey})
	require.NoError(t, err)
	assert.Len(t, w.Raw(), 4_194_304)
	_, err = idenfy.ParseWebhook(signed(fits+" "), []string{vectorKey})
	assert.Equal(t, 413, rejectedWith(t, err))
	bounded := signed(vectorBody)
	bounded.Body = http.MaxBytesReader(nil, bounded.Body, int64(len(vectorBody)-1))
	_, err = idenfy.ParseWebhook(bounded, []string{vectorKey})
	assert.Equal(t, 413, rejectedWith(t, err))
	endless := webhook("", vectorSignature)
	endless.Body = io.NopCloser(zeros{})
	_, err = idenfy.ParseWebhook(endless, []string{vectorKey})
	assert.Equal(t, 413, rejectedWith(t, err))
}

func TestParseWebhookRefusesMalformedOrAmbiguousBodies(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"x"`, "7", "{", `{"final":true}{"final":true}`, `{"final":true}x`, `{"final":true,}`, "<html>", "\ufeff", "\ufeff\ufeff{}",
		`{"status":7}`, `{"status":"APPROVED"}`,
		`{"final":true,"final":false}`, `{"scanRef":"a","scanRef":"b"}`, `{"clientId":"a","clientId":"b"}`, `{"externalRef":"a","externalRef":null}`, `{"status":{"overall":"DENIED"},"status":{"overall":"APPROVED"}}`,
		`{"final":true,"status":{"overall":"DENIED","overall":"APPROVED"}}`,
	} {
		w, err := idenfy.ParseWebhook(signed(body), []string{vectorKey})
		assert.Equal(t, 400, rejectedWith(t, err))
		assert.Nil(t, w)
	}
	get := webhook(vectorBody, vectorSignature)
	get.Method = "GET"
	_, err := idenfy.ParseWebhook(get, []string{vectorKey})
	assert.Equal(t, 405, rejectedWith(t, err))
}

// The signature covers the byte order mark, too.
func TestParseWebhookSkipsByteOrderMark(t *testing.T) {
	w, err := idenfy.ParseWebhook(signed("\ufeff"+`{"final":true,"status":{"overall":"APPROVED"}}`), []string{vectorKey})
	require.NoError(t, err)
	assert.True(t, w.Approved())
	assert.JSONEq(t, `{"final":true,"status":{"overall":"APPROVED"}}`, string(w.Raw()))
	_, err = idenfy.ParseWebhook(webhook("\ufeff"+vectorBody, vectorSignature), []string{vectorKey})
	assert.Equal(t, 403, rejectedWith(t, err))
}

func TestApprovedNeedsFinalApproval(t *testing.T) {
	for body, want := range map[string]bool{
		`{"final":true,"status":{"overall":"APPROVED"}}`: true, `{"status":{"overall":"APPROVED"},"final":true,"scanRef":"s"}`: true,
		`{"final":"true","status":{"overall":"APPROVED"}}`: false, `{"final":["true"],"status":{"overall":"APPROVED"}}`: false,
		`{"final":false,"status":{"overall":"APPROVED"}}`: false, `{"status":{"overall":"APPROVED"}}`: false, `{"final":null,"status":{"overall":"APPROVED"}}`: false,
		`{"final":"yes","status":{"overall":"APPROVED"}}`: false, `{"final":"TRUE","status":{"overall":"APPROVED"}}`: false, `{"final":1,"status":{"overall":"APPROVED"}}`: false, `{"Final":true,"status":{"overall":"APPROVED"}}`: false,
		`{"final":true,"status":{"overall":"approved"}}`: false, `{"final":true,"status":{"overall":" APPROVED"}}`: false, `{"final":true,"status":{"Overall":"APPROVED"}}`: false,
		`{"final":true,"status":{"overall":["APPROVED"]}}`: false, `{"final":true,"status":{}}`: false, `{"final":true,"status":null}`: false, `{"final":true,"status":[]}`: false, `{"final":true}`: false, `{}`: false,
		`{"final":true,"overall":"APPROVED"}`: false, `{"final":true,"status":{"overall":"DENIED"}}`: false, `{"final":true,"status":{"overall":"SUSPECTED"}}`: false,
		`{"final":true,"status":{"overall":"REVIEWING"}}`: false, `{"final":true,"status":{"overall":"EXPIRED"}}`: false, `{"final":true,"status":{"overall":"ACTIVE"}}`: false,
		`{"final":true,"status":{"overall":"DELETED"}}`: false, `{"final":true,"status":{"overall":"ARCHIVED"}}`: false, `{"final":true,"status":{"overall":"APPROVED_LATER"}}`: false,
		`{"final":true,"status":{"manualDocument":"APPROVED","autoFace":"APPROVED"}}`: false,
	} {
		w, err := idenfy.ParseWebhook(signed(body), []string{vectorKey})
		require.NoError(t, err, body)
		assert.Equal(t, want, w.Approved(), body)
	}
	assert.False(t, new(idenfy.Webhook).Approved())
}

func TestParseWebhookDecodesFields(t *testing.T) {
	w, err := idenfy.ParseWebhook(signed(`{"final":true,"platform":"MOBILE_SDK","status":{"overall":"SUSPECTED","fraudTags":["FACE_SUSPECTED"],
		"mismatchTags":["NAME","SURNAME"],"autoFace":"a","manualFace":"b","autoDocument":"c","manualDocument":"d","additionalSteps":"VALID"},
		"scanRef":"s","externalRef":"e","clientId":"c","startTime":1554726960,"finishTime":1554727002,"data":{"docFirstName":"X"},"new":[1]}`), []string{vectorKey})
	require.NoError(t, err)
	assert.Equal(t, idenfy.WebhookStatus{
		Overall: idenfy.OverallSuspected, FraudTags: []string{"FACE_SUSPECTED"}, MismatchTags: []string{"NAME", "SURNAME"},
		AutoFace: "a", ManualFace: "b", AutoDocument: "c", ManualDocument: "d", AdditionalSteps: "VALID",
	}, w.Status)
	assert.Equal(t, []string{"s", "e", "c", "MOBILE_SDK"}, []string{w.ScanRef, w.ExternalRef, w.ClientID, w.Platform})
	assert.Equal(t, time.Date(2019, 4, 8, 12, 36, 0, 0, time.UTC), w.StartTime)
	assert.Equal(t, 42*time.Second, w.FinishTime.Sub(w.StartTime))
	assert.True(t, json.Valid(w.Raw()))
	assert.Equal(t, map[string]json.RawMessage{"data": json.RawMessage(`{"docFirstName":"X"}`), "new": json.RawMessage("[1]")}, w.Extra())
	w, err = idenfy.ParseWebhook(signed(`{"final":true,"scanRef":null,"status":{"overall":null,"fraudTags":null,"mismatchTags":[1],"additionalSteps":null},"startTime":"x","finishTime":null,"clientId":7}`), []string{vectorKey})
	require.NoError(t, err)
	assert.Equal(t, []string{"", "", "7"}, []string{w.ScanRef, string(w.Status.Overall), w.ClientID})
	assert.Equal(t, []string{"1"}, w.Status.MismatchTags)
	assert.Equal(t, map[string]json.RawMessage{"startTime": json.RawMessage(`"x"`)}, w.Extra())
	assert.True(t, w.StartTime.IsZero() && w.FinishTime.IsZero())
}

// Extra must return fraud tags of the wrong type, so that an approval does not hide them.
func TestFraudTagsThatDoNotFitAreExtra(t *testing.T) {
	w, err := idenfy.ParseWebhook(signed(`{"final":true,"status":{"overall":"SUSPECTED","fraudTags":{"face":"FACE_BLACKLISTED"},"mismatchTags":[{"tag":"NAME"}]}}`), []string{vectorKey})
	require.NoError(t, err)
	assert.Empty(t, w.Status.FraudTags)
	assert.JSONEq(t, `{"face":"FACE_BLACKLISTED"}`, string(w.Extra()["status.fraudTags"]))
	assert.Equal(t, []string{`{"tag":"NAME"}`}, w.Status.MismatchTags)
}

func TestApprovalBesideUnreadableTagsIsRefused(t *testing.T) {
	for _, tags := range []string{
		`"fraudTags":{"face":"FACE_BLACKLISTED"}`, `"FraudTags":["FACE_BLACKLISTED"]`, `"mismatchTags":{"a":1}`, `"mismatchTags":{"name":true},"fraudTags":[]`,
	} {
		_, err := idenfy.ParseWebhook(signed(`{"final":true,"status":{"overall":"APPROVED",`+tags+`}}`), []string{vectorKey})
		assert.Equal(t, 400, rejectedWith(t, err), tags)
		_, err = idenfy.ParseWebhook(signed(`{"final":true,"status":{"overall":"DENIED",`+tags+`}}`), []string{vectorKey})
		require.NoError(t, err, tags)
	}
	for tags, want := range map[string][]string{
		`["FACE_MISMATCH",null,3]`: {"FACE_MISMATCH", "3"}, `"FACE_MISMATCH"`: {"FACE_MISMATCH"}, `{"1":"FACE_MISMATCH"}`: {"FACE_MISMATCH"}, `[]`: {}, `null`: nil, `true`: {"true"},
	} {
		w, err := idenfy.ParseWebhook(signed(`{"final":true,"status":{"overall":"APPROVED","fraudTags":`+tags+`}}`), []string{vectorKey})
		require.NoError(t, err, tags)
		assert.True(t, w.Approved())
		assert.Equal(t, want, w.Status.FraudTags, tags)
	}
}

func TestEnded(t *testing.T) {
	for body, want := range map[string]bool{
		`{"final":true,"status":{"overall":"APPROVED"}}`: true, `{"final":true,"status":{"overall":"DENIED"}}`: true, `{"final":false,"status":{"overall":"APPROVED"}}`: false,
		`{"status":{"overall":"EXPIRED"}}`: true, `{"status":{"overall":"EXPIRED-DELETED"}}`: true, `{"status":{"overall":"DELETED"}}`: true,
		`{"status":{"overall":"ACTIVE"}}`: false, `{"final":false,"status":{"overall":"REVIEWING"}}`: false, `{"status":{"overall":"expired"}}`: false, `{"final":"true"}`: false, `{}`: false,
	} {
		w, err := idenfy.ParseWebhook(signed(body), []string{vectorKey})
		require.NoError(t, err)
		assert.Equal(t, want, w.Ended(), body)
	}
}

// The webhooks for expired and canceled sessions have no documented "final".
func TestEndedByEventType(t *testing.T) {
	for event, want := range map[string]bool{
		"IDENTIFICATION_EXPIRED": true, "IDENTIFICATION_CANCELLED": true, "IDENTIFICATION_AUTO_FINISHED": false, "IDENTIFICATION_RESUBMITTED": false, "": false,
	} {
		r := signed(`{"scanRef":"s","status":{"overall":"APPROVED"}}`)
		r.Header.Set("Idenfy-Event-Type", event)
		w, err := idenfy.ParseWebhook(r, []string{vectorKey})
		require.NoError(t, err)
		assert.Equal(t, event, w.EventType)
		assert.Equal(t, want, w.Ended(), event)
		assert.False(t, w.Approved(), "the header approves nothing")
	}
}

func TestDecodeWebhookReadsStoredWebhook(t *testing.T) {
	w, err := idenfy.DecodeWebhook("IDENTIFICATION_MANUAL_FINISHED", []byte(`{"final":true,"scanRef":"s","clientId":"c","status":{"overall":"APPROVED"},"startTime":1554726960,"new":[1]}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"IDENTIFICATION_MANUAL_FINISHED", "s", "c"}, []string{w.EventType, w.ScanRef, w.ClientID})
	assert.Equal(t, time.Date(2019, 4, 8, 12, 36, 0, 0, time.UTC), w.StartTime)
	assert.True(t, w.Approved())
	assert.JSONEq(t, `{"final":true,"scanRef":"s","clientId":"c","status":{"overall":"APPROVED"},"startTime":1554726960,"new":[1]}`, string(w.Raw()))
	assert.Equal(t, map[string]json.RawMessage{"new": json.RawMessage("[1]")}, w.Extra())

	// The event type is a header, so it is lost if only the body is stored.
	stored := []byte(`{"scanRef":"s","status":{"overall":"ACTIVE"}}`)
	for eventType, want := range map[string]bool{"IDENTIFICATION_CANCELLED": true, "": false} {
		w, err := idenfy.DecodeWebhook(eventType, stored)
		require.NoError(t, err)
		assert.Equal(t, want, w.Ended(), eventType)
	}
}

func TestDecodeWebhookRefusesWhatParseWebhookRefuses(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"customer-4711"`, "{", `{"status":"APPROVED"}`, `{"final":true,"final":false}`,
		`{"final":true,"status":{"overall":"DENIED","overall":"APPROVED"}}`,
	} {
		w, err := idenfy.DecodeWebhook("", []byte(body))
		require.EqualError(t, err, "idenfy: DecodeWebhook: the webhook is not a JSON object, is ambiguous, or approves beside unreadable tags", body)
		assert.Nil(t, w)
	}
}

func TestDecodeWebhookKeepsCopy(t *testing.T) {
	stored := []byte(`{"final":true,"status":{"overall":"APPROVED"}}`)
	w, err := idenfy.DecodeWebhook("", stored)
	require.NoError(t, err)
	clear(stored)
	assert.JSONEq(t, `{"final":true,"status":{"overall":"APPROVED"}}`, string(w.Raw()))
}

// encoding/json verifies no signature.
func TestWebhookCannotBeUnmarshaled(t *testing.T) {
	const want = "idenfy: a webhook cannot be unmarshaled: use ParseWebhook for a request, DecodeWebhook for a stored body"
	const body = `{"final":true,"scanRef":"s","clientId":"c","platform":"PC","status":{"overall":"APPROVED"}}`
	var w idenfy.Webhook
	require.EqualError(t, json.Unmarshal([]byte(body), &w), want)
	assert.Equal(t, idenfy.Webhook{}, w)
	assert.False(t, w.Approved())
	require.EqualError(t, json.Unmarshal([]byte(`{"startTime":1554726960}`), &w), want)
	require.EqualError(t, json.Unmarshal([]byte("null"), &w), want)
	inside := struct{ Webhooks []*idenfy.Webhook }{}
	require.EqualError(t, json.Unmarshal([]byte(`{"webhooks":[`+body+`]}`), &inside), want)
}

func TestApprovedNeedsDecodedWebhook(t *testing.T) {
	w := idenfy.Webhook{Final: true, Status: idenfy.WebhookStatus{Overall: idenfy.OverallApproved}}
	assert.False(t, w.Approved())
}

func TestParseWebhookOptions(t *testing.T) {
	_, err := idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), []string{vectorKey}, identomat.WithMaxCallbackSize(int64(len(vectorBody))))
	require.NoError(t, err)
	_, err = idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), []string{vectorKey}, identomat.WithMaxCallbackSize(int64(len(vectorBody)-1)))
	assert.Equal(t, 413, rejectedWith(t, err))
	w, err := idenfy.ParseWebhook(webhook(vectorBody, vectorSignature), []string{vectorKey}, identomat.WithMaxCallbackSize(0))
	require.EqualError(t, err, "identomat: WithMaxCallbackSize: the size must be positive")
	assert.Nil(t, w)
}

func TestWebhookHandler(t *testing.T) {
	const body = `{"final":true,"scanRef":"s-1","clientId":"customer-4711","status":{"overall":"APPROVED"}}`
	get := signed(body)
	get.Method = "GET"
	for name, c := range map[string]struct {
		r       *http.Request
		handle  error
		status  int
		handled bool
	}{
		"verified":        {signed(body), nil, 200, true},
		"not stored":      {signed(body), errors.New("no row for customer-4711"), 500, true},
		"wrong signature": {webhook(body, vectorSignature), nil, 403, false},
		"unsigned":        {webhook(body), nil, 403, false},
		"not an object":   {signed("[]"), nil, 400, false},
		"GET":             {get, nil, 405, false},
		"too large":       {signed(body + strings.Repeat(" ", idenfy.MaxWebhookSize)), nil, 413, false},
	} {
		var observed error
		handled := false
		handler, err := idenfy.WebhookHandler([]string{"new-key", vectorKey}, func(_ context.Context, w *idenfy.Webhook) error {
			handled = true
			assert.True(t, w.Approved())
			return c.handle
		}, identomat.WithCallbackErrors(func(_ context.Context, err error) { observed = err }))
		require.NoError(t, err)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, c.r)
		assert.Equal(t, c.status, w.Code, name)
		assert.Equal(t, c.handled, handled, name)
		assert.Equal(t, c.status == 200, observed == nil, name)
		assert.Equal(t, c.status == 405, w.Header().Get("Allow") == "POST", name)
		assert.NotContains(t, fmt.Sprint(observed, w.Body), "customer-4711", name)
	}
}

func TestWebhookHandlerWithInvalidSettings(t *testing.T) {
	handle := func(context.Context, *idenfy.Webhook) error { return nil }
	_, err := idenfy.WebhookHandler(nil, handle)
	require.EqualError(t, err, "idenfy: callback: no signing key: without one, anyone can send callbacks")
	_, err = idenfy.WebhookHandler([]string{vectorKey, ""}, handle)
	require.EqualError(t, err, "idenfy: the signing key is empty")
	_, err = idenfy.WebhookHandler([]string{vectorKey}, nil)
	require.EqualError(t, err, "idenfy: WebhookHandler: handle is nil")
	_, err = idenfy.WebhookHandler([]string{vectorKey}, handle, identomat.WithMaxCallbackSize(0))
	require.Error(t, err)
}
