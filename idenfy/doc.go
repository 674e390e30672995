// Package idenfy creates verification sessions of iDenfy and checks its webhooks.
//
// It implements iDenfy's page "Create verification session" completely. What that page does
// not describe, which is the shape of errors, the addresses that take a token, and webhooks,
// follows iDenfy's other public documentation, and the comments say so.
//
// # A verification
//
// Make one [Client] with [NewClient] or [NewClientFromEnv] and share it. Create a session with
// [Client.CreateSession] and send the customer's browser to [Session.RedirectURL], or show
// [Session.IframeURL] in your own page. Store [Session.ScanRef]. The outcome arrives as
// webhooks, which [ParseWebhook] checks; [Webhook.Approved] is true only for a final approval.
//
// # Credits
//
// A session can cost credits, and so can every further one for the same client id before
// the final webhook of the first. CreateSession sends again only what was certainly not
// processed. If [MaybeProcessed] is true of an error, wait for a webhook before you repeat, or
// until the expiry time has passed: nobody has the token. [WithGuard] asks code of yours
// before every session.
//
// # What is shared with package identomat
//
// The engine is that of package identomat, and so are the types of what both report:
// [identomat.ValidationError] before anything is sent, [identomat.TransportError] when no
// usable reply came, [identomat.Event] for observers. Replies that are not what was asked
// for are an [APIError] of this package.
//
// # Secrecy
//
// fmt, slog and encoding/json show a mask in place of keys, tokens, requests, sessions and
// webhooks, and the texts of errors hold no value that was sent or received. A program that
// wants to show a name names the field. fmt reaches past every mask into unexported fields of
// structs: hold pointers there.
//
// # Testing
//
// Package idenfytest is a fake iDenfy.
package idenfy
