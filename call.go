package identomat

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"

	"github.com/google/go-querystring/query"

	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/form"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/redact"
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
	client *Client
	op     *operation.Operation
	into   decoder
}

// Judge classifies a reply and decodes it.
func (c *call) Judge(r *engine.Reply, readErr error) engine.Verdict {
	verdict := judge(c.op, r, readErr, c.into)
	if s, ok := c.into.(*Session); ok && verdict.Err == nil && string(s.Token) == c.client.key.Reveal() {
		verdict.Err = unexpected(c.op, r) // an echo is no token
	}
	if e, ok := verdict.Err.(*APIError); ok {
		// A reply can repeat the request in the place of a code.
		secrets := append(c.Secrets(), c.client.key.Reveal(), c.client.secret.Reveal())
		for _, text := range []*string{&e.Code, &e.Group} {
			if redact.Contains(*text, secrets...) {
				*text = ""
			}
		}
	}
	return verdict
}

// Secrets are the texts that were sent.
func (c *call) Secrets() []string { return sentValues(c.Body) }

// callForm calls an endpoint that takes an urlencoded form; form is a struct with url
// tags.
func (c *Client) callForm(ctx context.Context, op *operation.Operation, form any, into decoder) error {
	body, err := encodeForm(form)
	if err != nil {
		return err
	}
	return c.send(ctx, op, formType, body, into)
}

const formType = "application/x-www-form-urlencoded"

func encodeForm(form any) ([]byte, error) {
	if form, ok := form.(sessionForm); ok {
		return form.encode(), nil
	}
	values, err := query.Values(form)
	return []byte(values.Encode()), err
}

// callJSON calls an endpoint that takes a JSON body.
func (c *Client) callJSON(ctx context.Context, op *operation.Operation, body []byte, into decoder) error {
	return c.send(ctx, op, "application/json", body, into)
}

// params are the parameters that every endpoint of external-api.identomat.com takes.
func (c *Client) params() members {
	return members{}.and("companyKey", jsonString(c.key.Reveal()))
}

// callAPI calls an endpoint that takes params as JSON.
func (c *Client) callAPI(ctx context.Context, op *operation.Operation, params members, into decoder) error {
	body, err := params.appendJSON(nil)
	if err != nil {
		return err
	}
	return c.callJSON(ctx, op, body, into)
}

// require checks the one parameter of a call that has no other.
func (c *Client) require(op *operation.Operation, param, value string) error {
	if c.validate && value == "" {
		return problems{{Path: param, Message: "is empty"}}.err(op.Name)
	}
	return nil
}

// callUpload calls an endpoint that takes files.
func (c *Client) callUpload(ctx context.Context, op *operation.Operation, source *form.Form, into decoder) error {
	this := c.call(op, source.ContentType(), nil, into)
	this.Source, this.Call.Judge = source, &this
	_, failure := c.engine.Do(ctx, &this.Call)
	return callError(op.Name, failure)
}

func (c *Client) send(ctx context.Context, op *operation.Operation, contentType string, body []byte, into decoder) error {
	this := c.call(op, contentType, body, into)
	this.Call.Judge = &this
	_, failure := c.engine.Do(ctx, &this.Call)
	return callError(op.Name, failure)
}

// call is a call whose judge is still to be set.
func (c *Client) call(op *operation.Operation, contentType string, body []byte, into decoder) call {
	return call{client: c, op: op, into: into, Call: engine.Call{
		Operation: op.Name, Repeatable: op.Repeatable, URL: c.urls[op],
		ContentType: contentType, Body: body, Limit: c.maxReply,
	}}
}

// callError gives a failure of the engine its public type; nil stays nil.
func callError(op string, f *engine.Failure) error {
	if f == nil {
		return nil
	}
	var api *APIError
	if f.FromReply && errors.As(f.Err, &api) {
		e := *api // the observers hold the original
		e.Attempts, e.MaybeProcessed, e.RetryAfter = f.Attempts, f.MaybeProcessed, f.RetryAfter
		return &e
	}
	return &TransportError{Operation: op, Attempts: f.Attempts, MaybeProcessed: f.MaybeProcessed, Err: f.Err}
}

// sentValues are the texts in the body of a request, for the search through errors. Whatever
// repeats one of them has repeated what the caller said about a person.
func sentValues(body []byte) []string {
	var document any
	if json.Unmarshal(body, &document) == nil {
		return texts(document, nil)
	}
	form, _ := url.ParseQuery(string(body))
	return slices.Concat(slices.Collect(maps.Values(form))...)
}

// texts appends the strings inside of a decoded JSON value.
func texts(v any, found []string) []string {
	switch v := v.(type) {
	case string:
		found = append(found, v)
	case []any:
		for _, item := range v {
			found = texts(item, found)
		}
	case map[string]any:
		for _, item := range v {
			found = texts(item, found)
		}
	}
	return found
}
