package loop

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// provider is the demo provider with faults and more models: stubborn calls a tool whatever it is told, late fails once
// it has a tool's result, flood streams without an end in sight, and those whose names begin with wait- stop in the
// middle of their answer until a test lets them go on, wait-later- in the turn after a tool has run.
type provider struct {
	*harness.Provider
	answers *moments // of wait-KEY
}

func newProvider(t harness.T) *provider {
	plain := demo.New(demo.Options{Faults: true})
	own := &provider{answers: newMoments()}
	p := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request struct {
			Model    string
			Messages []struct{ Role string }
		}
		_ = json.Unmarshal(body, &request)
		switch {
		case request.Model == "late" && request.Messages[len(request.Messages)-1].Role == "tool":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"message":"the late cause","type":"server_error"}}`)
		case request.Model == "late", request.Model == "stubborn", strings.HasPrefix(request.Model, "wait-later-") && len(request.Messages) == 1:
			callEcho(w, bytes.Contains(body, []byte(`"stream":true`)), len(request.Messages))
		case strings.HasPrefix(request.Model, "wait-"):
			own.waiting(w, r, request.Model, bytes.Contains(body, []byte(`"stream":true`)))
		case request.Model == "flood":
			flood(w, r)
		default:
			plain.ServeHTTP(w, r)
		}
	})
	p.URL += "/v1"
	own.Provider = p
	return own
}

// waiting begins an answer and ends it when the test lets go.
func (p *provider) waiting(w http.ResponseWriter, r *http.Request, key string, stream bool) {
	if !stream {
		if p.answers.wait(r.Context(), key) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":"w","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Well, here it is."}}]}`)
		}
		return
	}
	chunk := func(delta, finish string) {
		_, _ = io.WriteString(w, `data: {"id":"w","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":`+delta+`,"finish_reason":`+finish+`}]}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	chunk(`{"role":"assistant","content":"Well,"}`, "null")
	if p.answers.wait(r.Context(), key) {
		chunk(`{"content":" here it is."}`, "null")
		chunk(`{}`, `"stop"`)
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}
}

// callEcho is a model's answer that calls the tool echo, with other arguments in each turn.
func callEcho(w http.ResponseWriter, stream bool, n int) {
	arguments, _ := json.Marshal(`{"text":"` + strings.Repeat("x", n) + `"}`)
	calls := `"tool_calls":[{"index":0,"id":"call_` + strings.Repeat("x", n) + `","type":"function","function":{"name":"mcp_t_echo","arguments":` + string(arguments) + `}}]`
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"so far",`+calls+`}}]}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, choice := range []string{
		`{"index":0,"delta":{"role":"assistant","content":"so far"},"finish_reason":null}`,
		`{"index":0,"delta":{` + calls + `},"finish_reason":null}`, `{"index":0,"delta":{},"finish_reason":"tool_calls"}`,
	} {
		_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[`+choice+"]}\n\n")
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

const floodSize = 48 << 20

// flooded counts what clients that do not read were sent.
var flooded atomic.Int64

func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	piece := `data: {"id":"f","object":"chat.completion.chunk","created":1,"model":"flood","choices":[{"index":0,"delta":{"content":"` +
		strings.Repeat("x", 16<<10) + `"},"finish_reason":null}]}` + "\n\n"
	for sent := 0; sent < floodSize && r.Context().Err() == nil; sent += len(piece) {
		n, err := io.WriteString(w, piece)
		flooded.Add(int64(n))
		if err != nil {
			return
		}
	}
}
