//go:build unix

package identomat_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

// These tests attack media, archives and uploads.

func TestMediaDelimitedByConnectionCloseIsIncomplete(t *testing.T) {
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, version+" 200 OK\r\nContent-Type: image/jpeg\r\nConnection: close\r\n\r\n\xff\xd8\xff"+strings.Repeat("x", 50_000))
				_ = conn.Close()
			}
		}()
		media, err := clientFor(t, "http://"+listener.Addr().String()).Media.Face(t.Context(), token)
		require.NoError(t, err)
		dir := t.TempDir()
		_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

// Anyone on the network path can cut a TLS connection, and crypto/tls does not require a close_notify
// alert. The end of a connection therefore never shows that media is complete.
func TestMediaDelimitedByTLSConnectionCloseIsIncomplete(t *testing.T) {
	for _, cut := range []bool{false, true} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"+picture(50_000))
			if cut {
				_ = conn.(*tls.Conn).NetConn().Close()
			}
			_ = conn.Close()
		}))
		media, err := clientFor(t, server.URL, identomat.WithHTTPClient(server.Client())).Media.Face(t.Context(), token)
		require.NoError(t, err)
		dir := t.TempDir()
		_, err = media.SaveFile(filepath.Join(dir, "face.jpg"))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Empty(t, filesIn(t, dir))
		server.Close()
	}
}

func TestChangeConfirmedOnlyByEmptyResponse(t *testing.T) {
	calls := func(c *identomat.Client) []error {
		return []error{
			c.Groups.Delete(t.Context(), "g1"), c.Groups.Update(t.Context(), "g1", identomat.UpdateGroupRequest{Name: "n"}),
			c.Screening.Unmonitor(t.Context(), "id"), c.VideoCalls.End(t.Context(), token),
		}
	}
	for _, body := range []string{
		`{"error":"forbidden"}`, `{"message":"Internal server error"}`, `{"result":false}`, `{"result":"GROUP_IN_USE"}`, `{"success":false}`,
		`{"result":{"argumentError":"not-found"}}`, `{"code":403}`, `{"errorSourceGroup":"x"}`, `true`, `null`, `[1]`, `{`, ``,
	} {
		for _, err := range calls(stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil })) {
			assert.Error(t, err, body)
		}
	}
	for _, body := range []string{`{}`, `[]`, ` { } `, `{"result":true}`, `{"result":null}`, `{"result":{}}`} {
		for _, err := range calls(stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, body), nil })) {
			assert.NoError(t, err, body)
		}
	}
}

