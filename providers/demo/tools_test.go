package demo_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

const (
	weather = `{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}`
	clock   = `{"type":"function","function":{"name":"clock"}}`
)

// ask is a request of one user message with both tools on offer.
func ask(model, text, extra string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"model":%q,"tools":[%s,%s],"messages":[{"role":"user","content":%s}]%s}`, model, weather, clock, quoted, extra)
}

// called gives the calls of a whole answer as "name{arguments}" words.
func called(t *testing.T, answer map[string]any) string {
	t.Helper()
	message := get(t, answer, "choices", 0, "message").(map[string]any)
	calls, ok := message["tool_calls"].([]any)
	if !ok {
		assert.Equal(t, "stop", get(t, answer, "choices", 0, "finish_reason"))
		return ""
	}
	assert.Nil(t, message["content"])
	assert.Equal(t, "tool_calls", get(t, answer, "choices", 0, "finish_reason"))
	var out []string
	for _, c := range calls {
		assert.Regexp(t, `^call_[0-9a-f]{24}$`, get(t, c, "id"))
		assert.Equal(t, "function", get(t, c, "type"))
		out = append(out, get(t, c, "function", "name").(string)+get(t, c, "function", "arguments").(string))
	}
	return strings.Join(out, " ")
}

func TestThePhraseDecidesWhichToolsAreCalled(t *testing.T) {
	p := serve(t, demo.Options{})
	for text, want := range map[string]string{
		`Please use the tool weather with {"city":"Köln"} now`: `weather{"city":"Köln"}`,
		`use the tool clock`:  `clock{}`,
		`Use the tool clock.`: `clock{}`,
		`use tools weather with {"a":{"b":"}"}} and clock with {"tz":"UTC"}`: `weather{"a":{"b":"}"}} clock{"tz":"UTC"}`,
		`use the tools weather and clock`:                                    `weather{} clock{}`,
		`use the tool weather with {"a":1} and tell me more`:                 `weather{"a":1}`,
		`use the tool weather then use the tool clock`:                       `weather{}`,
		`use the tool mcp_sum with {"a":1}`:                                  `mcp_sum{"a":1}`,
		`how do I use the tool box`:                                          ``,
		`use the tool weather with {"broken`:                                 `weather{}`,
		`hello`:                                                              ``,
	} {
		for _, model := range []string{"assistant", "echo"} {
			assert.Equal(t, want, called(t, p.chat(ask(model, text, ""))), "%s: %s", model, text)
		}
	}
}

func TestToolChoiceIsHonoured(t *testing.T) {
	p := serve(t, demo.Options{})
	const named = `,"tool_choice":{"type":"function","function":{"name":"clock"}}`
	for _, tc := range []struct{ model, text, extra, want string }{
		{"assistant", "use the tool clock", `,"tool_choice":"none"`, ""},
		{"assistant", "hello", `,"tool_choice":"required"`, "weather{}"},
		{"assistant", "hello", `,"tool_choice":"auto"`, ""},
		{"assistant", "hello", named, "clock{}"},
		{"tools", "hello", "", "weather{}"},
		{"tools", "hello", `,"tool_choice":"none"`, ""},
		{"mirror", "use the tool clock", `,"tool_choice":"required"`, ""},
		{"assistant", "use tools weather and clock", `,"parallel_tool_calls":false`, "weather{}"},
	} {
		assert.Equal(t, tc.want, called(t, p.chat(ask(tc.model, tc.text, tc.extra))), "%+v", tc)
	}
	p.refused("/v1/chat/completions", ask("echo", "hi", `,"tool_choice":{"type":"function","function":{"name":"nope"}}`), http.StatusBadRequest)
}

