package identomat

import (
	"encoding/json"

	"github.com/identomat-go/identomat/internal/redact"
	"github.com/identomat-go/identomat/internal/wire"
)

// codec decodes every response. After it has decoded a record, it keeps the record's JSON in the
// record and calls the record's method complete, if any.
var codec = wire.NewCodec(wire.Implementing[recorder](), func(v any, raw json.RawMessage, held bool) error {
	v.(recorder).keep(raw)
	if r, ok := v.(interface{ complete(held bool) error }); ok {
		return r.complete(held)
	}
	return nil
})

type recorder interface{ keep(raw json.RawMessage) }

// Types with personal data embed private; all other secret types embed masked.
type (
	private = redact.Private
	masked  = redact.Masked
)

const redacted = redact.Mask

// record is embedded in every type that is decoded from a response.
type record struct {
	private
	raw json.RawMessage
}

// Raw returns the JSON that the service sent. The caller must not modify it.
func (r *record) Raw() json.RawMessage { return r.raw }

func (r *record) keep(raw json.RawMessage) { r.raw = raw }
