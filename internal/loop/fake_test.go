package loop

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/internal/loopback"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// maxBody is the largest request body of these tests.
const maxBody = 4096

// shelf is a catalogue of functions, and the source that offers it.
type shelf struct {
	tools []tools.Tool
	does  map[string]func(context.Context, string) tools.Result
}

func (s *shelf) Catalogue() tools.Catalogue { return s }
func (s *shelf) Tools() []tools.Tool        { return s.tools }

func (s *shelf) Call(ctx context.Context, name string, arguments json.RawMessage) tools.Result {
	return s.does[name](ctx, string(arguments))
}

func offering(source, server, tool string, does func(context.Context, string) tools.Result) *shelf {
	name := tools.InjectedName(source, server, tool)
	return &shelf{
		tools: []tools.Tool{{Name: name, Source: source, Server: server, Original: tool, Schema: json.RawMessage(`{"type":"object"}`)}},
		does:  map[string]func(context.Context, string) tools.Result{name: does},
	}
}

func echo(_ context.Context, arguments string) tools.Result {
	return tools.Result{Text: "got " + arguments, Status: tools.StatusOK}
}

// seen is a request that a model got.
type seen struct {
	uri    string
	header http.Header
	body   string
}

// gateway is the loop lane between a real client and a real model: the client comes over TCP and the model is reached
// over a Unix socket, as behind Envoy.
type gateway struct {
	url  string
	opts Options
	log  *logged

	mu       sync.Mutex
	requests []seen
	model    http.Handler
}

// logged is what the handler has logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start serves a loop lane. A nil model is the demo provider, with its faults.
func start(t testing.TB, model http.Handler, change func(*Options)) *gateway {
	t.Helper()
	if model == nil {
		model = demo.New(demo.Options{Faults: true})
	}
	g := &gateway{model: model, log: &logged{}}
	dir, err := os.MkdirTemp("", "igw") // short: the paths of Unix sockets are
	require.NoError(t, err)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	upstream := &http.Server{Handler: http.HandlerFunc(g.record), ErrorLog: log.New(io.Discard, "", 0)}
	var served sync.WaitGroup
	served.Go(func() { _ = upstream.Serve(l) })
	transport := &loopback.Client{Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	directory := testDirectory(t)
	g.opts = Options{
		Transport: transport, Directory: func() *providers.Directory { return directory }, Bodies: bodies.NewLimit(1 << 30),
		MCP: offering("mcp", "calc", "add", echo), A2A: offering("a2a", "bot", "ask", echo),
		Log: slog.New(slog.NewJSONHandler(g.log, &slog.HandlerOptions{Level: slog.LevelDebug})), CallTimeout: patience,
	}
	if change != nil {
		change(&g.opts)
	}
	front := httptest.NewServer(New(g.opts))
	g.url = front.URL
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		_ = upstream.Close()
		served.Wait()
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	})
	return g
}

func testDirectory(t testing.TB) *providers.Directory {
	t.Helper()
	chat := []catalog.Endpoint{catalog.ChatCompletions}
	return providers.NewDirectory([]providers.Entry{
		{ID: "one", Ready: true, Endpoints: chat},
		{ID: "two", Ready: true, Endpoints: chat},
		{ID: "off", Fix: "set OFF_API_KEY", Endpoints: chat},
	}, catalog.NewModelFilter(nil, []string{"one/secret"}), maxBody)
}

func (g *gateway) record(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.requests = append(g.requests, seen{r.RequestURI, r.Header.Clone(), string(body)})
	g.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.model.ServeHTTP(w, r)
}

// asked are the requests that the model has got.
func (g *gateway) asked() []seen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]seen(nil), g.requests...)
}

// forget drops what the model and the log have kept for the test.
func (g *gateway) forget() {
	g.mu.Lock()
	g.requests = nil
	g.mu.Unlock()
	g.log.mu.Lock()
	g.log.text = bytes.Buffer{}
	g.log.mu.Unlock()
}

// reply is what a client got.
type reply struct {
	status int
	header http.Header
	body   string
}

// post sends a chat request. Headers are pairs of name and value.
func (g *gateway) post(t *testing.T, body string, headers ...string) reply {
	t.Helper()
	return g.send(t, http.MethodPost, "/v1/chat/completions", strings.NewReader(body), headers...)
}

func (g *gateway) send(t *testing.T, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.url+path, body)
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

// say is a chat request with one message; more is further members of the object.
func say(model, text, more string) string {
	content, _ := json.Marshal(text)
	return `{"model":"` + model + `",` + more + `"messages":[{"role":"user","content":` + string(content) + `}]}`
}

const streaming = `"stream":true,`

// bothWays runs a test of a whole and of a streamed answer.
func bothWays(t *testing.T, test func(t *testing.T, more string)) {
	t.Helper()
	t.Run("whole", func(t *testing.T) { test(t, "") })
	t.Run("streamed", func(t *testing.T) { test(t, streaming) })
}

// turns answers the first request by its first handler, and so on; the last answers all that follow.
func turns(handlers ...http.Handler) http.Handler {
	var n atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers[min(int(n.Add(1)), len(handlers))-1].ServeHTTP(w, r)
	})
}
