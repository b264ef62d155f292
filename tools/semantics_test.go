package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clientTool = `"tools": [ {"type":"function", "function":{"name":"weather","parameters":{"n":1.0e1}}} ]`

func TestSemantics01ClientToolsStay(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		s := startDemo(t, ordinary())
		wellFormed(t, s.post(ask("hello", append(more, clientTool)...)))
		got := s.sent()[0].body
		if !strings.Contains(got, strings.TrimSuffix(clientTool, "]")) {
			t.Errorf("the client's tools have changed: %s", got)
		}
		names := offered(t, got)
		if want := "weather mcp_calc_add a2a_bot_ask"; strings.Join(names, " ") != want {
			t.Errorf("offered %v, want %s", names, want)
		}
	})
	t.Run("a clash renames the gateway's", func(t *testing.T) {
		s := startDemo(t, ordinary())
		r := s.post(ask(`use the tool mcp_calc_add with {"a":1}`, `"tools":[{"type":"function","function":{"name":"mcp_calc_add"}}]`))
		if r.seen.calls[0] != `mcp_calc_add{"a":1}` {
			t.Errorf("the client's own call did not reach it: %s", r.body)
		}
		names := offered(t, s.sent()[0].body)
		if len(names) != 3 || names[0] != "mcp_calc_add" || names[1] == names[0] || !strings.HasPrefix(names[1], "mcp_calc_add_") {
			t.Fatalf("offered %v", names)
		}
		r = s.post(ask(`use the tool `+names[1]+` with {"a":2}`, `"tools":[{"type":"function","function":{"name":"mcp_calc_add"}}]`))
		if !strings.Contains(r.seen.content, `got {"a":2}`) {
			t.Errorf("the renamed tool was not called: %s", r.body)
		}
	})
	t.Run("at most 128", func(t *testing.T) {
		big := new(shelf).add("a2a", "bot", "ask", ok("asked"))
		for i := range 130 {
			big.add("mcp", "many", fmt.Sprint("t", i), ok(fmt.Sprint("done ", i)))
		}
		s := startDemo(t, Join(big))
		r := s.post(ask(`use the tool mcp_tools_execute with {"name":"mcp_many_t129","arguments":{}}`, clientTool))
		if names := strings.Join(offered(t, s.sent()[0].body), " "); names != "weather a2a_bot_ask mcp_tools_get mcp_tools_execute" {
			t.Errorf("offered %s", names)
		}
		if !strings.Contains(r.seen.content, "done 129") {
			t.Errorf("the tool was not run: %s", r.body)
		}
	})
	t.Run("names", func(t *testing.T) {
		for _, tool := range []string{"add", "a.b c/ü", strings.Repeat("x", 100), "", strings.Repeat("ü", 80)} {
			name := InjectedName("mcp", "srv", tool)
			if name != InjectedName("mcp", "srv", tool) || len(name) > maxName || legal(name) != name || !strings.HasPrefix(name, "mcp_srv") {
				t.Errorf("%q became %q", tool, name)
			}
		}
		if InjectedName("mcp", "s", "a.b") == InjectedName("mcp", "s", "a_b") || InjectedName("mcp", "s", "add") != "mcp_s_add" {
			t.Error("names are not told apart, or changed without need")
		}
	})
}

func offered(t *testing.T, body string) (names []string) {
	t.Helper()
	var request struct {
		Tools []struct{ Function struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(body), &request); err != nil {
		t.Fatal(err)
	}
	for _, tool := range request.Tools {
		names = append(names, tool.Function.Name)
	}
	return names
}

func TestSemantics02WhoseCall(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		t.Run("the gateway's", func(t *testing.T) {
			s := startDemo(t, ordinary())
			r := s.post(ask(`use the tool mcp_calc_add with {"a":1}`, append(more, clientTool)...))
			wellFormed(t, r)
			if !strings.Contains(r.seen.content, `got {"a":1}`) || len(r.seen.calls) != 0 || r.seen.finishes[0] != "stop" || len(s.sent()) != 2 {
				t.Errorf("got %s", r.body)
			}
		})
		t.Run("the client's", func(t *testing.T) {
			s := startDemo(t, ordinary())
			r := s.post(ask(`use tools weather with {"a":1} and weather with {"b":2}`, append(more, clientTool)...))
			wellFormed(t, r)
			if strings.Join(r.seen.calls, " ") != `weather{"a":1} weather{"b":2}` || r.seen.finishes[0] != "tool_calls" || len(s.sent()) != 1 {
				t.Errorf("got %s", r.body)
			}
		})
		t.Run("of both", func(t *testing.T) {
			ran := false
			s := startDemo(t, new(shelf).add("mcp", "calc", "add", func(context.Context, string) Result {
				ran = true
				return Result{}
			}))
			r := s.post(ask(`use tools mcp_calc_add with {"a":1} and weather with {"b":2}`, append(more, clientTool)...))
			wellFormed(t, r)
			if strings.Join(r.seen.calls, " ") != `weather{"b":2}` || r.seen.finishes[0] != "tool_calls" || len(s.sent()) != 1 || ran {
				t.Errorf("ran %v, got %s", ran, r.body)
			}
		})
	})
	t.Run("an answer without gateway calls is the provider's bytes", func(t *testing.T) {
		const odd = `{ "id":"x", "choices":[ {"index":0,"message":{"role":"assistant","content":"1","x":1.0e2},"finish_reason":"stop"} ], "z":[ ] }` + "\n"
		if r := start(t, ordinary(), &script{answers: []string{odd}}).post(ask("x")); r.body != odd {
			t.Errorf("got %q", r.body)
		}
	})
}

