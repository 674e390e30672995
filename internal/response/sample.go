package response

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

const maxSample = 120

// Sample describes a body that was not understood without repeating any value of it: the
// structure of JSON, or the well-known words of an error page. Responses hold names and
// faces, so everything that is shown is chosen from a list.
func Sample(body []byte) string {
	body = wire.Trim(body)
	if len(body) == 0 {
		return "empty response"
	}
	head := body[:min(len(body), 4096)]
	switch {
	case strings.IndexByte("{[\"", head[0]) >= 0:
		return fmt.Sprintf("%d bytes: %s", len(body), skeleton(head))
	case string(body) == "null" || string(body) == "true" || string(body) == "false":
		return string(body)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%d bytes: %s", len(body), knownWords(head)), ": ")
	}
}

// skeleton keeps the structure and the known field names of JSON and replaces everything
// else. It takes malformed and truncated text, and stops at maxSample.
func skeleton(src []byte) string {
	var out strings.Builder
	for i := 0; i < len(src) && out.Len() < maxSample; {
		switch c := src[i]; {
		case c == '"':
			begin := i
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(src))
			text, shown := string(src[begin:i]), `"…"`
			if bytes.HasPrefix(wire.Trim(src[i:]), []byte(":")) && shownNames[strings.Trim(text, `"`)] {
				shown = text
			}
			out.WriteString(shown)
		case strings.IndexByte("{}[]:,", c) >= 0:
			out.WriteByte(c)
			i++
		case isWordByte(c) || c == '-' || c == '+' || c == '.':
			for i < len(src) && (isWordByte(src[i]) || strings.IndexByte("+-.", src[i]) >= 0) {
				i++
			}
			out.WriteString("…")
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		default: // not JSON, so a text before a colon may be anything
			out.WriteString(" … not JSON")
			return out.String()
		}
	}
	if out.Len() >= maxSample {
		out.WriteString("…")
	}
	return out.String()
}

// shownNames are the field names that tell what kind of response it is.
var shownNames = words(`result argumentError internalError errorSourceGroup error errors message code status
	statusCode success detail details title type reason data person requestId timestamp path
	identifier severity documentation`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// pageWords are the words of the error pages of servers and proxies.
var pageWords = words(`access bad before cloudflare connect connection denied disconnect
	error expired failed failure forbidden found gateway html http idenfy identomat internal invalid limit login
	maintenance many method moved nginx no not overflow page permanently please refused request requests
	required reset server service sign sorry temporarily timed timeout too try unauthorized
	unavailable upstream was`)

func knownWords(page []byte) string {
	var out []string
	for word := range bytes.FieldsFuncSeq(page, func(c rune) bool { return c > 127 || !isWordByte(byte(c)) }) {
		w := strings.ToLower(string(word))
		if !pageWords[w] || len(out) > 0 && out[len(out)-1] == w {
			continue
		}
		if out = append(out, w); len(out) == 12 {
			break
		}
	}
	return strings.Join(out, " ")
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