// Libraries ask for structured output by a function that has to be called: its arguments fit its schema.
func TestAFunctionThatHasToBeCalledGetsWhatItNeeds(t *testing.T) {
	p := serve(t, demo.Options{})
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"n":{"type":"integer"},"s":{"enum":["a","b"]}},"required":["n","s"]}`: `f{"n":1,"s":"a"}`,
		`{"type":"object","properties":{}}`: `f{}`,
		`"no schema"`:                       `f{}`,
		`null`:                              `f{}`,
	} {
		body := `{"model":"assistant","messages":[{"role":"user","content":"hi"}],"tool_choice":{"type":"function","function":{"name":"f"}},` +
			`"tools":[{"type":"function","function":{"name":"f","parameters":` + schema + `}}]}`
		assert.Equal(t, want, called(t, p.chat(body)), schema)
	}
}

// converse answers every tool call with a result until the model answers with text, at most so many times.
func converse(t *testing.T, p *provider, model, text string, most int) (rounds []string, last string) {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(ask(model, text, "")), &body))
	for range most {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		answer := p.chat(string(raw))
		calls := called(t, answer)
		if calls == "" {
			return rounds, content(t, answer).(string)
		}
		rounds = append(rounds, calls)
		message := get(t, answer, "choices", 0, "message").(map[string]any)
		messages := append(body["messages"].([]any), message)
		for _, c := range message["tool_calls"].([]any) {
			messages = append(messages, map[string]any{"role": "tool", "tool_call_id": get(t, c, "id"), "content": "result " + fmt.Sprint(len(rounds))})
		}
		body["messages"] = messages
	}
	return rounds, ""
}

func TestAToolLoopEndsWithAQuoteOfItsResults(t *testing.T) {
	p := serve(t, demo.Options{})
	for _, model := range []string{"assistant", "tools", "echo"} {
		rounds, last := converse(t, p, model, "use tools weather and clock", 5)
		assert.Equal(t, []string{"weather{} clock{}"}, rounds)
		assert.Equal(t, "The tool weather answered: result 1\nThe tool clock answered: result 1", last)
	}
	rounds, last := converse(t, p, "tools", "hello", 5)
	assert.Equal(t, []string{"weather{}"}, rounds)
	assert.Equal(t, "The tool weather answered: result 1", last)

	rounds, _ = converse(t, p, "assistant", `use the tool weather with {"n":1}, then use the tool clock`, 5)
	assert.Equal(t, []string{`weather{"n":1}`, "clock{}"}, rounds)

	rounds, _ = converse(t, p, "assistant", "keep using the tool clock", 5)
	assert.Len(t, rounds, 5, "it never finds an end")
}

func TestStreamedToolCallsComeInFragments(t *testing.T) {
	p := serve(t, demo.Options{})
	body := ask("assistant", `use tools weather with {"city":"München","days":[1,2,3]} and clock`, "")
	chunks := p.chunks(streaming(body))
	var names, ids []string
	arguments := map[float64]string{}
	fragments := 0
	for _, chunk := range chunks {
		calls, ok := get(t, chunk, "choices", 0, "delta").(map[string]any)["tool_calls"].([]any)
		if !ok {
			continue
		}
		index := get(t, calls, 0, "index").(float64)
		call := calls[0].(map[string]any)
		if id, ok := call["id"].(string); ok {
			ids = append(ids, id)
			names = append(names, get(t, call, "function", "name").(string))
			assert.Equal(t, "function", call["type"])
		}
		if a := get(t, call, "function", "arguments").(string); a != "" {
			arguments[index] += a
			fragments++
		}
	}
	assert.Equal(t, []string{"weather", "clock"}, names)
	assert.Len(t, ids, 2)
	assert.NotEqual(t, ids[0], ids[1])
	assert.Equal(t, map[float64]string{0: `{"city":"München","days":[1,2,3]}`, 1: "{}"}, arguments)
	assert.Greater(t, fragments, 3)
	assert.Nil(t, get(t, chunks[0], "choices", 0, "delta", "content"))
	assert.Equal(t, "tool_calls", get(t, chunks[len(chunks)-1], "choices", 0, "finish_reason"))
}
