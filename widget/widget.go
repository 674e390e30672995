// Package widget embeds Identomat's widget in your own page. The alternative is to redirect the customer's
// browser to [identomat.Session.URL], which needs no package.
//
// # First call
//
// Begin a session without [identomat.Flags.ReturnURL], and write the snippet into a page of your own:
//
//	snippet, err := widget.Embed(session, widget.Options{
//		PostTo: "/kyc/done",                        // the browser posts session_token to this path at the end
//		Fields: map[string]string{"csrf": "token"}, // and these fields
//		Nonce:  "nonce-of-this-page",               // in the page's Content-Security-Policy
//	}) // a template.HTML
//
// # Outcome
//
// The handler of PostTo reads the token, checks that the session belongs to the signed-in user, and reads
// the result. The end of the widget proves nothing: only [identomat.Result.Approved] does.
//
//	token, err := identomat.SessionTokenFromReturn(r)
//	// check the owner, then
//	result, err := client.Sessions.Result(ctx, token)
//
// # Testing
//
// Package identomattest serves a widget in which a person approves or rejects the session, and
// [Embed] accepts its http URL, because its host is loopback. In a test without a browser, post the form
// yourself.
//
// The page's headers, the event for your own scripts, and the errors are described at [Embed]. A page that
// inserts the snippet with a script also needs [Script].
package widget

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/identomat-go/identomat"
	"github.com/identomat-go/identomat/internal/option"
	"github.com/identomat-go/identomat/internal/redact"
)

// private is embedded in Options, which may hold a CSRF token. The alias keeps the embedded field
// unexported.
type private = redact.Private

// Options configures [Embed]. With the zero value, the snippet shows the widget, and at the end only
// dispatches the event identomat:done.
type Options struct {
	private

	// PostTo is a path on your site, such as /kyc/done. When the customer has finished, the browser
	// leaves the page with a POST to this path. The form contains session_token and Fields. If PostTo
	// is empty, nothing is posted: listen for the event identomat:done in your own script.
	PostTo string
	// Fields are additional fields of the form, such as a CSRF token. They require PostTo.
	Fields map[string]string
	// Nonce is the nonce of the script element, for pages with a Content-Security-Policy.
	Nonce string
	// Title is the title of the iframe, which screen readers announce. The default is
	// "Identity verification".
	Title string
	// Microphone allows the widget to use the microphone. Set it for sessions with an
	// [identomat.VideoCall] step. The camera is always allowed.
	Microphone bool
	// Geolocation allows the widget to ask for the customer's location. Set it for sessions with an
	// [identomat.Geolocation] step.
	Geolocation bool
	// InsecureTestHost allows http in the session URL for any host. Set it for a client with
	// [identomat.WithInsecureTestHosts].
	InsecureTestHost bool
}

// tokenField is the form field with the session's token. [identomat.SessionTokenFromReturn] reads it.
const tokenField = "session_token"

// Script is the JavaScript of every snippet. It defines the custom element identomat-widget, which
// [Embed] puts around the iframe, and has no effect if the element is already defined.
//
// Browsers run the script in a snippet when they load a page that contains the snippet, but not when a
// page inserts the snippet with innerHTML. Such a page must load Script in a separate script element,
// before or after the snippet. For example, serve Script as text/javascript:
//
//	http.HandleFunc("GET /identomat-widget.js", func(w http.ResponseWriter, r *http.Request) {
//		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
//		io.WriteString(w, widget.Script)
//	})
//
// Then the snippet works wherever it is inserted: with innerHTML, as a template's clone, or in a shadow
// root.
const Script = `(() => {
  "use strict";
  if (customElements.get("identomat-widget")) return;
  const reportsEnd = (data) => {
    if (data === "DONE") return true;
    if (typeof data === "string") {
      try { data = JSON.parse(data); } catch { return false; }
    }
    return data !== null && typeof data === "object" && data.type === "done";
  };
  customElements.define("identomat-widget", class extends HTMLElement {
    #done = false;
    connectedCallback() { addEventListener("message", this); }
    disconnectedCallback() { removeEventListener("message", this); }
    handleEvent(e) {
      const frame = this.querySelector("iframe");
      if (this.#done || !frame || e.origin !== this.dataset.origin || e.source !== frame.contentWindow || !reportsEnd(e.data)) return;
      this.#done = true;
      const proceed = this.dispatchEvent(new CustomEvent("identomat:done", {bubbles: true, cancelable: true, composed: true}));
      const form = this.querySelector("form");
      if (form && proceed) HTMLFormElement.prototype.submit.call(form);
    }
  });
})();`

