// Package idenfy creates iDenfy verification sessions and verifies iDenfy's webhooks.
//
// It implements everything on the page "Create verification session" of iDenfy's API documentation.
// Comments in this package call that page "the API page", and "documented" means described on that
// page. The error format, the URLs that contain a token, and webhooks are described only in
// iDenfy's other public documentation; the comments say so.
//
// # A verification
//
// Make one [Client] and share it. Create a session, store its ScanRef with your customer's id, and send
// the customer's browser to its URL, or show [Session.IframeURL] in your page:
//
//	client, err := idenfy.NewClientFromEnv() // or NewClient(apiKey, apiSecret, options)
//	session, err := client.CreateSession(ctx, idenfy.SessionRequest{ClientID: "user-12345"})
//	http.Redirect(w, r, session.RedirectURL(), http.StatusSeeOther)
//
// The outcome arrives in webhooks, which [WebhookHandler] verifies: store their EventType and
// [Webhook.Raw] in the handler, and process them later with [DecodeWebhook]. [Webhook.Approved] is true
// only for a final approval.
//
// # Credits
//
// A session can cost credits. A second session for the same client id can also cost credits if it
// is created before the final webhook of the first session. CreateSession retries only if iDenfy
// certainly created no session. If [identomat.MaybeProcessed] is true for an error, a session may
// exist, and its token is lost: before you create another session, wait for a webhook, or until the
// expiry time has passed. [WithGuard] calls your function before every session.
//
// # Shared with package identomat
//
// The options of package identomat, such as [identomat.WithRetry] and [identomat.WithLogger], also
// configure this package's client, except the options for signing, URLs and media. Both packages use
// [identomat.ValidationError] for a request that was not sent, [identomat.TransportError] for a
// call without a usable response, [identomat.CallbackError] for a rejected webhook, and
// [identomat.Event] for observers. For a response other than a session, CreateSession returns this
// package's [APIError], which wraps an [identomat.APIError].
//
// # Secrecy
//
// fmt and slog show a mask instead of keys, tokens, requests, sessions and webhooks, and encoders
// refuse them with an error. Error texts contain no values from requests or responses. To print one
// value, such as a name, print its field. fmt calls no methods on unexported fields, so it prints a session or a
// webhook in such a field unmasked. If your struct has such a field, give the struct a Format method.
//
// # Testing
//
// Package idenfytest is a fake iDenfy, which sends signed webhooks.
package idenfy
