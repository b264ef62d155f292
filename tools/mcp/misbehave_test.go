package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

func TestAnEmptyDiscoveryIsNotModern(t *testing.T) {
	for _, answer := range []string{`{}`, `{"supportedVersions":[]}`, `{"supportedVersions":["2025-11-25"]}`, `[]`} {
		f := newFake(t, false, tool("echo"))
		f.hook = func(w http.ResponseWriter, _ *http.Request, m message) bool {
			if m.Method == "server/discover" {
				reply(w, m, answer)
				return true
			}
			return false
		}
		m := start(t, quick(Server{Name: "one", URL: f.url()}))
		assert.Equal(t, "2025-11-25", m.Servers().Data[0].ProtocolVersion, answer)
		assert.Equal(t, "echo {}", call(t, m, "mcp_one_echo", "").Text, answer)
	}
}

func TestADiscoveryWithoutAnswer(t *testing.T) {
	f := newFake(t, false, tool("echo"))
	f.hook = func(_ http.ResponseWriter, r *http.Request, m message) bool {
		if m.Method == "server/discover" {
			<-r.Context().Done()
		}
		return false
	}
	opts := quick(Server{Name: "one", URL: f.url()})
	opts.ClientTimeout = 6 * time.Second // a third of it is for the question that is not answered
	m := start(t, opts)
	assert.Equal(t, []string{"mcp_one_echo"}, names(m.Catalogue()))
}

// A server that cannot keep its stream is not asked for it every second, nor one at all that has nothing to say there.
func TestTheStreamIsNotAskedForInVain(t *testing.T) {
	streams := func(f *fake) int {
		n := 0
		for _, m := range f.heard("") {
			if m.verb == http.MethodGet {
				n++
			}
		}
		return n
	}
	failing, silent := newFake(t, false, tool("echo")), newFake(t, false, tool("echo"))
	failing.hook = func(w http.ResponseWriter, r *http.Request, _ message) bool {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return r.Method == http.MethodGet
	}
	silent.hook = func(w http.ResponseWriter, _ *http.Request, m message) bool {
		if m.Method == "initialize" {
			reply(w, m, `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`)
		}
		return m.Method == "initialize"
	}
	silent.sessions[""] = true // it has none
	m := start(t, quick(Server{Name: "failing", URL: failing.url()}, Server{Name: "silent", URL: silent.url()}))
	assert.Len(t, m.Catalogue().Tools(), 2)
	eventually(t, "the failing one is asked", func() bool { return streams(failing) == 1 })
	assert.Zero(t, streams(silent))

	g := newGate()
	var pauses []time.Duration
	for range 9 {
		pauses = append(pauses, g.wait())
	}
	s := time.Second
	assert.Equal(t, []time.Duration{0, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}, pauses)
}

// Servers forget sessions: with the 404 of the specification, or with what the TypeScript SDK's examples say.
func TestAForgottenSessionIsRenewedOnce(t *testing.T) {
	for _, name := range []string{"404", "400"} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, false, tool("echo"))
			if name == "400" {
				f.hook = func(w http.ResponseWriter, r *http.Request, m message) bool {
					forgotten := r.Header.Get("Mcp-Session-Id") != "" && !f.knows(r.Header.Get("Mcp-Session-Id"))
					if forgotten {
						w.WriteHeader(http.StatusBadRequest)
						fault(w, m, -32000, "Bad Request: No valid session ID provided")
					}
					return forgotten
				}
			}
			var ran atomic.Int32
			f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
				ran.Add(1)
				reply(w, m, says("done"))
			}
			m := start(t, quick(Server{Name: "one", URL: f.url()}))
			c := m.Catalogue()
			f.forget()
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					assert.Equal(t, tools.Result{Text: "done", Status: tools.StatusOK}, c.Call(t.Context(), "mcp_one_echo", nil))
				})
			}
			group.Wait()
			assert.EqualValues(t, 20, ran.Load())
			assert.Len(t, f.heard("initialize"), 2, "one new session for all")
		})
	}
}

// A server that has no session for anybody must not be asked for ever.
func TestASessionThatIsAlwaysForgotten(t *testing.T) {
	f := newFake(t, false, tool("echo"))
	f.call = func(w http.ResponseWriter, _ *http.Request, _ message) { w.WriteHeader(http.StatusNotFound) }
	m := start(t, quick(Server{Name: "one", URL: f.url()}))
	r := call(t, m, "mcp_one_echo", "")
	assert.Equal(t, tools.StatusError, r.Status)
	assert.Len(t, f.heard("tools/call"), 2)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		var leaked atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
		defer elsewhere.Close()
		f := newFake(t, modern, tool("echo"))
		for _, code := range []int{301, 302, 303, 307, 308} {
			f.call = func(w http.ResponseWriter, r *http.Request, _ message) {
				http.Redirect(w, r, elsewhere.URL+"/mcp", code)
			}
			m := start(t, quick(Server{Name: "one", URL: f.url(), Headers: http.Header{"X-Api-Key": {"secret-1"}}}))
			r := call(t, m, "mcp_one_echo", "")
			assert.Equal(t, tools.Failure(tools.StatusError, "the tool's server redirects elsewhere, which is not followed"), r)
		}
		assert.Zero(t, leaked.Load())
	})
}