// Embed returns an HTML snippet that shows a session's widget: an iframe that may use the camera, and a
// script that listens for the end of the verification. (Developer guide 2025, Embedding in an Iframe.)
// Begin the session without [identomat.Flags.ReturnURL].
//
// The script accepts messages only from the widget's origin and from this iframe. It acts on the first
// message that reports the end: "DONE" or the newer {"type":"done"}, as an object or as JSON text. It
// ignores later messages. The script dispatches the event identomat:done, which bubbles up from the
// element around the iframe, even out of a shadow root. Unless a listener cancels the event, the script
// then submits the form for [Options.PostTo]. Neither the event nor the form proves anything, because a
// customer can forge both. Call [identomat.SessionsService.Result] to learn the outcome.
//
// The snippet contains the session's URL, and so the token, but no key. It works under this policy:
//
//	Content-Security-Policy: default-src 'none'; frame-src https://widget.identomat.com;
//	  script-src 'nonce-…'; style-src 'self'; form-action 'self'
//
// The snippet contains no styles. The element around the iframe is an identomat-widget with the class
// identomat-widget; like every custom element, it is displayed inline unless a style says display:
// block. If the page has a Permissions-Policy, the policy must allow the camera for the page itself and
// for the widget, as in camera=(self "https://widget.identomat.com"), and for video calls also the
// microphone. Send the page with Cache-Control: no-store. With [identomat.WithWidgetURL], and in tests
// against a fake, use [identomat.Client.WidgetURL] instead of https://widget.identomat.com.
//
// Embed returns an error if PostTo is not a path on the page's own site, if Fields is set
// without PostTo or contains session_token, or if the session has no https URL. An http URL
// is accepted for loopback hosts, and with [Options.InsecureTestHost].
func Embed(session *identomat.Session, opts Options) (template.HTML, error) {
	if session == nil {
		return "", errSessionURL
	}
	origin, err := browserOrigin(session.URL, opts.InsecureTestHost)
	if err != nil {
		return "", err
	}
	switch _, hasToken := opts.Fields[tokenField]; {
	case opts.PostTo != "" && !isLocalPath(opts.PostTo):
		return "", errors.New("identomat/widget: PostTo must be a path on your own site, such as /kyc/done")
	case len(opts.Fields) > 0 && opts.PostTo == "":
		return "", errors.New("identomat/widget: Fields requires PostTo")
	case hasToken:
		return "", errors.New("identomat/widget: Fields must not contain session_token")
	}
	title, allow := cmp.Or(opts.Title, "Identity verification"), "camera"
	if opts.Microphone {
		allow += "; microphone"
	}
	if opts.Geolocation {
		allow += "; geolocation"
	}
	var b strings.Builder
	write := func(format string, values ...string) {
		escaped := make([]any, len(values))
		for i, v := range values {
			escaped[i] = template.HTMLEscapeString(v)
		}
		fmt.Fprintf(&b, format, escaped...)
	}
	write("<identomat-widget class=\"identomat-widget\" data-origin=\"%s\">\n", origin)
	write("<iframe src=\"%s\" title=\"%s\" allow=\"%s\" width=\"100%%\" height=\"720\"></iframe>\n", session.URL, title, allow)
	if opts.PostTo != "" {
		const input = "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n"
		write("<form method=\"post\" action=\"%s\" hidden>\n", opts.PostTo)
		write(input, tokenField, string(session.Token))
		for _, name := range slices.Sorted(maps.Keys(opts.Fields)) {
			write(input, name, opts.Fields[name])
		}
		b.WriteString("</form>\n")
	}
	b.WriteString("<script")
	if opts.Nonce != "" {
		write(" nonce=\"%s\"", opts.Nonce)
	}
	b.WriteString(">\n" + Script + "\n</script>\n</identomat-widget>")
	return template.HTML(b.String()), nil
}

var errSessionURL = errors.New("identomat/widget: the session URL must be an https URL, or an http URL of a loopback host")

// browserOrigin returns a URL's origin as browsers report it in message events.
func browserOrigin(sessionURL string, insecure bool) (string, error) {
	u, err := url.Parse(sessionURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !insecure && !option.IsLoopback(u.Hostname())) {
		return "", errSessionURL
	}
	// Refuse a non-ASCII host, because browsers report it in punycode and the origins would not match.
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "", errSessionURL
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host, nil
}

// isLocalPath rejects everything that a browser may resolve to another site. Browsers drop
// tabs and line breaks from URLs and treat a backslash as a slash.
func isLocalPath(path string) bool {
	isUnsafe := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, isUnsafe)
}
