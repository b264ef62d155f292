package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Gateway is a running gateway.
type Gateway struct {
	*Process
	URL  string // http://127.0.0.1:12345, or https
	Addr string // 127.0.0.1:12345

	env    Env
	mu     sync.Mutex
	client *http.Client
}

var readyLine = regexp.MustCompile(`is ready: (https?://([^/ ]+))/v1`)

// Start runs `inference-gateway run` until the end of the test and waits until it is ready. The environment is the
// given one alone; SERVER_PORT is a free port and ENVOY_PATH the tests' Envoy unless they are given.
func Start(t T, env Env) *Gateway {
	t.Helper()
	g := Launch(t, env, "run")
	g.AwaitReady(t)
	return g
}

// Serve runs `inference-gateway serve`, without an Envoy (see StartEnvoy).
func Serve(t T, env Env) *Gateway {
	t.Helper()
	g := Launch(t, env, "serve")
	g.Stdout.Await(t, startTime, "serves Envoys that run with its bootstrap")
	return g
}

// Launch starts a command of the gateway that stays, and does not wait for it.
func Launch(t T, env Env, args ...string) *Gateway {
	t.Helper()
	env = complete(t, env)
	g := &Gateway{env: env}
	g.Process = StartProcess(t, env, Binary(t), args...)
	g.env = env.With("TMPDIR", g.TempDir)
	return g
}

// Env is the environment that it runs in.
func (g *Gateway) Env() Env { return g.env.With() }

func complete(t T, env Env) Env {
	t.Helper()
	env = env.With()
	if _, given := env["SERVER_PORT"]; !given {
		env["SERVER_PORT"] = "0"
	}
	if _, given := env["ENVOY_PATH"]; !given {
		env["ENVOY_PATH"] = EnvoyBinary(t)
	}
	return env.withLane(t)
}

// AwaitReady waits for the line that says that the gateway is ready, and takes the address from it.
func (g *Gateway) AwaitReady(t T) {
	t.Helper()
	Eventually(t, startTime, "the gateway is ready", func() bool {
		if !g.Running() {
			t.Fatalf("the gateway ended before it was ready, exit code %d:\n%s", g.cmd.ProcessState.ExitCode(), tail(g.Stderr.String()))
		}
		m := readyLine.FindStringSubmatch(g.Stdout.String())
		if m != nil {
			g.URL, g.Addr = m[1], m[2]
		}
		return m != nil
	})
	g.remember()
}

// LaunchEnvoy runs an Envoy with the bootstrap of a gateway that serves, and does not wait for it. More is what differs
// in the environment of `bootstrap`, in pairs of name and value.
func (g *Gateway) LaunchEnvoy(t T, more ...string) *Process {
	t.Helper()
	bootstrap := Run(t, g.env.With(more...), "bootstrap")
	if bootstrap.Code != 0 {
		t.Fatalf("bootstrap: exit code %d: %s", bootstrap.Code, bootstrap.Stderr)
	}
	return StartProcess(t, Env{}, EnvoyBinary(t), "--config-yaml", bootstrap.Stdout, "--disable-hot-restart", "--log-level", "warning")
}

// StartEnvoy is LaunchEnvoy, waits until it listens, and gives the gateway its address.
func (g *Gateway) StartEnvoy(t T, more ...string) *Process {
	t.Helper()
	p := g.LaunchEnvoy(t, more...)
	Eventually(t, startTime, "Envoy listens on the public address", func() bool {
		text, err := g.admin(t, http.MethodGet, "/listeners")
		m := publicLine.FindStringSubmatch(text)
		if err != nil || m == nil {
			return false
		}
		g.Addr, g.URL = m[1], "http://"+m[1]
		// It has the address before its workers listen there.
		c, err := net.DialTimeout("tcp", g.Addr, time.Second)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return p
}

var publicLine = regexp.MustCompile(`(?m)^public::(\S+)$`)

// Admin asks the admin interface of the gateway's Envoy.
func (g *Gateway) Admin(t T, method, path string) string {
	t.Helper()
	text, err := g.admin(t, method, path)
	if err != nil {
		t.Fatalf("Envoy's admin interface: %s: %v", path, err)
	}
	return text
}

func (g *Gateway) admin(t T, method, path string) (string, error) {
	t.Helper()
	dir := g.env["CONTROL_SOCKET_DIR"]
	if dir == "" {
		dir = filepath.Join(g.TempDir, "inference-gateway-*")
	}
	found, err := filepath.Glob(filepath.Join(dir, "admin.sock"))
	if err != nil || len(found) != 1 {
		return "", errors.New("no admin socket in " + dir)
	}
	return AdminAt(found[0], method, path)
}

// AdminAt asks the admin interface of the Envoy with that socket.
func AdminAt(socket, method, path string) (string, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	r, err := http.NewRequest(method, "http://envoy"+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// Client follows no redirect, asks for no compression, uses no proxy, and takes any certificate.
func (g *Gateway) Client(t T) *http.Client {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.client == nil {
		g.client = NewClient(t)
		g.client.Timeout = 60 * time.Second
	}
	return g.client
}

// Result is a finished command.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command of the gateway to its end.
func Run(t T, env Env, args ...string) Result {
	t.Helper()
	if env["TMPDIR"] == "" {
		env = env.With("TMPDIR", tempDir(t))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	var out, err bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env.list(), env["TMPDIR"], &out, &err
	var exit *exec.ExitError
	if e := cmd.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatalf("%v: %v", args, e)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v did not end within %v:\n%s%s", args, startTime, out.String(), err.String())
	}
	return Result{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

// FreePort is a port of the loopback address that nobody listened on a moment ago.
func FreePort(t T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("free port: %v", err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
