// Package identomattest is a fake Identomat to test against and to develop with.
//
// It keeps state (sessions, blacklist, groups, users, monitoring, media), it is strict
// (a misspelt parameter, a wrong type, a wrong key or a bad signature is refused in the
// words of Identomat's API reference), and it breaks on demand (see [Server.Fault]).
// Its replies are written from the documents and never pass through the SDK's types,
// so that a wrong name in the SDK is seen here and not in production.
//
//	srv := identomattest.NewServer(t)
//	client := srv.Client()
//	// begin a session with the client or with the code under test, and then
//	srv.Approve(token, identomattest.AsPerson(identomattest.GeorgianPerson))
//	srv.AssertRequest(t, "begin/", map[string]any{"flags": map[string]any{"language": "ka"}})
//
// Where the documents are silent the fake makes a choice; the choices that concern
// refusals stand together in route.go.
//
// # People on lists
//
// A session that is approved without [AsPerson] is [JohnSmith]'s, and two invented people of
// his name are in the screening databases: a search for him has hits. So has one for Jane
// Smith, Viktor Examplov or Bank of Nowhere. [GeorgianPerson] and [GermanPerson] are on no
// list. A score is 100 for the same words in any order, and less for every word that only
// one of the names has. For hits of your own, let the search answer with [Reply]:
//
//	srv.Fault("search-screening-person", identomattest.Response(200, "application/json", `{"result":[
//		{"score":100,"name":"Anna EXAMPLE","personId":"1","entityType":"person","topics":["Politician"]}]}`), 1)
//
// # The page
//
// The widget host serves /?session_token=… to a browser: a page that walks through the
// session's own steps in its language and then lets a person approve, reject or send to
// manual check. Answers, contacts, types of documents and files that were entered there
// stand in the result. It posts DONE to the page that embeds it, or follows return_url.
// It takes no pictures and no positions.
//
// # The control API
//
// What the methods of [Server] do in a Go test, the paths below /_sandbox/ of the widget host
// do for services in any language. The README of [identomat-sandbox], which runs the fake
// alone, describes them. They ask for no key, so keep the port on loopback; pages of other
// sites are refused.
//
// [identomat-sandbox]: https://pkg.go.dev/github.com/identomat-go/identomat/cmd/identomat-sandbox
package identomattest
