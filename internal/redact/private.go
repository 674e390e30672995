package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Mask stands in the place of what must not be shown.
const Mask = "[redacted]"

// Private is embedded in every type that holds personal data: fmt, slog and the encoders
// of JSON, XML and YAML show a mask, also inside of other values. (fmt walks past the mask
// of a value in an unexported field; hold a pointer there.) Code that means to show or
// store a value names the field.
type Private struct{}

// Format writes the mask under every verb.
func (Private) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// LogValue is the mask.
func (Private) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText is the mask.
func (Private) MarshalText() ([]byte, error) { return []byte(Mask), nil }
