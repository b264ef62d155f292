package mcp

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// gate stands before the GET stream on which servers of the old era send what nobody asked for. mcp-go opens the stream
// before it knows whether there is anything to hear, and opens it again every second when it fails, for ever. The gate
// lets it pass when the server says that its tools change, or has a session: servers made with the Python SDK ask in it
// what a tool wants to know of its user, and would wait for the refusal until the call is given up. The gate then opens
// less and less often while the stream keeps failing.
type gate struct {
	open   chan struct{} // closed when the server's capabilities are known
	once   sync.Once
	wanted bool // read after open is closed

	mu     sync.Mutex
	opened time.Time // when the last stream began
	pause  time.Duration
}

const (
	longestPause = time.Minute
	livelyStream = 10 * time.Second // a stream that lasts this long is none that keeps failing
)

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) decide(wanted bool) {
	g.once.Do(func() { g.wanted = wanted; close(g.open) })
}

// guards tells the stream from the resumption of an answer, which carries the ID of an event.
func (g *gate) guards(req *http.Request) bool {
	return g != nil && req.Method == http.MethodGet && req.Header.Get("Last-Event-ID") == ""
}

// pass waits for its turn. It answers itself when there is nothing to listen to: 405 ends mcp-go's attempts.
func (g *gate) pass(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	select {
	case <-g.open:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if !g.wanted {
		return &http.Response{
			Status: "405 Method Not Allowed", StatusCode: http.StatusMethodNotAllowed, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req,
		}, nil
	}
	timer := time.NewTimer(g.wait())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil //nolint:nilnil // neither an answer nor an error: the request goes on
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (g *gate) wait() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened.IsZero() || time.Since(g.opened) > livelyStream+g.pause {
		g.pause = 0
	} else {
		g.pause = min(max(2*g.pause, time.Second), longestPause)
	}
	g.opened = time.Now().Add(g.pause)
	return g.pause
}

func (g *gate) saw(req *http.Request, resp *http.Response) {
	if g.guards(req) && resp.StatusCode == http.StatusOK {
		g.mu.Lock()
		g.opened = time.Now()
		g.mu.Unlock()
	}
}
