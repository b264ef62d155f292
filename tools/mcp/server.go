package mcp

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/mark3labs/mcp-go/client/transport"
)

// What a server can be, as told to people.
const (
	statusConnecting  = "connecting"
	statusConnected   = "connected"
	statusUnavailable = "unavailable"
	statusStopped     = "stopped"
)

// server is one tool server: its goroutine (run) connects, lists and watches; everyone else reads state.
type server struct {
	name    string
	opts    Options
	dialer  *dialer
	filter  filter
	secrets *strings.Replacer
	log     *slog.Logger
	publish func() // tell the manager that the tools changed
	retired sync.WaitGroup

	first     chan struct{} // closed when the first attempt to connect has ended
	firstOnce sync.Once

	mu    sync.Mutex
	state state
}

// state is what is known of a server. It is replaced whole; changed is closed when that happens.
type state struct {
	status   string
	problem  string
	conn     *connection // nil unless connected
	tools    []definition
	pins     map[string]string // by the tools' own names
	left     int               // tools that are not offered for what they are
	kind     string
	version  string
	lastSeen time.Time
	changed  chan struct{}
}

func newServer(target Server, opts Options, publish func()) (*server, error) {
	u, err := url.Parse(target.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("mcp: server " + target.Name + ": not an absolute http:// or https:// URL")
	}
	d := &dialer{target: target, origin: u, base: newBase(), limit: opts.Limits.Body, timeout: opts.ClientTimeout, version: opts.Version}
	return &server{
		name: target.Name, opts: opts, dialer: d, filter: newFilter(opts.Include, opts.Exclude), secrets: secretsOf(target, u.Host),
		log: opts.Logger.With("mcp_server", target.Name), publish: publish, first: make(chan struct{}),
		state: state{status: statusConnecting, changed: make(chan struct{})},
	}, nil
}

// run lives as long as ctx, and leaves nothing behind.
func (s *server) run(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := s.connectPatiently(ctx)
		switch {
		case err == nil:
			s.tend(ctx, conn)
			s.replace(func(st *state) { st.status, st.conn = statusConnecting, nil })
			s.retired.Go(conn.retire)
		case !s.opts.Reconnect:
			<-ctx.Done()
		default:
			pause(ctx, s.opts.ReconnectInterval)
		}
	}
	s.firstOnce.Do(func() { close(s.first) })
	s.replace(func(st *state) { *st = state{status: statusStopped, lastSeen: st.lastSeen} })
	s.retired.Wait()
	s.dialer.base.CloseIdleConnections()
}

// connectPatiently tries until the retries are used up. From the first failure on the server's tools are gone: until
// then a lost session is found again without anyone noticing.
func (s *server) connectPatiently(ctx context.Context) (*connection, error) {
	wait := &backoff.ExponentialBackOff{
		InitialInterval: s.opts.InitialBackoff, MaxInterval: max(s.opts.RetryInterval, s.opts.InitialBackoff), Multiplier: 2, RandomizationFactor: 0.2,
	}
	wait.Reset()
	for attempt := 0; ; attempt++ {
		conn, err := s.connect(ctx)
		if errors.Is(err, transport.ErrSessionTerminated) { // forgotten between two requests: it is there all the same
			conn, err = s.connect(ctx)
		}
		failed := err != nil && ctx.Err() == nil
		if failed {
			s.fail(err)
		}
		s.firstOnce.Do(func() { close(s.first) }) // whoever waits for it may read the outcome
		if !failed {
			return conn, err
		}
		if attempt >= s.opts.MaxRetries {
			return nil, err
		}
		pause(ctx, wait.NextBackOff())
	}
}

// connect is one attempt: a server counts as connected when its tools are known.
func (s *server) connect(ctx context.Context) (*connection, error) {
	conn, err := s.dialer.connect(ctx)
	if err == nil {
		if err = s.refresh(ctx, conn, s.opts.ClientTimeout); err != nil {
			conn.end(err)
			s.retired.Go(conn.retire)
		}
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return conn, err
}

// tend keeps a connection until it is lost.
func (s *server) tend(ctx context.Context, conn *connection) {
	listening, stop := context.WithCancel(conn.life)
	defer stop()
	s.retired.Go(func() { s.listen(listening, conn) })

	var poll <-chan time.Time
	if s.opts.Polling {
		ticker := time.NewTicker(s.opts.PollingInterval)
		defer ticker.Stop()
		poll = ticker.C
	}
	late := 0
	for {
		timeout := s.opts.ClientTimeout
		select {
		case <-ctx.Done():
			return
		case <-conn.life.Done():
			return
		case <-conn.lost:
			return
		case <-conn.nudge:
			pause(conn.life, time.Until(s.current().lastSeen.Add(s.opts.QuietTime)))
		case <-poll:
			if conn.busy() {
				continue // a server that runs one thing at a time is not ill
			}
			timeout = s.opts.PollingTimeout
		}
		err := s.refresh(ctx, conn, timeout)
		if late++; err == nil {
			late = 0
		} else if ctx.Err() == nil {
			s.log.Warn("tool server does not answer as it should", "problem", describe(err))
		}
		if err != nil && (late > 1 || !errors.Is(err, context.DeadlineExceeded)) {
			return
		}
	}
}

// refresh lists the tools and makes them known.
func (s *server) refresh(ctx context.Context, conn *connection, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, left, err := conn.list(ctx, s.opts.Limits)
	if err != nil {
		return err
	}
	s.adopt(conn, found, left)
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
