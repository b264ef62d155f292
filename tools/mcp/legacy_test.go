package mcp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// legacy is a server of the legacy transport, by hand: a stream that everything comes in, and a path that is posted to.
type legacy struct {
	*httptest.Server
	streams sync.Map // of messages to send, by session
	call    func(send func(string), m message)
	got     chan map[string]json.RawMessage // what is neither a request nor of the handshake
}

func newLegacy(t *testing.T) *legacy {
	l := &legacy{got: make(chan map[string]json.RawMessage, 100)}
	l.Server = httptest.NewServer(l)
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

func (l *legacy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/sse":
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		messages, session := make(chan string, 100), fmt.Sprint(time.Now().UnixNano())
		l.streams.Store(session, messages)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: endpoint\ndata: /post?s=%s\n\n", session)
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case m := <-messages:
				_, _ = fmt.Fprintf(w, "event: message\ndata: %s\n\n", m)
			case <-r.Context().Done():
				return
			}
		}
	case "/post":
		stream, ok := l.streams.Load(r.URL.Query().Get("s"))
		var raw map[string]json.RawMessage
		var m message
		body := json.NewDecoder(r.Body)
		if !ok || body.Decode(&raw) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		all, _ := json.Marshal(raw)
		_ = json.Unmarshal(all, &m)
		w.WriteHeader(http.StatusAccepted)
		send := func(s string) { stream.(chan string) <- s }
		result := func(s string) { send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, s)) }
		switch m.Method {
		case "initialize":
			result(`{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"old","version":"1"}}`)
		case "tools/list":
			result(`{"tools":[` + tool("echo") + `]}`)
		case "tools/call":
			go l.call(send, m)
		case "notifications/initialized":
		default:
			l.got <- raw
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// A server of the legacy transport asks in the stream of its answers, by ids of its own: a ping is answered, and whoever asks
// for what there is nobody for is told so.
func TestALegacyServersQuestionsAreAnswered(t *testing.T) {
	l := newLegacy(t)
	l.call = func(send func(string), m message) {
		for i, method := range []string{"ping", "elicitation/create", "sampling/createMessage"} {
			send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{"message":"who?"}}`, i, method))
		}
		send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"id"}}`)
		answers := map[string]string{}
		for range 3 {
			a := <-l.got // or the call's deadline ends the test
			answers[string(a["id"])] = string(a["result"]) + string(a["error"])
		}
		text, _ := json.Marshal(answers)
		send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, says(string(text))))
	}
	m := start(t, quick(Server{Name: "old", URL: l.URL + "/sse"}))
	assert.Equal(t, kindSSE, m.Servers().Data[0].Transport)
	var answers map[string]string
	r := call(t, m, "mcp_old_echo", "")
	assert.NoError(t, json.Unmarshal([]byte(r.Text), &answers), r.Text)
	const refused = `{"code":-32601,"message":"nobody can be asked here"}`
	assert.Equal(t, map[string]string{"0": "{}", "1": refused, "2": refused}, answers)
}

// When its time is over, a call has timed out, and the server hears of it.
func TestALegacyServersCallsTimeOut(t *testing.T) {
	l := newLegacy(t)
	l.call = func(func(string), message) {}
	opts := quick(Server{Name: "old", URL: l.URL + "/sse"})
	opts.CallTimeout = 100 * time.Millisecond
	m := start(t, opts)
	const calls = 20
	results := make(chan tools.Result, calls)
	for range calls {
		go func() { results <- m.Catalogue().Call(t.Context(), "mcp_old_echo", nil) }()
	}
	for range calls {
		assert.Equal(t, tools.Failure(tools.StatusTimeout, "the tool did not answer in time"), <-results)
	}
	for range calls {
		select {
		case got := <-l.got:
			assert.JSONEq(t, `"notifications/cancelled"`, string(got["method"]))
		case <-time.After(20 * time.Second):
			t.Fatal("a cancellation did not arrive")
		}
	}
}
