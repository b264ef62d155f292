package link

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// handshakeTime bounds what somebody without a certificate can hold open, and handshakes how many of them can.
	handshakeTime = 10 * time.Second
	handshakes    = 256
	// reportPause keeps a peer that tries again and again from filling the log.
	reportPause = 10 * time.Second
)

// Listener takes connections of known peers and hands each to the service that it asks for.
type Listener struct {
	tcp      net.Listener
	settings *tls.Config
	log      *slog.Logger
	services map[string]*service
	closed   chan struct{}
	close    func()
	slots    chan struct{}

	mu       sync.Mutex
	reported time.Time // when a refusal was last logged
}

// Listen opens the port. Nothing is accepted before Serve.
func Listen(address string, identity *Identity, log *slog.Logger) (*Listener, error) {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		tcp: tcp, settings: identity.server(), log: log,
		services: map[string]*service{}, closed: make(chan struct{}), slots: make(chan struct{}, handshakes),
	}
	l.close = sync.OnceFunc(func() {
		close(l.closed)
		_ = tcp.Close()
	})
	return l, nil
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.tcp.Addr() }

// Service makes the listener of one service. All of them are made before Serve.
func (l *Listener) Service(name string) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{connections: make(chan net.Conn), ended: ctx.Done(), end: cancel, parent: l}
	l.services[name] = s
	return s
}

// Serve accepts until ctx ends, and returns when everything that it began has ended.
func (l *Listener) Serve(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer l.close()
	defer context.AfterFunc(ctx, l.close)()
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return nil
		}
		conn, err := l.tcp.Accept()
		if err != nil {
			<-l.slots
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			select { // no file descriptors left, perhaps: others may close theirs
			case <-time.After(100 * time.Millisecond):
			case <-l.closed:
			}
			continue
		}
		open.Go(func() { l.admit(ctx, conn) })
	}
}

// admit finds out who it is and what for, and hands the connection on.
func (l *Listener) admit(ctx context.Context, raw net.Conn) {
	conn := tls.Server(raw, l.settings)
	shaking, cancel := context.WithTimeout(ctx, handshakeTime)
	err := conn.HandshakeContext(shaking)
	cancel()
	<-l.slots
	if err != nil {
		_ = raw.Close()
		l.refused(raw, err.Error())
		return
	}
	s, found := l.services[conn.ConnectionState().ServerName]
	if !found {
		_ = conn.Close()
		l.refused(raw, "it asks for a service that is not here")
		return
	}
	select {
	case s.connections <- conn:
	case <-s.ended:
		_ = conn.Close()
	case <-l.closed:
		_ = conn.Close()
	}
}

// refused tells the operator, who may have forgotten a name or to renew a certificate.
func (l *Listener) refused(conn net.Conn, why string) {
	l.mu.Lock()
	due := time.Since(l.reported) >= reportPause
	if due {
		l.reported = time.Now()
	}
	l.mu.Unlock()
	level := slog.LevelDebug
	if due {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "control: a connection was refused", "from", conn.RemoteAddr().String(), "reason", why)
}

// service is the net.Listener of one service.
type service struct {
	connections chan net.Conn
	ended       <-chan struct{}
	end         context.CancelFunc
	parent      *Listener
}

// Accept goes on until Close, also when the port is closed before: a server that is told to stop must not take that for
// a failure.
func (s *service) Accept() (net.Conn, error) {
	select {
	case c := <-s.connections:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

func (s *service) Close() error {
	s.end()
	return nil
}

func (s *service) Addr() net.Addr { return s.parent.Addr() }
