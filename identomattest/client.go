package identomattest

import "github.com/identomat-go/identomat"

// Client returns a client for this server, which signs its requests if the server requires
// that. Options are applied after the server's own and win. An option that
// [identomat.NewClient] refuses fails the test, or panics where there is none.
func (s *Server) Client(opts ...identomat.Option) *identomat.Client {
	own := []identomat.Option{identomat.WithWidgetURL(s.WidgetURL), identomat.WithAPIURL(s.APIURL)}
	if s.requireHMAC {
		own = append(own, identomat.WithHMAC(s.SecretKey))
	}
	client, err := identomat.NewClient(s.CompanyKey, append(own, opts...)...)
	switch {
	case err == nil:
	case s.tb != nil:
		s.tb.Helper()
		s.tb.Fatalf("identomattest: %v", err)
	default:
		panic(err)
	}
	return client
}
