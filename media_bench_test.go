package identomat_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/identomat-go/identomat"
)

const (
	large      = 64 << 20
	allocLimit = 512 << 10 // for a transfer of any size
)

// signedReply is a reply of the server with its signature, made when it is first asked for.
func signedReply(make func() string) func() ([]byte, string) {
	return sync.OnceValues(func() ([]byte, string) {
		body := make()
		return []byte(body), sign(secretKey, body)
	})
}

var benchReplies = map[string]func() ([]byte, string){
	"/external-api/result/face/":            signedReply(func() string { return noise(large) }),
	"/get-session-main-document-face-photo": signedReply(func() string { return dataURI(noise(large)) }),
	"/external-api/result/face-video/":      signedReply(func() string { return noise(16 << 20) }),
	"/external-api/result/card-front/":      signedReply(func() string { return noise(1 << 20) }),
	"/external-api/passport/":               signedReply(func() string { return documentReply }),
}

// benchMedia is the reply to a call for media.
func benchMedia(w http.ResponseWriter, r *http.Request) []byte {
	body, signature := benchReplies[r.URL.Path]()
	if r.Header.Get("Authorization") != "" {
		w.Header().Set("Authorization", signature)
	}
	return body
}

// noise is a picture that does not compress and is not all slashes.
func noise(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	copy(data, jpeg)
	return string(data)
}

func dataURI(data string) string {
	return `{"result":[["data:application\/x-tar;base64,` + strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(data)), "/", `\/`) + `"]]}`
}

// transfers are what must not allocate more when there is more to transfer.
func transfers(tb testing.TB) map[string]func(context.Context, *identomat.Client) error {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "image.jpg")
	require.NoError(tb, os.WriteFile(path, []byte(noise(large)), 0o600))
	read := func(media *identomat.Media, err error) error {
		if err != nil {
			return err
		}
		n, err := media.WriteTo(io.Discard)
		if err == nil && n != large {
			err = fmt.Errorf("%d bytes", n)
		}
		return err
	}
	return map[string]func(context.Context, *identomat.Client) error{
		"image":  func(ctx context.Context, c *identomat.Client) error { return read(face(ctx, c)) },
		"base64": func(ctx context.Context, c *identomat.Client) error { return read(facePhoto(ctx, c)) },
		"upload": func(ctx context.Context, c *identomat.Client) error {
			_, err := c.Documents.Passport(ctx, identomat.FileFromPath(path))
			return err
		},
	}
}

// eachTransfer runs every transfer unsigned and signed.
func eachTransfer(tb testing.TB, run func(name string, transfer func() error)) {
	tb.Helper()
	base := startBenchServer(tb)
	for name, transfer := range transfers(tb) {
		for signing, opts := range map[string][]identomat.Option{"unsigned": nil, "signed": {identomat.WithHMAC(secretKey), identomat.RequireSignedReplies()}} {
			client, err := identomat.NewClient(companyKey, append(opts, identomat.WithWidgetURL(base), identomat.WithAPIURL(base))...)
			require.NoError(tb, err)
			run(name+"/"+signing, func() error { return transfer(context.Background(), client) })
			client.CloseIdleConnections()
		}
	}
}

func TestALargeTransferAllocatesLittle(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("the race detector allocates")
	}
	eachTransfer(t, func(name string, transfer func() error) {
		runtime.GC() // and with it the buffers that are kept
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, transfer(), name)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		assert.Less(t, allocated, uint64(allocLimit), name)
		t.Logf("%s: %d bytes", name, allocated)
	})
}

// BenchmarkLarge transfers 64 MiB: an image, an archive in base64 inside JSON, an upload.
func BenchmarkLarge(b *testing.B) {
	eachTransfer(b, func(name string, transfer func() error) {
		b.Run(name, func(b *testing.B) {
			require.NoError(b, transfer()) // the server prepares its reply
			b.ReportAllocs()
			b.SetBytes(large)
			for b.Loop() {
				if err := transfer(); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// download copies a reply to a file, through a pooled buffer.
func (h *handWritten) download(path string, into io.Writer) error {
	form := "company_key=" + companyKey + "&session_token=" + string(token)
	resp, err := h.client.Post(h.base+path, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	buf := handBuffers.Get().(*[64 << 10]byte)
	defer handBuffers.Put(buf)
	_, err = io.CopyBuffer(struct{ io.Writer }{into}, struct{ io.Reader }{resp.Body}, buf[:])
	return err
}

var handBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// upload sends a multipart form of known length.
func (h *handWritten) upload(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	boundary := rand.Text()
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"company_key\"\r\n\r\n" + companyKey + "\r\n--" + boundary +
		"\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	req, err := http.NewRequest(http.MethodPost, h.base+"/external-api/passport/", io.MultiReader(strings.NewReader(head), file, strings.NewReader(tail)))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(head)) + info.Size() + int64(len(tail))
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(reply, []byte(documentReply)) {
		err = fmt.Errorf("reply %q", reply)
	}
	return err
}

// intoFile writes to a file that is made anew.
func intoFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return write(file)
}

// BenchmarkDownload copies 16 MiB to a file beside the same by hand.
func BenchmarkDownload(b *testing.B) {
	hand, client := benchClients(b)
	name := filepath.Join(b.TempDir(), "video.mp4")
	compare(b, func() error {
		return intoFile(name, func(w io.Writer) error { return hand.download("/external-api/result/face-video/", w) })
	}, func() error {
		return intoFile(name, func(w io.Writer) error {
			media, err := client.Media.FaceVideo(context.Background(), token)
			if err != nil {
				return err
			}
			_, err = media.WriteTo(w)
			return err
		})
	})
}

// BenchmarkSaveFile saves 1 MiB beside the same by hand: a temporary file, synced and renamed.
func BenchmarkSaveFile(b *testing.B) {
	hand, client := benchClients(b)
	name := filepath.Join(b.TempDir(), "card.jpg")
	compare(b, func() error {
		file, err := os.CreateTemp(filepath.Dir(name), "")
		if err != nil {
			return err
		}
		if err := hand.download("/external-api/result/card-front/", file); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		return os.Rename(file.Name(), name)
	}, func() error {
		media, err := client.Media.CardFront(context.Background(), token)
		if err != nil {
			return err
		}
		_, err = media.SaveFile(name)
		return err
	})
}

// BenchmarkUpload sends a file of 8 MiB beside the same by hand.
func BenchmarkUpload(b *testing.B) {
	hand, client := benchClients(b)
	path := filepath.Join(b.TempDir(), "passport.jpg")
	require.NoError(b, os.WriteFile(path, []byte(noise(8<<20)), 0o600))
	compare(b, func() error { return hand.upload(path) }, func() error {
		_, err := client.Documents.Passport(context.Background(), identomat.FileFromPath(path))
		return err
	})
}
