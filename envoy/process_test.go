package envoy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// static is a bootstrap that needs no control plane: one listener named public in front of one upstream.
const static = `{
 "node": {"id": "test", "cluster": "test"},
 "admin": {"address": {"pipe": {"path": %q}}},
 "static_resources": {
  "listeners": [{"name": "public", "traffic_direction": "INBOUND", "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
   "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "public",
    "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}]}]},
    "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
   }}]}]}],
  "clusters": [{"name": "up", "type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [
   {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %s}}}}]}]}}]
 }}`

// running is a Process under test with its Run.
type running struct {
	*Process
	admin  *Admin
	cancel context.CancelFunc
	ended  chan error
	log    *output
}

// start runs the binary with a bootstrap; the test ends it.
func start(t *testing.T, binary, upstream string, drain time.Duration) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "envoy") // t.TempDir is too long for the path of a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &running{admin: NewAdmin(filepath.Join(dir, "admin.sock")), ended: make(chan error, 1), log: &output{}}
	t.Cleanup(r.admin.Close)
	r.Process, err = NewProcess(Options{
		Binary: binary, Dir: dir, Bootstrap: fmt.Appendf(nil, static, filepath.Join(dir, "admin.sock"), upstream),
		Admin: r.admin, Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		AccessLog: io.Discard, Drain: drain, Prefix: "public", LogLevel: slog.LevelDebug,
	})
	require.NoError(t, err)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		pid := r.PID()
		r.cancel()
		r.end(t)
		if pid != 0 {
			assert.False(t, alive(pid), "Envoy outlived Run")
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// ready waits until Envoy listens and gives the address.
func (r *running) ready(t *testing.T) (pid int, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		address, err := r.admin.ListenerAddress(t.Context(), "public")
		url = "http://" + address
		return err == nil && r.admin.Ready(t.Context()) == nil
	}, patience, 10*time.Millisecond, "Envoy is ready")
	r.Started()
	pid = r.PID()
	require.NotZero(t, pid)
	return pid, url
}

// end waits for Run.
func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err // for whoever asks again
		return err
	case <-time.After(patience):
		require.FailNow(t, "Run does not end")
		return nil
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// slow answers /slow with a line now and the rest when it is let go, and anything else at once.
func slow(t *testing.T) (port string, letGo func()) {
	t.Helper()
	wait := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun\n")
		if r.URL.Path == "/slow" {
			w.(http.Flusher).Flush()
			select {
			case <-wait:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, "done\n")
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	letGo = sync.OnceFunc(func() { close(wait) })
	t.Cleanup(letGo)
	return port, letGo
}

// untilRefused waits until nobody takes new connections.
func untilRefused(t *testing.T, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, patience, 5*time.Millisecond, "new connections are refused")
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAKilledEnvoyIsStartedAgain(t *testing.T) {
	port, _ := slow(t)
	r := start(t, realEnvoy(t), port, time.Second)
	pid, _ := r.ready(t)
	for range 2 {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		old := pid
		require.Eventually(t, func() bool { return r.PID() != 0 && r.PID() != old }, patience, time.Millisecond)
		var url string
		pid, url = r.ready(t)
		body, err := io.ReadAll(get(t, url+"/").Body)
		require.NoError(t, err)
		assert.Equal(t, "begun\ndone\n", string(body))
	}
	assert.Contains(t, r.log.String(), "signal: killed")
	assert.Contains(t, r.log.String(), "starting it again")
	assert.Contains(t, r.log.String(), "envoy: starting main dispatch loop", "its log is followed")
	r.cancel()
	require.NoError(t, r.end(t))
}

func TestDrainLetsRequestsFinishAndTakesNoNewOnes(t *testing.T) {
	port, letGo := slow(t)
	r := start(t, realEnvoy(t), port, patience)
	_, url := r.ready(t)
	body := bufio.NewReader(get(t, url+"/slow").Body)
	line, err := body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "begun\n", line)

	drained := make(chan struct{})
	go func() { defer close(drained); r.Drain(context.WithoutCancel(t.Context())) }()
	untilRefused(t, url)
	select {
	case <-drained:
		require.Fail(t, "Drain did not wait for the open request")
	default:
	}
	letGo()
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, "done\n", string(rest))
	<-drained
	require.NoError(t, r.end(t))
	assert.Zero(t, r.PID())
}