// Python's web frameworks redirect to add a slash, or to take one away.
func TestARedirectWithinTheServerIsFollowed(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		f := newFake(t, modern, tool("echo"))
		var round atomic.Bool
		f.hook = func(w http.ResponseWriter, r *http.Request, _ message) bool {
			switch {
			case round.Load():
				http.Redirect(w, r, r.URL.Path+"/", http.StatusTemporaryRedirect)
			case r.URL.Path == "/mcp/":
				http.Redirect(w, r, "/mcp", http.StatusPermanentRedirect)
			default:
				return false
			}
			return true
		}
		m := start(t, quick(Server{Name: "one", URL: f.url() + "/", Headers: http.Header{"X-Api-Key": {"secret-1"}}}))
		assert.Equal(t, `echo {"a":1}`, call(t, m, "mcp_one_echo", `{"a":1}`).Text)
		for _, asked := range f.all() {
			assert.Equal(t, "secret-1", asked.header.Get("X-Api-Key"))
		}

		before := len(f.all())
		round.Store(true)
		r := call(t, m, "mcp_one_echo", "")
		assert.Equal(t, tools.StatusError, r.Status)
		assert.Contains(t, r.Text, "redirects")
		assert.Less(t, len(f.all())-before, 30)
	})
}

// A server of the oldest kind says where it wants to be asked: at its own address or not at all.
func TestAnAddressElsewhereIsNotAsked(t *testing.T) {
	var leaked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: endpoint\ndata: "+elsewhere.URL+"/messages\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(old.Close)
	opts := quick(Server{Name: "one", URL: old.URL, Headers: http.Header{"X-Api-Key": {"secret-1"}}})
	opts.MaxRetries, opts.Reconnect, opts.ClientTimeout = 0, false, time.Second
	m := start(t, opts)
	m.Settled(t.Context())
	assert.Equal(t, statusUnavailable, m.Servers().Data[0].Status)
	assert.Zero(t, leaked.Load())
}

func TestEndlessPages(t *testing.T) {
	for _, kind := range []string{"new cursors", "the same cursor"} {
		f := newFake(t, true)
		page := 0
		f.hook = func(w http.ResponseWriter, _ *http.Request, m message) bool {
			if m.Method != "tools/list" {
				return false
			}
			page++
			cursor := page
			if kind == "the same cursor" {
				cursor = 1
			}
			reply(w, m, fmt.Sprintf(`{"tools":[%s],"nextCursor":"%d"}`, tool(fmt.Sprint("t", page)), cursor))
			return true
		}
		opts := quick(Server{Name: "one", URL: f.url()})
		opts.MaxRetries, opts.Reconnect = 0, false
		opts.Limits.Pages = 7
		m := start(t, opts)
		if kind == "new cursors" {
			assert.Len(t, m.Catalogue().Tools(), 7)
			assert.Equal(t, 1, m.Servers().Data[0].ToolsLeftOut)
			assert.Len(t, f.heard("tools/list"), 7)
		} else {
			assert.Equal(t, statusUnavailable, m.Servers().Data[0].Status)
			assert.Len(t, f.heard("tools/list"), 2)
		}
	}
}

func TestMoreToolsThanAllowed(t *testing.T) {
	f := newFake(t, true, tool("a"), tool("b"), tool("c"), tool("d"))
	opts := quick(Server{Name: "one", URL: f.url()})
	opts.Limits.Tools = 3
	assert.Equal(t, []string{"mcp_one_a", "mcp_one_b", "mcp_one_c"}, names(start(t, opts).Catalogue()))
}

