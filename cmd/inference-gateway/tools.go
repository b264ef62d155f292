package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/loop"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
	"github.com/inference-gateway/envoy-inference-gateway/tools/a2a"
	"github.com/inference-gateway/envoy-inference-gateway/tools/mcp"
)

// toolsTime is how long a reload waits for new servers and agents, so that chat does not go without their tools for a
// moment. Those that take longer are taken in later.
const toolsTime = 3 * time.Second

// toolset is the tools of one configuration: connections to servers and agents, and the loops that use them. A reload
// that changes them makes another. A nil manager is one that is not configured.
type toolset struct {
	mcp  *mcp.Manager
	a2a  *a2a.Manager
	stop context.CancelFunc // set by run

	mu      sync.Mutex
	loops   int // that are under way
	retired bool
	idle    chan struct{} // closed when retired and without loops
}

func newToolset(c *config.Config, log *slog.Logger) (*toolset, error) {
	t := &toolset{idle: make(chan struct{})}
	var mcpErr, a2aErr error
	if c.MCP.InUse() {
		t.mcp, mcpErr = mcp.New(mcpOptions(c.MCP, log))
	}
	if c.A2A.InUse() {
		t.a2a, a2aErr = a2a.New(a2aOptions(c.A2A, log))
	}
	return t, errors.Join(mcpErr, a2aErr)
}

// run keeps the tools up to date until ctx ends, or the toolset is retired and its last loop has ended.
func (t *toolset) run(ctx context.Context, group *errgroup.Group) {
	ctx, t.stop = context.WithCancel(ctx)
	if t.mcp != nil {
		group.Go(func() error { return t.mcp.Run(ctx) })
	}
	if t.a2a != nil {
		group.Go(func() error { return t.a2a.Run(ctx) })
	}
	group.Go(func() error {
		defer t.stop()
		select {
		case <-t.idle:
		case <-ctx.Done():
		}
		return nil
	})
}

// settled waits until every server and agent has been asked once, but not long: some never answer.
func (t *toolset) settled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, toolsTime)
	defer cancel()
	if t.mcp != nil {
		t.mcp.Settled(ctx)
	}
	if t.a2a != nil {
		t.a2a.Settled(ctx)
	}
}

// enter counts a loop in; it fails when the toolset is retired.
func (t *toolset) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.retired {
		return false
	}
	t.loops++
	return true
}

func (t *toolset) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loops--; t.loops == 0 && t.retired {
		close(t.idle)
	}
}

// retire takes no more loops. Those that are under way go on with their tools; then all connections are closed.
func (t *toolset) retire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.retired = true; t.loops == 0 {
		close(t.idle)
	}
}

// handler is the loop lane of these tools.
func (t *toolset) handler(g *gateway, c *config.Config) *loop.Handler {
	o := loop.Options{
		Transport: g.loopback,
		Directory: g.extproc.Directory,
		Bodies:    g.bodies,
		MayUse:    g.mayUse,
		Log:       g.log,
		Session:   tools.Options{MaxIterations: c.MCP.MaxIterations, Selector: c.MCP.ToolMode == "selector"},
		// A manager bounds its own calls; this is for one that does not come back.
		CallTimeout: max(c.MCP.RequestTimeout, c.A2A.ClientTimeout, c.A2A.Polling.Timeout),
		Timeout:     c.Client.Timeout,
	}
	if t.mcp != nil {
		o.MCP = t.mcp
	}
	if t.a2a != nil {
		o.A2A = t.a2a
	}
	return loop.New(o)
}

// sameTools says whether a reload leaves the tools as they are.
func sameTools(was, is *config.Config) bool {
	return reflect.DeepEqual(was.MCP, is.MCP) && reflect.DeepEqual(was.A2A, is.A2A)
}

func mcpOptions(c config.MCP, log *slog.Logger) mcp.Options {
	o := mcp.Options{
		Include: c.IncludeTools, Exclude: c.ExcludeTools,
		CallTimeout: c.RequestTimeout, ClientTimeout: c.ClientTimeout,
		MaxRetries: c.Connection.MaxRetries, InitialBackoff: c.Connection.InitialBackoff, RetryInterval: c.Connection.RetryInterval,
		Reconnect: c.Connection.Reconnect, ReconnectInterval: c.Connection.ReconnectInterval,
		Polling: c.Polling.Enabled, PollingInterval: c.Polling.Interval, PollingTimeout: c.Polling.Timeout,
		Logger: log, Version: version,
	}
	for _, s := range c.Servers {
		o.Servers = append(o.Servers, mcp.Server{Name: s.Name, URL: s.URL, Headers: headers(s)})
	}
	return o
}

func a2aOptions(c config.A2A, log *slog.Logger) a2a.Options {
	o := a2a.Options{
		ClientTimeout: c.ClientTimeout,
		MaxRetries:    c.Connection.MaxRetries, InitialBackoff: c.Connection.InitialBackoff, RetryInterval: c.Connection.RetryInterval,
		Reconnect: c.Connection.Reconnect, ReconnectInterval: c.Connection.ReconnectInterval,
		RefreshInterval: c.Connection.ReconnectInterval, // an agent that is up is looked at as often as one that is down
		Poll:            c.Polling.Enabled, PollInterval: c.Polling.Interval, PollTimeout: c.Polling.Timeout,
		MaxPollAttempts: c.MaxPollAttempts,
		Logger:          log,
	}
	for _, s := range c.Agents {
		o.Agents = append(o.Agents, a2a.Endpoint{Name: s.Name, URL: s.URL, Headers: headers(s)})
	}
	return o
}

func headers(s config.NamedURL) http.Header {
	h := http.Header{}
	for _, v := range s.Headers {
		h.Add(v.Name, v.Value.Reveal())
	}
	return h
}
