package mcp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// What a server is reached by, for people.
const (
	kindHTTP = "streamable-http"
	kindSSE  = "sse"
)

// probeTime is how long a server may think about server/discover: some of the old era never answer what they do not know.
const probeTime = 5 * time.Second

// dialer makes connections to one server.
type dialer struct {
	target  Server
	origin  *url.URL
	base    *http.Transport
	limit   int64
	timeout time.Duration
	version string
}

// connect tries the stateless era, then the one with sessions, then SSE, each on a transport of its own. A life that ends
// ends the connection.
func (d *dialer) connect(life context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(life, d.timeout)
	defer cancel()
	c, err := d.stateless(ctx, life)
	if err == nil || ctx.Err() != nil || unreached(err) {
		return c, err
	}
	first := err
	if c, err = d.session(ctx, life); !errors.Is(err, transport.ErrLegacySSEServer) {
		return c, err
	}
	var status *statusError
	if c, err = d.sse(ctx, life); err != nil && errors.As(first, &status) {
		err = first // a refusal says more than the failure of the last resort
	}
	return c, err
}

func (d *dialer) stateless(ctx, life context.Context) (*connection, error) {
	t, err := transport.NewStreamableHTTP(d.target.URL, transport.WithHTTPBasicClient(d.wire(nil).httpClient()), transport.WithHTTPLogger(silent))
	if err != nil {
		return nil, err
	}
	s := &strict{HTTPConnection: t, modern: true}
	c, err := d.open(ctx, life, kindHTTP, s, client.WithDiscoverTimeout(min(probeTime, d.timeout/3)))
	if err != nil && s.refused != nil {
		err = s.refused // what came after is our own refusal to go on
	}
	return c, err
}

func (d *dialer) session(ctx, life context.Context) (*connection, error) {
	g := newGate()
	t, err := transport.NewStreamableHTTP(d.target.URL, transport.WithHTTPBasicClient(d.wire(g).httpClient()), transport.WithHTTPLogger(silent),
		transport.WithContinuousListening()) //nolint:staticcheck // deprecated with the era that it is for
	if err != nil {
		return nil, err
	}
	c, err := d.open(ctx, life, kindHTTP, &strict{HTTPConnection: t}, client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION))
	g.decide(err == nil && (c.listens || t.GetSessionId() != ""))
	return c, err
}

func (d *dialer) sse(ctx, life context.Context) (*connection, error) {
	w := d.wire(nil)
	t, err := transport.NewSSE(d.target.URL, transport.WithHTTPClient(w.httpClient()), transport.WithSSELogger(silent),
		transport.WithEndpointTimeout(d.timeout), transport.WithResponseTimeout(time.Hour)) // contexts have the deadlines
	if err != nil {
		return nil, err
	}
	s := &strict{HTTPConnection: t, legacy: true}
	w.asked = func(q question) { s.reply(life, w.httpClient(), t, q) }
	return d.open(ctx, life, kindSSE, s, client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION))
}

// open shakes hands. Start gets the connection's life and not the deadline of this: streams live on it.
func (d *dialer) open(ctx, life context.Context, kind string, s *strict, opts ...client.ClientOption) (*connection, error) {
	c := newConnection(life)
	c.kind, c.transport = kind, s
	c.client = client.NewClient(s, opts...)
	if sse, ok := s.HTTPConnection.(*transport.SSE); ok {
		sse.SetConnectionLostHandler(func(error) { c.end(errLost) })
	}
	c.client.OnNotification(func(n mcp.JSONRPCNotification) {
		if n.Method == mcp.MethodNotificationToolsListChanged {
			c.poke()
		}
	})
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	asking, ex := withExchange(ctx)
	err := c.client.Start(c.life)
	if err == nil {
		var init *mcp.InitializeResult
		if init, err = c.client.Initialize(asking, d.hello()); err == nil {
			c.version = init.ProtocolVersion
			c.listens = init.Capabilities.Tools != nil && init.Capabilities.Tools.ListChanged
		}
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = ex.cause(err)
		c.end(err)
		_ = c.client.Close()
		return nil, err
	}
	return c, nil
}

// hello declares no sampling, no roots and no elicitation: there is nobody here whom a server could ask.
func (d *dialer) hello() mcp.InitializeRequest {
	var r mcp.InitializeRequest
	r.Params.ClientInfo = mcp.Implementation{Name: "inference-gateway", Version: d.version}
	return r
}

func (d *dialer) wire(g *gate) *wire {
	return newWire(d.base, d.origin, d.target.Headers, d.limit, g)
}

// silent is for mcp-go, whose log lines hold addresses: what matters is logged by server.
var silent = slog.New(slog.DiscardHandler)
