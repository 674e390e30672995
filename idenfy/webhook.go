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

	"github.com/identomat-go/identomat/internal/engine"
)

// MaxWebhookSize bounds the body of a webhook in bytes. iDenfy documents no limit; payloads
// are texts and links and hold no images.
const MaxWebhookSize = 4 << 20

// SignatureHeader holds the signature of a webhook: HMAC-SHA256 of the raw body in
// hexadecimal digits. iDenfy sends it only if a signing key is set for the notification.
const SignatureHeader = "Idenfy-Signature"

// Webhook is the result of a verification, or an intermediate one, as iDenfy posted it. Its
// signature is right. What is absent, null or of another type is the zero value. fmt, slog
// and encoding/json show a mask. (iDenfy's public documentation; the page says only that
// webhooks exist.)
type Webhook struct {
	private

	// Final is true for the last webhook about a session. An automatic result may come
	// before it.
	Final bool
	// ScanRef is that of [Session.ScanRef].
	ScanRef string
	// ClientID and ExternalRef are those of the request.
	ClientID, ExternalRef string
	// Platform is PC, MOBILE, TABLET, MOBILE_APP, MOBILE_SDK or OTHER.
	Platform string
	// Status is how the verification ended.
	Status WebhookStatus
	// StartTime and FinishTime are when the customer began and finished.
	StartTime, FinishTime time.Time

	raw json.RawMessage
}

// WebhookStatus says how a verification ended. The values are open.
type WebhookStatus struct {
	// Overall is the outcome; ask [Webhook.Approved] whether it lets the customer in.
	Overall Overall
	// FraudTags and MismatchTags are the reasons of a suspicion. NAME, SURNAME and
	// DATE_OF_BIRTH are mismatches between the request and the document.
	FraudTags, MismatchTags []string
	// AutoFace, ManualFace, AutoDocument and ManualDocument are the partial results, by
	// machine and by a reviewer.
	AutoFace, ManualFace, AutoDocument, ManualDocument string
	// AdditionalSteps is VALID, INVALID, NOT_FOUND or "" for none.
	AdditionalSteps string
}

// Overall is the outcome of a verification. The list is open; only [OverallApproved]
// approves anybody, see [Webhook.Approved].
type Overall string

// The outcomes of the public documentation.
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

// Approved reports whether the customer may be let in: true only for the outcome APPROVED
// in a final webhook.
func (w *Webhook) Approved() bool { return w.Final && w.Status.Overall == OverallApproved }

// Raw is the body as it was signed. It is full of personal data: do not log it. The caller
// must not write to it.
func (w *Webhook) Raw() json.RawMessage { return w.raw }

// WebhookError is a request that is not a webhook of iDenfy's. No value of the request is
// part of it. [errors.Is] finds [ErrSignatureMismatch] and [ErrTooLarge].
type WebhookError struct {
	// StatusCode is what to answer: 405 for another method than POST, 413 for a body that is
	// too large, 400 for one that was cut off or is not a JSON object, 403 for a signature
	// that is missing or wrong.
	StatusCode int
	reason     string
	kind       error
}

// Error says what is wrong with the request.
func (e *WebhookError) Error() string { return "idenfy: webhook refused: " + e.reason }

// Unwrap returns the sentinel, or nil.
func (e *WebhookError) Unwrap() error { return e.kind }

// ParseWebhook reads a webhook of iDenfy's from a request and checks its signature with the
// signing keys of the notification; give two while you change one. Answer 2xx within ten
// seconds, or iDenfy sends it again. (iDenfy's public documentation, not the page.) It reads
// the body, which nothing may have read before: the signature is that of its bytes.
//
// A webhook has no time and no number, so that a copy of it is as good as the first: let
// nothing happen twice for the same ScanRef, Final and outcome. The header
// Idenfy-Event-Type is not signed. Bound the time in which a request must arrive with the
// ReadTimeout of [http.Server].
//
// With an error nothing of the payload is returned. The error is a [*WebhookError] with the
// status to answer, or says that no usable key was given; then answer 500.
func ParseWebhook(r *http.Request, keys ...string) (*Webhook, error) {
	if len(keys) == 0 {
		return nil, errors.New("idenfy: webhook: no signing key is given, and without one anybody can send webhooks")
	}
	for _, key := range keys {
		if err := named(engine.CheckKey("signing key", key)); err != nil {
			return nil, err
		}
	}
	if r.Method != http.MethodPost {
		return nil, &WebhookError{StatusCode: http.StatusMethodNotAllowed, reason: "the method is not POST"}
	}
	signature, ok := signatureOf(r.Header)
	if !ok {
		return nil, &WebhookError{http.StatusForbidden, SignatureHeader + " is missing or malformed", ErrSignatureMismatch}
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if !isSigned(body, signature, keys) {
		reason := "the signature does not match"
		if len(body) == 0 {
			reason += " an empty body; was it read before?"
		}
		return nil, &WebhookError{http.StatusForbidden, reason, ErrSignatureMismatch}
	}
	return parsePayload(body)
}

// signatureOf reads the one signature that there must be.
func signatureOf(h http.Header) ([]byte, bool) {
	values := h.Values(SignatureHeader)
	if len(values) != 1 {
		return nil, false
	}
	signature, err := hex.DecodeString(values[0])
	return signature, err == nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil { // a request that no server received
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxWebhookSize+1))
	if tooLarge := (*http.MaxBytesError)(nil); len(body) > MaxWebhookSize || errors.As(err, &tooLarge) {
		return nil, &WebhookError{http.StatusRequestEntityTooLarge, "the body is too large", ErrTooLarge}
	}
	if err != nil {
		return nil, &WebhookError{StatusCode: http.StatusBadRequest, reason: "the body did not arrive"}
	}
	return body, nil
}

// isSigned tries every key, so that the time does not tell which one it was.
func isSigned(body, signature []byte, keys []string) bool {
	signed := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = mac.Write(body) // a hash never fails
		if hmac.Equal(mac.Sum(nil), signature) {
			signed = true
		}
	}
	return signed
}

// parsePayload reads a body whose signature is right.
func parsePayload(body []byte) (*Webhook, error) {
	refused := &WebhookError{StatusCode: http.StatusBadRequest, reason: "the body is not one JSON object"}
	o, err := readObject(body, "final", "scanRef", "clientId", "externalRef", "status")
	if err != nil {
		return nil, refused
	}
	status := object{}
	if value := notNull(o["status"]); value != nil {
		if status, err = readObject(value, "overall"); err != nil {
			return nil, refused
		}
	}
	return &Webhook{
		Final:       read[bool](o, "final"),
		ScanRef:     text(o, "scanRef"),
		ClientID:    text(o, "clientId"),
		ExternalRef: text(o, "externalRef"),
		Platform:    text(o, "platform"),
		Status: WebhookStatus{
			Overall:   Overall(read[string](status, "overall")),
			FraudTags: read[[]string](status, "fraudTags"), MismatchTags: read[[]string](status, "mismatchTags"),
			AutoFace: text(status, "autoFace"), ManualFace: text(status, "manualFace"),
			AutoDocument: text(status, "autoDocument"), ManualDocument: text(status, "manualDocument"),
			AdditionalSteps: text(status, "additionalSteps"),
		},
		StartTime:  unixTime(o, "startTime"),
		FinishTime: unixTime(o, "finishTime"),
		raw:        body,
	}, nil
}

// unixTime reads seconds since 1970.
func unixTime(o object, name string) time.Time {
	if seconds := read[int64](o, name); seconds > 0 {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Time{}
}
