package loopback

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

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
