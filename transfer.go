package identomat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/identomat-go/identomat/internal/datauri"
	"github.com/identomat-go/identomat/internal/engine"
	"github.com/identomat-go/identomat/internal/operation"
	"github.com/identomat-go/identomat/internal/response"
	"github.com/identomat-go/identomat/internal/signature"
	"github.com/identomat-go/identomat/internal/sniff"
	"github.com/identomat-go/identomat/internal/trace"
	"github.com/identomat-go/identomat/internal/wire"
)

// transfer is a call whose response is streamed.
type transfer struct {
	protocol
	stream *engine.Stream
	// unsigned says that a signature is required but missing.
	unsigned bool
}

// stream makes a call whose response is media. It returns the response with the peeked bytes.
func stream(ctx context.Context, c *Client, op *operation.Operation, params any) (*transfer, *engine.Response, error) {
	t := &transfer{protocol: protocol{client: c, op: op}}
	if err := t.prepare(ctx, params); err != nil {
		return nil, nil, err
	}
	t.call.Protocol, t.call.Stream, t.call.Limit, t.call.SelfDelimiting = t, t, c.maxMedia, op.Shape == operation.DataURI
	resp, err := c.engine.Do(ctx, &t.call)
	if err != nil {
		return nil, nil, err
	}
	t.stream = resp.Stream
	return t, resp, nil
}

// media makes a call whose response is a file.
func media(ctx context.Context, c *Client, op *operation.Operation, params any) (*Media, error) {
	t, resp, err := stream(ctx, c, op, params)
	if err != nil {
		return nil, err
	}
	return &Media{
		ContentType: sniff.ContentType(resp.Body, sniff.MediaType(resp.Header.Get("Content-Type"))),
		Size:        t.stream.Length, from: t, src: t.stream,
	}, nil
}

// items iterates over the data URIs in a response. Stopping early closes the connection.
func items(ctx context.Context, c *Client, op *operation.Operation, params any) iter.Seq2[*Media, error] {
	return func(yield func(*Media, error) bool) {
		t, _, err := stream(ctx, c, op, params)
		if err != nil {
			yield(nil, err)
			return
		}
		defer t.end(nil)
		uris := datauri.NewReader(t.stream)
		for {
			uri, err := uris.Next()
			if err == io.EOF {
				return
			}
			var item *Media
			if err == nil {
				item, err = t.item(uri, uri.MediaType)
			}
			if err != nil {
				yield(nil, t.fail(err))
				return
			}
			item.shared = true
			more := yield(item, nil)
			item.closed = true // the next item is read from the same response
			if !more {
				return
			}
		}
	}
}

// firstItem returns the first data URI in a response that should hold only one.
func firstItem(ctx context.Context, c *Client, op *operation.Operation, params any) (*Media, error) {
	t, _, err := stream(ctx, c, op, params)
	if err != nil {
		return nil, err
	}
	uris := datauri.NewReader(t.stream)
	uri, err := uris.Next()
	if err == io.EOF {
		err = &APIError{Operation: op.Name, StatusCode: http.StatusOK, Attempts: t.stream.Attempts, kind: ErrNotFound, Sample: "an empty list"}
	}
	var item *Media
	if err == nil {
		item, err = t.item(&onlyItem{uri, uris, trace.From(ctx)}, uri.MediaType)
	}
	if err != nil {
		return nil, t.fail(err)
	}
	return item, nil
}

// onlyItem reads one item and then checks the rest of the response.
type onlyItem struct {
	item  *datauri.Item
	uris  *datauri.Reader
	trace *trace.Trace // or nil
}

func (o *onlyItem) Read(p []byte) (int, error) {
	n, err := o.item.Read(p)
	if err == io.EOF {
		files := 0
		for err = nil; err == nil; files++ {
			_, err = o.uris.Next()
		}
		if o.trace != nil {
			o.trace.Files = files
		}
	}
	return n, err
}

// minUnlabeled is the smallest size at which content of unknown format and type counts as a file.
const minUnlabeled = 64

