// Package identomat is a client for Identomat, the identity-verification service.
//
// # A verification
//
// Create one [Client] with [NewClient] or [NewClientFromEnv] and share it. Begin a session with
// [SessionsService.Begin], from [Flags] and [Steps] or from a configuration in the dashboard. Send the
// customer's browser to [Session.URL], or embed the widget in a page with package widget.
//
// When the customer comes back ([SessionTokenFromReturn]), or when a callback arrives
// ([CallbackHandler]), read the outcome with [SessionsService.Result]; [SessionsService.Wait] polls for
// it. Neither the return nor a callback proves anything. Only [Result.Approved] does, and it is true for
// exactly one outcome.
//
// Fetch the evidence with the [MediaService], screen people with the [ScreeningService], and erase the
// session with [SessionsService.Delete] when you may no longer keep it. [Client.Call] calls an endpoint
// that this SDK does not know.
//
// # Errors and money
//
// A call fails with a [ValidationError] before anything is sent, with a [TransportError] if there is no
// usable response, or with an [APIError] if the response is not the documented one. Test for the cause
// with errors.Is and the Err variables. Every call can fail with [ErrInvalidKey], [ErrRateLimited],
// [ErrInternal], [ErrTooLarge] and [ErrUnexpectedResponse]; the comment of each method names its other
// errors. The service also reports errors with status 200. A response that is neither the documented one
// nor a known error is [ErrUnexpectedResponse], never a zero value.
//
// Calls that create something or may be billed are retried only when the service certainly did not
// process them. All other calls are also retried after temporary failures ([RetryPolicy]). If
// [MaybeProcessed] is true for an error, find out what happened before you call again.
//
// A call takes as long as its context allows. An attempt takes at most 60 seconds ([WithAttemptTimeout]).
// An attempt that transfers media or an upload may take longer: it times out only if no byte moves for 60
// seconds.
//
// # Secrecy
//
// The company key is sent in the body of requests and nowhere else. fmt and slog show a mask instead of
// keys, tokens, requests and decoded responses, and error texts contain no value that was sent or
// received. Encoders such as encoding/json return an error for personal data, because a mask in a
// database would be silent data loss: to store a result, store [Result.Raw]. [Flags], [Steps], [Token]
// and [Session] encode to unmasked JSON, which slog.JSONHandler prints if such a value is inside your
// own struct, slice or map. fmt calls no methods on unexported fields, so it prints a Token or a Result
// in such a field unmasked. If your struct has such a field, give the struct a Format method. The verbs
// %p and %w also bypass the masks; go vet reports them.
//
// # Builders
//
// [Flags], steps and questions are immutable: every method returns a new value, so a base can be shared
// between goroutines and extended. Methods that all steps have, such as Key, Title, Flag and Set, return
// a [Step], so they come last in a chain.
//
// # Testing
//
// Package identomattest is a fake Identomat with the whole API. [Result] and other types decode recorded
// JSON with encoding/json. The folder examples holds complete programs, such as a web application.
//
// Package idenfy begins sessions of iDenfy, another service, in the same way.
//
// # Sources
//
// Comments name their sources in parentheses. The API reference, the Developer guide 2025 and the System
// manual are documents of Identomat. "All responses seen" are the samples in these documents and responses
// from production.
package identomat
