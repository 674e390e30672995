package identomat

import (
	"fmt"
	"io"
	"log/slog"
)

// private is embedded in every type that holds personal data: fmt, slog and the encoders
// of JSON, XML and YAML show a mask, also inside of other values. (fmt walks past the mask
// of a value in an unexported field; hold a pointer there.) Code that means to show or
// store a value names the field, or takes the reply as it came from Raw.
type private struct{}

const redacted = "[redacted]"

func (private) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (private) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (private) MarshalText() ([]byte, error) { return []byte(redacted), nil }
