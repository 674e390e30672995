package idenfy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/callback"
	"github.com/identomat-go/identomat/internal/wire"
)

// MaxWebhookSize is the maximum size of a webhook's body in bytes. iDenfy documents no limit.
// Webhooks contain texts and links, but no images.
const MaxWebhookSize = 4 << 20

// SignatureHeader is the header with a webhook's signature: the HMAC-SHA256 of the raw body in
// hexadecimal. iDenfy sends it only if a signing key is set for the notification.
const SignatureHeader = "Idenfy-Signature"

// Webhook is a final or intermediate result of a verification. [WebhookHandler] and [ParseWebhook]
// have verified its signature; [DecodeWebhook] has not. (iDenfy's public documentation; the API page
// says only that webhooks exist.)
//
// A field is zero if its value is absent, null, or of the wrong type. A webhook is personal data: fmt
// and slog show a mask, and encoders refuse it. To store it, store EventType and [Webhook.Raw].
type Webhook struct {
	private

	// Final is true for a result that no reviewer will change. A webhook with the automatic result
	// may come before the final webhook, and a webhook of type IDENTIFICATION_RESUBMITTED after it.
	// Final is not defined for a session that expired or was canceled; see [Webhook.Ended].
	Final bool `json:"final"`
	// EventType is the header Idenfy-Event-Type, such as IDENTIFICATION_MANUAL_FINISHED, or "". The
	// header is not signed. Types that iDenfy does not document may occur.
	EventType string `json:"-"`
	// ScanRef is [Session.ScanRef].
	ScanRef string `json:"scanRef"`
	// ClientID and ExternalRef are from the request.
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

// WebhookStatus is how a verification ended. Its fields may also hold values that are not listed
// here.
type WebhookStatus struct {
	private

	// Overall is the outcome. Use [Webhook.Approved] to let a customer in.
	Overall Overall `json:"overall"`
	// FraudTags and MismatchTags are the reasons for a suspicion. NAME, SURNAME and DATE_OF_BIRTH
	// are mismatches between the request and the document.
	FraudTags    []string `json:"fraudTags"`
	MismatchTags []string `json:"mismatchTags"`
	// AutoFace and AutoDocument are automatic partial results; ManualFace and ManualDocument are
	// from a reviewer.
	AutoFace       string `json:"autoFace"`
	ManualFace     string `json:"manualFace"`
	AutoDocument   string `json:"autoDocument"`
	ManualDocument string `json:"manualDocument"`
	// AdditionalSteps is VALID, INVALID, NOT_FOUND, or "" without additional steps.
	AdditionalSteps string `json:"additionalSteps"`
}

// Overall is the outcome of a verification. Outcomes other than the constants may occur. Only
// [OverallApproved] is an approval; see [Webhook.Approved].
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

	OverallExpiredDeleted Overall = "EXPIRED-DELETED"
)

// Approved reports whether the customer may be let in: the webhook is final and its outcome is
// APPROVED. Decoding such a webhook fails if its FraudTags or MismatchTags are unreadable. Approved
// is false for a Webhook that this package did not decode, such as a literal.
func (w *Webhook) Approved() bool {
	return len(w.raw) > 0 && w.Final && w.Status.Overall == OverallApproved
}

// Ended reports whether the session is over: the result is final, or the session expired, was
// deleted or was canceled. Only the unsigned EventType reports a cancellation, so anyone who can
// resend a webhook can make Ended true, but not Approved.
func (w *Webhook) Ended() bool {
	switch w.Status.Overall {
	case OverallExpired, OverallDeleted, OverallExpiredDeleted:
		return true
	}
	return w.Final || w.EventType == "IDENTIFICATION_EXPIRED" || w.EventType == "IDENTIFICATION_CANCELLED"
}

// Raw returns the signed body, without a byte order mark, for [DecodeWebhook]. It lacks EventType,
// which [Webhook.Ended] needs to recognize a cancellation: store both. Raw is personal data: do not
// log it. The caller must not modify it.
func (w *Webhook) Raw() json.RawMessage { return w.raw }

// Extra returns the members of the body that this SDK does not know or whose type was wrong,
// keyed by path, such as "data" or "status.suspicionReasons".
func (w *Webhook) Extra() map[string]json.RawMessage {
	extra := codec.Extra(w.raw, w)
	if final, _ := wire.Get(w.raw, "final"); string(final) == `"true"` {
		extra["final"] = final
	}
	return extra
}

// UnmarshalJSON returns an error and sets no field, because a body alone is not a verified webhook.
// Decode a stored body with [DecodeWebhook].
func (*Webhook) UnmarshalJSON([]byte) error {
	return errors.New("idenfy: a webhook cannot be unmarshaled: use ParseWebhook for a request, DecodeWebhook for a stored body")
}

func (w *Webhook) decoded(raw json.RawMessage) error {
	w.raw = raw
	final, _ := wire.Get(raw, "final")
	w.Final = string(final) == "true" // not coerced: Final decides an approval, and the string "true" is not documented
	status, _ := wire.Get(raw, "status")
	switch {
	case wire.Trim(raw)[0] != '{':
		return errors.New("not an object")
	case wire.Ambiguous(raw, "final", "scanRef", "clientId", "externalRef", "status"), wire.Ambiguous(status, "overall"):
		return errors.New("ambiguous")
	}
	isLost := w.Status.FraudTags == nil && wire.HasMember(status, "fraudTags") ||
		w.Status.MismatchTags == nil && wire.HasMember(status, "mismatchTags")
	if w.Approved() && isLost {
		return errors.New("an approval beside tags that cannot be read")
	}
	return nil
}

