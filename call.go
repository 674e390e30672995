package identomat

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/go-querystring/query"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
)

// A decoder reads a reply of its operation's shape. It may keep the data.
type decoder interface {
	decode(data []byte) error
}

// ignored is for replies of which only the shape matters.
type ignored struct{}

func (ignored) decode([]byte) error { return nil }

// wrapped decodes {"result": …} into value. A reply without a result is refused.
type wrapped[T any] struct{ value T }

func (w *wrapped[T]) decode(data []byte) error {
	var reply struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return err
	}
	if len(reply.Result) == 0 || string(reply.Result) == "null" {
		return errors.New("identomat: a reply without a result")
	}
	return decodeTolerant(reply.Result, &w.value)
}

// call is one call of one endpoint. It is its own judge.
type call struct {
	engine.Call
	op   *operation.Operation
	into decoder
	few  [4]string // room for the secrets
}

// Judge classifies a reply and decodes it.
func (c *call) Judge(r *engine.Reply, readErr error) engine.Verdict {
	return judge(c.op, r, readErr, c.into)
}

// callForm calls an endpoint that takes an urlencoded form; form is a struct with url
// tags. The private values are those of the request that no error may show.
func (c *Client) callForm(ctx context.Context, op *operation.Operation, form any, into decoder, private ...string) error {
	values, err := query.Values(form)
	if err != nil {
		return err
	}
	return c.send(ctx, op, "application/x-www-form-urlencoded", []byte(values.Encode()), into, private...)
}

// callJSON calls an endpoint that takes a JSON body.
func (c *Client) callJSON(ctx context.Context, op *operation.Operation, body []byte, into decoder, private ...string) error {
	return c.send(ctx, op, "application/json", body, into, private...)
}

func (c *Client) send(ctx context.Context, op *operation.Operation, contentType string, body []byte, into decoder, private ...string) error {
	this := &call{op: op, into: into}
	this.Call = engine.Call{
		Operation: op.Name, Repeatable: op.Repeatable, URL: c.urls[op],
		ContentType: contentType, Body: body, Limit: c.maxReply,
		Judge: this, Secrets: append(this.few[:0], private...),
	}
	_, failure := c.engine.Do(ctx, &this.Call)
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
