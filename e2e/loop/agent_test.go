package loop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// agent is an A2A agent of protocol 1.0 over JSON-RPC. Its skills are echo, which answers at once, and errand, a task that
// ends when a test lets it go. tools/a2a is tested with the agents of the official SDK.
type agent struct {
	*harness.Provider
	errands *moments
}

const agentCard = `{"name":"Test","description":"d","version":"1","capabilities":{},"defaultInputModes":["text"],"defaultOutputModes":["text"],
	"skills":[{"id":"echo","name":"echo","description":"repeats","tags":["t"]},{"id":"errand","name":"errand","description":"takes a while","tags":["t"]}],
	"supportedInterfaces":[{"url":"http://HOST/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`

func newAgent(t harness.T) *agent {
	a := &agent{errands: newMoments()}
	a.Provider = harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/.well-known/agent-card.json" {
			_, _ = io.WriteString(w, strings.ReplaceAll(agentCard, "HOST", r.Host))
			return
		}
		a.call(w, r)
	})
	return a
}

func (a *agent) call(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage
		Method string
		Params struct {
			ID      string // of a task
			Message struct {
				Parts    []struct{ Text string }
				Metadata struct {
					Skill string `json:"skillId"`
				}
			}
		}
	}
	if json.NewDecoder(r.Body).Decode(&call) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	task := func(id, state string) string {
		return fmt.Sprintf(`{"id":%q,"contextId":"c","status":{"state":"TASK_STATE_%s","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"did %s"}]}}}`, id, state, id)
	}
	text := ""
	if len(call.Params.Message.Parts) > 0 {
		text = call.Params.Message.Parts[0].Text
	}
	var result string
	at := a.errands.at(call.Params.ID)
	switch {
	case call.Method == "SendMessage" && call.Params.Message.Metadata.Skill == "errand":
		a.errands.set(&a.errands.at(text).began)
		result = `{"task":` + task(text, "WORKING") + `}`
	case call.Method == "SendMessage":
		said, _ := json.Marshal("agent echo of " + text)
		result = fmt.Sprintf(`{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":%s}]}}`, said)
	case call.Method == "CancelTask":
		a.errands.set(&at.left)
		result = task(call.Params.ID, "CANCELED")
	default:
		state := "WORKING"
		select {
		case <-at.goOn:
			state = "COMPLETED"
		default:
		}
		result = task(call.Params.ID, state)
	}
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, call.ID, result)
}

// awaitAgent waits until a gateway's agents are there.
func awaitAgent(t harness.T, g *harness.Gateway) {
	t.Helper()
	harness.Eventually(t, patience, "the agent is available", func() bool {
		r := g.Do(t, http.MethodGet, "/v1/a2a/agents", "")
		return r.Status == http.StatusOK && strings.Contains(r.String(), `"status":"available"`)
	})
}