func TestSemantics03ParallelInOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		var running, most atomic.Int32
		do := func(_ context.Context, arguments string) Result {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if strings.Contains(arguments, "slow") {
				time.Sleep(50 * time.Millisecond)
			}
			return Result{Text: "got " + arguments}
		}
		tools := new(shelf).add("mcp", "calc", "add", do)
		tools.add("mcp", "calc", "panic", func(context.Context, string) Result { panic("no") })
		tools.add("mcp", "calc", "fail", func(context.Context, string) Result { return Failure(StatusError, "it failed") })
		tools.add("mcp", "calc", "hang", func(ctx context.Context, _ string) Result {
			<-ctx.Done()
			return Failure(StatusCancelled, "x")
		})
		s := startDemo(t, tools)
		s.runner.Parallel, s.runner.CallTimeout = 3, 100*time.Millisecond
		r := s.post(ask(`use tools mcp_calc_add with {"slow":1} and mcp_calc_add with {"b":2} and nobody with {} and mcp_calc_fail with {} `+
			`and mcp_calc_hang with {} and mcp_calc_panic with {} and mcp_calc_add with {"b":3}`, more...))
		wellFormed(t, r)
		var follow struct {
			Messages []struct {
				Role, Content string
				ToolCallID    string                `json:"tool_call_id"`
				ToolCalls     []struct{ ID string } `json:"tool_calls"`
			}
		}
		if err := json.Unmarshal([]byte(s.sent()[1].body), &follow); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`got {"slow":1}`, `got {"b":2}`, `there is no tool named "nobody"`, "it failed",
			"the tool did not answer within 100ms", "the tool failed", `got {"b":3}`,
		}
		if len(follow.Messages) != 2+len(want) {
			t.Fatalf("%d messages: %s", len(follow.Messages), s.sent()[1].body)
		}
		for i, text := range want {
			m := follow.Messages[2+i]
			if m.Role != "tool" || m.Content != text || m.ToolCallID != follow.Messages[1].ToolCalls[i].ID || m.ToolCallID == "" {
				t.Errorf("result %d is %+v, want %s", i, m, text)
			}
		}
		if n := most.Load(); n > 3 {
			t.Errorf("%d calls at once", n)
		}
	})
	t.Run("bad arguments and ids", func(t *testing.T) {
		calls := `[{"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"{\"a\":"}},` +
			`{"id":"a","function":{"name":"mcp_calc_add","arguments":""}},{"type":"function","function":{"name":"mcp_calc_add","arguments":"[1]"}}]`
		s := start(t, ordinary(), &script{answers: []string{calling(calls), saying("done")}})
		wellFormed(t, s.post(ask("x")))
		got := s.sent()[1].body
		for _, part := range []string{
			`{"role":"tool","tool_call_id":"a","content":"the arguments are not one JSON object"}`,
			`{"role":"tool","tool_call_id":"call_gateway_0_1","content":"got {}"}`,
			`{"role":"tool","tool_call_id":"call_gateway_0_2","content":"the arguments are not one JSON object"}`,
			`{"id":"call_gateway_0_1","function":{"name":"mcp_calc_add","arguments":"{}"},"type":"function"}`,
		} {
			if strings.Count(got, part) != 1 && !strings.Contains(got, part) {
				t.Errorf("no %s in %s", part, got)
			}
		}
	})
}

