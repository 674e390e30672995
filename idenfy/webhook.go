package idenfy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/wire"
)

// MaxWebhookSize is the maximum size of the body of a webhook in bytes. iDenfy documents no
// limit. Webhooks contain texts and links, and no images.
const MaxWebhookSize = 4 << 20

// SignatureHeader holds the signature of a webhook: HMAC-SHA256 of the raw body in hexadecimal
// digits. iDenfy sends it only if a signing key is set for the notification.
const SignatureHeader = "Idenfy-Signature"

// Webhook is the final or an intermediate result of a verification, as iDenfy posted it. Its
// signature was verified. (iDenfy's public documentation; the page says only that webhooks
// exist.)
//
// A field is zero if its value is absent, null, or does not fit. A webhook is personal data: fmt
// and slog show a mask, and encoders refuse it; store [Webhook.Raw].
type Webhook struct {
	private

	// Final is true for the last webhook of a session. A webhook with the automatic result may
	// precede it.
	Final bool `json:"final"`
	// ScanRef is [Session.ScanRef].
	ScanRef string `json:"scanRef"`
	// ClientID and ExternalRef are those of the request.
	ClientID    string `json:"clientId"`
	ExternalRef string `json:"externalRef"`
	// Platform is PC, MOBILE, TABLET, MOBILE_APP, MOBILE_SDK or OTHER.
	Platform string `json:"platform"`
	// Status is how the verification ended.
	Status WebhookStatus `json:"status" wire:"strict"`
	// StartTime and FinishTime are when the customer began and finished.
	StartTime  time.Time `json:"startTime"`
	FinishTime time.Time `json:"finishTime"`

	raw json.RawMessage
}

// WebhookStatus says how a verification ended. The values are open.
type WebhookStatus struct {
	// Overall is the outcome. Use [Webhook.Approved] to let a customer in.
	Overall Overall `json:"overall"`
	// FraudTags and MismatchTags are the reasons for a suspicion. NAME, SURNAME and
	// DATE_OF_BIRTH are mismatches between the request and the document.
	FraudTags    []string `json:"fraudTags"`
	MismatchTags []string `json:"mismatchTags"`
	// AutoFace, ManualFace, AutoDocument and ManualDocument are the partial results of the
	// machine and of a reviewer.
	AutoFace       string `json:"autoFace"`
	ManualFace     string `json:"manualFace"`
	AutoDocument   string `json:"autoDocument"`
	ManualDocument string `json:"manualDocument"`
	// AdditionalSteps is VALID, INVALID, NOT_FOUND, or "" for none.
	AdditionalSteps string `json:"additionalSteps"`
}

// Overall is the outcome of a verification. The list is open. Only [OverallApproved] is an
// approval; see [Webhook.Approved].
type Overall string

// The outcomes in iDenfy's public documentation.
const (
	OverallApproved  Overall = "APPROVED"
	OverallDenied    Overall = "DENIED"
	OverallSuspected Overall = "SUSPECTED"
	OverallReviewing Overall = "REVIEWING"
	OverallExpired   Overall = "EXPIRED"
	OverallActive    Overall = "ACTIVE"
	OverallDeleted   Overall = "DELETED"
	OverallArchived  Overall = "ARCHIVED"
)

// Approved reports whether the customer may be let in. It is true only for the outcome APPROVED
// in a final webhook.
func (w *Webhook) Approved() bool { return w.Final && w.Status.Overall == OverallApproved }

// Raw returns the body as it was signed. It is full of personal data: do not log it. The caller
// must not modify it.
func (w *Webhook) Raw() json.RawMessage { return w.raw }

// Extra returns the members of the body that this SDK does not know or that did not fit, by their
// path, such as "data" or "status.suspicionReasons".
func (w *Webhook) Extra() map[string]json.RawMessage { return codec.Extra(w.raw, w) }

