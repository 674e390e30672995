package identomat

import (
	"fmt"
	"io"
	"log/slog"
)

// private is embedded in every type that holds personal data: no formatter, logger or
// encoder shows what is in it. Code that means to show or store a value names the field,
// or takes the reply as it came from Raw.
type private struct{}

const redacted = "[redacted]"

func (private) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (private) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (private) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
