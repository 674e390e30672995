package identomat

import (
	"encoding/json"

	"github.com/identomat-go/identomat/internal/wire"
)

// codec decodes every response. It keeps the JSON of each record, and lets the record complete
// and check itself.
var codec = wire.NewCodec(
	recordOf((*Result).complete),
	recordOf((*Document).complete),
	recordOf((*FaceComparison).complete),
	recordOf((*Statistics).complete),
	recordOf((*ScreeningHit).complete),
	recordOf((*ScreeningPerson).complete),
	recordOf[Activity](nil),
	recordOf[SessionConfig](nil),
	recordOf[GeneralConfig](nil),
	recordOf[MonitoredRecord](nil),
	recordOf[Page[MonitoredRecord]](nil),
	recordOf[BlacklistRecord](nil),
	recordOf[Page[BlacklistRecord]](nil),
	recordOf[Group](nil),
	recordOf[User](nil),
)

// record is embedded in every type that is decoded from a response.
type record struct {
	private
	raw json.RawMessage
}

// Raw returns the value as the service sent it, in JSON. The caller must not modify it.
func (r *record) Raw() json.RawMessage { return r.raw }

func (r *record) keep(raw json.RawMessage) { r.raw = raw }

// recordOf returns the hook of a type that embeds record.
func recordOf[T any, P interface {
	*T
	keep(raw json.RawMessage)
}](complete func(P) error) wire.Hook {
	return wire.After(func(v *T, raw json.RawMessage) error {
		P(v).keep(raw)
		if complete == nil {
			return nil
		}
		return complete(v)
	})
}
