package response

import (
	"bytes"
	"strings"

	"github.com/identomat-go/identomat/internal/sniff"
)

// IsMedia reports whether the response of a media endpoint is media. An error can
// arrive with status 200 and the label of an image, so the bytes count first: known binary
// formats are media, and JSON, pages and other text are not.
func IsMedia(head []byte, declared string) bool {
	text := bytes.TrimLeft(head, " \t\r\n")
	if len(text) == 0 || IsErrorText(head) {
		return false
	}
	detected := sniff.Detect(head)
	switch {
	case detected == "application/x-gzip":
		return false // no endpoint is documented to compress; the content may be an error
	case detected == "application/pdf":
		return true
	case detected == "text/html", detected == "text/xml":
		return false
	case !sniff.IsVague(detected) && !sniff.IsText(head):
		return true
	case declared == "application/pdf":
		return bytes.Contains(head, []byte("\n%PDF-")) // some PDFs have a line before their header
	case strings.IndexByte("{[\"<", text[0]) >= 0, startsWithLine(text), sniff.IsRefuted(head, declared):
		return false
	}
	return detected != "text/plain" && !sniff.IsText(head) &&
		!strings.HasPrefix(declared, "text/") && !strings.Contains(declared, "json") && !strings.Contains(declared, "xml")
}

// startsWithLine reports whether bytes of an unknown format begin with a line of text. Servers
// write warnings in front of content.
func startsWithLine(head []byte) bool {
	line, _, found := bytes.Cut(head, []byte("\n"))
	return found && len(line) >= 8 && sniff.IsText(line)
}

// IsErrorText reports whether the first bytes are JSON, a page or an error code, also in a
// wide encoding or behind control characters.
func IsErrorText(head []byte) bool {
	if detected := sniff.Detect(head); !sniff.IsVague(detected) && !strings.HasPrefix(detected, "text/") {
		return false
	}
	text := bytes.ReplaceAll(head, []byte{0}, nil)
	text = bytes.TrimFunc(text, func(r rune) bool { return r <= ' ' || r == '\ufeff' })
	return len(text) > 0 && strings.IndexByte("{[\"<", text[0]) >= 0 || len(text) > 4 && IsCode(string(text))
}
