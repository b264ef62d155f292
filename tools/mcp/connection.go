package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

var (
	errLost   = errors.New("the connection was lost")
	errClosed = errors.New("the connection was closed")
)

// connection is one life with a server: one transport, one session if the era has them. It is never repaired, always
// replaced, so that calls that are under way need not know.
type connection struct {
	client    *client.Client
	transport *strict
	kind      string // how it is reached, for people
	version   string
	listens   bool // the server says when its tools change

	life context.Context // ends with the connection; what it is under way with ends too
	end  context.CancelCauseFunc

	nudge    chan struct{} // ask for the tools again; holds one
	lost     chan struct{} // closed when the server has forgotten it
	loseOnce sync.Once

	mu      sync.Mutex
	calls   int
	retired bool
	idle    chan struct{} // closed when retired and without calls
}

func newConnection(life context.Context) *connection {
	c := &connection{nudge: make(chan struct{}, 1), lost: make(chan struct{}), idle: make(chan struct{})}
	c.life, c.end = context.WithCancelCause(life)
	return c
}

func (c *connection) lose() { c.loseOnce.Do(func() { close(c.lost) }) }

// poke never waits: it is called from where notifications are read.
func (c *connection) poke() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

// enter counts a call in; it fails on a connection that is being closed.
func (c *connection) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return false
	}
	c.calls++
	return true
}

func (c *connection) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls--; c.calls == 0 && c.retired {
		close(c.idle)
	}
}

func (c *connection) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls > 0
}

// retire lets the calls that are under way end, tells the server goodbye and returns when both are done. Calls have
// deadlines, and end at once when the connection's life does.
func (c *connection) retire() {
	c.mu.Lock()
	c.retired = true
	if c.calls == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	<-c.idle
	c.end(errClosed)
	_ = c.client.Close() // the server may be long gone
}

// call runs a tool once. The answer is the server's own; err says that there is none.
func (c *connection) call(ctx context.Context, tool string, arguments json.RawMessage) (answer, error) {
	if !c.enter() {
		return answer{}, errClosed
	}
	defer c.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.life, func() { cancel(errLost) })()
	ctx, ex := withExchange(ctx)
	request := mcp.CallToolRequest{}
	request.Params.Name = tool
	request.Params.Arguments = arguments
	_, err := c.client.CallTool(ctx, request)
	if ex.answer.result != nil || ex.answer.err != nil {
		return ex.answer, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return answer{}, cause
	}
	return answer{}, ex.cause(err)
}