func TestAnAnswerOf64MiB(t *testing.T) {
	for _, kind := range []string{"with its length", "without", "an event", "an event of many lines"} {
		t.Run(kind, func(t *testing.T) {
			f := newFake(t, true, tool("echo"))
			var sent atomic.Int64
			f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
				w.Header().Set("Content-Type", "application/json")
				line := strings.Repeat("x", 1<<16)
				switch kind {
				case "with its length":
					w.Header().Set("Content-Length", fmt.Sprint(64<<20))
				case "an event", "an event of many lines":
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, ": first\n\ndata: ")
				default:
					_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":3,"result":"`)
				}
				if kind == "an event of many lines" {
					line = strings.Repeat("data: "+strings.Repeat("y", 100)+"\r\n", 600)
				}
				for sent.Load() < 64<<20 {
					n, err := io.WriteString(w, line)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}
			opts := quick(Server{Name: "one", URL: f.url()})
			opts.Limits.Body = 1 << 20
			m := start(t, opts)
			assert.Equal(t, tools.Failure(tools.StatusError, "the tool's server gave an answer that is too large"), call(t, m, "mcp_one_echo", ""))
			assert.Less(t, sent.Load(), int64(32<<20), "it was not read to the end")
			assert.Len(t, m.Catalogue().Tools(), 1, "one bad answer is not the end of a server")
		})
	}
}

// A stream of many events may be longer than the limit: each is let go of.
func TestAStreamMayBeLong(t *testing.T) {
	f := newFake(t, true, tool("echo"))
	f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 100 {
			fmt.Fprintf(w, "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":%d,\"message\":%q}}\r\n\r\n",
				i, strings.Repeat("x", 2000))
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", m.ID, says("done"))
	}
	opts := quick(Server{Name: "one", URL: f.url()})
	opts.Limits.Body = 16 << 10
	assert.Equal(t, "done", call(t, start(t, opts), "mcp_one_echo", "").Text)
}

func TestATimeoutOrCancelArrivesAtTheServer(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		for _, want := range []string{tools.StatusTimeout, tools.StatusCancelled} {
			f := newFake(t, modern, tool("hang"))
			running, ended := make(chan json.RawMessage, 1), make(chan struct{}, 1)
			f.call = func(_ http.ResponseWriter, r *http.Request, m message) {
				running <- m.ID
				<-r.Context().Done()
				ended <- struct{}{}
			}
			opts := quick(Server{Name: "one", URL: f.url()})
			if want == tools.StatusTimeout {
				opts.CallTimeout = time.Second
			}
			m := start(t, opts)
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan tools.Result, 1)
			go func() { result <- m.Catalogue().Call(ctx, "mcp_one_hang", nil) }()
			id := <-running
			if want == tools.StatusCancelled {
				cancel()
			}
			assert.Equal(t, want, (<-result).Status)
			<-ended // the request itself was given up
			cancel()
			if modern {
				assert.Empty(t, f.heard("notifications/cancelled"), "the end of the stream says it")
				continue
			}
			eventually(t, "the cancellation arrives", func() bool { return len(f.heard("notifications/cancelled")) == 1 })
			note := f.heard("notifications/cancelled")[0]
			assert.Equal(t, string(id), string(note.Params.RequestID))
			assert.Equal(t, "session-1", note.header.Get("Mcp-Session-Id"))
		}
	})
}

// The gateway stops while a tool runs: the call ends, and the server is told before the goodbye.
func TestStoppingCancelsWhatRuns(t *testing.T) {
	f := newFake(t, false, tool("hang"))
	running := make(chan struct{}, 1)
	f.call = func(_ http.ResponseWriter, r *http.Request, _ message) {
		running <- struct{}{}
		<-r.Context().Done()
	}
	m, err := New(quick(Server{Name: "one", URL: f.url()}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	m.Settled(ctx)
	result := make(chan tools.Result, 1)
	go func() { result <- m.Catalogue().Call(t.Context(), "mcp_one_hang", nil) }()
	<-running
	cancel()
	assert.Equal(t, tools.Failure(tools.StatusError, "the connection to the tool's server was lost during the call"), <-result)
	<-done
	assert.Len(t, f.heard("notifications/cancelled"), 1)
}

func TestAnswersThatAreNone(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error page":           {page(500, "text/html", "<b>db at 10.0.0.7</b>"), "the tool's server answered with HTTP status 500 Internal Server Error"},
		"a status with some JSON": {page(503, "application/json", `{"detail":"10.0.0.7 is down"}`), "the tool's server answered with HTTP status 503 Service Unavailable"},
		"unauthorized":            {page(401, "", ""), "the tool's server answered with HTTP status 401 Unauthorized"},
		"no result":               {page(200, "application/json", `{"jsonrpc":"2.0","id":3}`), "the tool's server did not give an MCP answer"},
		"not JSON":                {page(200, "application/json", `hello`), "the tool's server did not give an MCP answer"},
		"not MCP":                 {page(200, "text/plain", `hello`), "the tool's server did not give an MCP answer"},
		"an empty stream":         {page(200, "text/event-stream", "\n\n"), "the tool's server did not give an MCP answer"},
		"not an object":           {page(200, "application/json", `{"jsonrpc":"2.0","id":3,"result":[1]}`), "the tool gave a result that cannot be read"},
		"gone in the middle":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the tool's server did not give an MCP answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, true, tool("echo"))
			f.call = func(w http.ResponseWriter, r *http.Request, _ message) { tt.answer(w, r) }
			m := start(t, quick(Server{Name: "one", URL: f.url()}))
			assert.Equal(t, tools.Failure(tools.StatusError, tt.want), call(t, m, "mcp_one_echo", ""))
			assert.Len(t, f.heard("tools/call"), 1, "never a second time: it may have run")
		})
	}
}

func page(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
