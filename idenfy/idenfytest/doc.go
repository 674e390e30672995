// Package idenfytest is a fake iDenfy to test against and to develop with.
//
// It is strict: a parameter that iDenfy's page "Create verification session" does not list, a
// wrong type, a broken rule or wrong keys are refused. Its replies are literal JSON after the
// page's examples and never pass through the SDK's types, so that a wrong name in the SDK is
// seen here and not in production. It breaks on demand, see [Server.Fault], and sends signed
// webhooks.
//
//	srv := idenfytest.NewServer(t)
//	client := srv.Client()
//	// create a session with the client or with the code under test, and then
//	srv.SendWebhook(ctx, url, idenfytest.Approved(session.ScanRef))
//
// The page documents neither the status of success nor the form of errors, and no public
// document says which identifier belongs to which mistake. The fake chooses: 201 for a
// session, MISSING_VALUE for a clientId that is missing, BAD_VALUE for a wrong name, type or
// value, VALIDATION_ERROR for parameters that exclude each other, PARTNER_CONTRACT_ERROR for a
// digit string that would live too long, JSON_ERROR and ENCODING_ERROR for a body that is not
// JSON or not UTF-8.
package idenfytest
