// Package api is the gateway's own HTTP endpoints: models, tools, agents, health and ready. It is one http.Handler,
// served on a socket that only Envoy reaches, and it asks providers for their models through Envoy's loopback listener,
// so that keys, TLS, retries and limits stay where they are. It must not know the environment, Envoy's protos, keys or
// any provider's address.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Server needs for its whole life. Only Client is required; zero limits get their defaults.
type Options struct {
	// Client reaches the loopback listener, whatever host a URL names. It stays the caller's to close.
	Client *http.Client
	// Ready gives the reasons why the gateway is not ready, fit for clients; none or a nil func means ready.
	Ready func() []string
	// Log gets failures of providers and panics; slog.Default() by default.
	Log *slog.Logger

	FetchTimeout time.Duration // for one provider's whole answer; 5 s
	FreshFor     time.Duration // models are served without asking again; 60 s
	StaleFor     time.Duration // models are served while being asked for again, or while the provider fails; 10 min
	RetryAfter   time.Duration // a provider that failed is left alone; 5 s
	MaxBody      int64         // bytes of one provider's answer, uncompressed; 8 MiB
	MaxModels    int           // of one provider; 10000
}

func (o Options) withDefaults() Options {
	set(&o.FetchTimeout, 5*time.Second)
	set(&o.FreshFor, time.Minute)
	set(&o.StaleFor, 10*time.Minute)
	set(&o.RetryAfter, 5*time.Second)
	set(&o.MaxBody, 8<<20)
	set(&o.MaxModels, 10_000)
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server answers the API's requests from the current State.
type Server struct {
	opts    Options
	client  *http.Client
	handler http.Handler
	current atomic.Pointer[current]

	ctx    context.Context // ends with Close; the refreshes that outlive a request live in it
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed, flights.Add and the order of updates
	closed bool
	// flights are the running refreshes.
	flights sync.WaitGroup
}

// New makes a Server without any provider: call Update next, and Close when done.
func New(opts Options) *Server {
	s := &Server{opts: opts.withDefaults()}
	client := *opts.Client
	// A provider's redirect would be followed through the loopback listener, where it could name another provider.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = &client
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.current.Store(&current{})
	s.handler = s.recovered(s.shaped(s.routes()))
	return s
}

// Handler serves the API. It may be used before the first Update.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends running refreshes and waits for them. Requests that need one afterwards get a 503. It may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.flights.Wait()
}
