package response

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/identomat-go/identomat/internal/wire"
)

const maxSample = 120

// Sample describes an unexpected body by the structure of its JSON, or by the well-known words of
// an error page. Everything shown is on an allowlist, because responses hold personal data.
func Sample(body []byte) string {
	body = wire.Trim(wire.TrimBOM(body))
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

// skeleton keeps the structure and the known field names of JSON and replaces everything else. It
// accepts malformed and truncated text, and stops at maxSample.
func skeleton(src []byte) string {
	var out strings.Builder
	for len(src) > 0 && out.Len() < maxSample {
		switch c := src[0]; {
		case c == '"':
			end := wire.SkipString(src, 0)
			text, shown := string(src[:end]), `"…"`
			src = wire.Trim(src[end:])
			if bytes.HasPrefix(src, []byte(":")) && slices.Contains(shownNames, strings.Trim(text, `"`)) {
				shown = text
			}
			out.WriteString(shown)
		case strings.IndexByte("{}[]:,", c) >= 0:
			out.WriteByte(c)
			src = src[1:]
		case strings.IndexByte(wordBytes+"+-.", c) >= 0:
			out.WriteString("…")
			src = bytes.TrimLeft(src, wordBytes+"+-.")
		case strings.IndexByte(" \t\r\n", c) >= 0:
			src = src[1:]
		default: // not JSON, so text before a colon may be personal data
			out.WriteString(" … not JSON")
			return out.String()
		}
	}
	if out.Len() >= maxSample {
		out.WriteString("…")
	}
	return out.String()
}

const wordBytes = "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// shownNames are the field names that reveal only the kind of response.
var shownNames = strings.Fields(`result argumentError internalError errorSourceGroup error errors message code status
	statusCode success detail details title type reason data person requestId timestamp path
	identifier severity documentation`)

// pageWords are words on the error pages of servers and proxies.
var pageWords = strings.Fields(`access bad before cloudflare connect connection denied disconnect
	error expired failed failure forbidden found gateway html http idenfy identomat internal invalid limit login
	maintenance many method moved nginx no not overflow page permanently please refused request requests
	required reset server service sign sorry temporarily timed timeout too try unauthorized
	unavailable upstream was`)

func knownWords(page []byte) string {
	var out []string
	for word := range bytes.FieldsFuncSeq(page, func(c rune) bool { return !strings.ContainsRune(wordBytes, c) }) {
		w := strings.ToLower(string(word))
		if !slices.Contains(pageWords, w) || len(out) > 0 && out[len(out)-1] == w {
			continue
		}
		if out = append(out, w); len(out) == 12 {
			break
		}
	}
	return strings.Join(out, " ")
}
