package redact

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Mask replaces a value that must not be shown.
const Mask = "[redacted]"

// ErrEncode is returned when personal data is encoded. A mask in a database would be silent
// data loss.
var ErrEncode = errors.New("identomat: personal data is not encoded: store Raw of the response, " +
	"or copy the fields that you need; do not embed the type in a struct that you encode")

// Masked is embedded in a type whose values fmt and slog must not show. (fmt ignores the methods of
// a value in an unexported field.)
type Masked struct{}

// Format writes a mask under every verb.
func (Masked) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// LogValue returns a mask.
func (Masked) LogValue() slog.Value { return slog.StringValue(Mask) }

// Private is embedded in every type that holds personal data. It is masked, and encoding/json,
// encoding/gob, encoding/xml and YAML return [ErrEncode], even for a nested value.
type Private struct{ masked }

type masked = Masked // an alias, so that the embedded field is not exported

// MarshalText returns ErrEncode.
func (Private) MarshalText() ([]byte, error) { return nil, ErrEncode }

// GobEncode returns ErrEncode.
func (Private) GobEncode() ([]byte, error) { return nil, ErrEncode }
