package resilience

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

const (
	taken   = "the changed configuration is in use"
	refused = "the changed configuration is refused"
)

// envFile is the watched file of a gateway.
type envFile struct {
	path string
	g    *harness.Gateway
}

// write replaces the file in one step, as editors do.
func (f *envFile) write(t testing.TB, env harness.Env) {
	t.Helper()
	var text strings.Builder
	for name, value := range env {
		fmt.Fprintf(&text, "%s='%s'\n", name, value)
	}
	require.NoError(t, os.WriteFile(f.path+".new", []byte(text.String()), 0o600))
	require.NoError(t, os.Rename(f.path+".new", f.path))
}

// change writes the file and waits until the gateway has said what it thinks of it, which it returns.
func (f *envFile) change(t testing.TB, env harness.Env, says string) string {
	t.Helper()
	mark := f.g.Stderr.Len()
	f.write(t, env)
	harness.Eventually(t, patience, says, func() bool { return strings.Contains(f.g.Stderr.Since(mark), says) })
	return f.g.Stderr.Since(mark)
}

// TestReloadFailsNoRequest changes everything that can be changed while requests run. What is valid before, during and
// after a change must not notice it.
func TestReloadFailsNoRequest(t *testing.T) {
	steady, old, moved := harness.NewDemo(t, demo.Options{Pause: time.Millisecond}), newScripted(t), newScripted(t)
	file := &envFile{path: filepath.Join(t.TempDir(), "env")}
	env := harness.Env{
		"PROVIDERS": "steady,moving", "STEADY_API_URL": steady.URL, "STEADY_API_KEY": "sk-steady",
		"MOVING_API_URL": old.URL, "MOVING_API_KEY": "sk-first",
	}
	file.write(t, env)
	file.g = harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": file.path})
	load := newLoad(t, file.g)

	t.Run("a provider is added", func(t *testing.T) {
		extra := env.With("PROVIDERS", "steady,moving,extra", "EXTRA_API_URL", old.URL, "EXTRA_API_KEY", "sk-extra")
		assert.Equal(t, http.StatusBadRequest, file.g.Chat(t, chat("extra/m")).Status)
		file.change(t, extra, taken)
		assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("extra/m")).Status)
		assert.Contains(t, file.g.Do(t, http.MethodGet, "/proxy/extra/v1/x", "").String(), "plain")
		env = extra
	})
	t.Run("a key is changed", func(t *testing.T) {
		env = env.With("MOVING_API_KEY", "sk-second")
		file.change(t, env, taken)
		seen := old.on(func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, r.Header.Get("Authorization")) })
		harness.Eventually(t, patience, "the new key arrives", func() bool {
			return file.g.Chat(t, chat("moving/"+seen)).String() == `{"id":"Bearer sk-second"}`
		})
	})
	t.Run("a provider moves", func(t *testing.T) {
		env = env.With("MOVING_API_URL", moved.URL)
		file.change(t, env, taken)
		there := moved.on(func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, "moved") })
		assert.JSONEq(t, `{"id":"moved"}`, file.g.Chat(t, chat("moving/"+there)).String())
	})
	t.Run("the allow-list is changed", func(t *testing.T) {
		env = env.With("DISALLOWED_MODELS", "extra/secret-*")
		file.change(t, env, taken)
		assert.Equal(t, http.StatusForbidden, file.g.Chat(t, chat("extra/secret-1")).Status)
		assert.Equal(t, http.StatusForbidden, file.g.Do(t, http.MethodPost, "/proxy/extra/v1/x", chat("secret-1")).Status)
		assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("extra/m")).Status)
	})
	t.Run("a bad file is refused", func(t *testing.T) {
		bad := env.With("LOG_LEVEL", "loud", "CLIENT_MAX_RETRIES", "many", "MOVING_API_KEY", "sk-third")
		said := file.change(t, bad, refused)
		assert.Contains(t, said, "LOG_LEVEL")
		assert.Contains(t, said, "CLIENT_MAX_RETRIES", "every problem is told")
		assert.NotContains(t, said, "sk-third")
		assert.Equal(t, http.StatusForbidden, file.g.Chat(t, chat("extra/secret-1")).Status, "the old one stays")
		assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("moving/m")).Status)
		assert.Equal(t, http.StatusOK, file.g.Do(t, http.MethodGet, "/ready", "").Status)
	})
	t.Run("one that names a missing file is refused", func(t *testing.T) {
		cert := filepath.Join(t.TempDir(), "gone.pem")
		said := file.change(t, env.With("SERVER_TLS_CERT_PATH", cert, "SERVER_TLS_KEY_PATH", cert), refused)
		assert.Contains(t, said, "SERVER_TLS_CERT_PATH")
		assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("moving/m")).Status)
	})
	t.Run("a good one is taken again", func(t *testing.T) {
		delete(env, "DISALLOWED_MODELS")
		file.change(t, env, taken)
		assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("extra/secret-1")).Status)
	})
	t.Run("the listener is changed", func(t *testing.T) {
		env = env.With("SERVER_READ_TIMEOUT", "20s", "SERVER_IDLE_TIMEOUT", "90s")
		file.change(t, env, taken)
		env = env.With("SERVER_MAX_REQUEST_BODY_SIZE", "2000")
		file.change(t, env, taken)
		large := `{"model":"moving/m","pad":"` + strings.Repeat("p", 3000) + `"}`
		assert.Equal(t, http.StatusRequestEntityTooLarge, file.g.Chat(t, large).Status)
	})
	t.Run("a provider is removed and added again", func(t *testing.T) {
		without := env.With("PROVIDERS", "steady,moving")
		delete(without, "EXTRA_API_URL")
		delete(without, "EXTRA_API_KEY")
		answers := asked(t, file.g, chat("extra/m"))
		for range 4 {
			file.change(t, without, taken)
			assert.Equal(t, http.StatusBadRequest, file.g.Chat(t, chat("extra/m")).Status)
			file.change(t, env, taken)
			assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("extra/m")).Status)
		}
		for status := range answers() { // it is there, or it is not, or, on a busy machine, it is just about to go
			assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusServiceUnavailable}, status)
		}
	})
	load.end(t)
	assert.NotContains(t, file.g.Stderr.String(), "sk-", "no key in the log")
}

