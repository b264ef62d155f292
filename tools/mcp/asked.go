package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

// question is a request of the server's own.
type question struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// questions hears what a server asks in the stream of the legacy transport, where mcp-go takes questions for answers that
// nobody waits for. A server hangs up when its pings get no answer, and a tool that asks its user would wait for ever.
type questions struct {
	io.ReadCloser
	events sse.Parser
	asked  func(question)
}

func (q *questions) Read(p []byte) (int, error) {
	n, err := q.ReadCloser.Read(p)
	broken := q.events.Feed(p[:n], func(e sse.Event) error {
		if e.IsComment || !bytes.Contains(e.Data, []byte(`"method"`)) {
			return nil
		}
		var asked question
		if json.Unmarshal(e.Data, &asked) == nil && asked.Method != "" && len(asked.ID) > 0 && string(asked.ID) != "null" {
			q.asked(asked)
		}
		return nil
	})
	if err == nil {
		err = broken
	}
	return n, err
}

// reply answers a question beside whatever else goes on, or not at all: the server has to live with both.
func (s *strict) reply(life context.Context, client *http.Client, to *transport.SSE, q question) {
	endpoint := to.GetEndpoint()
	if endpoint == nil {
		return
	}
	answer := map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": q.ID}
	if q.Method == string(mcp.MethodPing) {
		answer["result"] = struct{}{}
	} else {
		answer["error"] = map[string]any{"code": mcp.METHOD_NOT_FOUND, "message": "nobody can be asked here"}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return
	}
	s.soon(life, func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	})
}
