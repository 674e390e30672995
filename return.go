package identomat

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/identomat-go/identomat/internal/response"
)

// SessionTokenFromReturn reads the session token when a customer comes back: from the query if the widget
// opened the return_url (GET), or from the form that a page with an embedded widget posted (POST; see
// package widget). (Developer guide 2025, Checking for a result.)
//
// The token proves nothing, because anyone can send any token, including someone else's. Look up the
// session's owner, check that it is the signed-in user, and call [SessionsService.Result] to learn the
// outcome. The redirect comes from another site, so a session cookie must be SameSite=Lax, not Strict.
//
// The error says what is wrong with session_token (missing, duplicate, or not a token) and contains no
// value from the request; respond with status 400. Malformed parameters with other names, such as those
// that an advertising campaign adds, do no harm. A POST body is read up to the limit of
// [http.Request.ParseForm], which is 10 MB unless you have set another limit.
func SessionTokenFromReturn(r *http.Request) (Token, error) {
	var tokens []string
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		tokens = queryValues(r.URL.RawQuery, paramReturnToken)
	case http.MethodPost:
		err := r.ParseForm()
		tokens = r.PostForm[paramReturnToken]
		if len(tokens) == 0 && err != nil {
			// err is not wrapped because it quotes the form.
			return "", errors.New("identomat: return: the parameters are malformed or too large")
		}
	default:
		return "", errors.New("identomat: return: the method is neither GET nor POST")
	}
	switch {
	case len(tokens) == 0:
		return "", errors.New("identomat: return: session_token is missing")
	case len(tokens) > 1:
		return "", errors.New("identomat: return: session_token is duplicated")
	case !response.IsToken([]byte(tokens[0])):
		return "", errors.New("identomat: return: session_token is not a token")
	default:
		return Token(tokens[0]), nil
	}
}

const paramReturnToken = "session_token"

// queryValues returns the values of a parameter. A malformed value, which [url.ParseQuery] drops,
// becomes "". Malformed parameters with other names are ignored.
func queryValues(query, name string) (values []string) {
	for pair := range strings.SplitSeq(query, "&") {
		escaped, value, _ := strings.Cut(pair, "=")
		if unescaped, err := url.QueryUnescape(escaped); err == nil && unescaped == name {
			value, _ = url.QueryUnescape(value)
			values = append(values, value)
		}
	}
	return values
}