// TestReloadThatEnvoyRefusesChangesNothing asks for what only Envoy can tell to be impossible: a port that is taken.
func TestReloadThatEnvoyRefusesChangesNothing(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	file := &envFile{path: filepath.Join(t.TempDir(), "env")}
	env := harness.Env{"SERVER_PORT": harness.FreePort(t), "PROVIDERS": "one", "ONE_API_URL": one.URL}
	file.write(t, env)
	file.g = harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": file.path, "SERVER_PORT": ""})
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())

	more := env.With("PROVIDERS", "one,more", "MORE_API_URL", one.URL)
	said := file.change(t, more.With("SERVER_PORT", port), refused)
	assert.Contains(t, strings.ToLower(said), "address already in use", "in Envoy's words")
	assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("one/m")).Status)
	assert.Equal(t, http.StatusBadRequest, file.g.Chat(t, chat("more/m")).Status, "nothing of it is in use")
	harness.Eventually(t, patience, "it is ready", func() bool {
		return file.g.Do(t, http.MethodGet, "/ready", "").Status == http.StatusOK
	})

	file.change(t, more, taken)
	assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("more/m")).Status)

	// Another port is taken without a restart.
	free := harness.FreePort(t)
	file.change(t, more.With("SERVER_PORT", free), taken)
	file.g.URL = "http://127.0.0.1:" + free
	assert.Equal(t, http.StatusOK, file.g.Chat(t, chat("more/m")).Status)
}

