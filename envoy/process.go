package envoy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Options are what a Process needs.
type Options struct {
	Binary    string   // absolute path
	Env       []string // its whole environment; nil is the gateway's own
	Dir       string   // private directory of the gateway, for the bootstrap
	Bootstrap []byte   // JSON
	Admin     *Admin   // of that bootstrap
	Log       *slog.Logger
	AccessLog io.Writer // Envoy's standard output; an *os.File is handed over and costs nothing
	Drain     time.Duration
	Prefix    string // statistics prefix of the listener whose requests are waited for
	LogLevel  slog.Level
}

// longestAnswer is more than any stream takes: a reload must not end one.
const longestAnswer = 24 * time.Hour

// Process keeps one Envoy running.
type Process struct {
	opts Options
	path string // of the bootstrap file

	stop     func() // closes stopping
	stopping chan struct{}
	ended    chan struct{} // closed when Run returns
	started  atomic.Bool

	mu  sync.Mutex
	pid int
}

// NewProcess writes the bootstrap file. Nothing runs before Run.
func NewProcess(opts Options) (*Process, error) {
	p := &Process{opts: opts, path: filepath.Join(opts.Dir, "bootstrap.json"), stopping: make(chan struct{}), ended: make(chan struct{})}
	p.stop = sync.OnceFunc(func() { close(p.stopping) })
	if err := os.WriteFile(p.path, opts.Bootstrap, 0o600); err != nil {
		return nil, fmt.Errorf("envoy: write bootstrap: %w", err)
	}
	return p, nil
}

// Started says that Envoy became ready, so that its end, whenever it comes, is an accident. Before that an end is a
// failure to start, which trying again would only hide.
func (p *Process) Started() { p.started.Store(true) }

// Run starts Envoy and, after Started, starts it again with back-off whenever it ends by itself, until Drain or ctx,
// when the error is nil. Otherwise it says why Envoy could not be started; Envoy's own words are in the log. It is
// called once.
func (p *Process) Run(ctx context.Context) error {
	defer close(p.ended)
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 200*time.Millisecond, 10*time.Second
	for !p.stopped() { // a pause may end in the same moment
		began := time.Now()
		err := p.once(ctx)
		if p.stopped() || ctx.Err() != nil {
			return nil
		}
		if !p.started.Load() {
			return fmt.Errorf("envoy ended before it was ready: %w", err)
		}
		if time.Since(began) > time.Minute {
			waits.Reset() // it ran well: this end is news, not the next of a series
		}
		wait := waits.NextBackOff()
		p.opts.Log.Error("envoy: ended by itself, starting it again", "error", err, "wait", wait.String())
		select {
		case <-ctx.Done():
			return nil
		case <-p.stopping:
			return nil
		case <-time.After(wait):
		}
	}
	return nil
}

// PID is the running Envoy's process id, or 0.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Drain stops listening, waits until no request is under way, at most for the drain time, and ends Envoy. It returns
// when Run has, or five seconds after the drain time, or when ctx ends.
func (p *Process) Drain(ctx context.Context) {
	p.stop()
	ctx, cancel := context.WithTimeout(ctx, p.opts.Drain+5*time.Second)
	defer cancel()
	if err := p.opts.Admin.StopListening(ctx); err != nil {
		p.opts.Log.Warn("envoy: cannot drain", "error", err)
	} else {
		p.waitIdle(ctx)
	}
	if err := p.opts.Admin.Quit(ctx); err != nil {
		p.signal(syscall.SIGTERM)
	}
	select { // Envoy writes the last lines of its access log on its way out
	case <-p.ended:
	case <-ctx.Done():
	}
}

// waitIdle polls, since Envoy has no call that waits. An Envoy that has ended has no requests.
func (p *Process) waitIdle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Drain)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		active, err := p.opts.Admin.ActiveRequests(ctx, p.opts.Prefix)
		if err == nil && active == 0 {
			return
		}
		select {
		case <-p.ended:
			return
		case <-ctx.Done():
			p.opts.Log.Warn("envoy: requests were still open at the end of SERVER_DRAIN_TIMEOUT", "requests", active)
			return
		case <-tick.C:
		}
	}
}

// once runs one Envoy to its end. It dies with this process: the kernel sends it SIGTERM when the thread that started
// it ends, so that thread is kept until then.
func (p *Process) once(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(p.opts.Binary, p.arguments()...) //nolint:gosec // the operator chooses the binary
	cmd.Env = p.opts.Env
	cmd.Stdout = p.opts.AccessLog
	cmd.SysProcAttr = childAttributes()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.opts.Binary, err)
	}
	p.setPID(cmd.Process.Pid)
	defer p.setPID(0)
	ended := make(chan struct{})
	killer := make(chan struct{})
	go func() { // owned by this call: ends with it
		defer close(killer)
		select {
		case <-ended:
		case <-ctx.Done():
			_ = cmd.Process.Kill() // its end is waited for below
		}
	}()
	follow(stderr, p.opts.Log, p.stopped)
	err = cmd.Wait()
	close(ended)
	<-killer
	if err == nil {
		return fmt.Errorf("envoy exited")
	}
	return err
}

func (p *Process) arguments() []string {
	return []string{
		"--config-path", p.path,
		"--disable-hot-restart", // no shared memory: any number of gateways on one machine
		// How long a replaced listener's open requests may take after a reload. Stopping does not wait for it: Drain does.
		"--drain-time-s", strconv.Itoa(int(longestAnswer.Seconds())),
		"--drain-strategy", "immediate",
		"--file-flush-interval-msec", "1000", // of the access log: who has sent a request looks for its line
		"--log-format", logFormat,
		"--log-level", logLevel(p.opts.LogLevel),
		// Its warnings have the query of a failed login in them, with the one-time code.
		"--component-log-level", "oauth2:critical",
	}
}

func (p *Process) setPID(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
}

func (p *Process) stopped() bool {
	select {
	case <-p.stopping:
		return true
	default:
		return false
	}
}

func (p *Process) signal(s syscall.Signal) {
	if pid := p.PID(); pid != 0 {
		_ = syscall.Kill(pid, s) // it has ended already when this fails
	}
}
