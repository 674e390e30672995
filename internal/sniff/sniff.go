// Package sniff detects the type of content from its first bytes, and normalizes Content-Type
// headers. The service declares some images as text, and a header can echo a request.
package sniff

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Malformed and Unknown replace content types that errors must not show, because a header can echo
// a request.
const (
	Malformed = "malformed content type"
	Unknown   = "another content type"
)

// ContentType returns the media type of content that begins with peeked. It prefers the detected
// type, because the service often declares a wrong one.
func ContentType(peeked []byte, declared string) string {
	for _, t := range [...]string{Detect(peeked), declared} {
		if !IsVague(t) {
			return t
		}
	}
	return "application/octet-stream"
}

// Detect recognizes the formats of [http.DetectContentType], and formats from phones, scanners and
// passport chips.
func Detect(peeked []byte) string {
	switch {
	case len(peeked) > 262 && string(peeked[257:262]) == "ustar":
		return "application/x-tar"
	case bytes.HasPrefix(peeked, []byte("II*\x00")), bytes.HasPrefix(peeked, []byte("MM\x00*")):
		return "image/tiff"
	case bytes.HasPrefix(peeked, []byte("\x00\x00\x00\x0cjP  \r\n\x87\n")):
		return "image/jp2"
	case bytes.HasPrefix(peeked, []byte("\xff\x4f\xff\x51")): // JPEG 2000 without the container
		return "image/j2c"
	case len(peeked) >= 12 && peeked[0] == 0 && string(peeked[4:8]) == "ftyp":
		switch string(peeked[8:12]) {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			return "image/heic"
		case "avif", "avis":
			return "image/avif"
		case "qt  ":
			return "video/quicktime"
		}
		return "video/mp4"
	}
	return MediaType(http.DetectContentType(peeked))
}

var vague = []string{"", "text/plain", "application/octet-stream", "binary/octet-stream", Malformed, Unknown}

// IsVague reports whether a content type says nothing about the format.
func IsVague(contentType string) bool { return slices.Contains(vague, contentType) }

// detectable are the formats that Detect always recognizes.
var detectable = strings.Fields("image/jpeg image/png image/gif image/webp image/bmp image/jp2 image/j2c video/webm application/zip")

// IsRefuted reports whether the bytes show that the declared content type is wrong, without showing
// the right one: for example, a warning before an image, or a text instead of a video.
func IsRefuted(peeked []byte, declared string) bool {
	detected := Detect(peeked)
	if IsText(peeked) && !bytes.Contains(peeked, []byte("%PDF-")) {
		return isBinary(declared) || isBinary(detected) // GIF and BMP begin with letters
	}
	return IsVague(detected) && slices.Contains(detectable, declared)
}

// isBinary reports whether a format is never text.
func isBinary(contentType string) bool {
	switch contentType {
	case "application/pdf", "application/zip", "application/x-tar":
		return true
	}
	kind, subtype, _ := strings.Cut(contentType, "/")
	return kind == "video" || kind == "audio" || kind == "image" && subtype != "svg+xml"
}

// IsText reports whether the first 512 bytes are readable text.
func IsText(peeked []byte) bool {
	for peeked = peeked[:min(len(peeked), 512)]; len(peeked) > 0; {
		r, size := utf8.DecodeRune(peeked)
		switch {
		case r == utf8.RuneError && size == 1:
			return !utf8.FullRune(peeked) // only the last rune may be truncated
		case r < ' ' && !strings.ContainsRune("\t\r\n\f\x1b", r):
			return false
		}
		peeked = peeked[size:]
	}
	return true
}

var extensions = map[string]string{
	"image/jpeg":      ".jpg",
	"image/png":       ".png",
	"image/webp":      ".webp",
	"image/heic":      ".heic",
	"image/jp2":       ".jp2",
	"image/j2c":       ".j2c",
	"image/tiff":      ".tiff",
	"application/pdf": ".pdf",

	"video/mp4":         ".mp4",
	"video/webm":        ".webm",
	"video/quicktime":   ".mov",
	"application/x-tar": ".tar",
}

// Extension returns the usual file extension of a content type, or "".
func Extension(contentType string) string { return extensions[contentType] }

var (
	mediaKinds    = strings.Fields("image video audio text")
	mediaSubtypes = strings.Fields(`avif bmp css csv gif heic heif html j2c javascript jp2 jpeg jpg mp4 mpeg ogg plain png
		quicktime svg+xml tiff wav webm webp x-matroska xml`)
	otherKinds    = strings.Fields("application binary multipart")
	otherSubtypes = strings.Fields(`json xml pdf octet-stream x-tar tar zip gzip x-gzip problem+json
		x-www-form-urlencoded xhtml+xml ogg x-tgz mp4 form-data`)
)

// MediaType returns the media type in a Content-Type header, in lower case. It returns Malformed or
// Unknown for a type that responses are not known to have, because a header can echo a secret.
func MediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	kind, subtype, _ := strings.Cut(t, "/")
	switch {
	case t == "":
		return ""
	case subtype == "" || len(subtype) > 32 || strings.Trim(subtype, "_+.-0123456789abcdefghijklmnopqrstuvwxyz") != "":
		return Malformed
	case slices.Contains(mediaKinds, kind), slices.Contains(otherKinds, kind) && slices.Contains(otherSubtypes, subtype):
		return t
	}
	return Unknown
}

var codings = strings.Fields("gzip x-gzip deflate br zstd compress x-compress dcb dcz")

// Coding returns the coding in a Content-Encoding header, or "". It ignores other values that
// servers send, such as identity, none or a character set.
func Coding(contentEncoding string) string {
	for coding := range strings.SplitSeq(strings.ToLower(contentEncoding), ",") {
		if coding = strings.TrimSpace(coding); slices.Contains(codings, coding) {
			return coding
		}
	}
	return ""
}

// Label returns the media type that an error may show. Unlike [MediaType], it returns only known
// subtypes, because a subtype can echo a request.
func Label(contentType string) string {
	t := MediaType(contentType)
	kind, subtype, _ := strings.Cut(t, "/")
	if slices.Contains(mediaKinds, kind) && !slices.Contains(mediaSubtypes, subtype) {
		return Unknown
	}
	return t
}
