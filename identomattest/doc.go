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
//	srv.Fault("search-screening-person", identomattest.Reply(200, "application/json", `{"result":[
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
// What the methods of [Server] do in a Go test, these paths of the widget host do for
// services in any language. Bodies and replies are JSON; an error is {"error": "…"} with a
// status of 400, 403, 404, 405 or 502.
//
//	GET    /_sandbox/                                what there is: operations, faults, people
//	GET    /_sandbox/sessions                        all sessions
//	GET    /_sandbox/sessions/{token}                one of them
//	POST   /_sandbox/sessions/{token}/approve        {"person":"nino-beridze","documentType":"passport",
//	                                                  "comment":"…","similarity":0.9,"answers":{"step":{"question":"yes"}}}
//	POST   /_sandbox/sessions/{token}/reject         {"reason":"low_similarity", and the same}
//	POST   /_sandbox/sessions/{token}/manual-check   the same without a reason
//	POST   /_sandbox/sessions/{token}/expire
//	POST   /_sandbox/sessions/{token}/result         the JSON that result/ answers from now on
//	GET    /_sandbox/requests                        what arrived, without secrets; DELETE forgets it
//	POST   /_sandbox/faults                          {"operation":"result/","fault":"http-status","status":503,"count":2}
//	GET    /_sandbox/faults                          what is still to strike; DELETE ends it
//	POST   /_sandbox/release                         lets replies go that a slow fault holds back
//	POST   /_sandbox/callbacks                       {"url":"http://…","type":"one-time-password-request","sessionId":"…",
//	                                                  "phoneNumber":"+995…","code":"1234"}
//	POST   /_sandbox/reset                           forgets all but the configurations
//
// Every body may be left out where it has no required member. A fault has an operation ("*",
// or none, for all), a name from the list of GET /_sandbox/ and a count (0: until it is
// cleared); beside them status, code, message, contentType, body, location,
// retryAfterSeconds, delaySeconds, bytes and afterProcessing, as the fault needs them.
//
// The control API asks for no key: whoever reaches the port may use it, so keep the port on
// loopback. Web pages may not: a request with the Origin of another site, or with a Host
// that is neither an address nor localhost nor named by [WithHosts], is refused.
package identomattest
