package identomattest

import "github.com/identomat-go/identomat"

// Client returns a client for this server. The client signs its requests if the server was started with
// [RequireHMAC]. The options override the server's own. If [identomat.NewClient] returns an error,
// Client fails the test; for a server from [Start], it panics.
func (s *Server) Client(opts ...identomat.Option) *identomat.Client {
	defaults := []identomat.Option{identomat.WithWidgetURL(s.WidgetURL), identomat.WithAPIURL(s.APIURL)}
	if s.companies[0].RequireHMAC {
		defaults = append(defaults, identomat.WithHMAC(s.SecretKey))
	}
	client, err := identomat.NewClient(s.CompanyKey, append(defaults, opts...)...)
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
