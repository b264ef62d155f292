package tools

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"
)

// unzip makes an answer readable that is compressed though it was asked not to be. What it grows to is bounded where it
// is read.
func unzip(resp *http.Response) error {
	if !strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return nil
	}
	plain, err := gzip.NewReader(resp.Body)
	if err != nil {
		return errNotAnswer
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{plain, resp.Body}
	return nil
}

// linger is how long the end of an answer is waited for after all of it has come.
const linger = 250 * time.Millisecond

// hangUp reads what is left, which is mostly nothing, so that the request counts as complete and its connection can be
// used again.
func hangUp(body io.ReadCloser) {
	stop := time.AfterFunc(linger, func() { _ = body.Close() })
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10)) // what is left is of no interest
	stop.Stop()
	_ = body.Close() // closed is closed
}
