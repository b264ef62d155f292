package a2a

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an agent over real HTTP that says what a test wants it to say.
type fake struct {
	t   *testing.T
	srv *httptest.Server

	mu       sync.Mutex
	card     string // with {base} for the own address; "" is no card
	cardPath string
	answer   func(w http.ResponseWriter, r *http.Request, c rpcCall)
	calls    []rpcCall
	headers  []http.Header
}

type rpcCall struct {
	Method string `json:"method"`
	ID     any    `json:"id"`
	Params struct {
		ID      string `json:"id"`
		Message struct {
			TaskID    string                  `json:"taskId"`
			ContextID string                  `json:"contextId"`
			Parts     []struct{ Text string } `json:"parts"`
			Metadata  map[string]any          `json:"metadata"`
		} `json:"message"`
		Configuration map[string]any `json:"configuration"`
	} `json:"params"`
}

func (c rpcCall) text() string {
	if len(c.Params.Message.Parts) == 0 {
		return ""
	}
	return c.Params.Message.Parts[0].Text
}

// cardOf is a plain card of protocol 1.0.
func cardOf(streaming bool, skills ...string) string {
	list := make([]map[string]any, 0, len(skills))
	for _, s := range skills {
		list = append(list, map[string]any{"id": s, "name": s, "description": "Does " + s + ".", "tags": []string{"t"}, "examples": []string{"e"}})
	}
	card, _ := json.Marshal(map[string]any{
		"name": "Fake", "description": "d", "version": "1", "skills": list,
		"capabilities":        map[string]any{"streaming": streaming},
		"supportedInterfaces": []map[string]any{{"url": "{base}/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}},
	})
	return string(card)
}

func newFake(t *testing.T, card string, answer func(http.ResponseWriter, *http.Request, rpcCall)) *fake {
	t.Helper()
	f := &fake{t: t, card: card, cardPath: "/.well-known/agent-card.json", answer: answer}
	f.srv = httptest.NewServer(f)
	t.Cleanup(func() {
		f.srv.CloseClientConnections()
		f.srv.Close()
	})
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.headers = append(f.headers, r.Header.Clone())
	card, at, answer := f.card, f.cardPath, f.answer
	f.mu.Unlock()
	if r.Method == http.MethodGet && r.URL.Path == at && card != "" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.ReplaceAll(card, "{base}", "http://"+r.Host))
		return
	}
	if answer == nil || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	var call rpcCall
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	answer(w, r, call)
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) methods() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, c := range f.calls {
		list = append(list, c.Method)
	}
	return list
}

// cancelled waits until the agent was told to cancel the task.
func (f *fake) cancelled(id string) {
	f.t.Helper()
	eventually(f.t, "the cancel of "+id, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.ContainsFunc(f.calls, func(c rpcCall) bool { return c.Method == "CancelTask" && c.Params.ID == id })
	})
}

// say answers one JSON-RPC call, or one event of a stream.
func say(w io.Writer, c rpcCall, result string) {
	id, _ := json.Marshal(c.ID)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
	if rw, ok := w.(http.ResponseWriter); ok && strings.Contains(rw.Header().Get("Content-Type"), "event-stream") {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", body)
		_ = http.NewResponseController(rw).Flush()
		return
	}
	if rw, ok := w.(http.ResponseWriter); ok {
		rw.Header().Set("Content-Type", "application/json")
	}
	_, _ = io.WriteString(w, body)
}

func refuse(w http.ResponseWriter, c rpcCall, code int, message string) {
	id, _ := json.Marshal(c.ID)
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, id, code, message)
}

func startStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
}

// taskJSON is a task in a state, with words in its status.
func taskJSON(id, state, words string) string {
	return fmt.Sprintf(`{"id":%q,"contextId":"ctx","status":%s}`, id, statusJSON(state, words))
}

func statusJSON(state, words string) string {
	if words == "" {
		return fmt.Sprintf(`{"state":"TASK_STATE_%s"}`, state)
	}
	return fmt.Sprintf(`{"state":"TASK_STATE_%s","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":%q}]}}`, state, words)
}

func updateJSON(id, state, words string) string {
	return fmt.Sprintf(`{"statusUpdate":{"taskId":%q,"contextId":"ctx","status":%s}}`, id, statusJSON(state, words))
}

func pieceJSON(id, artifact, text string, more bool) string {
	return fmt.Sprintf(`{"artifactUpdate":{"taskId":%q,"contextId":"ctx","append":%v,"artifact":{"artifactId":%q,"parts":[{"text":%q}]}}}`, id, more, artifact, text)
}

// quick are options with which nothing takes long.
func quick(agents ...Endpoint) Options {
	return Options{ // deadlines are long: a busy machine needs its time, and tests of deadlines have their own
		Agents: agents, ClientTimeout: 20 * time.Second, MaxRetries: 1, InitialBackoff: 5 * time.Millisecond, RetryInterval: 10 * time.Millisecond,
		Reconnect: true, ReconnectInterval: 20 * time.Millisecond, RefreshInterval: 20 * time.Millisecond,
		Poll: true, PollInterval: 10 * time.Millisecond, PollTimeout: 20 * time.Second, MaxPollAttempts: 30,
	}
}

// start runs a manager until the test ends.
func start(t *testing.T, o Options) *Manager {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return m
}

// asked gives a call that the agent got; -1 is the last one.
func (f *fake) asked(i int) rpcCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i < 0 {
		i += len(f.calls)
	}
	return f.calls[i]
}

// up starts a manager of one agent, "a", and waits for its tools.
func up(t *testing.T, f *fake, change func(*Options)) *Manager {
	t.Helper()
	o := quick(Endpoint{Name: "a", URL: f.srv.URL})
	if change != nil {
		change(&o)
	}
	m := start(t, o)
	waitState(t, m, "a", StateAvailable)
	return m
}

func waitState(t *testing.T, m *Manager, id, state string) Status {
	t.Helper()
	var s Status
	eventually(t, id+" "+state, func() bool {
		s, _ = m.Agent(id)
		return s.Status == state
	})
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

func tell(t *testing.T, m *Manager, tool, words string) tools.Result {
	t.Helper()
	raw, _ := json.Marshal(map[string]string{"message": words})
	return m.Catalogue().Call(t.Context(), tool, raw)
}

func expect(t *testing.T, got tools.Result, status, text string) {
	t.Helper()
	if got.Status != status || got.Failed != (status != tools.StatusOK && status != tools.StatusNeedsInput) || !strings.Contains(got.Text, text) {
		t.Errorf("got %+v, want status %s and %q", got, status, text)
	}
	if got.Failed && (strings.Contains(got.Text, "127.0.0.1") || strings.Contains(got.Text, "http://")) {
		t.Errorf("a failure holds an address: %q", got.Text)
	}
}
