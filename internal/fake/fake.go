// Package fake holds what the fake services have in common: how a reply breaks or waits, and how
// a service calls back.
package fake

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"time"
)

// Reset ends the connection with a TCP reset in place of an orderly close.
func Reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Hold waits for d, or without end if that is zero, and no longer than until release is closed.
// It reports false if there is no use in going on: the caller has gone, or the server closes.
func Hold(ctx context.Context, d time.Duration, release, closing <-chan struct{}) bool {
	var elapsed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-elapsed:
		return true
	case <-release:
		return true
	case <-ctx.Done():
	case <-closing:
	}
	return false
}

// Post sends a JSON body to the address of a company and returns the status of the answer, also
// if the rest of that is lost. It follows no redirect and sends nothing again.
func Post(ctx context.Context, url string, header http.Header, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{
		// No connection outlives the call.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, err
}
