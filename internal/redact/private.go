package redact

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Mask is written instead of a value that must not be shown.
const Mask = "[redacted]"

// ErrEncode is returned when personal data is encoded. A mask in a database would be silent
// data loss.
var ErrEncode = errors.New("identomat: personal data is not encoded: store Raw of the response, " +
	"or copy the fields that you need; do not embed the type in a struct that you encode")

// Private is embedded in every type that holds personal data. fmt and slog show a mask, and
// encoding/json, encoding/gob, encoding/xml and YAML return [ErrEncode], also for a value
// inside another value. (In an unexported field, fmt ignores the methods of a value.)
type Private struct{}

// Format writes a mask under every verb.
func (Private) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// LogValue returns a mask.
func (Private) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns ErrEncode.
func (Private) MarshalText() ([]byte, error) { return nil, ErrEncode }

// GobEncode returns ErrEncode.
func (Private) GobEncode() ([]byte, error) { return nil, ErrEncode }
