package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// quick are options for tests: everything that waits waits a little. Deadlines are long, because a busy machine needs its
// time; tests of deadlines have their own.
func quick(servers ...Server) Options {
	return Options{
		Servers: servers, CallTimeout: 20 * time.Second, ClientTimeout: 10 * time.Second, MaxRetries: 1,
		InitialBackoff: 10 * time.Millisecond, RetryInterval: 20 * time.Millisecond, Reconnect: true, ReconnectInterval: 30 * time.Millisecond, QuietTime: 20 * time.Millisecond,
	}
}

// start runs a manager until the test ends, and waits until each server was tried once.
func start(t *testing.T, opts Options) *Manager {
	t.Helper()
	m := launch(t, opts)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m.Settled(ctx)
	require.NoError(t, ctx.Err())
	return m
}

func launch(t *testing.T, opts Options) *Manager {
	t.Helper()
	m, err := New(opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("the manager does not stop")
		}
	})
	return m
}

func names(c tools.Catalogue) []string {
	list := []string{}
	for _, t := range c.Tools() {
		list = append(list, t.Name)
	}
	return list
}

func call(t *testing.T, m *Manager, name, arguments string) tools.Result {
	t.Helper()
	return m.Catalogue().Call(t.Context(), name, json.RawMessage(arguments))
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 10*time.Second, 5*time.Millisecond, what)
}

// logBuffer is a log that tests can read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// eras runs a test against a server of each era.
func eras(t *testing.T, test func(t *testing.T, modern bool)) {
	t.Run("stateless", func(t *testing.T) { test(t, true) })
	t.Run("session", func(t *testing.T) { test(t, false) })
}

func TestListAndCall(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		f := newFake(t, modern, tool("echo"), tool("other"))
		m := start(t, quick(Server{Name: "one", URL: f.url(), Headers: http.Header{"X-Api-Key": {"k-123456"}}}))
		assert.Equal(t, []string{"mcp_one_echo", "mcp_one_other"}, names(m.Catalogue()))
		assert.Equal(t, tools.Tool{
			Name: "mcp_one_echo", Source: "mcp", Server: "one", Original: "echo", Description: "does echo",
			Schema: json.RawMessage(`{"type":"object","properties":{}}`),
		}, m.Catalogue().Tools()[0])

		assert.Equal(t, tools.Result{Text: `echo {"n":1.50,"big":12345678901234567890}`, Status: tools.StatusOK},
			call(t, m, "mcp_one_echo", ` {"n":1.50,"big":12345678901234567890}`), "numbers as they were spelled")
		for _, none := range []string{"", "null", " {} "} {
			assert.Equal(t, "echo {}", call(t, m, "mcp_one_echo", none).Text)
		}
		for _, wrong := range []string{"[]", `"x"`, "{", "1", "{}{}"} {
			assert.Equal(t, tools.StatusBadArguments, call(t, m, "mcp_one_echo", wrong).Status, wrong)
		}
		assert.Equal(t, tools.StatusUnknownTool, call(t, m, "mcp_one_nothing", "{}").Status)

		status := m.Servers().Data[0]
		assert.Equal(t, statusConnected, status.Status)
		assert.Equal(t, 2, status.Tools)
		assert.Equal(t, kindHTTP, status.Transport)
		assert.NotNil(t, status.LastSeen)
		assert.Equal(t, map[bool]string{true: "2026-07-28", false: "2025-11-25"}[modern], status.ProtocolVersion)
		assert.Equal(t, "mcp_one_echo", m.ToolList().Data[0].Name)
		for _, seen := range f.all() {
			assert.Equal(t, "k-123456", seen.header.Get("X-Api-Key"), seen.Method)
		}
	})
}

func TestNothingThatAServerCouldAskForIsDeclared(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		f := newFake(t, modern, tool("echo"))
		start(t, quick(Server{Name: "one", URL: f.url()}))
		if !modern {
			assert.JSONEq(t, `{}`, string(f.heard("initialize")[0].Params.Capabilities))
			return
		}
		var meta map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(f.heard("tools/list")[0].Params.Meta, &meta))
		assert.JSONEq(t, `{}`, string(meta["io.modelcontextprotocol/clientCapabilities"]))
	})
}

func TestGoodbye(t *testing.T) {
	f := newFake(t, false, tool("echo"))
	m, err := New(quick(Server{Name: "one", URL: f.url()}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	m.Settled(ctx)
	cancel()
	<-done
	all := f.all()
	last := all[len(all)-1]
	assert.Equal(t, http.MethodDelete, last.verb)
	assert.Equal(t, "session-1", last.header.Get("Mcp-Session-Id"))
	assert.Equal(t, statusStopped, m.Servers().Data[0].Status)
	assert.Empty(t, m.Catalogue().Tools())
}
