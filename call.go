package identomat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/signature"
	"github.com/identomat-go/identomat/internal/sniff"
	"github.com/identomat-go/identomat/internal/wire"
)

// do makes a call whose response is JSON, and decodes the payload as a T. [stream] is for media.
func do[T any](ctx context.Context, c *Client, op *operation.Operation, params any) (out T, err error) {
	if err = c.do(ctx, op, params, &out, false); err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// do makes a call like the generic function do, and decodes the payload into out, a pointer. If admitted is
// true, the limiter has been asked.
func (c *Client) do(ctx context.Context, op *operation.Operation, params, out any, admitted bool) error {
	p := &protocol{client: c, op: op, out: out}
	if err := p.prepare(ctx, params); err != nil {
		return err
	}
	p.call.Protocol, p.call.Admitted = p, admitted
	_, err := c.engine.Do(ctx, &p.call)
	return err
}

// exec makes a call that returns nothing.
func exec(ctx context.Context, c *Client, op *operation.Operation, params any) error {
	return c.do(ctx, op, params, new(json.RawMessage), false)
}

// protocol makes one call and interprets the responses. See [engine.Protocol].
type protocol struct {
	client   *Client
	op       *operation.Operation
	out      any // points to the variable for the decoded payload; nil for media, which is streamed
	call     engine.Call
	problems problems
}

// prepare validates the parameters and encodes them as the operation prescribes. It reports all problems.
func (p *protocol) prepare(ctx context.Context, params any) (err error) {
	c, op := p.client, p.op
	if v, ok := params.(validator); ok && c.validate {
		v.validate(op, &p.problems)
	}
	p.call = engine.Call{Operation: op.Name, Retryable: op.Retryable, URL: c.url(op), Limit: c.maxResponse}
	var unsendable []wire.Problem
	switch op.Encoding {
	case operation.JSON:
		p.call.ContentType = "application/json"
		p.call.Body, unsendable = wire.JSON(op.KeyName(), c.key.Reveal(), params)
		if v, ok := params.(encodedValidator); ok && c.validate {
			v.validateEncoded(&p.problems)
		}
	case operation.Form:
		p.call.ContentType = "application/x-www-form-urlencoded"
		p.call.Body, unsendable, err = wire.Form(op.KeyName(), c.key.Reveal(), params)
	case operation.Multipart:
		err = params.(multipartForm).fill(ctx, c, op, &p.call, &p.problems)
	}
	for _, problem := range unsendable {
		p.problems.add(problem.Path, problem.Message)
	}
	if err == nil {
		err = p.problems.err(op)
	}
	return err
}

// Classify returns the error that a response reports, or decodes the payload.
func (p *protocol) Classify(r *engine.Response, readErr error) engine.Disposition {
	if readErr != nil {
		return p.classifyBroken(r, readErr)
	}
	payload, refusal := response.Classify(p.op, r.StatusCode, r.Body)
	if refusal == nil && (r.Early || p.isEcho(payload) || p.out == nil || codec.Decode(payload, p.out) != nil) {
		refusal = &response.Refusal{Cause: ErrUnexpectedResponse}
	}
	if refusal == nil {
		return engine.Disposition{}
	}
	return engine.Disposition{Err: p.apiError(r, refusal), NotProcessed: refusal.NotProcessed(r.StatusCode)}
}

// classifyBroken classifies a response whose reading ended with an error.
func (p *protocol) classifyBroken(r *engine.Response, readErr error) engine.Disposition {
	if errors.Is(readErr, engine.ErrTooLarge) {
		return engine.Disposition{Err: p.apiError(r, &response.Refusal{Cause: ErrTooLarge})}
	}
	mismatch, ok := errors.AsType[*signature.Error](readErr)
	if !ok {
		return engine.Disposition{} // the attempt fails with readErr, a network error
	}
	// Identomat documents that it does not sign refusals.
	if _, refusal := response.Classify(p.op, r.StatusCode, r.Body); mismatch.Missing && refusal != nil && refusal.Cause != ErrUnexpectedResponse {
		return engine.Disposition{Err: p.apiError(r, refusal), NotProcessed: refusal.NotProcessed(r.StatusCode)}
	}
	err := p.apiError(r, &response.Refusal{Cause: ErrSignatureMismatch})
	err.Sample = ""
	return engine.Disposition{Err: err}
}

// isEcho reports whether the company key came back as a session token.
func (p *protocol) isEcho(payload []byte) bool {
	return p.op.Shape == operation.Token && string(payload[1:len(payload)-1]) == p.client.key.Reveal()
}

// Secrets returns the texts in the request. An error that echoes one of them has probably echoed the
// whole request.
func (p *protocol) Secrets() []string {
	if bytes.HasPrefix(p.call.Body, []byte("{")) {
		return wire.AppendTexts(nil, p.call.Body)
	}
	form, _ := url.ParseQuery(string(p.call.Body))
	return slices.Concat(slices.Collect(maps.Values(form))...)
}

// Public returns an [APIError] if the failure came from a response, and a [TransportError] otherwise.
func (p *protocol) Public(f *engine.Failure) error {
	if api, ok := errors.AsType[*APIError](f.Err); ok && f.FromResponse {
		e := *api // observers hold the original
		e.Attempts, e.MaybeProcessed, e.RetryAfter = f.Attempts, f.MaybeProcessed, f.RetryAfter
		return &e
	}
	return &TransportError{Operation: p.op.Name, Attempts: f.Attempts, MaybeProcessed: f.MaybeProcessed, Err: f.Err}
}

// apiError returns the public error for a refusal.
func (p *protocol) apiError(r *engine.Response, refusal *response.Refusal) *APIError {
	e := &APIError{
		Operation: p.op.Name, StatusCode: r.StatusCode, Code: refusal.Code, Group: refusal.Group,
		kind: refusal.Cause, message: redact.NewSecret(refusal.Message),
	}
	if e.Code == "" && refusal.Message == "" {
		e.ContentType, e.Sample = sniff.Label(r.Header.Get("Content-Type")), response.Sample(r.Body)
		if coding := sniff.Coding(r.Header.Get("Content-Encoding")); coding != "" {
			e.Sample = "Content-Encoding: " + coding
		}
	}
	// A response can echo the request where a code is expected.
	for _, text := range []*string{&e.Code, &e.Group} {
		if *text != "" && response.Cause(*text) == nil && redact.Contains(*text, p.client.engine.Secrets(p)...) {
			*text = ""
		}
	}
	return e
}

// Host is one of Identomat's two hosts.
type Host uint8

// The hosts.
const (
	// APIHost is external-api.identomat.com, which takes companyKey and returns {"result": …}.
	APIHost Host = iota
	// WidgetHost is widget.identomat.com, which takes company_key and returns bare JSON.
	WidgetHost
)

// Endpoint describes an endpoint that this SDK does not know. See [Client.Call].
type Endpoint struct {
	// Name is the path below the root of the host: "list-groups" on [APIHost], or "result/" on
	// [WidgetHost], where /external-api/ is prepended.
	Name string
	// Host is the host that serves the endpoint.
	Host Host
	// Retryable allows a retry after a lost response. Leave it false for calls that create something or
	// may cost money.
	Retryable bool
}

// Call calls an endpoint that this SDK has no method for, with the same guarantees as the methods:
// retries, limits, signing, classification and masking. The parameter params is nil, or a value that
// encoding/json encodes as an object. Its members are sent with the company key.
//
// On [APIHost], Call returns the value of the member result if there is one, and otherwise the whole
// response. A response that is not JSON causes an [APIError], and so does a bare string that looks like an
// error code.
//
// Errors: [ValidationError] for a malformed name, or for params that are not an object or hold the
// company key; [APIError], [TransportError].
func (c *Client) Call(ctx context.Context, endpoint Endpoint, params any) (json.RawMessage, error) {
	op := &operation.Operation{Name: endpoint.Name, Retryable: endpoint.Retryable, Host: operation.API, Shape: operation.Any}
	isWidget := endpoint.Host == WidgetHost
	if isWidget {
		op.Host = operation.Widget
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-/"
	if strings.Trim(op.Name, letters) != "" || strings.Contains("/"+op.Name, "//") || op.Name == "" ||
		isWidget != strings.Contains(op.Name, "/") || isWidget != strings.HasSuffix(op.Name, "/") {
		const rule = "must be lowercase letters, digits and hyphens: a single word on APIHost, segments that end in a slash on WidgetHost"
		return nil, problems{{Path: "Endpoint.Name", Message: rule}}.err(&operation.Operation{Name: "Call"})
	}
	if params != nil {
		params = json.RawMessage(wire.AppendValue(nil, params))
	}
	body, err := do[json.RawMessage](ctx, c, op, params)
	if result, found := wire.Get(body, "result"); found && !isWidget {
		body = slices.Clip(result)
	}
	return body, err
}
