// Package loop is the loop lane: the handler that chat requests reach when tools are in play. It decides the provider
// as ext_proc does, lets tools.Runner answer, and asks models through Envoy's loopback listener, so that a model call
// of a loop is a request like any other. It must not know Envoy's protos, keys, provider addresses or tool servers.
package loop

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// Source is where tools come from: an MCP or an A2A manager. Catalogue gives the snapshot of the moment.
type Source interface{ Catalogue() tools.Catalogue }

// Options are what a Handler needs for its whole life.
type Options struct {
	// Transport reaches the loopback listener, whatever host a URL names, and leaves bodies as they are.
	Transport http.RoundTripper
	Directory func() *providers.Directory
	Bodies    *bodies.Limit // of what requests may hold, together with ext_proc's
	MCP, A2A  Source        // nil when not configured
	// MayUse gives what holds a caller's tools to its rights; nil, or giving nil, restricts nothing.
	MayUse func(providers.Caller) func(tools.Tool) bool
	Log    *slog.Logger

	Session     tools.Options
	CallTimeout time.Duration // of one tool call
	Timeout     time.Duration // of a whole loop; 0 is none
}

// Handler answers chat requests. It is safe for concurrent use and holds nothing of a request.
type Handler struct {
	opts   Options
	both   joint
	direct *httputil.ReverseProxy
}

// New makes a Handler.
func New(opts Options) *Handler {
	h := &Handler{opts: opts}
	h.direct = &httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {}, // forward has made the request already
		Transport:     opts.Transport,
		FlushInterval: -1, // a stream's chunks go on as they come
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			level := slog.LevelWarn
			if r.Context().Err() != nil { // the client has gone, which is its right
				level = slog.LevelDebug
			}
			opts.Log.Log(r.Context(), level, "loop: Envoy's loopback listener did not answer", "error", err)
			unreachable().Write(w)
		},
		ErrorLog: slog.NewLogLogger(opts.Log.Handler(), slog.LevelWarn),
	}
	return h
}

// ServeHTTP serves one chat request: a loop when the request has a use for tools, else the request as it is.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir := h.opts.Directory()
	target, refusal := providers.ParseTarget(r.URL.RequestURI())
	if refusal == nil && target.Endpoint == "" {
		refusal = apierror.New(apierror.NotFound, "no such endpoint")
	}
	if e := r.Header.Get("Content-Encoding"); refusal == nil && e != "" && !strings.EqualFold(e, "identity") {
		refusal = apierror.New(apierror.InvalidRequest, "send the request body without content-encoding: it must be readable JSON")
	}
	held := h.opts.Bodies.Share()
	defer held.Release() // follow-ups need the body until the loop ends
	var body []byte
	if refusal == nil {
		body, refusal = read(held.Reader(r.Body), r.ContentLength, dir.MaxBody())
	}
	var plan providers.Plan
	if refusal == nil {
		plan, refusal = dir.Plan(caller(r.Header), providers.Request{Endpoint: target.Endpoint, Provider: target.Provider, Queried: target.Queried, Body: body})
	}
	if refusal != nil {
		refusal.Write(w)
		return
	}
	m := &model{transport: h.opts.Transport, provider: plan.Provider, path: target.Path}
	session, ok := tools.Open(plan.Body, h.offered(r.Header), h.opts.Session)
	if !ok {
		h.direct.ServeHTTP(w, m.request(r.Context(), [][]byte{plan.Body}, r.Header.Clone()))
		return
	}
	runner := tools.Runner{Model: m, CallTimeout: h.opts.CallTimeout, Timeout: h.opts.Timeout, Called: func(c tools.Report) {
		h.opts.Log.Debug("tool call", "tool", c.Tool, "status", c.Status, "duration", c.Duration.String())
	}}
	outcome := runner.Serve(r.Context(), w, session, r.Header)
	h.report(r, plan, outcome)
}

// caller is who asks, as Envoy's filters have told it: nobody else can reach this handler.
func caller(h http.Header) providers.Caller {
	return providers.Caller{Name: h.Get(catalog.CallerHeader), Groups: h.Get(catalog.GroupsHeader)}
}

// report writes a line about a loop in which tools ran or which failed. It holds nothing of the conversation.
func (h *Handler) report(r *http.Request, plan providers.Plan, o tools.Outcome) {
	if o.Calls == 0 && o.Err == nil {
		return
	}
	level := slog.LevelInfo
	attrs := []any{
		"provider", plan.Provider, "follow_ups", o.FollowUps, "calls", o.Calls, "limit", o.Limit,
		"request_id", r.Header.Get("X-Request-Id"),
	}
	if o.Err != nil {
		level, attrs = slog.LevelWarn, append(attrs, "error", o.Err)
		if r.Context().Err() != nil { // the client has gone: that is its right, and Envoy's access log has it
			level = slog.LevelDebug
		}
	}
	h.opts.Log.Log(r.Context(), level, "tool loop", attrs...)
}

func unreachable() *apierror.Error {
	return apierror.New(apierror.Unavailable, "the gateway cannot reach its models at the moment: try again")
}
