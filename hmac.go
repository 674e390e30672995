package identomat

import (
	"fmt"
	"mime/multipart"
	"net/http"

	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/signature"
)

// HMACOption changes how [WithHMAC] or [NewHMACTransport] signs requests and verifies responses.
type HMACOption func(*hmacRules)

type hmacRules struct {
	requireSigned bool
	multipart     MultipartDigest
}

// RequireSignedResponses makes every successful response without a signature fail with
// [ErrSignatureMismatch]. By default, a signature is verified only if the response has one: Identomat's
// API documentation says that successful responses are signed, but not whether [DefaultAPIURL], the newer
// host, signs them too. The documentation also says that error responses are not signed.
func RequireSignedResponses() HMACOption {
	return func(r *hmacRules) { r.requireSigned = true }
}

// MultipartDigest computes the HMAC-SHA-256 of a multipart body from its parts, in the order in which
// they are sent.
type MultipartDigest func(secret []byte, parts *multipart.Reader) ([]byte, error)

// WithMultipartDigest replaces the rule for signing multipart bodies. Identomat's API documentation says
// that the digest of each part is the HMAC key for the next part. It does not say what a part consists
// of; the default rule uses the content without the headers.
func WithMultipartDigest(digest MultipartDigest) HMACOption {
	return func(r *hmacRules) { r.multipart = digest }
}

// NewHMACTransport returns a RoundTripper that signs requests to Identomat and verifies the signatures of
// responses, for use without a [Client]; a Client signs with [WithHMAC]. The secret key is the one that
// belongs to a company key of the HMAC type; its UTF-8 bytes are the HMAC key. If the secret key is
// empty, in quotes, or contains an invisible character, every request fails. If base is nil,
// [http.DefaultTransport] is used.
//
// The signature is sent in the header Authorization: signature="…", as the base64 of the body's
// HMAC-SHA-256. (Identomat's documentation, HMAC Authorization.) A body is not buffered but read twice, so
// the request needs [http.Request.GetBody], which [http.NewRequest] sets for bodies in memory.
//
// Reading a response whose signature is wrong ends with [ErrSignatureMismatch] instead of [io.EOF];
// discard everything that was read before. A request that follows a redirect to another origin is not
// sent.
func NewHMACTransport(secretKey string, base http.RoundTripper, opts ...HMACOption) http.RoundTripper {
	rules := rulesOf(opts)
	t := signature.NewTransport(secretKey, base, rules.requireSigned, rules.multipart)
	if err := option.CheckKey("secret key", secretKey); err != nil {
		t.KeyErr = fmt.Errorf("identomat: %w", err)
	}
	return t
}

func rulesOf(opts []HMACOption) (rules hmacRules) {
	for _, o := range opts {
		if o != nil {
			o(&rules)
		}
	}
	return rules
}
