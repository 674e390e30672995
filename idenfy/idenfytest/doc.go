// Package idenfytest is a fake iDenfy for tests and local development.
//
// The fake is strict: it refuses wrong keys, wrong types, violated rules, and parameters that are
// not on iDenfy's documentation page "Create verification session". Its responses are literal JSON
// that follows the page's examples and never passes through the SDK's types, so a wrong name in the
// SDK makes a test fail. It fails on demand (see [Server.Fault]) and sends signed webhooks.
//
//	srv := idenfytest.NewServer(t)
//	client := srv.Client()
//	// create a session with client or with the code under test, then
//	srv.SendWebhook(ctx, url, idenfytest.Approved(session.ScanRef))
//
// The page does not document the status of a successful response or the error format, and no public
// documentation says which identifier belongs to which mistake. The fake makes these choices:
//   - a created session gets status 201;
//   - a missing clientId gets MISSING_VALUE;
//   - a wrong name, type or value gets BAD_VALUE;
//   - parameters that exclude each other get VALIDATION_ERROR;
//   - a digit string with too long a lifetime gets PARTNER_CONTRACT_ERROR;
//   - a body that is not JSON gets JSON_ERROR, and a body that is not UTF-8 gets ENCODING_ERROR.
package idenfytest