func TestUnsignedResponseYieldsNoFile(t *testing.T) {
	body := `{"result":[["` + base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xffone"+strings.Repeat("x", 100_000))) + `","` +
		base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xfftwo")) + `"]]}`
	for _, header := range []string{"", "Bearer x", `signature="%"`} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			if header == "" {
				return newResponse(200, body), nil
			}
			return newResponse(200, body, "Authorization", header), nil
		}, identomat.WithHMAC(secretKey, identomat.RequireSignedResponses()))
		for media, err := range client.VideoCalls.Shots(t.Context(), token) {
			assert.Nil(t, media)
			require.ErrorIs(t, err, identomat.ErrSignatureMismatch)
		}
	}
}

func TestDisguisedErrorIsNotMedia(t *testing.T) {
	utf16 := func(text string) string {
		var out strings.Builder
		for _, c := range text {
			out.WriteByte(0)
			out.WriteRune(c)
		}
		return out.String()
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(w, `{"argumentError":"session-not-found"}`)
	require.NoError(t, w.Close())
	disguises := []string{
		utf16(`{"argumentError":"session-not-found"}`), utf16("<html><body>502</body></html>"), utf16("SESSION_NOT_FOUND"), utf16("\r\n{}")[1:] + "\x00",
		zipped.String(), "\x1e{}", "\x0b{}", "\x00{\"a\":1}", `{"argumentError":"face-photo-not-found"}`, "SESSION_NOT_FOUND", "<html>502</html>",
		"Warning: x on line 3\n" + picture(3000),
	}
	for _, text := range disguises {
		for _, contentType := range []string{"image/jpeg", "application/octet-stream", "application/pdf"} {
			client := stubbed(t, func(*http.Request) (*http.Response, error) {
				return newResponse(200, text, "Content-Type", contentType), nil
			})
			media, err := client.Media.Face(t.Context(), token)
			assert.Error(t, err, "%q as %s", text, contentType)
			assert.Nil(t, media)
		}
		if text == zipped.String() {
			continue
		}
		client := stubbed(t, func(*http.Request) (*http.Response, error) {
			return newResponse(200, `{"result":"data:image/jpeg;base64,`+base64.StdEncoding.EncodeToString([]byte(text))+`"}`), nil
		})
		_, err := client.Media.DocumentFacePhoto(t.Context(), token)
		assert.Error(t, err, "%q as a data URI", text)
	}
}

// A data URI with a sentence is no file, whatever its label says.
func TestTextIsNoBinaryFile(t *testing.T) {
	get := func(label, content string) error {
		body := `{"result":[["data:` + label + `;base64,` + base64.StdEncoding.EncodeToString([]byte(content)) + `"]]}`
		_, err := first(responding(t, 200, body, false, "Content-Type", "application/json").VideoCalls.Shots(t.Context(), token))
		return err
	}
	const text = "The media of this session could not be loaded because the storage is offline."
	for _, label := range []string{"application/pdf", "application/zip", "application/x-tar", "video/mp4", "image/heic", "image/jpeg", "audio/mpeg"} {
		require.ErrorIs(t, get(label, text), identomat.ErrUnexpectedResponse, label)
	}
	for _, text := range []string{"GIF89a is missing. " + text, "BM: " + text} {
		for _, label := range []string{"", "image/gif", "image/bmp", "text/plain"} {
			require.ErrorIs(t, get(label, text), identomat.ErrUnexpectedResponse, "%s as %q", text, label)
		}
	}
	for label, content := range map[string]string{
		"text/plain": text, "text/csv": text, "": text, "image/svg+xml": text, "application/pdf": "%PDF-1.4\n1 0 obj\n", "video/mp4": "\x00\x01\x02\x03",
	} {
		require.NoError(t, get(label, content), label)
	}
	require.NoError(t, get("application/pdf", "a line before the header\n%PDF-1.4\n1 0 obj\n"))
}

// These files cannot be sent. The errors must not show a path.
func TestUnreadableFileNotSent(t *testing.T) {
	client := stubbed(t, func(*http.Request) (*http.Response, error) { t.Error("unexpected request"); return nil, io.EOF })
	dir := t.TempDir()
	fifo := filepath.Join(dir, "Wilhelmina")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	closed, err := os.Create(filepath.Join(dir, "Wilhelmina.jpg"))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	blocked, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, file := range []identomat.File{identomat.FileFromPath(fifo), identomat.FileFromReader(closed, 10), identomat.FileFromReader(blocked, 10)} {
		_, err := client.Documents.Passport(ctx, file)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "Wilhelmina")
		var refused *identomat.TransportError
		require.ErrorAs(t, err, &refused)
		assert.False(t, refused.MaybeProcessed)
	}
}

func TestTruncatedArchiveExtractsNothing(t *testing.T) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range []string{"one", "two"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 700, Mode: 0o600}))
		_, err := w.Write(make([]byte, 700))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	size := buf.Len()
	for cut := 1536; cut <= size; cut += 256 {
		client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, string(buf.Bytes()[:cut])), nil })
		archive, err := client.VideoCalls.Videos(t.Context(), token)
		require.NoError(t, err)
		dir := filepath.Join(t.TempDir(), "a", "b")
		n, err := archive.ExtractTo(dir)
		if cut == size {
			require.NoError(t, err)
			assert.Equal(t, 2, n)
			continue
		}
		require.Error(t, err, cut)
		_, err = os.Stat(filepath.Dir(dir))
		require.ErrorIs(t, err, os.ErrNotExist, "created folders are removed")
	}
}

func TestSaveFileReplacesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for _, target := range []string{fifo, dir, os.DevNull} {
		client := stubbed(t, func(*http.Request) (*http.Response, error) { return newResponse(200, "\xff\xd8\xffimage"), nil })
		media, err := client.Media.Face(t.Context(), token)
		require.NoError(t, err)
		_, err = media.SaveFile(target)
		require.Error(t, err)
	}
}

// panicking is a reader that returns the beginning of an image and then panics.
type panicking struct{ read bool }

func (p *panicking) Read(b []byte) (int, error) {
	if p.read {
		panic("boom")
	}
	p.read = true
	return copy(b, "\xff\xd8\xff"+strings.Repeat("x", 600)), nil
}

func TestPanickingReaderFailsUpload(t *testing.T) {
	_, err := clientFor(t, discardServer(t)).Documents.Passport(t.Context(), identomat.FileFromReader(&panicking{}, 2000))
	var failed *identomat.TransportError
	require.ErrorAs(t, err, &failed)
	assert.False(t, failed.MaybeProcessed)
}

// discardServer returns the URL of a server that reads requests and responds with {}.
func discardServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestMalformedMediaJSONIsUnexpected(t *testing.T) {
	for _, body := range []string{`{1:2}`, `{:1}`, `{,}`, `{"result"}`} {
		client := responding(t, 200, body, false, "Content-Type", "application/json")
		_, err := client.Media.DocumentFacePhoto(t.Context(), token)
		assert.ErrorIs(t, err, identomat.ErrUnexpectedResponse, body)
	}
}
