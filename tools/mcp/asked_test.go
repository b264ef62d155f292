package mcp

import (
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// asking has a server send requests of its own, wait, and then answer a call. It says what becomes of the answers.
func asking(t *testing.T, requests int, wait func(), answered func(r *http.Request)) *fake {
	t.Helper()
	f := newFake(t, false, tool("echo"))
	f.hook = func(w http.ResponseWriter, r *http.Request, m message) bool {
		if r.Method != http.MethodPost || m.Method != "" {
			return false
		}
		answered(r)
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range requests {
			_, _ = fmt.Fprintf(w, `data: {"jsonrpc":"2.0","id":"ask-%d","method":"ping"}`+"\n\n", i)
		}
		_ = http.NewResponseController(w).Flush()
		wait()
		_, _ = fmt.Fprintf(w, `data: {"jsonrpc":"2.0","id":%s,"result":%s}`+"\n\n", m.ID, says("done"))
	}
	return f
}

func TestAServersPingIsAnswered(t *testing.T) {
	answers := make(chan struct{})
	f := asking(t, 3, func() {
		for range 3 {
			<-answers // or the call's deadline ends the test
		}
	}, func(*http.Request) { answers <- struct{}{} })
	m := start(t, quick(Server{Name: "s", URL: f.url()}))
	assert.Equal(t, "done", call(t, m, "mcp_s_echo", "").Text)
}

// A server that asks thousands of times and takes no answer costs a bounded number of goroutines, and its tools still work.
func TestAServerThatAsksWithoutEnd(t *testing.T) {
	var waiting, most atomic.Int32
	f := asking(t, 5000, func() {}, func(r *http.Request) {
		most.Store(max(most.Load(), waiting.Add(1)))
		<-r.Context().Done()
		waiting.Add(-1)
	})
	m := start(t, quick(Server{Name: "s", URL: f.url()}))
	before := runtime.NumGoroutine()
	for range 3 {
		assert.Equal(t, "done", call(t, m, "mcp_s_echo", "").Text)
	}
	eventually(t, "what was started for nothing has ended", func() bool { return runtime.NumGoroutine() < before+20*mostAnswers })
	assert.LessOrEqual(t, most.Load(), int32(mostAnswers))
	assert.Positive(t, most.Load())
}

// Servers made with the Python SDK ask in the stream of the session, not in that of the call, and say nothing of their tools
// ever changing.
func TestAToolThatAsksInTheStreamOfItsSession(t *testing.T) {
	answers := make(chan string, 1)
	f := newFake(t, false, tool("echo"))
	f.hook = func(w http.ResponseWriter, r *http.Request, m message) bool {
		switch {
		case m.Method == "initialize":
			f.mu.Lock()
			f.sessions["only"] = true
			f.mu.Unlock()
			w.Header().Set("Mcp-Session-Id", "only")
			reply(w, m, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`)
		case r.Method == http.MethodPost && m.Method == "":
			answers <- string(m.ID)
			w.WriteHeader(http.StatusAccepted)
		default:
			return false
		}
		return true
	}
	f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
		f.mu.Lock()
		for _, s := range f.streams {
			s <- `{"jsonrpc":"2.0","id":"ask","method":"roots/list"}`
		}
		f.mu.Unlock()
		reply(w, m, says("answered "+<-answers)) // or the call's deadline ends the test
	}
	m := start(t, quick(Server{Name: "s", URL: f.url()}))
	eventually(t, "the server is listened to", func() bool { return f.listeners() > 0 })
	assert.Equal(t, `answered "ask"`, call(t, m, "mcp_s_echo", "").Text)
}