// A stream may be longer than any drain time: a change of the listener, which any SERVER_ variable and LOG_LEVEL is,
// must not end it.
func TestAStreamOutlivesAReload(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	file := &envFile{path: filepath.Join(t.TempDir(), "env")}
	env := harness.Env{"PROVIDERS": "one", "ONE_API_URL": one.URL, "SERVER_DRAIN_TIMEOUT": "1s"}
	file.write(t, env)
	file.g = harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": file.path})
	letGo := make(chan struct{})
	model := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		<-letGo
		event(w, "[DONE]")
	})
	var streams []*open
	for _, changed := range []harness.Env{
		env.With("SERVER_READ_TIMEOUT", "20s", "LOG_LEVEL", "warn"),
		env.With("SERVER_READ_TIMEOUT", "20s", "ONE_API_URL", one.URL+"/v2", "ONE_API_KEY", "sk-x"),
	} {
		s := start(t, file.g, chatStream("one/"+model))
		_, err := s.event()
		require.NoError(t, err)
		streams = append(streams, s)
		file.write(t, changed)      // at LOG_LEVEL=warn nothing is said of it
		time.Sleep(4 * time.Second) // for the reload, and more than SERVER_DRAIN_TIMEOUT
	}
	assert.Contains(t, file.g.Stderr.String(), taken)
	close(letGo)
	for _, s := range streams {
		text, err := s.rest()
		require.NoError(t, err)
		assert.Contains(t, text, "[DONE]")
	}
}

// load is requests without a pause, plain and streamed, to what stays valid.
type load struct {
	stop     atomic.Bool
	workers  sync.WaitGroup
	done     atomic.Int64
	mu       sync.Mutex
	failures []string
}

func newLoad(t testing.TB, g *harness.Gateway) *load {
	l := &load{}
	client := harness.NewClient(t)
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	client.Timeout = patience
	messages := `"messages":[{"role":"user","content":"one two three four five six"}]`
	kinds := []struct{ path, body, want string }{
		{"/v1/chat/completions", `{"model":"steady/echo",` + messages + `}`, "one two three"},
		{"/v1/chat/completions", `{"model":"steady/echo","stream":true,` + messages + `}`, "data: [DONE]"},
		{"/v1/chat/completions", chat("moving/m"), `"plain"`},
		{"/proxy/moving/v1/x", chat("m"), `"plain"`},
	}
	for i := range 2 * len(kinds) {
		l.workers.Add(1)
		go func() {
			defer l.workers.Done()
			k := kinds[i%len(kinds)]
			for !l.stop.Load() {
				resp, err := client.Post(g.URL+k.path, "application/json", body(k.body))
				if err != nil {
					l.fail(k.body, err.Error())
					continue
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), k.want) {
					l.fail(k.body, fmt.Sprint(resp.StatusCode, " ", err, " ", string(text)))
				}
				l.done.Add(1)
				time.Sleep(2 * time.Millisecond) // the machine has others
			}
		}()
	}
	t.Cleanup(func() { l.stop.Store(true); l.workers.Wait() })
	return l
}

// asked asks again and again, and gives the statuses of the answers when it is told to end.
func asked(t testing.TB, g *harness.Gateway, request string) (statuses func() map[int]int) {
	t.Helper()
	client := harness.NewClient(t)
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 4
	seen := make(chan map[int]int)
	stop := make(chan struct{})
	for range 4 {
		go func() {
			mine := map[int]int{}
			for {
				select {
				case <-stop:
					seen <- mine
					return
				default:
				}
				resp, err := client.Post(g.URL+"/v1/chat/completions", "application/json", body(request))
				if err != nil {
					mine[0]++
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				mine[resp.StatusCode]++
				time.Sleep(time.Millisecond) // the machine has others
			}
		}()
	}
	return func() map[int]int {
		close(stop)
		all := map[int]int{}
		for range 4 {
			for status, n := range <-seen {
				all[status] += n
			}
		}
		t.Log(all)
		return all
	}
}

func (l *load) fail(what, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, what+": "+why)
}

// end stops the load and wants that nothing failed.
func (l *load) end(t testing.TB) {
	t.Helper()
	l.stop.Store(true)
	l.workers.Wait()
	t.Logf("%d requests during the changes", l.done.Load())
	assert.Greater(t, l.done.Load(), int64(100))
	assert.Empty(t, l.failures[:min(len(l.failures), 5)], "%d of %d failed", len(l.failures), l.done.Load())
}
