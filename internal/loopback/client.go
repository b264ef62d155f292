// Package loopback is an HTTP/1.1 client for one server on a Unix socket that belongs to us: Envoy's loopback listener.
// net/http writes requests and reads answers; what is here is the keeping of connections. net/http's own Transport has two
// goroutines for each connection, and every request and every read of an answer wakes another one; here the caller's
// goroutine writes and reads. RATIONALE.md has the figures. It must not know what is sent, or where from.
package loopback

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// idleTime is how long a connection is kept that nobody uses, and maxIdle how many.
	idleTime = 10 * time.Second
	maxIdle  = 1024
	// inOnePiece is how much a Unix socket takes in without waiting for its reader. Larger bodies, and those of which
	// nobody knows, are written beside the reading, since a server may answer before it has read all.
	inOnePiece = 64 << 10
)

// Client is a http.RoundTripper. Whatever host a URL names, Dial reaches the server. Compressed bodies stay as they are,
// and a request is never sent a second time once a byte of it has gone out.
type Client struct {
	Dial func(context.Context) (net.Conn, error)

	mu    sync.Mutex
	idle  []*conn     // the last one was used last
	sweep *time.Timer // while there are idle ones
}

// RoundTrip sends a request.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	for {
		conn, fresh, err := c.take(ctx)
		if err != nil {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, err
		}
		resp, sent, err := c.exchange(ctx, conn, req)
		if err == nil {
			return resp, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if fresh || sent {
			return nil, err
		}
		if req, err = again(req, err); err != nil {
			return nil, err
		}
	}
}

// again is a request that did not go out, with its body from the beginning.
func again(req *http.Request, err error) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		return nil, err
	}
	next := *req
	if next.Body, err = req.GetBody(); err != nil {
		return nil, err
	}
	return &next, nil
}

// exchange sends a request and reads the head of its answer; sent says whether a byte may have reached the server. When it
// fails, the connection is closed.
func (c *Client) exchange(ctx context.Context, conn *conn, req *http.Request) (resp *http.Response, sent bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends every read and write
	var written chan error
	var writeErr error
	if req.ContentLength >= 0 && req.ContentLength <= inOnePiece {
		writeErr = conn.send(req)
		sent = conn.wrote
	} else {
		written, sent = make(chan error, 1), true
		go func() { written <- conn.send(req) }()
	}
	if writeErr != nil && !sent {
		stop()
		_ = conn.Close()
		return nil, false, writeErr
	}
	// Also when not all went out: a server that refuses a body says so and hangs up.
	resp, err = conn.receive(req)
	if err != nil {
		stop()
		_ = conn.Close()
		if writeErr != nil {
			err = writeErr
		}
		return nil, true, err
	}
	resp.Body = &answer{
		from: resp.Body, ctx: ctx, stop: stop, client: c, conn: conn, written: written,
		last: writeErr != nil || resp.Close,
	}
	return resp, true, nil //nolint:nilerr // what hindered the writing is what the answer says
}

// take gives a connection, an idle one if there is one that lives.
func (c *Client) take(ctx context.Context) (_ *conn, fresh bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	for {
		idle := c.pop()
		if idle == nil {
			break
		}
		if idle.lives() {
			idle.wake()
			return idle, false, nil
		}
		_ = idle.Close()
	}
	raw, err := c.Dial(ctx)
	if err != nil {
		return nil, true, err
	}
	made := &conn{Conn: raw}
	made.wake()
	return made, true, nil
}

func (c *Client) pop() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	last := len(c.idle) - 1
	conn := c.idle[last]
	c.idle[last] = nil
	c.idle = c.idle[:last]
	return conn
}

// put keeps a connection for the next request.
func (c *Client) put(conn *conn) {
	conn.rest()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= maxIdle {
		_ = conn.Close()
		return
	}
	conn.since = time.Now()
	c.idle = append(c.idle, conn)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(idleTime, c.sweepIdle)
	}
}

// sweepIdle closes what nobody has used for idleTime; the longest unused stand in front.
func (c *Client) sweepIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := 0
	for old < len(c.idle) && time.Since(c.idle[old].since) >= idleTime {
		_ = c.idle[old].Close()
		old++
	}
	c.idle = append([]*conn(nil), c.idle[old:]...)
	c.sweep = nil
	if len(c.idle) > 0 {
		c.sweep = time.AfterFunc(idleTime-time.Since(c.idle[0].since), c.sweepIdle)
	}
}

// CloseIdleConnections closes what is kept; requests under way go on.
func (c *Client) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
	if c.sweep != nil {
		c.sweep.Stop()
		c.sweep = nil
	}
}
