package chat_test

import (
	"encoding/json"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
)

func TestAppend(t *testing.T) {
	schema := json.RawMessage(` {"type":"object", "oneOf":[{"$ref":"#/$defs/a"}],"n":1.0e2} `)
	for _, c := range []struct{ name, got, want string }{
		{
			"a tool keeps its schema", string(chat.AppendTool(nil, "a", `d "<é>"`, schema)),
			`{"type":"function","function":{"name":"a","description":"d \"<é>\"","parameters":{"type":"object", "oneOf":[{"$ref":"#/$defs/a"}],"n":1.0e2}}}`,
		},
		{
			"a tool without a schema", string(chat.AppendTool(nil, "a", "", json.RawMessage(`{"type":`))),
			`{"type":"function","function":{"name":"a","parameters":{"type":"object","properties":{}}}}`,
		},
		{
			"a call", string(chat.AppendCall([]byte("["), chat.Call{ID: "1", Name: "a", Arguments: `{"x":"\n"}`})),
			`[{"id":"1","type":"function","function":{"name":"a","arguments":"{\"x\":\"\\n\"}"}}`,
		},
		{"a result", string(chat.AppendToolMessage(nil, "1", "a & b\xff")), `{"role":"tool","tool_call_id":"1","content":"a & b\ufffd"}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}
