package idenfytest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/identomat-go/identomat/internal/fake"
)

// Webhook is the content of a webhook that the server sends.
type Webhook struct {
	// ScanRef identifies a session of the server.
	ScanRef string
	// Overall is the outcome, such as "SUSPECTED".
	Overall string
	// Final is false for an automatic result that a reviewer can still change.
	Final bool
	// EventType is sent as Idenfy-Event-Type, unless it is empty. The body of an
	// IDENTIFICATION_EXPIRED or IDENTIFICATION_CANCELLED webhook has no member "final".
	EventType string
	// FraudTags and MismatchTags are the reasons why a session is suspected.
	FraudTags, MismatchTags []string
}

// Approved returns the final webhook for an approved session.
func Approved(scanRef string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "APPROVED", Final: true}
}

// Denied returns the final webhook for a denied session.
func Denied(scanRef string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "DENIED", Final: true}
}

// Suspected returns the final webhook for a session whose data does not match the document.
func Suspected(scanRef string, mismatchTags ...string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "SUSPECTED", Final: true, MismatchTags: mismatchTags}
}

// Expired returns the webhook for a session that the customer did not finish in time.
func Expired(scanRef string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "EXPIRED", EventType: "IDENTIFICATION_EXPIRED"}
}

// Automatic returns a copy with Final set to false: the automatic result before a review.
func (w Webhook) Automatic() Webhook {
	w.Final = false
	return w
}

// Sign returns the signature of a webhook body: the HMAC-SHA256 in lowercase hexadecimal.
func Sign(signingKey string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = mac.Write(body) // a hash never returns an error
	return hex.EncodeToString(mac.Sum(nil))
}

// WebhookBody returns the body of a webhook. The partial results, such as autoFace, are null,
// because no complete list of their values is public. An unknown ScanRef is an error.
func (s *Server) WebhookBody(w Webhook) ([]byte, error) {
	session, found := s.session(func(session Session) bool { return session.ScanRef == w.ScanRef })
	if !found {
		return nil, errors.New("idenfytest: no session has this scanRef")
	}
	externalRef := "null"
	if session.ExternalRef != "" {
		externalRef = quote(session.ExternalRef)
	}
	final := `"final":` + strconv.FormatBool(w.Final) + ","
	if w.EventType == "IDENTIFICATION_EXPIRED" || w.EventType == "IDENTIFICATION_CANCELLED" {
		final = ""
	}
	finished := time.Now().Unix()
	return []byte("{" + final + `"platform":"PC","status":{"overall":` + quote(w.Overall) +
		`,"fraudTags":` + list(w.FraudTags) + `,"mismatchTags":` + list(w.MismatchTags) +
		`,"autoFace":null,"manualFace":null,"autoDocument":null,"manualDocument":null` +
		`,"additionalSteps":null},"data":{"docFirstName":"JOHN","docLastName":"SMITH","docNumber":"XX0000000","docType":"PASSPORT"},` +
		`"scanRef":` + quote(session.ScanRef) + `,"externalRef":` + externalRef + `,"clientId":` + quote(session.ClientID) +
		fmt.Sprintf(`,"startTime":%d,"finishTime":%d}`, finished-60, finished)), nil
}

// list returns a JSON array.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// SendWebhook posts a signed webhook to url and returns the status of the response. It follows no
// redirects and does not retry.
func (s *Server) SendWebhook(ctx context.Context, url string, w Webhook) (status int, err error) {
	body, err := s.WebhookBody(w)
	if err != nil {
		return 0, err
	}
	return post(ctx, url, body, Sign(s.signingKey, body), w.EventType)
}

// SendRawWebhook posts a body with this signature, which may be wrong. An empty signature sends no
// Idenfy-Signature header.
func (s *Server) SendRawWebhook(ctx context.Context, url string, body []byte, signature string) (status int, err error) {
	return post(ctx, url, body, signature, "")
}

func post(ctx context.Context, url string, body []byte, signature, eventType string) (status int, err error) {
	header := http.Header{}
	for name, value := range map[string]string{"Idenfy-Signature": signature, "Idenfy-Event-Type": eventType} {
		if value != "" {
			header.Set(name, value)
		}
	}
	status, err = fake.Post(ctx, url, header, body)
	if err != nil {
		return status, fmt.Errorf("idenfytest: webhook: %w", err)
	}
	return status, nil
}
