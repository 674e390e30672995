package identomat_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/identomattest"
)

// verifications stands in for a table in your database.
type verifications struct {
	mu       sync.Mutex
	owner    map[identomat.Token]string // who began the session
	approved map[identomat.Token]bool
}

func (v *verifications) add(token identomat.Token, user string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.owner == nil {
		v.owner, v.approved = map[identomat.Token]string{}, map[identomat.Token]bool{}
	}
	v.owner[token] = user
}

// find returns the user who began the session, and whether there is one.
func (v *verifications) find(token identomat.Token) (user string, found bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	user, found = v.owner[token]
	return user, found
}

// approve reports whether the approval is new. In production: UPDATE verifications SET approved = true WHERE
// token = $1 AND NOT approved, in the transaction that opens the account.
func (v *verifications) approve(token identomat.Token) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	isNew := !v.approved[token]
	v.approved[token] = true
	return isNew
}

// A handler for the return URL. Anyone can put a token into the URL, so the handler looks up who began the
// session, compares that user with the signed-in one, reads the result, and acts only once, however often
// the customer comes back.
func ExampleSessionTokenFromReturn() {
	server, err := identomattest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := server.Client() // in production: identomat.NewClientFromEnv()
	var table verifications

	handleReturn := func(w http.ResponseWriter, r *http.Request, signedIn string) {
		token, err := identomat.SessionTokenFromReturn(r)
		if err != nil {
			http.Error(w, "This link is not complete.", http.StatusBadRequest)
			return
		}
		if owner, found := table.find(token); !found || owner != signedIn {
			http.Error(w, "This is not your verification.", http.StatusForbidden)
			return
		}
		result, err := client.Sessions.Result(r.Context(), token)
		switch {
		case err != nil:
			http.Error(w, "Please try again in a moment.", http.StatusBadGateway)
		case !result.Approved():
			fmt.Fprintln(w, "outcome:", result.Outcome) // in_progress and manual_check can still change
		case table.approve(token):
			fmt.Fprintln(w, "approved: the account is open")
		default:
			fmt.Fprintln(w, "approved before")
		}
	}

	session, err := client.Sessions.Begin(context.Background(), identomat.BeginRequest{ClientUserID: "nino"})
	if err != nil {
		log.Fatal(err)
	}
	table.add(session.Token, "nino")
	if err := server.Approve(session.Token); err != nil { // stands in for the customer
		log.Fatal(err)
	}
	for _, signedIn := range []string{"nino", "nino", "someone else"} {
		w := httptest.NewRecorder()
		handleReturn(w, httptest.NewRequest("GET", "/kyc/return?session_token="+url.QueryEscape(string(session.Token)), nil), signedIn)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 approved: the account is open
	// 200 approved before
	// 403 This is not your verification.
}
