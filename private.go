package identomat

import "github.com/identomat-go/identomat/internal/redact"

// private is embedded in every type that holds personal data.
type private = redact.Private

const redacted = redact.Mask
