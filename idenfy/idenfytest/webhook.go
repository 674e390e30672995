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

// Webhook says what a webhook of the server reports.
type Webhook struct {
	// ScanRef is that of a session of the server.
	ScanRef string
	// Overall is the outcome, such as "SUSPECTED".
	Overall string
	// Final is false for an automatic result that a reviewer may still change.
	Final bool
	// FraudTags and MismatchTags are the reasons of a suspicion.
	FraudTags, MismatchTags []string
}

// Approved is the final webhook of a customer who was approved.
func Approved(scanRef string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "APPROVED", Final: true}
}

// Denied is the final webhook of a customer who was denied.
func Denied(scanRef string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "DENIED", Final: true}
}

// Suspected is the final webhook of a customer whose data does not match the document.
func Suspected(scanRef string, mismatchTags ...string) Webhook {
	return Webhook{ScanRef: scanRef, Overall: "SUSPECTED", Final: true, MismatchTags: mismatchTags}
}

// Automatic is the webhook before the final one of the same outcome: a reviewer may decide
// otherwise.
func (w Webhook) Automatic() Webhook {
	w.Final = false
	return w
}

// Sign is the signature of a webhook: HMAC-SHA256 in lower-case hexadecimal digits.
func Sign(signingKey string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = mac.Write(body) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// WebhookBody is the body of a webhook about a session of the server. The partial results
// are null: no public list of their values is complete.
func (s *Server) WebhookBody(w Webhook) ([]byte, error) {
	session, found := s.session(func(session Session) bool { return session.ScanRef == w.ScanRef })
	if !found {
		return nil, errors.New("idenfytest: no session has this scanRef")
	}
	externalRef := "null"
	if session.ExternalRef != "" {
		externalRef = quote(session.ExternalRef)
	}
	finished := time.Now().Unix()
	return []byte(`{"final":` + strconv.FormatBool(w.Final) + `,"platform":"PC","status":{"overall":` + quote(w.Overall) +
		`,"fraudTags":` + list(w.FraudTags) + `,"mismatchTags":` + list(w.MismatchTags) +
		`,"autoFace":null,"manualFace":null,"autoDocument":null,"manualDocument":null` +
		`,"additionalSteps":null},"data":{"docFirstName":"JOHN","docLastName":"SMITH","docNumber":"XX0000000","docType":"PASSPORT"},` +
		`"scanRef":` + quote(session.ScanRef) + `,"externalRef":` + externalRef + `,"clientId":` + quote(session.ClientID) +
		fmt.Sprintf(`,"startTime":%d,"finishTime":%d}`, finished-60, finished)), nil
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// SendWebhook posts a signed webhook about a session of the server and returns the status
// of the answer. It follows no redirect and sends nothing again.
func (s *Server) SendWebhook(ctx context.Context, url string, w Webhook) (status int, err error) {
	body, err := s.WebhookBody(w)
	if err != nil {
		return 0, err
	}
	return s.SendRawWebhook(ctx, url, body, Sign(s.signingKey, body))
}

// SendRawWebhook posts a body with a signature, right or wrong. An empty signature sends no
// header.
func (s *Server) SendRawWebhook(ctx context.Context, url string, body []byte, signature string) (status int, err error) {
	header := http.Header{}
	if signature != "" {
		header.Set("Idenfy-Signature", signature)
	}
	status, err = fake.Post(ctx, url, header, body)
	if err != nil {
		return status, fmt.Errorf("idenfytest: webhook: %w", err)
	}
	return status, nil
}