// calling and saying are whole answers of a model.
func calling(calls string) string {
	return `{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":` + calls +
		`},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"total_tokens":1}}`
}

func saying(text string) string {
	return `{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}`
}

func add(a int) string {
	return fmt.Sprintf(`[{"id":"c%d","type":"function","function":{"name":"mcp_calc_add","arguments":"{\"a\":%d}"}}]`, a, a)
}

func TestSemantics04OneLife(t *testing.T) {
	const question = `use the tool mcp_calc_add with {"say":"[DONE]"} then use the tool a2a_bot_ask with {"b":2}`
	t.Run("two rounds", func(t *testing.T) {
		s := startDemo(t, ordinary())
		r := s.post(ask(question, streaming, `"stream_options":{"include_usage":true}`))
		wellFormed(t, r)
		if r.seen.usages != 1 || len(r.seen.events) != 0 || len(s.sent()) != 3 || !strings.Contains(r.seen.content, `got {"b":2}`) {
			t.Errorf("usage %d, events %q, requests %d\n%s", r.seen.usages, r.seen.events, len(s.sent()), r.body)
		}
	})
	t.Run("no usage unasked", func(t *testing.T) {
		s := startDemo(t, ordinary())
		r := s.post(ask(question, streaming))
		wellFormed(t, r)
		if strings.Contains(r.body, "usage") || strings.Contains(s.sent()[2].body, "include_usage") {
			t.Errorf("usage was shown, or asked for: %s", r.body)
		}
	})
	t.Run("text that looks like the end", func(t *testing.T) {
		s := startDemo(t, ordinary())
		r := s.post(ask(`use the tool mcp_calc_add with {"say":"data: [DONE]"}`, streaming))
		wellFormed(t, r)
		if !strings.Contains(r.seen.content, "[DONE]") {
			t.Errorf("got %s", r.body)
		}
	})
	t.Run("comments and events", func(t *testing.T) {
		ticks := make(chan time.Time)
		tools := new(shelf).add("mcp", "calc", "add", func(ctx context.Context, _ string) Result {
			ticks <- time.Time{} // taken by the loop while this runs
			return Result{Text: "x", Status: StatusOK}
		})
		s := startDemo(t, tools)
		s.runner.Ticks = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
		for _, events := range []bool{false, true} {
			r := s.post(ask(`use tools mcp_calc_add with {} and nobody with {}`, streaming), EventsHeader, fmt.Sprint(events))
			wellFormed(t, reply{status: r.status, header: r.header, body: r.body, seen: r.seen})
			if len(r.seen.comments) != 1 {
				t.Errorf("comments %q", r.seen.comments)
			}
			all := strings.Join(r.seen.events, "\n")
			if !events && all != "" || events && (!strings.Contains(all, `"choices":[],"tool":{"name":"mcp_calc_add","status":"ok","duration_ms":`) ||
				!strings.Contains(all, `"name":"nobody","status":"unknown_tool"`) || !strings.HasPrefix(all, "tool: ")) {
				t.Errorf("events %s", all)
			}
			if got := s.sent()[0].header.Get(EventsHeader); got != "" {
				t.Errorf("the model was told %s: %s", EventsHeader, got)
			}
		}
	})
}

