// Package idenfy creates verification sessions of iDenfy and verifies its webhooks.
//
// It implements everything on the page "Create verification session" of iDenfy's API
// documentation. The comments of this package call it the page, and documented means described
// there. The form of errors, the URLs that contain a token, and webhooks are described only in
// iDenfy's other public documentation; the comments say where that is the source.
//
// # A verification
//
// Make one [Client] with [NewClient] or [NewClientFromEnv] and share it. Create a session with
// [Client.CreateSession], store [Session.ScanRef], and send the customer's browser to
// [Session.RedirectURL], or show [Session.IframeURL] in a page of yours. The outcome arrives in
// webhooks, which [WebhookHandler] verifies: let it store them, and process them later.
// [Webhook.Approved] is true only for a final approval.
//
// # Credits
//
// A session can cost credits. So can another session for the same client id before the final
// webhook of the first. CreateSession retries only if iDenfy certainly created no session. If
// [identomat.MaybeProcessed] is true for an error, a session may exist whose token is lost: before
// you create another one, wait for a webhook or until the expiry time has passed. [WithGuard]
// calls a function of yours before every session.
//
// # What is shared with package identomat
//
// The options of package identomat, such as [identomat.WithRetry] and [identomat.WithLogger],
// configure a client of this package, too, except for those about signing, URLs and media. The
// two packages also share [identomat.ValidationError] for a request that was not sent,
// [identomat.TransportError] for a call without a usable response, [identomat.CallbackError] for a
// webhook that was rejected, and [identomat.Event] for observers. A response other than a session
// is an [APIError] of this package, which wraps an [identomat.APIError].
//
// # Secrecy
//
// fmt and slog show a mask instead of keys, tokens, requests, sessions and webhooks, and
// encoders refuse them with an error. The texts of errors contain no value that was sent or
// received. To show a name, use its field. fmt ignores the methods of a value in an
// unexported field of your own struct: give that struct a Format method.
//
// # Testing
//
// Package idenfytest is a fake iDenfy.
package idenfy
