package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// deltas is a streamed answer whose deltas of calls are given, one chunk each.
func deltas(finish string, calls ...string) string {
	var b strings.Builder
	chunk := func(delta, finish string) {
		fmt.Fprintf(&b, "data: {\"id\":\"s\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]}\n\n", delta, finish)
	}
	chunk(`{"role":"assistant","content":null}`, "null")
	for _, c := range calls {
		chunk(`{"tool_calls":`+c+`}`, "null")
	}
	chunk(`{}`, `"`+finish+`"`)
	return b.String() + "data: [DONE]\n\n"
}

// followed is what the model was sent back of its calls: each as name, arguments and result.
func followed(t *testing.T, s *setup) (calls []string) {
	t.Helper()
	sent := s.sent()
	if len(sent) != 2 {
		t.Fatalf("%d requests", len(sent))
	}
	checkPairs(t, []byte(sent[1].body))
	var body struct {
		Messages []struct {
			Content   any
			ToolCalls []struct {
				Type     string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal([]byte(sent[1].body), &body); err != nil {
		t.Fatal(err)
	}
	for i, c := range body.Messages[1].ToolCalls {
		if c.Type != "function" {
			t.Errorf("call %d is of type %q", i, c.Type)
		}
		calls = append(calls, fmt.Sprintf("%s %s: %s", c.Function.Name, c.Function.Arguments, body.Messages[2+i].Content))
	}
	return calls
}

// Whatever mistakes a model makes in its calls, the gateway answers each and sends a history that providers take.
func TestAModelsMistakesAreSentBackSoThatProvidersTakeThem(t *testing.T) {
	const bad = "the arguments are not one JSON object"
	for _, c := range []struct{ name, call, want string }{
		{"arguments cut off", `{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"{\"a\":"}}`, "mcp_calc_add {}: " + bad},
		{"arguments that are words", `{"id":"a","function":{"name":"mcp_calc_add","arguments":"two and three"}}`, "mcp_calc_add {}: " + bad},
		{"arguments in a list", `{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"[1]"}}`, "mcp_calc_add {}: " + bad},
		{"null", `{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":null}}`, "mcp_calc_add {}: got {}"},
		{"null as text", `{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"null"}}`, "mcp_calc_add {}: got {}"},
		{"no arguments", `{"id":"a","type":"function","function":{"name":"mcp_calc_add"}}`, "mcp_calc_add {}: got {}"},
		{"arguments that are not quoted", `{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":{"a":1}}}`, `mcp_calc_add {"a":1}: got {"a":1}`},
		{
			"a name of another alphabet", `{"id":"a","type":"function","function":{"name":"functions.mcp_calc_add","arguments":"{}"}}`,
			`functions_mcp_calc_add_* {}: there is no tool named "functions.mcp_calc_add"`,
		},
		{
			"a name that is too long", `{"id":"a","type":"function","function":{"name":"` + strings.Repeat("ü", 5000) + `","arguments":"{}"}}`,
			strings.Repeat("_", 1) + `* {}: there is no tool named "\u00fc*`,
		},
		{"no name", `{"id":"a","type":"function","function":{"arguments":"{}"}}`, `_* {}: there is no tool named ""`},
		{"no function", `{"id":"a"}`, `_* {}: there is no tool named ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, answers := range map[string][]string{
				"whole":    {calling("[" + c.call + "]"), saying("done")},
				"streamed": {deltas("tool_calls", `[{"index":0,`+c.call[1:]+`]`), deltas("stop")},
			} {
				s := start(t, ordinary(), &script{answers: answers})
				var more []string
				if kind == "streamed" {
					more = []string{streaming}
				}
				wellFormed(t, s.post(ask("x", more...)))
				got := followed(t, s)
				if len(got) != 1 || !like(got[0], c.want) {
					t.Errorf("%s: got %q, want %q", kind, got, c.want)
				}
				name, _, _ := strings.Cut(got[0], " ")
				if name == "" || name != legal(name) || len(name) > maxName {
					t.Errorf("%s: a provider would refuse the name %q", kind, name)
				}
			}
		})
	}
}

// like compares with * for anything.
func like(s, pattern string) bool {
	for i, part := range strings.Split(pattern, "*") {
		at := strings.Index(s, part)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return s == "" || strings.HasSuffix(pattern, "*")
}

func TestCallsInStreamsThatAreSplitInOddWays(t *testing.T) {
	two := []string{`mcp_calc_add {"a":1}: got {"a":1}`, `a2a_bot_ask {"b":2}: got {"b":2}`}
	same := []string{two[0], `mcp_calc_add {"a":2}: got {"a":2}`}
	for name, c := range map[string]struct {
		finish string
		calls  []string
		want   []string
	}{
		"the index left out, both at once": {"tool_calls", []string{
			`[{"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}},{"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\":2}"}}]`,
		}, two},
		"the index left out, in pieces": {"tool_calls", []string{
			`[{"id":"a","function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"function":{"arguments":"{\"a\""}}]`, `[{"function":{"arguments":":1}"}}]`,
			`[{"id":"b","function":{"name":"a2a_bot_ask"}}]`, `[{"id":"b","function":{"arguments":"{\"b\":2}"}}]`,
		}, two},
		"no index and no id, both at once": {"tool_calls", []string{
			`[{"function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}},{"function":{"name":"a2a_bot_ask","arguments":"{\"b\":2}"}}]`,
		}, two},
		"no id, and index 0 for all": {"tool_calls", []string{
			`[{"index":0,"id":"","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}}]`, `[{"index":0,"id":"","function":{"name":"mcp_calc_add","arguments":"{\"a\":2}"}}]`,
		}, same},
		"index 0 and one id for all": {"tool_calls", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}}]`, `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":2}"}}]`,
		}, same},
		"one id for two indexes": {"tool_calls", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}},{"index":1,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":2}"}}]`,
		}, same},
		"the name and id in every piece": {"tool_calls", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\""}}]`,
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":":1}"}}]`, `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":""}}]`,
			`[{"index":1,"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\":2}"}}]`,
		}, two},
		"the id after the first piece": {"tool_calls", []string{
			`[{"index":0,"function":{"name":"mcp_calc_add"}}]`, `[{"index":0,"id":"a","function":{"arguments":"{\"a\":1}"}}]`,
			`[{"index":1,"function":{"name":"a2a_bot_ask"}}]`, `[{"index":1,"id":"b","function":{"arguments":"{\"b\":2}"}}]`,
		}, two},
		"pieces in turn, and a last one without anything": {"tool_calls", []string{
			`[{"index":1,"id":"a","function":{"name":"mcp_calc_add","arguments":""}},{"index":7,"id":"b","function":{"name":"a2a_bot_ask","arguments":""}}]`,
			`[{"index":7,"function":{"arguments":"{\"b\":2"}},{"index":1,"function":{"arguments":"{\"a\":1}"}}]`, `[{"index":7,"function":{"arguments":"}"}}]`, `[]`, `null`, `[null,1,"x",{}]`,
		}, two},
		"no index and no id, in pieces": {"tool_calls", []string{
			`[{"function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"function":{"arguments":"{\"a\":"}}]`, `[{"function":{"arguments":"1}"}}]`,
			`[{"type":"function","function":{"name":"a2a_bot_ask","arguments":""}}]`, `[{"function":{"arguments":"{\"b\":2}"}}]`,
		}, two},
		"no index and no id, the same tool in pieces": {"tool_calls", []string{
			`[{"function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"function":{"arguments":"{\"a\":1}"}}]`,
			`[{"function":{"name":"mcp_calc_add"}}]`, `[{"function":{"arguments":"{\"a\":"}}]`, `[{"function":{"arguments":"2}"}}]`,
		}, same},
		"no id, index 0 for all, in pieces": {"tool_calls", []string{
			`[{"index":0,"function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"index":0,"function":{"arguments":"{\"a\":1}"}}]`,
			`[{"index":0,"function":{"name":"a2a_bot_ask","arguments":""}}]`, `[{"index":0,"function":{"arguments":"{\"b\":2}"}}]`,
		}, two},
		"the index left out, ids in turn": {"tool_calls", []string{
			`[{"id":"a","function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\""}}]`,
			`[{"id":"a","function":{"arguments":"{\"a\":1}"}}]`, `[{"id":"b","function":{"arguments":":2}"}}]`,
		}, two},
		"the index left out, ids in turn and together": {"tool_calls", []string{
			`[{"id":"a","function":{"name":"mcp_calc_add","arguments":"{"}}]`, `[{"id":"a","function":{"arguments":"\"a\":1}"}},{"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\""}}]`,
			`[{"id":"b","function":{"arguments":":2}"}}]`,
		}, two},
		"begun at index 0, gone on at index 1": {"tool_calls", []string{ // agno-agi/agno#8880
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":""}}]`, `[{"index":0,"function":{"arguments":"{\"a\":1}"}}]`,
			`[{"index":0,"id":"b","function":{"name":"a2a_bot_ask","arguments":""}}]`, `[{"index":1,"function":{"arguments":"{\"b\""}}]`,
			`[{"index":1,"function":{"arguments":":2}"}}]`, `[{"index":1,"function":{"arguments":""}}]`,
		}, two},
		"the name after the arguments have begun": {"tool_calls", []string{ // vercel/ai#14722
			`[{"index":0,"id":"a","type":"function","function":{"arguments":"{\"a\""}}]`, `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":":1}"}}]`,
			`[{"index":1,"id":"b","type":"function","function":{"name":"","arguments":"{\"b\":2}"}}]`, `[{"index":1,"function":{"name":"a2a_bot_ask","arguments":""}}]`,
		}, two},
		"the names last of all": {"tool_calls", []string{
			`[{"index":0,"id":"a","function":{"arguments":"{\"a\":1}"}},{"index":1,"id":"b","function":{"arguments":"{\"b\":2}"}}]`,
			`[{"index":0,"function":{"name":"mcp_calc_add"}},{"index":1,"function":{"name":"a2a_bot_ask"}}]`,
		}, two},
		"arguments that are not quoted": {"tool_calls", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":{"a":1}}},{"index":1,"id":"b","function":{"name":"a2a_bot_ask","arguments":{"b":2}}}]`,
		}, two},
		"a finish_reason of stop": {"stop", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}},{"index":1,"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\":2}"}}]`,
		}, two},
		"a finish_reason of the older API": {"function_call", []string{
			`[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{\"a\":1}"}},{"index":1,"id":"b","function":{"name":"a2a_bot_ask","arguments":"{\"b\":2}"}}]`,
		}, two},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, ordinary(), &script{answers: []string{deltas(c.finish, c.calls...), deltas("stop")}})
			r := s.post(ask("x", streaming))
			wellFormed(t, r)
			if got := followed(t, s); strings.Join(got, "\n") != strings.Join(c.want, "\n") || strings.Contains(r.body, "tool_calls") {
				t.Errorf("got %q, want %q\n%s", got, c.want, r.body)
			}
		})
	}
}

// The client's own calls are told apart likewise, and get the index that their server should have given them. The pieces stay
// in their order.
func TestAClientsCallsInStreamsThatAreSplitInOddWays(t *testing.T) {
	for name, c := range map[string]struct{ calls, want []string }{
		"no index and no id": {[]string{
			`[{"function":{"name":"weather","arguments":""}}]`, `[{"function":{"arguments":"{\"a\":"}}]`, `[{"function":{"arguments":"1}"}}]`,
			`[{"function":{"name":"weather","arguments":""}}]`, `[{"function":{"arguments":"{\"a\":2}"}}]`,
		}, []string{`weather{"a":1}`, `weather{"a":2}`}},
		"the names last of all": {[]string{
			`[{"index":0,"id":"a","function":{"arguments":"{\"a\":1}"}}]`, `[{"index":1,"id":"b","function":{"arguments":"{\"a\":2}"}}]`,
			`[{"index":1,"function":{"name":"weather"}}]`, `[{"index":0,"function":{"name":"weather"}}]`,
		}, []string{`{"a":2}weather`, `{"a":1}weather`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, ordinary(), &script{answers: []string{deltas("tool_calls", c.calls...)}})
			r := s.post(ask("x", streaming, clientTool))
			wellFormed(t, r)
			if strings.Join(r.seen.calls, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got %q, want %q\n%s", r.seen.calls, c.want, r.body)
			}
		})
	}
}

func TestAHundredCallsInOneTurnAreAllAnswered(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		var words []string
		for i := range 100 {
			words = append(words, fmt.Sprintf(`mcp_calc_add with {"n":%d}`, i))
		}
		s := startDemo(t, ordinary())
		wellFormed(t, s.post(ask("use tools "+strings.Join(words, " and "), more...)))
		got := followed(t, s)
		for i, c := range got {
			want := fmt.Sprintf(`mcp_calc_add {"n":%d}: got {"n":%d}`, i, i)
			if i >= mostCalls {
				want = fmt.Sprintf(`mcp_calc_add {"n":%d}: not run: more than 64 calls at once`, i)
			}
			if c != want {
				t.Errorf("call %d: %s, want %s", i, c, want)
			}
		}
		if len(got) != 100 {
			t.Errorf("%d calls", len(got))
		}
	})
}

func TestSemantics06WhatMayBeChosenFromStays(t *testing.T) {
	for choice, want := range map[string]string{
		`{"type":"function","function":{"name":"mcp_calc_add"}}`:                             `"tool_choice":"auto"`,
		`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"x":1.0e1}]}}`: `"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"x":1.0e1}]}}`,
		`{"type":"allowed_tools"}`: `"tool_choice":"auto"`,
		`7`:                        `"tool_choice":"auto"`,
	} {
		s := start(t, ordinary(), &script{answers: []string{calling(add(1)), saying("done")}})
		wellFormed(t, s.post(ask("x", `"parallel_tool_calls":false,"tool_choice":`+choice)))
		sent := s.sent()
		if !strings.Contains(sent[0].body, `"parallel_tool_calls":false,"tool_choice":`+choice) || !strings.Contains(sent[1].body, `"parallel_tool_calls":false,`+want) {
			t.Errorf("%s: sent %s\nand %s", choice, sent[0].body, sent[1].body)
		}
	}
}
