// Package limits holds the gateway to the limits of its callers, by the whole program with a real Envoy: what is counted
// in Envoy, what is counted by the gateway while it runs, and what the rate limit service counts for several gateways.
package limits

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	patience  = 20 * time.Second
	taken     = "the changed configuration is in use"
	refused   = "the changed configuration is refused"
	secretKey = "KEYMARKER-limits-7d1e"
)

// model is a provider that uses as many tokens as its model's name says: use-500. It also knows use-500-silent, which
// does not say how many, use-500-wait, which answers when the test lets it, use-500-endless, a stream that only its
// client ends, use-500-9000-endless, which has 9000 bytes more before that, and fail. It answers each endpoint in that endpoint's own words.
type model struct {
	*harness.Provider
	used    atomic.Int64 // by all answers so far
	running atomic.Int64
	let     chan struct{} // one answer of a waiting model
}

func newModel(t harness.T) *model {
	m := &model{let: make(chan struct{})}
	m.Provider = harness.NewProvider(t, m.serve)
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var q struct {
		Model         string
		Stream        bool
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	_ = json.Unmarshal(body, &q)
	if q.Model == "fail" {
		http.Error(w, `{"error":{"message":"no"}}`, http.StatusBadRequest)
		return
	}
	parts := strings.Split(q.Model, "-")
	tokens := 0
	if len(parts) > 1 {
		tokens, _ = strconv.Atoi(parts[1])
	}
	m.running.Add(1)
	defer m.running.Add(-1)
	if strings.HasSuffix(q.Model, "-wait") {
		select {
		case <-m.let:
		case <-r.Context().Done():
			return
		}
	}
	m.used.Add(int64(tokens))
	// Of the account that everybody shares: callers must not see it.
	w.Header().Set("X-Ratelimit-Remaining-Tokens", "999999")
	w.Header().Set("X-Ratelimit-Limit-Requests", "888888")
	usage := fmt.Sprintf(`{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}`, tokens-1, tokens)
	if strings.HasSuffix(q.Model, "-endless") {
		w.Header().Set("Content-Type", "text/event-stream")
		begin := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
		if strings.HasSuffix(r.URL.Path, "/messages") {
			begin = messageStart
		}
		_, _ = io.WriteString(w, begin)
		if len(parts) > 3 { // use-1-2000-endless: so many bytes more
			more, _ := strconv.Atoi(parts[2])
			_, _ = io.WriteString(w, ":"+strings.Repeat(" ", more)+"\n\ndata: {\"choices\":[]}\n\n")
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	if answer := otherAnswer(r.URL.Path, q.Stream, tokens); answer != "" {
		w.Header().Set("Content-Type", "application/json")
		if q.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = io.WriteString(w, answer)
		return
	}
	if q.Stream {
		m.stream(w, q.StreamOptions.IncludeUsage, usage)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(q.Model, "-silent") {
		usage = "null"
	}
	pad := ""
	if strings.HasSuffix(q.Model, "-large") {
		pad = strings.Repeat("x", 3<<20)
	}
	_, _ = fmt.Fprintf(w, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi%s"},"finish_reason":"stop"}],"usage":%s}`, pad, usage)
}

func (m *model) stream(w http.ResponseWriter, says bool, usage string) {
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(rest string) {
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",`+rest+"}\n\n")
		w.(http.Flusher).Flush()
	}
	for range 3 {
		chunk(`"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]`)
	}
	if says {
		chunk(`"choices":[],"usage":` + usage)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// gateway is one with a file of limits.
type gateway struct {
	*harness.Gateway
	file  string
	model *model
}

// start runs a gateway with these limits and one provider, called up.
func start(t harness.T, m *model, file string, more ...string) *gateway {
	t.Helper()
	env := harness.Env{
		"PROVIDERS": "up", "UP_API_URL": m.URL + "/v1", "UP_API_KEY": secretKey, "LIMITS_FILE": file,
	}
	return &gateway{harness.Start(t, env.With(more...)), file, m}
}

// limitsFile writes limits to a file.
func limitsFile(t harness.T, content string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "limits-")
	if err != nil {
		t.Fatalf("limits: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "limits.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("limits: %v", err)
	}
	return path
}

// change replaces the limits and waits for what the gateway says of it.
func (g *gateway) change(t testing.TB, content, says string) string {
	t.Helper()
	mark := g.Stderr.Len()
	require.NoError(t, os.WriteFile(g.file+".new", []byte(content), 0o600))
	require.NoError(t, os.Rename(g.file+".new", g.file))
	harness.Eventually(t, patience, says, func() bool { return strings.Contains(g.Stderr.Since(mark), says) })
	return g.Stderr.Since(mark)
}

var lastAddress atomic.Int64

// caller is a client with an address of its own.
type caller struct {
	*http.Client
	g  *gateway
	ip net.IP
}

// stranger is a caller whom the gateway has never seen.
func (g *gateway) stranger(t testing.TB) *caller {
	t.Helper()
	n := lastAddress.Add(1) + 1
	from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(n>>8), byte(n))}
	transport := &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: from}
			return d.DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{&http.Client{Transport: transport, Timeout: 30 * time.Second}, g, from.IP}
}

// ask sends a chat request. More are members of its body.
func (c *caller) ask(t testing.TB, model string, more ...string) *harness.Response {
	t.Helper()
	return c.send(t, http.MethodPost, "/v1/chat/completions", chat("up/"+model, more...))
}

func chat(model string, more ...string) string {
	members := append([]string{`"model":"` + model + `"`, `"messages":[{"role":"user","content":"hello"}]`}, more...)
	return "{" + strings.Join(members, ",") + "}"
}

func (c *caller) send(t testing.TB, method, path, body string) *harness.Response {
	t.Helper()
	r, err := c.g.Try(t, c.Client, method, path, body)
	require.NoError(t, err)
	return r
}

// rush sends n requests at once and gives the statuses of their answers as they come; 0 is none.
func (c *caller) rush(t testing.TB, n int, path, body string) <-chan int {
	t.Helper()
	out := make(chan int, n)
	for range n {
		go func() {
			r, err := c.g.Try(t, c.Client, http.MethodPost, path, body)
			if err != nil {
				out <- 0
				return
			}
			out <- r.Status
		}()
	}
	return out
}

// burst is a rush of chat requests, whose answers it counts by their status.
func (c *caller) burst(t testing.TB, n int, model string, more ...string) map[int]int {
	t.Helper()
	out := map[int]int{}
	answers := c.rush(t, n, "/v1/chat/completions", chat("up/"+model, more...))
	for range n {
		out[<-answers]++
	}
	return out
}

// left is what a caller has of a kind, as the last answer told it.
func left(r *harness.Response, kind string) string {
	return r.Header.Get("x-ratelimit-remaining-" + kind)
}
