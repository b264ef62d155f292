package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/envoy"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/telemetry"
)

// mode says whether the gateway has an Envoy of its own.
type mode int

const (
	withEnvoy mode = iota
	withoutEnvoy
)

const (
	startTime = 60 * time.Second // for Envoy to become ready at the start
	watchPoll = 500 * time.Millisecond
)

// run is the commands run and serve: it loads, wires, serves, and drains when it is told to stop.
func run(stdout, stderr *os.File, m mode) int {
	tuneRuntime(m)
	watcher := config.NewWatcher()
	c := load(stderr, config.WithFiles(watcher.ReadFile))
	if c == nil {
		return exitConfig
	}
	level := &slog.LevelVar{}
	level.Set(c.General.LogLevel)
	log, end := telemetry.NewLogger(stderr, c.General.LogFormat, level)
	defer end()
	if err := start(stdout, log, level, c, watcher, m); err != nil {
		log.Error("the gateway ended", "error", err)
		return exitNotStart
	}
	return exitOK
}

func start(stdout *os.File, log *slog.Logger, level *slog.LevelVar, c *config.Config, watcher *config.Watcher, m mode) error {
	signals, release := heed(log)
	defer release()
	stop := signals.stop
	c = discover(stop, c, ollamaAddresses, log)
	dir, cleanup, err := privateDir(c, m)
	if err != nil {
		return err
	}
	defer cleanup()
	warnOfFewFiles(log, c.Server.MaxConnections)
	g, err := newGateway(c, layoutOf(c, m, dir), log, level)
	if err != nil {
		return err
	}
	defer g.api.Close()
	defer g.counts.close()
	// Everything below ends with ctx, which outlives the signal by the time that open requests need.
	ctx, end := context.WithCancel(context.Background())
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	g.askIssuers(ctx, stop, group, c)
	if err := g.first(stop, c); err != nil {
		end()
		return errors.Join(err, group.Wait())
	}
	if err := g.serve(ctx, group); err != nil {
		end()
		return errors.Join(err, group.Wait())
	}
	var process *envoy.Process
	if m == withEnvoy {
		admin := envoy.NewAdmin(g.layout.envoy.Admin)
		defer admin.Close()
		if process, err = startEnvoy(stop, g, admin, stdout); err != nil {
			end()
			ended := group.Wait()
			if stop.Err() != nil {
				return ended // told to stop in the middle of it
			}
			return errors.Join(err, ended)
		}
		group.Go(func() error { return process.Run(ctx) })
		if err := g.awaitReady(ctx, stop, admin, stdout); err != nil {
			end()
			ended := group.Wait() // an Envoy that could not start is the better reason
			if ended != nil || stop.Err() != nil {
				return ended
			}
			return err
		}
		process.Started()
	} else {
		where := "sockets in " + dir
		if g.link != nil {
			where = "mutual TLS at " + c.Control.Address.String()
		}
		_, _ = fmt.Fprintf(stdout, "inference-gateway %s serves Envoys that run with its bootstrap (inference-gateway bootstrap) · %s\n", version, where)
	}
	group.Go(func() error { g.learnIssuers(ctx); return nil })
	group.Go(func() error { new(rest).run(ctx); return nil })
	watcher.Gone = func(path string) {
		log.Warn("a watched file cannot be read any more: what it held stays in use, but a start that needs it will fail", "path", path)
	}
	group.Go(func() error {
		watcher.Run(ctx, watchPoll, func() { g.reload(ctx, config.WithFiles(watcher.ReadFile)) })
		return nil
	})
	group.Go(func() error {
		select {
		case <-stop.Done():
			g.drain(ctx, signals.hurry, process, c.Server.DrainTimeout)
			end()
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

// drain waits until what is under way has ended, its time is over, or hurry is. process is nil without an Envoy.
func (g *gateway) drain(ctx, hurry context.Context, process *envoy.Process, timeout time.Duration) {
	said := []any{"timeout", timeout.String()}
	if hasTerminal() {
		said = append(said, "hurry", "press Ctrl-C again")
	}
	g.log.Info("draining", said...)
	g.draining.Store(true)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(hurry, cancel)()
	var loops sync.WaitGroup
	loops.Go(func() { g.lane.drain(ctx, timeout) })
	if process != nil {
		process.Drain(ctx)
	}
	loops.Wait()
}

func startEnvoy(ctx context.Context, g *gateway, admin *envoy.Admin, accessLog io.Writer) (*envoy.Process, error) {
	server := g.current.Server
	if err := portIsFree("SERVER_PORT", server.Host, server.Port); err != nil {
		return nil, err
	}
	if err := portIsFree("SERVER_PROBE_PORT", server.Host, server.ProbePort); err != nil {
		return nil, err
	}
	if err := portIsFree("SERVER_HTTP_REDIRECT_PORT", server.Host, server.TLS.RedirectPort); err != nil {
		return nil, err
	}
	if err := checkModule(g.current); err != nil {
		return nil, err
	}
	binary, err := envoy.Find(ctx, g.current.Envoy.Path)
	if err != nil {
		return nil, err
	}
	bootstrap, err := envoy.Bootstrap(g.current, g.layout.envoy)
	if err != nil {
		return nil, err
	}
	return envoy.NewProcess(envoy.Options{
		Binary: binary, Env: config.ChildEnviron(config.Environ()), Dir: g.layout.dir, Bootstrap: bootstrap, Admin: admin, Log: g.log, AccessLog: accessLog,
		Drain: g.current.Server.DrainTimeout, Prefix: snapshot.PublicListener, LogLevel: g.current.General.LogLevel,
	})
}

// portIsFree asks the kernel, because Envoy would not: it shares a port with every other Envoy of the same user, and a
// second gateway would silently take half of the first one's requests. Other reasons Envoy tells itself; it may also
// listen where this process must not.
func portIsFree(variable, host string, port int) error {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s: address already in use: choose another, or end what listens there", variable, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("SERVER_HOST: %s: this machine has no such address", host)
	}
	return nil
}

// awaitReady waits until Envoy runs the configuration and listens, and says so in one line. It gives up when the
// gateway ends, as it does with an Envoy that cannot start, or is told to stop.
func (g *gateway) awaitReady(ctx, stop context.Context, admin *envoy.Admin, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	if err := g.xds.Settled(ctx); err != nil {
		return fmt.Errorf("envoy does not take the configuration: %w", err)
	}
	for {
		err := admin.Ready(ctx)
		var address string
		if err == nil {
			address, err = admin.ListenerAddress(ctx, snapshot.PublicListener)
		}
		if err == nil {
			_, _ = fmt.Fprintln(stdout, announcement(g.current, address))
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("envoy did not become ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reload reads the configuration again and applies it, or says why not and keeps the old one.
func (g *gateway) reload(ctx context.Context, options ...config.Option) {
	g.applying.Lock()
	defer g.applying.Unlock()
	was := g.current
	c, warnings, err := config.Read(options...)
	for _, w := range warnings {
		g.log.Warn("configuration: " + w.String())
	}
	var late []string
	if err == nil {
		late = needRestart(was, c)
		err = g.apply(ctx, discover(ctx, withFilterOf(was, c), ollamaAddresses, g.log))
	}
	if err != nil {
		g.log.Error("the changed configuration is refused, the old one stays", "error", err)
		g.reloadAccess(ctx, options...)
		return
	}
	for _, name := range late {
		g.log.Warn("configuration: " + name + " has changed and takes effect at the next start")
	}
	g.log.Info("the changed configuration is in use", "providers", len(c.Ready()))
}

// needRestart names what has changed but is only read at the start: by Envoy's bootstrap, its command line or the log.
func needRestart(was, is *config.Config) []string {
	var out []string
	for _, v := range []struct {
		name    string
		changed bool
	}{
		{"SERVER_MAX_CONNECTIONS", was.Server.MaxConnections != is.Server.MaxConnections},
		{"SERVER_DRAIN_TIMEOUT", was.Server.DrainTimeout != is.Server.DrainTimeout},
		{"ENVOY_PATH", was.Envoy.Path != is.Envoy.Path},
		{"ENVOY_MAX_HEAP", was.Envoy.MaxHeap != is.Envoy.MaxHeap},
		{"CONTROL_SOCKET_DIR", was.Control.SocketDir != is.Control.SocketDir},
		{"CONTROL_HOST and the addresses beside it", !reflect.DeepEqual(addresses(was.Control), addresses(is.Control))},
		{"LOG_FORMAT", was.General.LogFormat != is.General.LogFormat},
		{"GATEWAY_ENV_FILE", was.General.EnvFile != is.General.EnvFile},
		{"WASM_ENABLED", was.Wasm.Enabled != is.Wasm.Enabled},
		{"POLICY_FILE", was.Policy.On() != is.Policy.On()},
	} {
		if v.changed {
			out = append(out, v.name)
		}
	}
	return out
}

// withFilterOf leaves the filter in Envoy where it is, or is not. Routes reach Envoy at once, and a filter only when its module is
// compiled, seconds later: until then a new lane would fail every request, and a new policy would let pass what it refuses.
func withFilterOf(was, is *config.Config) *config.Config {
	out := *is
	out.Wasm.Enabled = was.Wasm.Enabled
	if was.Policy.On() != is.Policy.On() {
		out.Policy = was.Policy
	}
	return &out
}

// addresses is what of the link to Envoys cannot change while it is open: all but certificates and names.
func addresses(c config.Control) config.Control {
	c.SocketDir, c.TLS = "", config.ControlTLS{}
	return c
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
