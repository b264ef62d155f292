package demo_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

const hello = `{"model":"echo","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello, wörld 👋🏽 <b>&"}]}`

func content(t *testing.T, completion map[string]any) any {
	t.Helper()
	return get(t, completion, "choices", 0, "message", "content")
}

func TestAChatAnswerHasEveryMemberOfOpenAIs(t *testing.T) {
	p := serve(t, demo.Options{})
	got := p.chat(hello)
	assert.Equal(t, "chat.completion", got["object"])
	assert.Equal(t, "echo", got["model"])
	assert.EqualValues(t, noon.Unix(), got["created"])
	assert.Regexp(t, `^chatcmpl-[0-9a-f]{24}$`, got["id"])
	c := get(t, got, "choices", 0)
	assert.EqualValues(t, 0, get(t, c, "index"))
	assert.Equal(t, "stop", get(t, c, "finish_reason"))
	assert.Nil(t, get(t, c, "logprobs"))
	assert.Nil(t, get(t, c, "message", "refusal"))
	assert.Equal(t, "assistant", get(t, c, "message", "role"))
	assert.Equal(t, "Hello, wörld 👋🏽 <b>&", content(t, got))
	prompt := get(t, got, "usage", "prompt_tokens").(float64)
	answer := get(t, got, "usage", "completion_tokens").(float64)
	assert.Positive(t, prompt)
	assert.Positive(t, answer)
	assert.EqualValues(t, prompt+answer, get(t, got, "usage", "total_tokens"))
	assert.Equal(t, got, p.chat(hello), "the same request has the same answer")
}

func TestTheAssistantSaysHowToSetAKey(t *testing.T) {
	got := content(t, serve(t, demo.Options{}).chat(`{"model":"assistant","messages":[{"role":"user","content":[
		{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:,"}}]}]}`)).(string)
	for _, want := range []string{"“What is this?”", "demo provider", "OPENAI_API_KEY", "openai/gpt-4o-mini", "Images that came with it: 1"} {
		assert.Contains(t, got, want)
	}
}

func TestTheMirrorRepeatsTheBodyByteForByte(t *testing.T) {
	body := `{"x_unknown" : 1.0e+2, "model":"mirror","messages":[{"role":"user","content":"hi"}],"seed":12345678901234567890}`
	assert.Equal(t, body, content(t, serve(t, demo.Options{}).chat(body)))
}

func TestAnswersAreCutAsAsked(t *testing.T) {
	p := serve(t, demo.Options{})
	for name, tc := range map[string]struct{ extra, text, finish string }{
		"whole":                 {`"n":1`, "one two three four", "stop"},
		"max_tokens":            {`"max_tokens":2`, "one two", "length"},
		"max_completion_tokens": {`"max_completion_tokens":3`, "one two three", "length"},
		"just enough":           {`"max_tokens":4`, "one two three four", "stop"},
		"stop":                  {`"stop":" three"`, "one two", "stop"},
		"first of stops":        {`"stop":["four"," two"]`, "one", "stop"},
		"stop before limit":     {`"stop":" two","max_tokens":3`, "one", "stop"},
		"nulls":                 {`"stop":null,"max_tokens":null,"n":null,"tools":null,"stream_options":null`, "one two three four", "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.chat(`{"model":"echo","messages":[{"role":"user","content":"one two three four"}],` + tc.extra + `}`)
			assert.Equal(t, tc.text, content(t, got))
			assert.Equal(t, tc.finish, get(t, got, "choices", 0, "finish_reason"))
			assert.EqualValues(t, len(strings.Fields(tc.text)), get(t, got, "usage", "completion_tokens"))
		})
	}
}

func TestNGivesThatManyChoices(t *testing.T) {
	got := serve(t, demo.Options{}).chat(strings.Replace(hello, `{`, `{"n":3,`, 1))
	assert.Len(t, got["choices"], 3)
	assert.EqualValues(t, 2, get(t, got, "choices", 2, "index"))
}

func TestJSONModesAnswerJSON(t *testing.T) {
	p := serve(t, demo.Options{})
	got := p.chat(strings.Replace(hello, `{`, `{"response_format":{"type":"json_object"},`, 1))
	assert.JSONEq(t, `{"answer":"Hello, wörld 👋🏽 <b>&"}`, content(t, got).(string))

	got = p.chat(strings.Replace(hello, `{`, `{"response_format":{"type":"json_schema","json_schema":{"name":"plan","schema":{
		"type":"object","$defs":{"step":{"type":"object","required":["next"],"properties":{"next":{"anyOf":[{"$ref":"#/$defs/step"},{"type":"null"}]}}}},
		"properties":{"title":{"type":"string"},"kind":{"enum":["a","b"]},"tags":{"type":"array","items":{"type":"integer","minimum":3}},
		"done":{"type":["boolean","null"]}}}}},`, 1))
	assert.JSONEq(t, `{"title":"demo","kind":"a","tags":[3],"done":true}`, content(t, got).(string))
}

