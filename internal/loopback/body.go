package loopback

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Pieces is a request's body as several slices, so that what many requests have in common is not copied for each. It is
// read once, and it and its bytes must not change as long as a request with it runs.
type Pieces [][]byte

// Len is the size of the whole.
func (p Pieces) Len() int64 {
	var n int64
	for _, piece := range p {
		n += int64(len(piece))
	}
	return n
}

// Body is a request's body of these pieces, for any http.RoundTripper.
func (p Pieces) Body() io.ReadCloser { return &pieceReader{all: p, left: p} }

type pieceReader struct {
	all, left Pieces
	at        int // in the first of left
}

func (r *pieceReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.left) > 0 {
		k := copy(p[n:], r.left[0][r.at:])
		n += k
		if r.at += k; r.at == len(r.left[0]) {
			r.left, r.at = r.left[1:], 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *pieceReader) Close() error { return nil }

var errLength = errors.New("loopback: a request's body must have a known length")

// piecesOf gives a request's body as pieces.
func piecesOf(req *http.Request) (Pieces, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	if r, ok := req.Body.(*pieceReader); ok {
		return r.all, nil
	}
	if req.ContentLength < 0 {
		return nil, errLength
	}
	body := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, body)
	return Pieces{body}, err
}

// answer is a response's body. Read to its end, its connection serves another request. Close may be called at any time, to
// end a Read too.
type answer struct {
	from    io.Reader
	ctx     context.Context //nolint:containedctx // the request's, which a body belongs to
	stop    func() bool     // of what closes the connection when ctx ends
	client  *Client
	conn    *conn
	written <-chan error // of a body that is written beside the reading; nil when it is out
	last    bool         // the connection serves no other request

	mu  sync.Mutex
	err error // what every further Read gives; the connection is not this answer's any more
}

func (a *answer) Read(p []byte) (int, error) {
	if err := a.over(); err != nil {
		return 0, err
	}
	n, err := a.from.Read(p)
	if err != nil {
		err = a.end(err)
	}
	return n, err
}

// Close ends the exchange. What has not been read yet is not waited for.
func (a *answer) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = http.ErrBodyReadAfterClose
		a.stop()
		_ = a.conn.Close()
	}
	return nil
}

func (a *answer) over() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// end is the end of reading: what it gives is what the reader is told.
func (a *answer) end(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil { // closed in the meantime
		return a.err
	}
	whole := errors.Is(err, io.EOF)
	if cancelled := a.ctx.Err(); cancelled != nil && !whole {
		err = cancelled
	}
	a.err = err
	if !a.stop() || !whole || a.last || !a.out() || a.conn.reader.Buffered() > 0 {
		_ = a.conn.Close()
		return err
	}
	a.client.put(a.conn)
	return err
}

// out says whether all of the request has gone out: a server may answer without reading it.
func (a *answer) out() bool {
	if a.written == nil {
		return true
	}
	_ = a.conn.SetWriteDeadline(time.Unix(1, 0)) // ends a write that waits; one that is done is done
	err := <-a.written
	return errors.Join(err, a.conn.SetWriteDeadline(time.Time{})) == nil
}
