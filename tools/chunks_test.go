package tools

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// pieces are what models put into a choice; odd ones too.
var pieces = []string{
	`"delta":{"role":"assistant","content":""}`,
	`"delta":{"content":"word [DONE] "}`,
	`"delta":{"content":null,"reasoning_content":"hm"}`,
	`"delta":{"content":[{"type":"text","text":"t"}]}`,
	`"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":""}}]}`,
	`"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}`,
	`"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"weather"}}]}`,
	`"delta":{"role":"assistant","tool_calls":[{"index":1,"function":{"arguments":"{\"a\":"}},{"index":0,"function":{"arguments":" "}}]}`,
	`"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"a2a_bot_ask","arguments":{"a":1}},"extra_content":{"s":1}}]}`,
	`"delta":{"tool_calls":[{"id":"d","function":{"name":"weather","arguments":"{}"}}],"content":"x"}`,
	`"delta":{"tool_calls":[{"function":{"arguments":"1"}},7,null,{}]}`,
	`"delta":{"tool_calls":[{"index":2,"type":"custom","custom":{"name":"draw","input":"x"}}]}`,
	`"delta":{"tool_calls":{"index":1}}`,
	`"delta":{},"finish_reason":"tool_calls"`,
	`"delta":{"content":"last"},"logprobs":{"content":[]},"finish_reason":"stop"`,
	`"delta":{"tool_calls":[{"index":3,"id":"e","function":{"name":"nobody","arguments":"{}"}}]},"finish_reason":"length"`,
	`"delta":null,"finish_reason":""`,
	`"message":{"content":"x"}`,
}

// FuzzChunks plays turns made of the pieces in any order: the client's stream is one completion with calls of its own
// only, and what the model is sent has one result for each call.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{"\x00\x01\x0d", "\x00\x04\x05\x0d", "\x00\x04\x06\x07\x05\x0d", "\x08\x09\x0a\x0b\x0e", "\x04\x06\x0f", "\x03\x02\x11\x10\x0c\x0e"} {
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, order []byte, size uint8) {
		var turn strings.Builder
		for _, b := range order[:min(len(order), 40)] {
			turn.WriteString(`data: {"id":"` + string('a'+b%3) + `","created":1,"choices":[{"index":0,` + pieces[int(b)%len(pieces)] + `}],"usage":{"n":1}}` + "\n\n")
		}
		turn.WriteString(`data: {"choices":[],"usage":{"n":2}}` + "\n\ndata: [DONE]\n\n")
		s, ok := Open([]byte(ask("x", streaming, `"stream_options":{"include_usage":true}`, clientTool)), ordinary(), Options{MaxIterations: 2})
		if !ok {
			t.Fatal("no loop")
		}
		bytes := []byte(turn.String())
		seen, requests := play(s, [][]byte{bytes, bytes, bytes}, func(b []byte, feed func([]byte)) {
			for len(b) > 0 {
				n := min(len(b), int(size)+1)
				feed(b[:n])
				b = b[n:]
			}
		})
		got := readStream(t, string(seen))
		if len(got.finishes) != 1 || got.dones != 1 || got.last != "[DONE]" || got.usages != 1 || got.roles > 1 || len(got.ids) > 1 {
			t.Errorf("finishes %q, ends %d, usage %d, roles %d, ids %v\n%s", got.finishes, got.dones, got.usages, got.roles, got.ids, seen)
		}
		if want := float64(2 * (len(requests) + 1)); got.usage["n"] != want {
			t.Errorf("usage %v, want %v", got.usage, want)
		}
		for i, call := range got.calls {
			if strings.Contains(call, "mcp_calc") || strings.Contains(call, "a2a_bot") || strings.Contains(call, "nobody") {
				t.Errorf("call %d is not the client's: %s\n%s", i, call, seen)
			}
		}
		for _, r := range requests {
			checkPairs(t, r)
		}
	})
}

// checkPairs checks that every call of a request has exactly one result, in order, with an id of its own.
func checkPairs(t *testing.T, request []byte) {
	t.Helper()
	if _, err := jsonedit.Parse(request); err != nil {
		t.Fatalf("%v: %s", err, request)
	}
	var body struct {
		Messages []struct {
			Role      string
			ID        string                `json:"tool_call_id"`
			ToolCalls []struct{ ID string } `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal(request, &body); err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, m := range body.Messages {
		if m.Role == "tool" && (len(open) == 0 || open[0] != m.ID || m.ID == "") {
			t.Fatalf("a result of %q where %q are open: %s", m.ID, open, request)
		}
		if m.Role == "tool" {
			open = open[1:]
		} else if len(open) > 0 {
			t.Fatalf("calls %q have no results: %s", open, request)
		}
		for _, c := range m.ToolCalls {
			open = append(open, c.ID)
		}
	}
	if len(open) > 0 {
		t.Fatalf("calls %q have no results: %s", open, request)
	}
}
