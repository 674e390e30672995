package identomat

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/identomat-go/identomat/internal/engine"
)

// EmbedOptions says how [Session.Embed] shows the widget. The zero value shows it and
// fires the event alone.
type EmbedOptions struct {
	private

	// PostTo is a path of your own site, such as /kyc/done. When the customer has finished,
	// the page is left with a POST there, whose form holds session_token and Fields. Empty
	// means that nothing is sent; a script of yours listens for the event identomat:done.
	PostTo string
	// Fields are further fields of that form, such as a CSRF token. Needs PostTo.
	Fields map[string]string
	// Nonce goes into the script element, for pages with a Content-Security-Policy.
	Nonce string
	// Title names the iframe to screen readers. The default is "Identity verification".
	Title string
	// Geolocation lets the widget ask for the customer's position, for sessions with a
	// [Geolocation] step. Camera and microphone are always allowed.
	Geolocation bool
}

// embedScript is the same for every session, so that nothing has to be escaped into it. What
// it needs stands in attributes of the elements before it.
const embedScript = `(() => {
  "use strict";
  const root = document.currentScript.parentElement;
  const frame = root.querySelector("iframe");
  const form = root.querySelector("form");
  const hear = (e) => {
    if (e.origin !== root.dataset.origin || e.source !== frame.contentWindow) return;
    if (e.data !== "DONE" && (e.data === null || typeof e.data !== "object" || e.data.type !== "done")) return;
    removeEventListener("message", hear);
    const proceed = root.dispatchEvent(new CustomEvent("identomat:done", {bubbles: true, cancelable: true}));
    if (form && proceed) HTMLFormElement.prototype.submit.call(form);
  };
  addEventListener("message", hear);
})();`

// Embed returns the widget as a piece of your page: an iframe that may use camera and
// microphone, and a script that hears when the customer has finished. (Developer guide 2025,
// Embedding in an Iframe.) Begin the session without [Flags.ReturnURL].
//
// The script listens to the widget's origin and to this iframe alone, and to its first
// message of the end alone: "DONE", or the newer {"type":"done"}. It then fires the event
// identomat:done, which bubbles up from the element around the iframe, and, unless the event
// was cancelled, submits the form of [EmbedOptions.PostTo]. Neither of them proves
// anything: a customer can do the same by hand. Ask [SessionsService.Result].
//
// The piece holds the session's URL, and so its token, and no key. It works under
//
//	Content-Security-Policy: default-src 'none'; frame-src https://widget.identomat.com;
//	  script-src 'nonce-…'; style-src 'self'; form-action 'self'
//
// and has no style of its own: the element around the iframe is of the class
// identomat-widget. A Permissions-Policy of the page must name itself and the widget:
// camera=(self "https://widget.identomat.com"), and the same for microphone. Send the page
// with Cache-Control: no-store. With [WithWidgetURL], and in tests against a fake,
// [Client.WidgetURL] stands in the place of https://widget.identomat.com.
//
// Errors name the option that is wrong: a PostTo that is not a path of the page's own site,
// Fields without PostTo or in the place of session_token, or a session without a URL of
// https (or of http on a loopback host).
func (s Session) Embed(opts EmbedOptions) (template.HTML, error) {
	origin, err := widgetOrigin(s.URL)
	if err != nil {
		return "", err
	}
	if opts.PostTo != "" && !isOwnPath(opts.PostTo) {
		return "", errors.New("identomat: Embed: PostTo must be a path of your own site, such as /kyc/done")
	}
	if _, own := opts.Fields[paramSessionToken]; own || len(opts.Fields) > 0 && opts.PostTo == "" {
		return "", errors.New("identomat: Embed: Fields go with PostTo, and session_token is not one of them")
	}
	title, allow := opts.Title, "camera; microphone"
	if title == "" {
		title = "Identity verification"
	}
	if opts.Geolocation {
		allow += "; geolocation"
	}
	var b strings.Builder
	write := func(format string, values ...string) {
		escaped := make([]any, len(values))
		for i, v := range values {
			escaped[i] = html.EscapeString(v)
		}
		fmt.Fprintf(&b, format, escaped...)
	}
	write("<div class=\"identomat-widget\" data-origin=\"%s\">\n", origin)
	write("<iframe src=\"%s\" title=\"%s\" allow=\"%s\" width=\"100%%\" height=\"720\"></iframe>\n", s.URL, title, allow)
	if opts.PostTo != "" {
		write("<form method=\"post\" action=\"%s\" hidden>\n", opts.PostTo)
		write("<input type=\"hidden\" name=\"session_token\" value=\"%s\">\n", string(s.Token))
		for _, name := range sortedNames(opts.Fields) {
			write("<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, opts.Fields[name])
		}
		b.WriteString("</form>\n")
	}
	b.WriteString("<script")
	if opts.Nonce != "" {
		write(" nonce=\"%s\"", opts.Nonce)
	}
	b.WriteString(">\n" + embedScript + "\n</script>\n</div>")
	return template.HTML(b.String()), nil
}

// widgetOrigin is the origin of the widget as browsers write it in the events of messages.
func widgetOrigin(sessionURL string) (string, error) {
	u, err := url.Parse(sessionURL)
	unicodeHost := func(r rune) bool { return r >= utf8.RuneSelf } // a browser writes it in punycode
	if err != nil || u.Host == "" || strings.ContainsFunc(u.Host, unicodeHost) || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !engine.IsLoopback(u.Hostname())) {
		return "", errors.New("identomat: Embed: the session has no URL, or not one of https (of http on a loopback host)")
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host, nil
}

// isOwnPath refuses what a browser would take for an address of another site: it drops tabs
// and line ends, and takes a backslash for a slash.
func isOwnPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	return !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' })
}

// SessionTokenFromReturn reads the token with which a customer comes back: from the query
// of the GET by which the widget opens the return_url, or from the form of the POST by
// which [Session.Embed] leaves the page. (Developer guide 2025, Checking for a result.)
//
// It proves nothing. Anybody can open such a URL, also with the token of somebody else: look
// up whose session the token is and compare that with who is signed in, and ask
// [SessionsService.Result] how it ended. The redirect comes from another site, so a session
// cookie must be SameSite=Lax, not Strict.
//
// The error says what is wrong with session_token (missing, given twice, not like a token)
// and does not repeat it; answer it with 400. A POST body is read up to the limit of
// [http.Request.ParseForm], 10 MB, unless you have set one.
func SessionTokenFromReturn(r *http.Request) (Token, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		err = r.ParseForm()
		values = r.PostForm
	default:
		return "", errors.New("identomat: return: the method is neither GET nor POST")
	}
	if err != nil {
		// The error itself quotes the query.
		return "", errors.New("identomat: return: the parameters cannot be read")
	}
	switch tokens := values[paramSessionToken]; {
	case len(tokens) == 0:
		return "", errors.New("identomat: return: session_token is missing")
	case len(tokens) > 1:
		return "", errors.New("identomat: return: session_token is given more than once")
	case !isToken(tokens[0]):
		return "", errors.New("identomat: return: session_token is not a token")
	default:
		return Token(tokens[0]), nil
	}
}
