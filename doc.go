// Package identomat is a client for Identomat, the identity-verification service.
//
// # First call
//
// A customer shows a document and a face to Identomat's widget, and the service decides whether to accept
// the customer. Create one [Client], share it, begin a session, and send the customer's browser to its URL:
//
//	client, err := identomat.NewClientFromEnv() // or NewClient(companyKey, options)
//	session, err := client.Sessions.Begin(ctx, identomat.BeginRequest{
//		Flags:        identomat.NewFlags().ReturnURL("https://bank.example/kyc/return"),
//		Steps:        identomat.Steps{identomat.IdentityDocument(), identomat.Liveness().Active(true)},
//		ClientUserID: "user-12345",
//	})
//	http.Redirect(w, r, session.URL, http.StatusSeeOther) // store session.Token with the customer's id first
//
// [BeginRequest] describes the session with [Flags] and [Steps], or with a configuration in the dashboard.
// Flags, steps and questions are immutable: every method returns a new value. Methods that all steps have,
// such as Key and Title, return a [Step], so they come last in a chain. Package widget embeds the widget in
// your own page.
//
// # Outcome
//
// When the customer comes back ([SessionTokenFromReturn]), when a callback arrives ([CallbackHandler]), and
// periodically for customers who do neither, read the outcome with [SessionsService.Result]. Neither the
// return nor a callback proves anything. Only [Result.Approved] proves an approval; it is true only for
// [OutcomeApproved]. [SessionsService.Wait] polls until there is an outcome.
//
// # Errors
//
// A call fails with a [ValidationError] before anything is sent, with a [TransportError] if there is no
// usable response, or with an [APIError] if the response is not the documented one. To find the
// cause, use errors.Is with the Err variables. Every call can fail with [ErrInvalidKey], [ErrRateLimited],
// [ErrInternal], [ErrTooLarge] and [ErrUnexpectedResponse]; the comment of each method names its other
// errors. The service also reports errors with status 200. A response that is neither the documented one
// nor a known error is [ErrUnexpectedResponse], never a zero value.
//
// A call takes as long as its context allows. An attempt takes at most 60 seconds. Media and uploads
// may take longer, provided that at least one byte arrives every 60 seconds ([WithAttemptTimeout]).
//
// # Money
//
// Calls that create something, and those of [DocumentsService], are retried only when the service
// certainly did not process them. All other calls, searches in the screening databases included, are also
// retried after temporary failures ([RetryPolicy]). The comment of each service says which of its methods
// may be billed. If such a call fails and [MaybeProcessed] is true for the error, find out what happened
// before you call again: after Begin, there may be a billed session whose token is lost. For a read,
// MaybeProcessed means nothing: call again.
//
// # Secrecy
//
// fmt and slog show a mask instead of keys, tokens, requests and decoded responses, and error texts
// contain no value that was sent or received. Encoders such as encoding/json return an error for personal
// data, because a mask in a database would be silent data loss: to store a result, store [Result.Raw].
//
// [Flags], [Steps], [Token] and [Session] encode to unmasked JSON, which slog.JSONHandler prints if such a
// value is inside your own struct, slice or map. fmt calls no methods on unexported fields, so it prints a
// Token or a Result in such a field unmasked. If your struct has such a field, give the struct a Format
// method. The verbs %p and %w also bypass the masks; go vet reports them.
//
// # Testing
//
// Package identomattest is a fake Identomat with the whole API, which fails on demand. [Result] and other
// types decode recorded JSON with encoding/json.
//
// # Where next
//
// The [MediaService] fetches images and videos, and package evidence everything that a session left behind.
// The [ScreeningService] searches sanctions lists. [SessionsService.Delete] erases a session when you may
// no longer keep it. [Client.Call] calls an endpoint that this SDK does not know. Module river runs
// verifications as jobs in your database. Package idenfy begins sessions of iDenfy, another service. All
// packages are below github.com/identomat-go/identomat, and the repository's folder examples has complete
// programs.
//
// Comments have the wire names of flags, steps, parameters and endpoints in parentheses, and name their
// sources: the API reference, the Developer guide 2025 and the System manual are documents of Identomat.
// "All responses seen" are the samples in these documents and responses from production.
package identomat
