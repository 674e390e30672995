// Package identomat is a client for Identomat, the identity-verification service.
//
// # A verification
//
// Make one [Client] with [NewClient] or [NewClientFromEnv] and share it. Begin a session
// with [SessionsService.Begin], from [Flags] and [Steps] or from a configuration of the
// dashboard, and send the customer's browser to [Session.URL], or embed the widget in a page
// with package widget. When the customer is back ([SessionTokenFromReturn]), or a callback
// has arrived ([CallbackHandler]), read the outcome with [SessionsService.Result], or wait
// for it with [SessionsService.Wait]. Neither the return nor a callback proves anything;
// [Result.Approved] does, and is true for exactly one outcome. Fetch the evidence with the
// [MediaService], screen people with the [ScreeningService], and erase the session with
// [SessionsService.Delete] when you may no longer keep it.
//
// # Errors and money
//
// A call fails with a [ValidationError] before anything is sent, with a [TransportError]
// when no usable reply came, or with an [APIError] when the reply was not what was asked
// for. The Err variables tell the causes apart for errors.Is. The service reports errors
// with status 200, too, and whatever is neither the documented reply nor a known error is
// [ErrUnexpectedResponse], never a zero value.
//
// A call that creates something, or may cost something, is sent again only when it is certain
// that the service processed nothing; every other call also after failures that may pass
// ([RetryPolicy]). If [MaybeProcessed] is true of an error, look before you repeat.
//
// A call takes as long as its context allows, and an attempt 60 seconds at most; of media and
// uploads, which may take longer, that is the time without a byte ([WithAttemptTimeout]).
//
// # Secrecy
//
// The company key travels in the bodies of requests and nowhere else. fmt, slog and
// encoding/json show a mask in place of keys, results, persons, documents and requests, and
// the texts of errors hold no value that was sent or received. A program that wants to show
// a name names the field; one that wants to store a result stores [Result.Raw]. What is meant
// to be sent or stored has a real JSON form: [Flags], [Steps], [Token] and [Session]. fmt
// reaches past every mask into unexported fields of structs: hold pointers there.
//
// # Builders
//
// [Flags], the steps and their questions never change: every method returns a new value, so
// a base can be shared and extended by any number of goroutines. Methods of all steps, such
// as Key, Title, Flag and Set, are listed with the result type Self, which is the type of
// the step itself.
//
// # Testing
//
// Package identomattest is a fake Identomat with the whole API. [Result] and other replies
// can be read from recorded JSON with encoding/json. The folder examples holds whole
// programs, among them a web application with a review desk.
//
// Package idenfy begins sessions of iDenfy, another service, in the same manner.
package identomat
