package limits

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// service is the real rate limit service of the Envoy project with a real Redis: make test-ratelimit.
type service struct {
	redis     *harness.Process
	redisBin  string
	redisPort string
	url, dir  string // for RATELIMIT_URL and RATELIMIT_CONFIG_DIR
}

func startService(t testing.TB, more ...string) *service {
	t.Helper()
	bin, redis := os.Getenv("RATELIMIT_BIN"), os.Getenv("REDIS_BIN")
	if bin == "" || redis == "" {
		t.Skip("needs the rate limit service and Redis: run make test-ratelimit")
	}
	root, err := os.MkdirTemp("", "ratelimit-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	s := &service{redisBin: redis, redisPort: harness.FreePort(t), dir: filepath.Join(root, "limits", "config")}
	require.NoError(t, os.MkdirAll(s.dir, 0o755))
	s.startRedis(t)
	port := harness.FreePort(t)
	env := harness.Env{
		"RUNTIME_ROOT": root, "RUNTIME_SUBDIRECTORY": "limits", "RUNTIME_APPDIRECTORY": "config", "RUNTIME_WATCH_ROOT": "false", "RUNTIME_IGNOREDOTFILES": "true",
		"REDIS_SOCKET_TYPE": "tcp", "REDIS_URL": "127.0.0.1:" + s.redisPort, "REDIS_TIMEOUT": "1s", "USE_STATSD": "false", "LOG_LEVEL": "warn",
		"HOST": "127.0.0.1", "PORT": harness.FreePort(t), "DEBUG_HOST": "127.0.0.1", "DEBUG_PORT": harness.FreePort(t), "GRPC_HOST": "127.0.0.1", "GRPC_PORT": port,
	}
	p := harness.StartProcess(t, env.With(more...), bin)
	t.Cleanup(func() { p.Kill(t) })
	s.url = "grpc://127.0.0.1:" + port
	await(t, "127.0.0.1:"+port)
	return s
}

func (s *service) startRedis(t testing.TB) {
	t.Helper()
	s.redis = harness.StartProcess(t, harness.Env{}, s.redisBin, "--port", s.redisPort, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	process := s.redis
	t.Cleanup(func() {
		if process.Running() {
			process.Kill(t)
		}
	})
	await(t, "127.0.0.1:"+s.redisPort)
}

func await(t testing.TB, address string) {
	t.Helper()
	harness.Eventually(t, patience, address+" listens", func() bool {
		c, err := net.Dial("tcp", address)
		return err == nil && c.Close() == nil
	})
}

// start runs a gateway that counts by the service.
func (s *service) start(t testing.TB, m *model, file string, more ...string) *gateway {
	t.Helper()
	return start(t, m, file, append([]string{"RATELIMIT_URL", s.url, "RATELIMIT_CONFIG_DIR", s.dir, "RATELIMIT_TIMEOUT", "2s"}, more...)...)
}

// at is the same caller at another gateway.
func (c *caller) at(g *gateway) *caller { return &caller{c.Client, g, c.ip} }

// both sends the same burst to two gateways at once.
func both(t testing.TB, a, b *caller, n int, model string, more ...string) map[int]int {
	var one, two map[int]int
	var wait sync.WaitGroup
	wait.Go(func() { one = a.burst(t, n, model, more...) })
	wait.Go(func() { two = b.burst(t, n, model, more...) })
	wait.Wait()
	for status, k := range two {
		one[status] += k
	}
	return one
}

func TestSharedLimits(t *testing.T) {
	s := startService(t)
	m := newModel(t)
	file := limitsFile(t, perAddress("requests: {day: 30}"))
	first := s.start(t, m, file)
	second := s.start(t, m, file)

	t.Run("requests of two gateways are counted together", func(t *testing.T) {
		c := first.stranger(t)
		assert.Equal(t, map[int]int{200: 30, 429: 50}, both(t, c, c.at(second), 40, "use-10"))
		r := c.at(second).ask(t, "use-10")
		checkRefusal(t, r, "requests")
		assert.Equal(t, "30", r.Header.Get("X-Ratelimit-Limit-Requests"))
		assert.Equal(t, "0", left(r, "requests"))
		assert.Contains(t, r.Error().Message, "each-address")
		assert.Equal(t, http.StatusOK, c.at(second).send(t, http.MethodGet, "/health", "").Status)
	})
	t.Run("a change reaches the service and both gateways", func(t *testing.T) {
		mark := second.Stderr.Len()
		first.change(t, perAddress("tokens: {day: 5000, month: 100000}"), taken)
		harness.Eventually(t, patience, "the other has it too", func() bool { return strings.Contains(second.Stderr.Since(mark), taken) })
		c := first.stranger(t)
		before := m.used.Load()
		seen := both(t, c, c.at(second), 40, "use-400", `"max_tokens":400`)
		used := m.used.Load() - before
		assert.LessOrEqual(t, used, int64(5000), "%v", seen)
		assert.Equal(t, 80, seen[200]+seen[429], "%v", seen)
		assert.EqualValues(t, used/400, seen[200])
	})
	t.Run("what was held and not used is given out again", func(t *testing.T) {
		c := first.stranger(t)
		for i := range 15 {
			r := c.ask(t, "use-200", `"max_tokens":2000`)
			require.Equal(t, http.StatusOK, r.Status, "%d: %s", i, r)
			harness.Eventually(t, patience, "it is settled", func() bool {
				probe := c.ask(t, "fail", `"max_tokens":1`)
				return atLeast(left(probe, "tokens"), 5000-(i+1)*200-100)
			})
		}
		assert.Equal(t, http.StatusTooManyRequests, c.ask(t, "use-200", `"max_tokens":3000`).Status)
		// The other gateway knows of what was charged, and cannot know of what is spare here.
		assert.Equal(t, http.StatusTooManyRequests, c.at(second).ask(t, "use-200", `"max_tokens":4000`).Status)
	})
	t.Run("more than was estimated is charged as well", func(t *testing.T) {
		c := first.stranger(t)
		require.Equal(t, http.StatusOK, c.ask(t, "use-4900", `"max_tokens":100`).Status)
		harness.Eventually(t, patience, "the other gateway knows", func() bool {
			return c.at(second).ask(t, "fail", `"max_tokens":100`).Status == http.StatusTooManyRequests
		})
	})
	t.Run("and keys are seen by nobody", func(t *testing.T) {
		for _, g := range []*gateway{first, second} {
			assert.NotContains(t, g.Stdout.String()+g.Stderr.String(), secretKey)
		}
		entries, err := os.ReadDir(s.dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, "no part of a file is left")
		content, err := os.ReadFile(filepath.Join(s.dir, entries[0].Name()))
		require.NoError(t, err)
		assert.Contains(t, string(content), "each-address/tokens/day")
	})
}

// Between gateway and service may be a network: TLS shows who the service is.
func TestASharedServiceBehindTLS(t *testing.T) {
	ca := harness.NewCA(t)
	cert, key := ca.Files(t, "127.0.0.1")
	s := startService(t, "GRPC_SERVER_USE_TLS", "true", "GRPC_SERVER_TLS_CERT", cert, "GRPC_SERVER_TLS_KEY", key)
	s.url = "grpcs" + strings.TrimPrefix(s.url, "grpc")
	file := limitsFile(t, perAddress("requests: {day: 3}"))
	g := s.start(t, newModel(t), file, "CLIENT_TLS_CA_PATH", ca.Path)
	assert.Equal(t, map[int]int{200: 3, 429: 7}, g.stranger(t).burst(t, 10, "use-10"))

	trusting := s.start(t, newModel(t), file) // only the system's authorities, and so not this one
	r := trusting.stranger(t).ask(t, "use-10")
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, r)
	trusting.Stderr.Await(t, patience, "the rate limit service does not answer")
}

func atLeast(s string, n int) bool {
	var got int
	for _, c := range s {
		got = got*10 + int(c-'0')
	}
	return s != "" && got >= n
}

func TestSharedCountersThatAreGone(t *testing.T) {
	s := startService(t)
	m := newModel(t)
	file := limitsFile(t, perAddress("requests: {day: 1000}, tokens: {day: 1000000}"))
	closed := s.start(t, m, file)
	open := s.start(t, m, file, "RATELIMIT_FAIL_OPEN", "true")
	c := closed.stranger(t)
	require.Equal(t, http.StatusOK, c.ask(t, "use-10").Status)
	require.Equal(t, http.StatusOK, c.at(open).ask(t, "use-10").Status)

	s.redis.Signal(t, syscall.SIGKILL)
	s.redis.Wait(t, patience)
	r := c.ask(t, "use-10")
	require.Equal(t, http.StatusServiceUnavailable, r.Status, r)
	assert.Equal(t, "unavailable", r.Error().Code)
	assert.Contains(t, r.Error().Message, "limits")
	closed.Stderr.Await(t, patience, "the rate limit service does not answer")
	closed.Stdout.Await(t, patience, `"flags":"RLSE"`)
	assert.Equal(t, http.StatusOK, c.send(t, http.MethodGet, "/health", "").Status)
	ready := c.send(t, http.MethodGet, "/ready", "")
	assert.Equal(t, http.StatusServiceUnavailable, ready.Status)
	assert.Contains(t, ready.String(), "the rate limit service does not answer")

	assert.Equal(t, map[int]int{200: 20}, c.at(open).burst(t, 20, "use-10"))
	open.Stderr.Await(t, patience, "requests pass without limits")
	assert.Equal(t, http.StatusOK, c.at(open).send(t, http.MethodGet, "/ready", "").Status)

	s.startRedis(t)
	closed.Stderr.Await(t, patience, "the rate limit service answers again")
	assert.Equal(t, http.StatusOK, c.ask(t, "use-10").Status)
	assert.Equal(t, http.StatusOK, c.send(t, http.MethodGet, "/ready", "").Status)
	open.Stderr.Await(t, patience, "the rate limit service answers again")
	assert.NotContains(t, closed.Stderr.String(), s.redisPort, "no inner address in the log")
}