func TestABadRequestNamesItsField(t *testing.T) {
	p := serve(t, demo.Options{})
	const user = `"messages":[{"role":"user","content":"x"}]`
	for body, param := range map[string]any{
		`not json`:                           nil,
		`{"model":"echo"`:                    nil,
		`[]`:                                 nil,
		`null`:                               nil,
		`{` + user + `}`:                     "model",
		`{"model":7}`:                        "model",
		`{"Model":"echo"}`:                   "model",
		`{"model":"echo"}`:                   "messages",
		`{"model":"echo","messages":[]}`:     "messages",
		`{"model":"echo","messages":{}}`:     "messages",
		`{"model":"echo","messages":[null]}`: "messages[0].role",
		`{"model":"echo","messages":[{"role":"king","content":"x"}]}`:                                        "messages[0].role",
		`{"model":"echo","messages":[{"role":"user"}]}`:                                                      "messages[0].content",
		`{"model":"echo","messages":[{"role":"user","content":7}]}`:                                          "messages[0].content",
		`{"model":"echo","messages":[{"role":"user","content":[{"type":"x"}]}]}`:                             "messages[0].content[0].type",
		`{"model":"echo","messages":[{"role":"user","content":[{"type":"text"}]}]}`:                          "messages[0].content[0].text",
		`{"model":"echo","messages":[{"role":"tool","content":"x"}]}`:                                        "messages[0].tool_call_id",
		`{"model":"echo","messages":[{"role":"tool","content":"x","tool_call_id":"y"}]}`:                     "messages[0].role",
		`{"model":"echo","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}]}`:         "messages[0].tool_calls[0].function.name",
		`{"model":"echo","stream":"yes",` + user + `}`:                                                       "stream",
		`{"model":"echo","stream_options":{},` + user + `}`:                                                  "stream_options",
		`{"model":"echo","n":9,` + user + `}`:                                                                "n",
		`{"model":"echo","n":1.5,` + user + `}`:                                                              "n",
		`{"model":"echo","max_tokens":0,` + user + `}`:                                                       "max_tokens",
		`{"model":"echo","temperature":3,` + user + `}`:                                                      "temperature",
		`{"model":"echo","stop":["1","2","3","4","5"],` + user + `}`:                                         "stop",
		`{"model":"echo","tools":[{"type":"function"}],` + user + `}`:                                        "tools[0].function",
		`{"model":"echo","tool_choice":"auto",` + user + `}`:                                                 "tool_choice",
		`{"model":"echo","tools":[],"tool_choice":{"type":"function","function":{"name":"f"}},` + user + `}`: "tool_choice",
		`{"model":"echo","response_format":{"type":"xml"},` + user + `}`:                                     "response_format.type",
		`{"model":"embedding",` + user + `}`:                                                                 "model",
	} {
		e := p.refused("/v1/chat/completions", body, http.StatusBadRequest)
		assert.Equal(t, param, e["param"], body)
		assert.Equal(t, "invalid_request_error", e["type"], body)
	}
}

func TestAToolCallWithoutItsResultIsRefused(t *testing.T) {
	e := serve(t, demo.Options{}).refused("/v1/chat/completions", `{"model":"echo","messages":[{"role":"user","content":"x"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"user","content":"y"}]}`, http.StatusBadRequest)
	assert.Contains(t, e["message"], "call_1")
}

func TestWrongDoorsAreShaped(t *testing.T) {
	p := serve(t, demo.Options{})
	assert.Equal(t, "model_not_found", p.refused("/v1/chat/completions", strings.Replace(hello, "echo", "gpt-9", 1), http.StatusNotFound)["code"])
	assert.Equal(t, "model_not_found", p.refused("/v1/chat/completions", strings.Replace(hello, "echo", "fault-500", 1), http.StatusNotFound)["code"])
	p.refused("/v1/completions", `{}`, http.StatusNotFound)
	p.refused("/", "", http.StatusNotFound)
	p.refused("/v1/chat/completions", "", http.StatusMethodNotAllowed)
	p.refused("/v1/models", "{}", http.StatusMethodNotAllowed)
	assert.Equal(t, "POST", p.do("/v1/embeddings", "").Header.Get("Allow"))
	large := p.do("/v1/chat/completions", strings.Repeat(" ", 32<<20+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.StatusCode)
}

func TestModelsAreListedAndFound(t *testing.T) {
	p := serve(t, demo.Options{})
	list := p.call("/v1/models", "", http.StatusOK)
	assert.Equal(t, "list", list["object"])
	for _, m := range list["data"].([]any) {
		id := get(t, m, "id").(string)
		assert.Equal(t, m, any(p.call("/v1/models/"+id, "", http.StatusOK)))
		assert.Equal(t, "model", get(t, m, "object"))
	}
	assert.Equal(t, "model_not_found", p.refused("/v1/models/gpt-9", "", http.StatusNotFound)["code"])
}

func TestRecordSeesTheWholeRequest(t *testing.T) {
	var body, path string
	p := serve(t, demo.Options{Record: func(r *http.Request, b []byte) { path, body = r.URL.Path, string(b) }})
	p.chat(hello)
	assert.Equal(t, "/v1/chat/completions", path)
	assert.Equal(t, hello, body)
}

func TestItIsServedOnAUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "demo.sock"))
	require.NoError(t, err)
	s := &http.Server{Handler: demo.New(demo.Options{})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", l.Addr().String())
	}}
	res, err := (&http.Client{Transport: tr}).Post("http://demo/v1/chat/completions", "application/json", strings.NewReader(hello))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, res.Body.Close())
	tr.CloseIdleConnections()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, http.ErrServerClosed)
}
