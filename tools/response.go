package tools

import (
	"compress/gzip"
	"errors"
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

// roomFor bounds what is set aside for a body because of its declared length alone.
const roomFor = 64 << 10

// ReadAll is io.ReadAll for a body whose length is mostly known; it is negative when it is not.
func ReadAll(from io.Reader, declared int64) ([]byte, error) {
	body := make([]byte, 0, min(max(declared, 511), roomFor)+1) // one more, to see the end
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
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
