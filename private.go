package identomat

import "github.com/identomat-go/identomat/internal/redact"

// private is embedded in every type that holds personal data. Code that means to show or
// store a value names the field, or takes the reply as it came from Raw.
type private = redact.Private

const redacted = redact.Mask
