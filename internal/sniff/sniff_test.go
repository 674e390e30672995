package sniff

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
	pdf  = "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
)

// box returns the beginning of an ISO media file with the given brand.
func box(brand string) string { return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x02\x00" }

func TestDetect(t *testing.T) {
	tar := strings.Repeat("x", 257) + "ustar\x0000" + strings.Repeat("\x00", 249)
	for head, want := range map[string]string{
		jpeg: "image/jpeg", "\x89PNG\r\n\x1a\n": "image/png", pdf: "application/pdf", "GIF89a": "image/gif", "RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
		tar: "application/x-tar", tar[:262]: "text/plain", "{" + tar[1:]: "application/x-tar",
		"II*\x00\x08\x00": "image/tiff", "MM\x00*\x00\x08": "image/tiff", "II*": "text/plain",
		box("heic"): "image/heic", box("heix"): "image/heic", box("mif1"): "image/heic", box("msf1"): "image/heic", box("hevc"): "image/heic",
		box("avif"): "image/avif", box("avis"): "image/avif", box("qt  "): "video/quicktime", box("isom"): "video/mp4", box("mp42"): "video/mp4", box("xxxx"): "video/mp4",
		"\x00\x00\x00\x0cjP  \r\n\x87\n\x00": "image/jp2", "\xff\x4f\xff\x51\x00": "image/j2c",
		"\x1aE\xdf\xa3": "video/webm", "\x1f\x8b\x08": "application/x-gzip", "PK\x03\x04": "application/zip",
		"<html>": "text/html", "<?xml ": "text/xml", "text": "text/plain", "": "text/plain", "\x00\x01\x02": "application/octet-stream", "\x00\x00\x00\x18ftyp": "application/octet-stream",
	} {
		assert.Equal(t, want, Detect([]byte(head)), "%.30q", head)
	}
}

func TestContentType(t *testing.T) {
	for _, c := range []struct{ head, declared, want string }{
		{jpeg, "", "image/jpeg"}, {jpeg, "image/png", "image/jpeg"}, {jpeg, "text/plain", "image/jpeg"}, {jpeg, Malformed, "image/jpeg"},
		{"\x00\x01", "video/x-new", "video/x-new"}, {"some text", "text/csv", "text/csv"},
		{"\x00\x01", "", "application/octet-stream"}, {"\x00\x01", "text/plain", "application/octet-stream"}, {"some text", "", "application/octet-stream"},
		{"\x00\x01", "binary/octet-stream", "application/octet-stream"}, {"\x00\x01", Malformed, "application/octet-stream"}, {"\x00\x01", Unknown, "application/octet-stream"},
		{"", "", "application/octet-stream"}, {"", "image/png", "image/png"},
	} {
		assert.Equal(t, c.want, ContentType([]byte(c.head), c.declared), "%q as %q", c.head, c.declared)
	}
}

func TestMediaTypeAndLabel(t *testing.T) {
	for _, c := range []struct{ header, mediaType, label string }{
		{"", "", ""}, {" ", "", ""}, {"image/jpeg", "image/jpeg", "image/jpeg"}, {" Text/HTML ; charset=utf-8", "text/html", "text/html"},
		{"application/json;x=y", "application/json", "application/json"}, {"application/problem+json", "application/problem+json", "application/problem+json"},
		{"multipart/form-data; boundary=x", "multipart/form-data", "multipart/form-data"}, {"binary/octet-stream", "binary/octet-stream", "binary/octet-stream"},
		{"application/x-tar", "application/x-tar", "application/x-tar"}, {"image/svg+xml", "image/svg+xml", "image/svg+xml"},
		// A Content-Type can echo a request, so an error shows only known subtypes.
		{"video/x-new", "video/x-new", Unknown}, {"text/featherstone", "text/featherstone", Unknown}, {"application/featherstone", Unknown, Unknown},
		{"chemical/x-pdb", Unknown, Unknown}, {"featherstone/png", Unknown, Unknown},
		{"featherstone", Malformed, Malformed}, {"image/", Malformed, Malformed}, {"image/wilhelmina featherstone", Malformed, Malformed}, {"text/a/b", Malformed, Malformed},
		{"image/png, image/gif", Malformed, Malformed}, {"image/" + strings.Repeat("x", 33), Malformed, Malformed}, {"image/ჯეი", Malformed, Malformed}, {"; charset=utf-8", "", ""},
	} {
		assert.Equal(t, c.mediaType, MediaType(c.header), c.header)
		assert.Equal(t, c.label, Label(c.header), c.header)
	}
}

func TestIsVague(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": true, "text/plain": true, "application/octet-stream": true, "binary/octet-stream": true, Malformed: true, Unknown: true,
		"image/jpeg": false, "text/html": false, "application/json": false,
	} {
		assert.Equal(t, want, IsVague(contentType), contentType)
	}
}

func TestIsText(t *testing.T) {
	for head, want := range map[string]bool{
		"": true, "text": true, "\ttwo\r\nlines\f\x1b[0m": true, "ტექსტი": true, "\x00": false, "a\x01": false, "\xff\xfea\x00": false, jpeg: false,
		"ა"[:2]: true, "a" + "😀"[:3]: true, // the last rune is truncated
		"ა"[:2] + "a": false, "\xe1\xe1": false,
		// Only the first 512 bytes are checked.
		strings.Repeat("a", 512) + "\x00": true, strings.Repeat("a", 511) + "\x00": false, strings.Repeat("a", 511) + "ა": true,
	} {
		assert.Equal(t, want, IsText([]byte(head)), "%.20q", head)
	}
}

func TestExtension(t *testing.T) {
	for contentType, want := range map[string]string{
		"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/heic": ".heic", "image/tiff": ".tiff", "application/pdf": ".pdf",
		"": "", "image/gif": "", "IMAGE/PNG": "", Malformed: "",
	} {
		assert.Equal(t, want, Extension(contentType), contentType)
	}
}
