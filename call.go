package identomat

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/go-querystring/query"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
)

// callForm calls an endpoint that takes an urlencoded form; form is a struct with url tags.
func (c *Client) callForm(ctx context.Context, op *operation.Operation, form any, decode func([]byte) error, secrets ...string) error {
	values, err := query.Values(form)
	if err != nil {
		return err
	}
	return c.send(ctx, op, "application/x-www-form-urlencoded", []byte(values.Encode()), decode, secrets)
}

// callJSON calls an endpoint that takes a JSON body.
func (c *Client) callJSON(ctx context.Context, op *operation.Operation, body []byte, decode func([]byte) error, secrets ...string) error {
	return c.send(ctx, op, "application/json", body, decode, secrets)
}

func (c *Client) send(ctx context.Context, op *operation.Operation, contentType string, body []byte, decode func([]byte) error, secrets []string) error {
	_, failure := c.engine.Do(ctx, &engine.Call{
		Operation: op.Name, Repeatable: op.Repeatable, URL: c.urls[op],
		ContentType: contentType, Body: body, Limit: c.maxReply, Secrets: secrets,
		Judge: func(r *engine.Reply, readErr error) engine.Verdict { return judge(op, r, readErr, decode) },
	})
	if failure == nil {
		return nil
	}
	return callError(op, failure)
}

// callError gives a failure of the engine its public type.
func callError(op *operation.Operation, f *engine.Failure) error {
	var api *APIError
	if f.FromReply && errors.As(f.Err, &api) {
		e := *api // the observers hold the original
		e.Attempts, e.MaybeProcessed, e.RetryAfter = f.Attempts, f.MaybeProcessed, f.RetryAfter
		return &e
	}
	return &TransportError{Op: op.Name, Attempts: f.Attempts, MaybeProcessed: f.MaybeProcessed, Err: f.Err}
}

// decodeInto decodes a reply of JSON into v.
func decodeInto(v any) func([]byte) error {
	return func(data []byte) error { return json.Unmarshal(data, v) }
}

// ignore accepts a reply of the operation's shape whatever it says.
func ignore([]byte) error { return nil }