func TestDrainIsBounded(t *testing.T) {
	port, _ := slow(t)
	r := start(t, realEnvoy(t), port, 100*time.Millisecond)
	pid, url := r.ready(t)
	get(t, url+"/slow")
	r.Drain(t.Context())
	require.NoError(t, r.end(t))
	assert.False(t, alive(pid))
	assert.Contains(t, r.log.String(), "still open at the end of SERVER_DRAIN_TIMEOUT")
}

func TestAnEnvoyThatDiesInADrainIsNotWaitedFor(t *testing.T) {
	port, _ := slow(t)
	r := start(t, realEnvoy(t), port, patience)
	pid, url := r.ready(t)
	get(t, url+"/slow")
	drained := make(chan struct{})
	go func() { defer close(drained); r.Drain(context.WithoutCancel(t.Context())) }()
	untilRefused(t, url)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	<-drained
	require.NoError(t, r.end(t))
	assert.NotContains(t, r.log.String(), "still open", "nobody has them open any more")
}

func TestNothingIsLeftWhenTheContextEnds(t *testing.T) {
	port, _ := slow(t)
	r := start(t, realEnvoy(t), port, patience)
	pid, url := r.ready(t)
	get(t, url+"/slow")
	r.cancel()
	require.NoError(t, r.end(t))
	assert.False(t, alive(pid))
}

func TestAnEnvoyThatCannotStartIsAnErrorAtOnce(t *testing.T) {
	r := start(t, filepath.Join(t.TempDir(), "none"), "1", time.Second)
	require.ErrorIs(t, r.end(t), os.ErrNotExist)

	r = start(t, realEnvoy(t), `"not a port"`, time.Second)
	require.ErrorContains(t, r.end(t), "ended before it was ready")
	assert.Contains(t, r.log.String(), "level=ERROR msg=\"envoy: ", "with Envoy's own words in the log")
}

func TestAnEnvoyThatEndsAgainAndAgainIsStartedWithPauses(t *testing.T) {
	began := filepath.Join(t.TempDir(), "began")
	script := stub(t, t.TempDir(), "echo x >> "+began+"; echo '[error][main] I give up' >&2; exit 7", 0o700)
	r := &running{log: &output{}, ended: make(chan error, 1)}
	p, err := NewProcess(Options{Binary: script, Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(r.log, nil))})
	require.NoError(t, err)
	p.Started()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ended <- p.Run(ctx) }()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(began)
		return err == nil && bytes.Count(text, []byte("x")) >= 3
	}, patience, time.Millisecond)
	cancel()
	require.NoError(t, r.end(t))
	assert.Contains(t, r.log.String(), "exit status 7")
	assert.Contains(t, r.log.String(), `msg="envoy: I give up" component=main`)
	text, err := os.ReadFile(began)
	require.NoError(t, err)
	assert.Less(t, bytes.Count(text, []byte("x")), 20, "it does not spin")
}

func TestDrainEndsTheWaitForTheNextStart(t *testing.T) {
	script := stub(t, t.TempDir(), "exit 7", 0o700)
	log := &output{}
	admin := NewAdmin(filepath.Join(t.TempDir(), "none.sock"))
	defer admin.Close()
	p, err := NewProcess(Options{Binary: script, Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)), Admin: admin})
	require.NoError(t, err)
	p.Started()
	r := &running{ended: make(chan error, 1)}
	go func() { r.ended <- p.Run(t.Context()) }()
	require.Eventually(t, func() bool { return strings.Count(log.String(), "starting it again") >= 2 }, patience, time.Millisecond)
	p.Drain(t.Context())
	require.NoError(t, r.end(t))
}

// output collects the log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
