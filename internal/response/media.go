package response

import (
	"bytes"
	"strings"

	"github.com/identomat-go/identomat/internal/sniff"
)

// IsMedia reports whether a response from a media endpoint is media. An error can arrive with
// status 200 and an image Content-Type, so the bytes take precedence: known binary formats are
// media; JSON, pages and other text are not.
func IsMedia(peeked []byte, declared string) bool {
	text := bytes.TrimLeft(peeked, " \t\r\n")
	if len(text) == 0 || IsErrorText(peeked) {
		return false
	}
	detected := sniff.Detect(peeked)
	switch {
	case detected == "application/x-gzip":
		return false // no endpoint is documented to return gzip, and the content may be an error
	case detected == "application/pdf":
		return true
	case detected == "text/html", detected == "text/xml":
		return false
	case !sniff.IsVague(detected) && !sniff.IsText(peeked):
		return true
	case declared == "application/pdf":
		return bytes.Contains(peeked, []byte("\n%PDF-")) // some PDFs have a line before their header
	case strings.IndexByte("{[\"<", text[0]) >= 0, startsWithLine(text), sniff.IsRefuted(peeked, declared):
		return false
	}
	return detected != "text/plain" && !sniff.IsText(peeked) &&
		!strings.HasPrefix(declared, "text/") && !strings.Contains(declared, "json") && !strings.Contains(declared, "xml")
}

// startsWithLine reports whether bytes in an unknown format begin with a line of text, such as a
// server's warning.
func startsWithLine(peeked []byte) bool {
	line, _, found := bytes.Cut(peeked, []byte("\n"))
	return found && len(line) >= 8 && sniff.IsText(line)
}

// IsErrorText reports whether the first bytes are JSON, a page or an error code, even in UTF-16 or
// UTF-32, or after control characters.
func IsErrorText(peeked []byte) bool {
	if detected := sniff.Detect(peeked); !sniff.IsVague(detected) && !strings.HasPrefix(detected, "text/") {
		return false
	}
	text := bytes.ReplaceAll(peeked, []byte{0}, nil)
	text = bytes.TrimFunc(text, func(r rune) bool { return r <= ' ' || r == '\ufeff' })
	return len(text) > 0 && strings.IndexByte("{[\"<", text[0]) >= 0 || len(text) > 4 && IsCode(string(text))
}
