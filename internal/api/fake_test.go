package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a running API behind a Unix socket, and a fake loopback listener with fake providers behind another.
type bench struct {
	*testing.T
	server    *Server
	client    *http.Client // reaches the API
	log       *logBuffer
	mu        sync.Mutex
	providers map[string]http.HandlerFunc
	hits      map[string]int
}

func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{T: t, log: &logBuffer{}, providers: map[string]http.HandlerFunc{}, hits: map[string]int{}}
	opts := Options{
		Client: serveUnix(t, http.HandlerFunc(b.loopback)),
		Log:    slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opts)
	}
	b.server = New(opts)
	t.Cleanup(b.server.Close)
	b.client = serveUnix(t, b.server.Handler())
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// serveUnix serves h on a Unix socket and gives a client that dials nothing else.
func serveUnix(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "api") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(listener) }()
	t.Cleanup(func() { _ = srv.Close(); <-served })
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (b *bench) loopback(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/proxy/")
	id, path, _ := strings.Cut(rest, "/")
	b.mu.Lock()
	b.hits[id]++
	h := b.providers[id]
	b.mu.Unlock()
	if !ok || h == nil || path != "models" || r.URL.RawQuery != "limit=9" {
		http.Error(w, "no route "+r.URL.String(), http.StatusTeapot)
		return
	}
	h(w, r)
}

func (b *bench) provide(id string, h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.providers[id] = h
}

func (b *bench) hitsOf(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hits[id]
}

// row is a ready provider as the tests configure it.
func row(id string) Provider {
	return Provider{ID: id, ModelsPath: "/models?limit=9", ModelsFormat: catalog.ModelsOpenAI, Ready: true, Fingerprint: "1"}
}

func rows(ids ...string) []Provider {
	var out []Provider
	for _, id := range ids {
		out = append(out, row(id))
	}
	return out
}

// lists answers with models of the given names.
func lists(names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, listOf(names...))
	}
}

func listOf(names ...string) string {
	var entries []string
	for _, n := range names {
		entries = append(entries, `{"id":"`+n+`"}`)
	}
	return `{"object":"list","data":[` + strings.Join(entries, ",") + `]}`
}

// reply is an answer of the API, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (b *bench) do(method, target string) reply {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, "http://api"+target, nil)
	if err != nil {
		b.Fatal(err)
	}
	return b.answer(b.client.Do(req))
}

// answer reads an answer to its end.
func (b *bench) answer(resp *http.Response, err error) reply {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		b.Errorf("%s %s: content type %q", resp.Request.Method, resp.Request.URL, got)
	}
	return reply{resp.StatusCode, resp.Header, body}
}

func (b *bench) get(target string) reply { b.Helper(); return b.do(http.MethodGet, target) }

// ids are the models of a list reply, in order, comma separated.
func (b *bench) ids(r reply) string {
	b.Helper()
	var got struct {
		Object string
		Data   []struct{ ID string }
	}
	if r.status != http.StatusOK {
		b.Errorf("status %d: %s", r.status, r.body)
		return ""
	}
	decodeInto(b.T, r.body, &got)
	if got.Object != "list" || got.Data == nil {
		b.Errorf("no list: %s", r.body)
	}
	var ids []string
	for _, m := range got.Data {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, ",")
}

// refused checks an OpenAI-shaped error and that its message holds each of the given texts.
func (b *bench) refused(r reply, status int, code string, says ...string) {
	b.Helper()
	var got struct {
		Error struct{ Message, Type, Code string }
	}
	decodeInto(b.T, r.body, &got)
	if r.status != status || got.Error.Code != code || got.Error.Type == "" {
		b.Errorf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	for _, text := range says {
		if !strings.Contains(got.Error.Message, text) {
			b.Errorf("message %q does not say %q", got.Error.Message, text)
		}
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func decodeInto(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Errorf("%v: %q", err, body)
	}
}

// logBuffer is a log to read in tests.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
