package mcp

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake is an MCP server over real HTTP that can be told to misbehave. It speaks one era.
type fake struct {
	*httptest.Server
	modern bool

	mu       sync.Mutex
	tools    []string // tool definitions, raw
	sessions map[string]bool
	issued   int
	seen     []message
	streams  []chan string // of notifications, raw

	// What it does in place of the usual, when set; false does the usual after all.
	hook func(w http.ResponseWriter, r *http.Request, m message) bool
	call func(w http.ResponseWriter, r *http.Request, m message) // tools/call
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name            string          `json:"name"`
		Arguments       json.RawMessage `json:"arguments"`
		Cursor          string          `json:"cursor"`
		RequestID       json.RawMessage `json:"requestId"`
		ProtocolVersion string          `json:"protocolVersion"`
		Capabilities    json.RawMessage `json:"capabilities"`
		Meta            json.RawMessage `json:"_meta"`
	} `json:"params"`
	header http.Header
	verb   string
}

// tool is a definition of a tool without parameters.
func tool(name string) string {
	return fmt.Sprintf(`{"name":%q,"description":"does %s","inputSchema":{"type":"object","properties":{}}}`, name, name)
}

func newFake(t *testing.T, modern bool, definitions ...string) *fake {
	t.Helper()
	f := &fake{modern: modern, tools: definitions, sessions: map[string]bool{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.stop)
	return f
}

func (f *fake) stop() {
	f.CloseClientConnections()
	f.Close()
}

func (f *fake) url() string { return f.URL + "/mcp" }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m message
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &m)
	}
	m.header, m.verb = r.Header.Clone(), r.Method
	f.mu.Lock()
	f.seen = append(f.seen, m)
	known := f.sessions[r.Header.Get("Mcp-Session-Id")]
	f.mu.Unlock()
	if f.hook != nil && f.hook(w, r, m) {
		return
	}
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodGet && (f.modern || !known):
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet:
		f.stream(w, r)
	case f.modern:
		f.stateless(w, r, m)
	default:
		f.session(w, r, m, known)
	}
}

func (f *fake) stateless(w http.ResponseWriter, r *http.Request, m message) {
	switch m.Method {
	case "server/discover":
		reply(w, m, `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}`)
	case "subscriptions/listen":
		f.stream(w, r)
	default:
		f.answer(w, r, m)
	}
}

func (f *fake) session(w http.ResponseWriter, r *http.Request, m message, known bool) {
	switch {
	case m.Method == "initialize":
		f.mu.Lock()
		f.issued++
		id := fmt.Sprintf("session-%d", f.issued)
		f.sessions[id] = true
		f.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
		reply(w, m, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"fake","version":"1"}}`)
	case !known && r.Header.Get("Mcp-Session-Id") != "":
		w.WriteHeader(http.StatusNotFound)
	case !known:
		w.WriteHeader(http.StatusBadRequest)
		fault(w, m, -32000, "Bad Request: Server not initialized")
	default:
		f.answer(w, r, m)
	}
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, m message) {
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "tools/list":
		f.mu.Lock()
		list := strings.Join(f.tools, ",")
		f.mu.Unlock()
		reply(w, m, `{"tools":[`+list+`]}`)
	case m.Method == "tools/call" && f.call != nil:
		f.call(w, r, m)
	case m.Method == "tools/call":
		reply(w, m, says(m.Params.Name+" "+string(m.Params.Arguments)))
	default:
		fault(w, m, -32601, "no such method")
	}
}

func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	notes := make(chan string, 8)
	f.mu.Lock()
	f.streams = append(f.streams, notes)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case n := <-notes:
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", n)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// change sets the tools and, when told to, says so on every stream.
func (f *fake) change(announce bool, definitions ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tools = definitions
	for _, s := range f.streams {
		if announce {
			s <- `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
		}
	}
}

func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = map[string]bool{}
}

func (f *fake) knows(session string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions[session]
}

// all gives every message so far.
func (f *fake) all() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// heard gives the messages of a method.
func (f *fake) heard(method string) []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.seen), func(m message) bool { return m.Method != method })
}

func (f *fake) listeners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.streams)
}

func reply(w http.ResponseWriter, m message, result string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

func fault(w http.ResponseWriter, m message, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, m.ID, code, text)
}

func says(text string) string {
	quoted, _ := json.Marshal(text)
	return `{"content":[{"type":"text","text":` + string(quoted) + `}]}`
}
