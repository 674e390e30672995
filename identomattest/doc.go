// Package identomattest is a fake Identomat to test against and to develop with.
//
// It keeps state (sessions, blacklist, groups, users, monitoring, media), it is strict
// (a misspelt parameter, a wrong type, a wrong key or a bad signature is refused in the
// words of Identomat's API reference), and it breaks on demand (see [Server.Fault]).
// Its replies are written from the documents and never pass through the SDK's types,
// so that a wrong name in the SDK is seen here and not in production.
//
//	srv := identomattest.NewServer(t)
//	// point the client at srv.WidgetURL and srv.APIURL, with srv.CompanyKey
//	srv.Approve(token, identomattest.AsPerson(identomattest.GeorgianPerson))
//
// Where the documents are silent the fake makes a choice; the choices that concern
// refusals stand together in route.go.
package identomattest
