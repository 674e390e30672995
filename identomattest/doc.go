// Package identomattest is a fake Identomat for tests and local development.
//
// The fake keeps state (sessions, blacklist, groups, users, monitoring, media). It accepts every
// encoding that Identomat's API documentation allows: JSON, even with curl's default content type,
// forms, query strings and GET. It is strict in everything else: it refuses a misspelled parameter, a
// wrong type, a wrong key or a wrong signature with the error from Identomat's API reference. It fails
// on demand (see [Server.Fault]). Its responses are written from the API reference and never pass
// through the SDK's types, so a wrong name in the SDK makes a test fail.
//
//	server := identomattest.NewServer(t) // closed when the test ends
//	client := server.Client()
//	// begin a session with client or with the code under test, then
//	server.Approve(token, identomattest.AsPerson(identomattest.GeorgianPerson))
//	server.AssertRequest(t, "begin/", map[string]any{"flags": map[string]any{"language": "ka"}})
//
// # Refusals
//
// The fake logs the reason of every refusal to the test. The reason names parameters, flags and steps as
// the wire does, such as scoreThreshold or skip_desktop. The comments of package identomat have the same
// names: to find the Go name, search the output of "go doc -all github.com/identomat-go/identomat". A path
// that begins with steps means a method of the step: steps[0].flags.document_types of an identity document is
// [identomat.IdentityDocumentStep.Types], and flags.document_types is [identomat.Flags.DocumentTypes].
//
// Where the API reference says nothing about a mistake, the fake makes a choice. A wrong signature gets
// the same error as a wrong key. An endpoint that documents no code for a mistake, such as a missing key,
// responds with wrong-parameters. Of the two codes that screening documents, a missing or unknown key gets
// company-missing, and a missing or wrong signature gets access-denied. list-groups, whose only parameter
// is the key, responds with not-found if the key is missing.
//
// # People in the screening databases
//
// A session that is approved without [AsPerson] belongs to [JohnSmith]. The screening databases
// contain two invented people named John Smith, so a search for him has hits, as do searches for
// Jane Smith, Viktor Examplov and Bank of Nowhere. [GeorgianPerson] and [GermanPerson] are not in
// the databases. The score is 100 if both names have the same words in any order, and lower for
// each word that only one of them has. For other hits, replace the response with [Response]:
//
//	server.Fault("search-screening-person", identomattest.Response(200, "application/json", `{"result":[
//		{"score":100,"name":"Anna EXAMPLE","personId":"1","entityType":"person","topics":["Politician"]}]}`), 1)
//
// # The start page
//
// Without a session token, the widget host serves a start page for developers: the keys, a first call in
// curl, Python and TypeScript, the sessions, and the requests of the last minutes with the reason of every
// refusal. Refused requests get the documented response, so the reason is also in the header
// X-Sandbox-Refusal, without the values that were sent.
//
// # The widget page
//
// The widget host serves the page /?session_token=… to browsers. The page shows the session's steps in
// the session's language and then lets a person approve or reject the session, or send it to manual
// check. Answers, contacts, document types and files entered on the page are part of the result.
// Company data, beneficiaries and the names of call participants are not part of the result, because
// Identomat has not published how a result represents them. At the end, the page posts DONE to the page
// that embeds it, or redirects to return_url. It takes no pictures and does not ask for the location.
//
// # The control API
//
// The paths below /_sandbox/ on the widget host offer the methods of [Server] to services in any
// language. The [description of the sandbox], which runs the fake as a program, lists the paths.
// They need no key, so keep the port on loopback.
//
// # Web pages on other sites
//
// Web pages on other sites cannot use the API or the control API. Pages whose domain points at the fake
// cannot use it at all: a browser must call the fake by IP address, as localhost, or by a name from
// [WithHosts]. Backends can call the API under any name.
//
// [description of the sandbox]: https://github.com/identomat-go/identomat/blob/main/docs/sandbox.md
package identomattest