func (w *Webhook) decoded(raw json.RawMessage) error {
	w.raw = raw
	final, _ := wire.Get(raw, "final")
	w.Final = string(final) == "true" // no string: Final makes an approval, and "true" in quotes is not documented
	status, _ := wire.Get(raw, "status")
	switch {
	case wire.Trim(raw)[0] != '{':
		return errors.New("not an object")
	case wire.Ambiguous(raw, "final", "scanRef", "clientId", "externalRef", "status"), wire.Ambiguous(status, "overall"):
		return errors.New("ambiguous")
	}
	return nil
}

// WebhookError reports a request that is not a webhook of iDenfy. It contains no value of the
// request. [errors.Is] finds [ErrSignatureMismatch] and [ErrTooLarge].
type WebhookError struct {
	// StatusCode is the status to respond with: 405 for a method other than POST, 413 for a body
	// that is too large, 400 for a body that is truncated or is not a JSON object, 403 for a
	// missing or wrong signature.
	StatusCode int
	reason     string
	kind       error
}

// Error says what is wrong with the request.
func (e *WebhookError) Error() string { return "idenfy: webhook refused: " + e.reason }

// Unwrap returns the sentinel, or nil.
func (e *WebhookError) Unwrap() error { return e.kind }

// ParseWebhook reads a webhook from a request and verifies its signature with the signing keys of
// the notification. Pass two keys while you change one. The signature covers the bytes of the
// body, so nothing may have read the body before. Respond with a 2xx status within ten seconds,
// or iDenfy sends the webhook again. (iDenfy's public documentation, not the page.)
//
// A webhook contains no timestamp and no sequence number, so a replayed copy is valid: process
// each combination of ScanRef, Final and outcome once. The header Idenfy-Event-Type is not
// signed. Use the ReadTimeout of [http.Server] to limit how long a request may take to arrive.
//
// If there is an error, nothing of the payload is returned. The error is a [*WebhookError] with
// the status to respond with. If no usable key was given, it has another type: respond with 500.
func ParseWebhook(r *http.Request, keys ...string) (*Webhook, error) {
	if len(keys) == 0 {
		return nil, errors.New("idenfy: webhook: no signing key was given; without one, anybody can send webhooks")
	}
	for _, key := range keys {
		if err := option.CheckKey("signing key", key); err != nil {
			return nil, prefixed(err)
		}
	}
	if r.Method != http.MethodPost {
		return nil, &WebhookError{StatusCode: http.StatusMethodNotAllowed, reason: "the method is not POST"}
	}
	signature, err := hex.DecodeString(r.Header.Get(SignatureHeader))
	if err != nil || len(r.Header.Values(SignatureHeader)) != 1 {
		return nil, &WebhookError{http.StatusForbidden, SignatureHeader + " is missing or malformed", ErrSignatureMismatch}
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if !isSigned(body, signature, keys) {
		reason := "the signature does not match"
		if len(body) == 0 {
			reason += " an empty body; was the body read before?"
		}
		return nil, &WebhookError{http.StatusForbidden, reason, ErrSignatureMismatch}
	}
	w := new(Webhook)
	if codec.Unmarshal(body, w) != nil {
		return nil, &WebhookError{StatusCode: http.StatusBadRequest, reason: "the body is not a JSON object, or is ambiguous"}
	}
	return w, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil { // in a request that no server received
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxWebhookSize+1))
	if tooLarge := (*http.MaxBytesError)(nil); len(body) > MaxWebhookSize || errors.As(err, &tooLarge) {
		return nil, &WebhookError{http.StatusRequestEntityTooLarge, "the body is too large", ErrTooLarge}
	}
	if err != nil {
		return nil, &WebhookError{StatusCode: http.StatusBadRequest, reason: "the body is truncated"}
	}
	return body, nil
}

// isSigned tries every key, so that the duration does not reveal which one matched.
func isSigned(body, signature []byte, keys []string) bool {
	signed := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = mac.Write(body) // a hash never returns an error
		if hmac.Equal(mac.Sum(nil), signature) {
			signed = true
		}
	}
	return signed
}
