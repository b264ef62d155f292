package mcp

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// Nobody here samples, has roots or fills in forms: a server that asks all the same is told so, and its tool goes on.
func TestWhatAServerAsksForIsDeclined(t *testing.T) {
	for _, method := range []string{"sampling/createMessage", "roots/list", "elicitation/create", "no/such/method"} {
		t.Run(method, func(t *testing.T) {
			answers := make(chan string, 1)
			f := newFake(t, false, tool("echo"))
			f.hook = func(w http.ResponseWriter, r *http.Request, m message) bool {
				return r.Method == http.MethodPost && m.Method == "" && accepted(w)
			}
			front := recording(t, f, answers)
			f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = fmt.Fprintf(w, `data: {"jsonrpc":"2.0","id":"ask","method":%q,"params":{"messages":[],"maxTokens":9,"message":"your password?","requestedSchema":{"type":"object"}}}`+"\n\n", method)
				_ = http.NewResponseController(w).Flush()
				said := "nothing"
				select {
				case said = <-answers:
				case <-time.After(20 * time.Second):
				}
				_, _ = fmt.Fprintf(w, `data: {"jsonrpc":"2.0","id":%s,"result":%s}`+"\n\n", m.ID, says(said))
			}
			m := start(t, quick(Server{Name: "s", URL: front}))
			said := call(t, m, "mcp_s_echo", "").Text
			assert.Contains(t, said, `"id":"ask"`)
			assert.Contains(t, said, `"error":`)
			assert.NotContains(t, said, `"result":`)
		})
	}
}

func accepted(w http.ResponseWriter) bool {
	w.WriteHeader(http.StatusAccepted)
	return true
}

// recording stands before a fake and tells what is answered to it.
func recording(t *testing.T, f *fake, answers chan<- string) (url string) {
	inner := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost && !strings.Contains(string(body), `"method":`) {
			select {
			case answers <- string(body):
			default:
			}
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		inner.ServeHTTP(w, r)
	})
	return f.url()
}

// A server that says all the time that its tools have changed is asked for them now and then.
func TestAStormOfChanges(t *testing.T) {
	f := newFake(t, false, tool("echo"))
	o := quick(Server{Name: "s", URL: f.url()})
	o.QuietTime = time.Hour
	m := start(t, o)
	eventually(t, "it is listened to", func() bool { return f.listeners() == 1 })
	f.mu.Lock()
	stream := f.streams[0]
	f.mu.Unlock()
	for range 3000 {
		stream <- `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	}
	stream <- `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`
	assert.Equal(t, "echo {}", call(t, m, "mcp_s_echo", "").Text)
	assert.LessOrEqual(t, len(f.heard("tools/list")), 2)
}

// Text that is no text must not end the conversation: what models are sent is JSON in UTF-8.
func TestResultsThatAreNoText(t *testing.T) {
	for name, raw := range map[string]string{
		"no UTF-8":           "{\"content\":[{\"type\":\"text\",\"text\":\"a\xff\xfe\xc3(b\"}]}",
		"half a surrogate":   `{"content":[{"type":"text","text":"a\ud800b"}]}`,
		"control characters": `{"content":[{"type":"text","text":"a\u0000\u001b[2J\u2028b"}]}`,
		"twice the same":     `{"content":[{"type":"text","text":"x"}],"content":[{"type":"text","text":"ab"}]}`,
		"a null in it":       `{"content":[null,{"type":"text","text":"ab"}]}`,
		"a text that is 7":   `{"content":[{"type":"text","text":7}]}`,
		"a list that is 7":   `{"content":7}`,
		"a result of null":   `null`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, false, tool("echo"))
			f.call = func(w http.ResponseWriter, _ *http.Request, m message) { reply(w, m, raw) }
			m := start(t, quick(Server{Name: "s", URL: f.url()}))
			r := call(t, m, "mcp_s_echo", "")
			assert.NotEmpty(t, r.Text)
			out, err := json.Marshal(r.Text)
			assert.NoError(t, err)
			t.Logf("%s %s", r.Status, out)
		})
	}
}

// A server that dies in the middle of a call: the call fails at once, and the next one finds the server again when it is back.
func TestAServerThatDiesInACall(t *testing.T) {
	for _, modern := range []bool{false, true} {
		for _, begun := range []bool{false, true} {
			t.Run(fmt.Sprintf("modern %v, begun %v", modern, begun), func(t *testing.T) {
				f := newFake(t, modern, tool("echo"))
				var once sync.Once
				f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
					died := false
					once.Do(func() {
						died = true
						if begun {
							w.Header().Set("Content-Type", "text/event-stream")
							_, _ = io.WriteString(w, "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\n")
							_ = http.NewResponseController(w).Flush()
						}
						f.forget()
						panic(http.ErrAbortHandler)
					})
					if !died {
						reply(w, m, says("back"))
					}
				}
				m := start(t, quick(Server{Name: "s", URL: f.url()}))
				r := call(t, m, "mcp_s_echo", "")
				assert.True(t, r.Failed, r.Text)
				assert.Equal(t, tools.StatusError, r.Status)
				t.Log(r.Status, r.Text)
				assert.Len(t, f.heard("tools/call"), 1, "a call may have had its effect")
				assert.Equal(t, "back", call(t, m, "mcp_s_echo", "").Text)
			})
		}
	}
}
