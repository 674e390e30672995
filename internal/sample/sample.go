// Package sample describes replies that were not understood without repeating a value of
// them.
package sample

import (
	"bytes"
	"fmt"
	"strings"
)

const maxSample = 120

// Of describes a reply without repeating a value of it: the skeleton of JSON, or the well-known words of a page. Replies hold names and faces, so
// what is shown is chosen, and all else is left out.
func Of(body []byte) string {
	body = trim(body)
	if len(body) == 0 {
		return "empty reply"
	}
	head := body[:min(len(body), 4096)]
	switch c := head[0]; {
	case c == '{' || c == '[' || c == '"':
		return fmt.Sprintf("%d bytes: %s", len(body), skeleton(head))
	case string(body) == "null" || string(body) == "true" || string(body) == "false":
		return string(body)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%d bytes: %s", len(body), knownWords(head)), ": ")
	}
}

// skeleton keeps the structure and the field names of JSON and replaces its values. It
// reads what it is given, whole or broken, and stops at maxSample.
func skeleton(src []byte) string {
	var out strings.Builder
	for i := 0; i < len(src) && out.Len() < maxSample; {
		switch c := src[i]; {
		case c == '"':
			end := StringEnd(src, i)
			rest := trim(src[end:])
			text := src[i+1 : max(i+1, end-1)]
			if len(rest) > 0 && rest[0] == ':' && shownNames[string(text)] {
				out.WriteByte('"')
				out.Write(text)
				out.WriteByte('"')
			} else {
				out.WriteString(`"…"`)
			}
			i = end
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
		default: // not JSON, so what looks like a field name may be anything
			out.WriteString(" … not JSON")
			return out.String()
		}
	}
	if out.Len() >= maxSample {
		out.WriteString("…")
	}
	return out.String()
}

// StringEnd is the index after the closing quote of the string that starts at i, or the
// end of src.
func StringEnd(src []byte, i int) int {
	for at := i + 1; at < len(src); {
		quote := bytes.IndexByte(src[at:], '"')
		if quote < 0 {
			break
		}
		at += quote
		escapes := 0
		for src[at-1-escapes] == '\\' {
			escapes++ // stops at the opening quote at the latest
		}
		if at++; escapes%2 == 0 {
			return at
		}
	}
	return len(src)
}

// shownNames are the names of fields that tell what kind of reply it is.
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

// pageWords are the words that error pages of servers and proxies are made of.
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

// Content types that cannot be shown.
const (
	Malformed = "malformed content type"
	Unknown   = "another content type"
)

// MediaType is a content type without its parameters, if it is one that replies have. A
// header is no safer a place than a body.
func MediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	kind, subtype, found := strings.Cut(t, "/")
	switch {
	case t == "":
		return ""
	case !found || !isSubtype(subtype):
		return Malformed
	}
	switch kind {
	case "image", "video", "audio", "text":
		return t
	case "application", "binary", "multipart":
		for _, known := range [...]string{
			"json", "xml", "pdf", "octet-stream", "x-tar", "tar", "zip", "gzip", "x-gzip", "problem+json", "x-www-form-urlencoded",
			"xhtml+xml", "ogg", "x-tgz", "mp4", "form-data",
		} {
			if subtype == known {
				return t
			}
		}
	}
	return Unknown
}

// Label is a content type as an error may show it: one of those below, because a reply can
// repeat the request there, in small letters or in part.
func Label(contentType string) string {
	t := MediaType(contentType)
	kind, subtype, _ := strings.Cut(t, "/")
	switch kind {
	case "image", "video", "audio", "text":
		if !labels[subtype] {
			return Unknown
		}
	}
	return t
}

var labels = words(`avif bmp css csv gif heic heif html javascript jpeg jpg mp4 mpeg ogg plain png quicktime
		svg+xml tiff wav webm webp x-matroska xml`)

func isSubtype(s string) bool {
	return s != "" && len(s) <= 32 && strings.IndexFunc(s, func(c rune) bool {
		return c > 127 || !isWordByte(byte(c)) && !strings.ContainsRune("+.-", c)
	}) < 0
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
