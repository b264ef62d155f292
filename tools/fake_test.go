package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

// shelf is a catalogue made of functions.
type shelf struct {
	tools []Tool
	does  map[string]func(context.Context, string) Result
}

func (s *shelf) Tools() []Tool { return s.tools }

func (s *shelf) Call(ctx context.Context, name string, arguments json.RawMessage) Result {
	return s.does[name](ctx, string(arguments))
}

func (s *shelf) add(source, server, name string, do func(context.Context, string) Result) *shelf {
	if s.does == nil {
		s.does = map[string]func(context.Context, string) Result{}
	}
	t := Tool{
		Name: InjectedName(source, server, name), Source: source, Server: server, Original: name,
		Description: name + " of " + server, Schema: json.RawMessage(`{"type":"object"}`),
	}
	s.tools = append(s.tools, t)
	s.does[t.Name] = do
	return s
}

func ok(text string) func(context.Context, string) Result {
	return func(context.Context, string) Result { return Result{Text: text, Status: StatusOK} }
}

// ordinary has two tools that answer at once with their arguments.
func ordinary() *shelf {
	echo := func(_ context.Context, arguments string) Result {
		return Result{Text: "got " + arguments, Status: StatusOK}
	}
	return new(shelf).add("mcp", "calc", "add", echo).add("a2a", "bot", "ask", echo)
}

// socketModel reaches a model over a real socket.
type socketModel struct{ url string }

func (m socketModel) Do(ctx context.Context, body [][]byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/v1/chat/completions", bytes.NewReader(bytes.Join(body, nil)))
	if err != nil {
		return nil, err
	}
	req.Header = header
	return http.DefaultClient.Do(req)
}

// first is the first request of a session, in one piece.
func first(s *Session) []byte { return bytes.Join(s.First(), nil) }

// asked is one request that the model got.
type asked struct {
	header http.Header
	body   string
}

// setup is a gateway of a loop and nothing else, between a real client and a real model.
type setup struct {
	t         *testing.T
	runner    Runner
	options   Options
	catalogue Catalogue
	url       string

	mu       sync.Mutex
	requests []asked
	outcomes chan Outcome
}

// start serves a loop in front of a model.
func start(t *testing.T, catalogue Catalogue, model http.Handler) *setup {
	t.Helper()
	s := &setup{t: t, catalogue: catalogue, outcomes: make(chan Outcome, 1000)}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, asked{r.Header, string(body)})
		s.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		model.ServeHTTP(w, r)
	}))
	s.runner.Model = socketModel{upstream.URL}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		session, ok := Open(body, s.catalogue, s.options)
		if !ok {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		s.outcomes <- s.runner.Serve(r.Context(), w, session, r.Header)
	}))
	s.url = front.URL
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		upstream.CloseClientConnections()
		upstream.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func startDemo(t *testing.T, catalogue Catalogue) *setup {
	t.Helper()
	return start(t, catalogue, demo.New(demo.Options{Faults: true}))
}

// script answers the first request with the first answer and so on. An answer is JSON, or SSE when it begins with data.
type script struct {
	mu      sync.Mutex
	answers []string
	next    int
}

func (s *script) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	answer := s.answers[min(s.next, len(s.answers)-1)]
	s.next++
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(answer, "data:") {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	_, _ = io.WriteString(w, answer)
}

// reply is what the client got.
type reply struct {
	status int
	header http.Header
	body   string
	seen   completion
}

// completion is an answer as a client reads it, streamed or whole.
type completion struct {
	content  string
	roles    int
	finishes []string
	dones    int
	usages   int
	usage    map[string]any
	ids      map[string]bool
	calls    []string // name(arguments)
	errors   int
	comments []string
	events   []string // name: data
	last     string   // data of the last event
}

func (s *setup) post(body string, headers ...string) reply {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	client.CloseIdleConnections()
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		r.seen = readStream(s.t, r.body)
	} else if resp.StatusCode == http.StatusOK {
		r.seen = readJSON(s.t, r.body)
	}
	return r
}

// sent gives the requests that the model got.
func (s *setup) sent() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.requests...)
}

type said struct {
	Role      string
	Content   any
	ToolCalls []struct {
		Index    int
		Function struct{ Name, Arguments any }
	} `json:"tool_calls"`
}

type wire struct {
	ID      string
	Usage   map[string]any
	Error   any
	Choices []struct {
		Message, Delta said
		FinishReason   string `json:"finish_reason"`
	}
}

func (c *completion) take(t *testing.T, data string) {
	t.Helper()
	var w wire
	if err := json.Unmarshal([]byte(data), &w); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if w.Error != nil {
		c.errors++
		return
	}
	c.ids[w.ID] = true
	if w.Usage != nil {
		c.usages++
		c.usage = w.Usage
	}
	for _, choice := range w.Choices {
		c.add(choice.Message)
		c.add(choice.Delta)
		if choice.FinishReason != "" {
			c.finishes = append(c.finishes, choice.FinishReason)
		}
	}
}

func (c *completion) add(s said) {
	if s.Role != "" {
		c.roles++
	}
	text, _ := s.Content.(string)
	c.content += text
	for i, call := range s.ToolCalls {
		at := max(call.Index, i)
		for len(c.calls) <= at {
			c.calls = append(c.calls, "")
		}
		name, _ := call.Function.Name.(string)
		arguments, _ := call.Function.Arguments.(string)
		c.calls[at] += name + arguments
	}
}

func readJSON(t *testing.T, body string) completion {
	t.Helper()
	c := completion{ids: map[string]bool{}}
	c.take(t, body)
	return c
}

func readStream(t *testing.T, body string) completion {
	t.Helper()
	c := completion{ids: map[string]bool{}}
	var p sse.Parser
	emit := func(e sse.Event) error {
		switch {
		case e.IsComment:
			c.comments = append(c.comments, string(e.Data))
			return nil
		case e.Name != "":
			c.events = append(c.events, e.Name+": "+string(e.Data))
		case string(e.Data) == "[DONE]":
			c.dones++
		default:
			c.take(t, string(e.Data))
		}
		c.last = string(e.Data)
		return nil
	}
	if err := p.Feed([]byte(body), emit); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(body, "\n\n") {
		t.Fatalf("the stream ends in the middle of an event: %q", body)
	}
	return c
}

// ask is a chat request of one sentence.
func ask(text string, more ...string) string {
	return `{"model":"assistant","messages":[{"role":"user","content":` + string(quote(text)) + `}]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

const streaming = `"stream":true`

// bothWays runs a test of a whole and of a streamed answer; more is what the request needs for that.
func bothWays(t *testing.T, test func(t *testing.T, more ...string)) {
	t.Helper()
	t.Run("whole", func(t *testing.T) { test(t) })
	t.Run("streamed", func(t *testing.T) { test(t, streaming) })
}

// wellFormed checks that a stream is one completion.
func wellFormed(t *testing.T, r reply) {
	t.Helper()
	c := r.seen
	if r.status != http.StatusOK || len(c.finishes) != 1 || c.roles != 1 || len(c.ids) != 1 || c.errors != 0 {
		t.Errorf("not one completion: %d, finish %q, roles %d, ids %v, errors %d\n%s", r.status, c.finishes, c.roles, c.ids, c.errors, r.body)
	}
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") && (c.dones != 1 || c.last != "[DONE]") {
		t.Errorf("[DONE] %d times, the last event is %q", c.dones, c.last)
	}
}
