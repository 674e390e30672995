package identomat

import "github.com/identomat-go/identomat/internal/wire"

// codec decodes every response. The hooks complete and check values after they were decoded,
// and keep their JSON for Raw.
var codec = wire.NewCodec("identomat",
	wire.After((*Result).decoded),
	wire.After((*Document).decoded),
	wire.After((*FaceComparison).decoded),
	wire.After((*Activity).decoded),
	wire.After((*Statistics).decoded),
	wire.After((*SessionConfig).decoded),
	wire.After((*GeneralConfig).decoded),
	wire.After((*ScreeningHit).decoded),
	wire.After((*ScreeningPerson).decoded),
	wire.After((*MonitoredRecord).decoded),
	wire.After((*Page[MonitoredRecord]).decoded),
	wire.After((*BlacklistRecord).decoded),
	wire.After((*Page[BlacklistRecord]).decoded),
	wire.After((*Group).decoded),
	wire.After((*User).decoded),
)