// item returns the content of a data URI as media.
func (t *transfer) item(content io.Reader, label string) (*Media, error) {
	buf := bytes.NewBuffer(make([]byte, 0, engine.PeekSize+bytes.MinRead)) // ReadFrom needs room beyond the end
	if _, err := buf.ReadFrom(io.LimitReader(content, engine.PeekSize)); err != nil {
		return nil, err
	}
	head, declared := buf.Bytes(), sniff.MediaType(label)
	m := &Media{ContentType: sniff.ContentType(head, declared), Size: -1, from: t}
	switch {
	case len(head) == 0:
		return nil, &datauri.FormatError{Problem: "an empty file"}
	case sniff.IsRefuted(head, declared):
		return nil, &datauri.FormatError{Problem: "content that is not what its data URI declares"}
	case len(head) == engine.PeekSize:
		m.src = io.MultiReader(buf, content)
	case label == "" && len(head) < minUnlabeled && sniff.IsVague(m.ContentType), response.IsErrorText(head):
		return nil, &datauri.FormatError{Problem: "a text instead of a file"}
	default:
		m.src, m.Size = buf, int64(len(head))
	}
	return m, nil
}

// Classify classifies a response that is not streamed.
func (t *transfer) Classify(r *engine.Response, readErr error) engine.Disposition {
	d := t.protocol.Classify(r, readErr)
	if e, ok := d.Err.(*APIError); ok && e.kind == ErrUnexpectedResponse && t.unsigned {
		e.kind, e.Sample = ErrSignatureMismatch, ""
	}
	return d
}

// Streams reports whether the peeked bytes look like media or JSON with data URIs.
func (t *transfer) Streams(r *engine.Response, whole bool) bool {
	if sniff.Coding(r.Header.Get("Content-Encoding")) != "" {
		return false // compression was not requested
	}
	if t.client.requireSigned {
		// Check now. Otherwise the first file would be delivered before the missing signature was noticed.
		if _, signed := signature.Parse(r.Header["Authorization"]); !signed {
			t.unsigned = true
			return false
		}
	}
	if t.op.Shape == operation.Binary {
		return response.IsMedia(r.Body, sniff.MediaType(r.Header.Get("Content-Type")))
	}
	head := wire.Trim(wire.TrimBOM(r.Body))
	return bytes.HasPrefix(head, []byte("{")) && !(whole && response.IsRefusal(head))
}

// public returns the public error for an error from the stream.
func (t *transfer) public(err error) error {
	if isPublic(err) {
		return err
	}
	api := &APIError{
		Operation: t.op.Name, StatusCode: http.StatusOK, Attempts: t.stream.Attempts, MaybeProcessed: true, kind: ErrUnexpectedResponse,
	}
	format, isFormat := errors.AsType[*datauri.FormatError](err)
	refused, isRefused := errors.AsType[*datauri.ServiceError](err)
	switch {
	case errors.Is(err, ErrSignatureMismatch):
		api.kind = ErrSignatureMismatch
	case errors.Is(err, engine.ErrTooLarge):
		api.kind = ErrTooLarge
	case isFormat:
		api.Sample = format.Problem
	case errors.Is(err, io.ErrUnexpectedEOF) && t.stream.Complete():
		api.Sample = "truncated JSON"
	case isRefused:
		d := t.Classify(&engine.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: refused.Response}, nil)
		errors.As(d.Err, &api)
		api.Attempts = t.stream.Attempts
	default:
		return &TransportError{Operation: t.op.Name, Attempts: t.stream.Attempts, MaybeProcessed: true, Err: err}
	}
	return api
}

// fail ends the call with the public error for err, and returns that error.
func (t *transfer) fail(err error) error {
	err = t.public(err)
	t.end(err)
	return err
}

// end closes the response, and reports the public error, if any, to the observers.
func (t *transfer) end(err error) {
	var failure *engine.Failure
	if err != nil {
		failure = &engine.Failure{Err: err, FromResponse: true, Attempts: t.stream.Attempts, MaybeProcessed: true}
	}
	if broken, ok := errors.AsType[*TransportError](err); ok {
		failure.Err, failure.FromResponse = broken.Err, false
	}
	t.stream.End(failure)
}