// What a model says before it calls tools stands before its answer, streamed or not, a blank line between.
func TestSemantics04TextsOfTurnsAreParagraphs(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		for want, texts := range map[string][]string{
			"I will look.\n\nIt is 42.":       {"I will look.", "It is 42."},
			"One.\n\nTwo.\n\nThree.":          {"One.", "Two.", "Three."},
			"Two.\n\nThree.":                  {"", "Two.", "Three."},
			"One.":                            {"One.", ""},
			`ends in a line:\n\nthe next`:     {`ends in a line:\n`, "the next"},
			`ends in a blank line:\n\nnext`:   {`ends in a blank line:\n\n`, "next"},
			`\n \nthe first that says a word`: {`\n \n`, "the first that says a word"},
		} {
			s := start(t, ordinary(), answers(more, texts, func(i int) string {
				if i == len(texts)-1 {
					return ""
				}
				return add(i)
			}))
			r := s.post(ask("x", more...))
			wellFormed(t, r)
			if want := strings.ReplaceAll(want, `\n`, "\n"); r.seen.content != want {
				t.Errorf("%q became %q, want %q", texts, r.seen.content, want)
			}
		}
	})
	t.Run("before the client's calls", func(t *testing.T) {
		calls := `[{"id":"w","type":"function","function":{"name":"weather","arguments":"{}"}}]`
		for _, content := range []string{`"Then this."`, `[{"type":"thinking","thinking":"t"},{"type":"text","text":"Then this."}]`, `null`} {
			first := strings.Replace(calling(add(1)), `"content":null`, `"content":"I will look."`, 1)
			last := strings.Replace(calling(calls), `"content":null`, `"content":`+content, 1)
			r := start(t, ordinary(), &script{answers: []string{first, last}}).post(ask("x", clientTool))
			if !strings.Contains(r.body, "I will look.") || content != "null" && !strings.Contains(r.body, "Then this.") || !strings.Contains(r.body, calls) {
				t.Errorf("%s: got %s", content, r.body)
			}
		}
	})
	t.Run("an answer of a format is the last turn's alone", func(t *testing.T) {
		first := strings.Replace(calling(add(1)), `"content":null`, `"content":"{}"`, 1)
		s := start(t, ordinary(), &script{answers: []string{first, saying(`[1]`)}})
		if r := s.post(ask("x", `"response_format":{"type":"json_object"}`)); r.seen.content != "[1]" {
			t.Errorf("got %s", r.body)
		}
	})
}

func TestSemantics05UsageIsTheSum(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		if more != nil {
			more = append(more, `"stream_options":{"include_usage":true}`)
		}
		s := startDemo(t, ordinary())
		r := s.post(ask(`use the tool mcp_calc_add with {"a":1}`, more...))
		wellFormed(t, r)
		prompt := 0.0
		for _, request := range s.sent() { // what each request costs by itself
			var body map[string]any
			if err := json.Unmarshal([]byte(request.body), &body); err != nil {
				t.Fatal(err)
			}
			delete(body, "stream")
			delete(body, "stream_options")
			raw, _ := json.Marshal(body)
			resp, err := s.runner.Model.Do(t.Context(), [][]byte{raw}, http.Header{})
			if err != nil {
				t.Fatal(err)
			}
			var one wire
			err = json.NewDecoder(resp.Body).Decode(&one)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			prompt += one.Usage["prompt_tokens"].(float64)
		}
		if r.seen.usage["prompt_tokens"] != prompt || prompt == 0 {
			t.Errorf("usage %v, want a prompt of %v", r.seen.usage, prompt)
		}
		if details, _ := r.seen.usage["prompt_tokens_details"].(map[string]any); details == nil {
			t.Errorf("usage has lost its details: %v", r.seen.usage)
		}
	})
	for _, c := range []struct{ a, b, want string }{
		{``, `{"a":1}`, `{"a":1}`},
		{`{"a":1,"t":0.5}`, `{"a":2,"t":0.25,"d":{"x":1}}`, `{"a":3,"t":0.75,"d":{"x":1}}`},
		{`{"a":9223372036854775807,"s":"x"}`, `{"a":1,"s":"y","d":null}`, `{"a":9223372036854776000,"s":"y","d":null}`},
		{`{"d":{"x":1}}`, `{"d":null}`, `{"d":{"x":1}}`},
		{`{"a":1}`, ``, `{"a":1}`},
	} {
		if got := string(addUsage([]byte(c.a), []byte(c.b))); got != c.want {
			t.Errorf("%s + %s = %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestSemantics06ToolChoice(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		s := startDemo(t, ordinary())
		wellFormed(t, s.post(ask("hello", append(more, `"tool_choice": "required"`)...)))
		sent := s.sent()
		if len(sent) != 2 || !strings.Contains(sent[0].body, `"tool_choice": "required"`) || !strings.Contains(sent[1].body, `"tool_choice": "auto"`) {
			t.Errorf("sent %v", sent)
		}
	})
	for name, more := range map[string]string{
		"none": `"tool_choice":"none"`, "n": `"n":2`, "older functions": `"functions":[{"name":"a"}]`, "no messages": `"messages":1`,
		"tools of no kind": `"tools":{}`, "duplicate names": `"model":"b"`, "stream of no kind": `"stream":1`,
	} {
		if _, ok := Open([]byte(ask("x", more)), ordinary(), Options{}); ok {
			t.Errorf("%s: a loop was begun", name)
		}
	}
	if _, ok := Open([]byte(ask("x", `"n":1,"tools":null,"functions":null,"tool_choice":null`)), ordinary(), Options{}); !ok {
		t.Error("no loop was begun")
	}
}