// WebhookHandler returns a handler for a notification's webhooks. It verifies the signature with
// the notification's signing keys, calls handle, and responds with status 200, or with 500 if
// handle returns an error or panics. It rejects other requests with the status in
// [identomat.CallbackError]. To change a key, pass both the old and the new key for a while. The
// options are those of [identomat.CallbackHandler], but [identomat.WithMaxCallbackSize] defaults to
// [MaxWebhookSize].
//
// Let handle store the EventType and Raw of the webhook and return at once; process the webhook
// elsewhere, with [DecodeWebhook]. Without a 2xx response within ten seconds, iDenfy retries the
// webhook, and sends the customer to the ErrorURL, although the result of the verification is
// unchanged.
//
// A webhook contains no timestamp or sequence number, so a replayed copy is valid: process each
// combination of ScanRef, Final and outcome once. Set the ReadTimeout of [http.Server] to limit how
// long a request may take to arrive. (iDenfy's public documentation, not the API page.)
//
// It returns an error if there is no key, a key is unusable, handle is nil or an option is invalid.
func WebhookHandler(keys []string, handle func(context.Context, *Webhook) error, opts ...identomat.CallbackOption) (http.Handler, error) {
	s, err := callback.NewSettings("idenfy", "signing key", keys, MaxWebhookSize, opts...)
	if err != nil {
		return nil, err
	}
	if handle == nil {
		return nil, errors.New("idenfy: WebhookHandler: handle is nil")
	}
	return callback.Handler(s, parseWebhook, (*Webhook).values, handle), nil
}

// ParseWebhook reads a webhook from a request, for servers that do not use [WebhookHandler]. Respond
// as described there. The body must not have been read before, because the signature covers its
// bytes. The options are those of [WebhookHandler].
//
// The error is an [*identomat.CallbackError] with the status to respond with. Any other
// error reports an unusable key or option: respond with 500.
func ParseWebhook(r *http.Request, keys []string, opts ...identomat.CallbackOption) (*Webhook, error) {
	s, err := callback.NewSettings("idenfy", "signing key", keys, MaxWebhookSize, opts...)
	if err != nil {
		return nil, err
	}
	w, _, err := parseWebhook(s, nil, r)
	return w, err
}

// DecodeWebhook decodes a stored webhook from its EventType and [Webhook.Raw].
//
// DecodeWebhook verifies no signature: anyone can write a body that is Approved. Pass it only bodies
// that your own service stored after [WebhookHandler] or [ParseWebhook] verified them, and never the
// body of a request.
//
// DecodeWebhook returns an error if raw is not a JSON object; if final, scanRef, clientId, externalRef or
// status.overall has two different values; if status is duplicated, has the wrong type or is written in
// another case; or if raw is an approval whose fraudTags or mismatchTags cannot be decoded.
func DecodeWebhook(eventType string, raw []byte) (*Webhook, error) {
	w := new(Webhook)
	if codec.Unmarshal(raw, w) != nil { // the error may quote the body
		return nil, errors.New("idenfy: DecodeWebhook: the webhook is not a JSON object, is ambiguous, or approves beside unreadable tags")
	}
	w.EventType = eventType
	return w, nil
}

// parseWebhook returns a webhook, or an [*identomat.CallbackError] and its status.
func parseWebhook(s *callback.Settings, w http.ResponseWriter, r *http.Request) (*Webhook, int, error) {
	reject := func(status int, reason string) (*Webhook, int, error) {
		return nil, status, &identomat.CallbackError{StatusCode: status, Reason: reason}
	}
	if r.Method != http.MethodPost {
		return reject(http.StatusMethodNotAllowed, "the method is not POST")
	}
	signature, err := hex.DecodeString(r.Header.Get(SignatureHeader))
	if err != nil || len(r.Header.Values(SignatureHeader)) != 1 {
		return reject(http.StatusForbidden, SignatureHeader+" is missing or malformed")
	}
	body, status, reason := s.ReadBody(w, r)
	if reason != "" {
		return reject(status, reason)
	}
	if !isSigned(body, signature, s.Keys) {
		reason = "the signature does not match"
		if len(body) == 0 {
			reason += " an empty body; was the body read before?"
		}
		return reject(http.StatusForbidden, reason)
	}
	hook, err := DecodeWebhook(r.Header.Get("Idenfy-Event-Type"), body)
	if err != nil {
		return reject(http.StatusBadRequest, "the body is not a JSON object, is ambiguous, or approves beside unreadable tags")
	}
	return hook, http.StatusOK, nil
}

// values returns the members that no error may contain: all but status and platform, which hold only
// codes.
func (w *Webhook) values() (values []json.RawMessage) {
	for m := wire.Members(w.raw); m.Next(); {
		if name := wire.Unquote(m.Name); name != "status" && name != "platform" {
			values = append(values, m.Value)
		}
	}
	return values
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
