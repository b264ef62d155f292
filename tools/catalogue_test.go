package tools

import (
	"fmt"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	one := new(shelf).add("mcp", "a_b", "c", ok("first"))
	two := new(shelf).add("mcp", "a", "b_c", ok("second")).add("mcp", "a", "d", ok("third")).add("mcp", "a", "d", ok("again"))
	all := Join(one, nil, two)
	tools := all.Tools()
	if len(tools) != 3 || tools[0].Name != "mcp_a_b_c" || !strings.HasPrefix(tools[1].Name, "mcp_a_b_c_") || tools[2].Name != "mcp_a_d" {
		t.Fatalf("got %v", tools)
	}
	for i, want := range []string{"first", "second"} {
		if r := all.Call(t.Context(), tools[i].Name, nil); r.Text != want {
			t.Errorf("%s answered %q, want %q", tools[i].Name, r.Text, want)
		}
	}
	if r := all.Call(t.Context(), "x\n\x00ü", nil); r.Status != StatusUnknownTool || !r.Failed || strings.ContainsAny(r.Text, "\n\x00ü") {
		t.Errorf("got %+v", r)
	}
	if again := Join(one, two).Tools(); again[1].Name != tools[1].Name {
		t.Error("the name is another in another snapshot")
	}
	tools[0].Name = "changed"
	if all.Tools()[0].Name == "changed" {
		t.Error("a snapshot can be changed")
	}
}

func TestSelector(t *testing.T) {
	c := ordinary().add("mcp", "calc", "subtract", ok("less"))
	c.tools[0].Description = strings.Repeat("long <text> ", 50)
	s, isLoop := Open([]byte(ask("x", `"tools":[{"type":"function","function":{"name":"mcp_tools_get"}}]`)), c, Options{Selector: true})
	if !isLoop {
		t.Fatal("no loop")
	}
	names := offered(t, string(first(s)))
	if len(names) != 4 || names[1] != "a2a_bot_ask" || !strings.HasPrefix(names[2], "mcp_tools_get_") || names[3] != "mcp_tools_execute" {
		t.Fatalf("offered %v", names)
	}
	get, execute := names[2], names[3]
	for _, c := range []struct {
		name, arguments, status string
		has                     string
		lines                   int
	}{
		{get, ``, StatusOK, `{"name":"mcp_calc_subtract","description":"subtract of calc"}`, 3},
		{get, `{"query":"CALC sub"}`, StatusOK, `"parameters":{"type":"object"}`, 1},
		{get, `{"names":["mcp_calc_add","a2a_bot_ask","x"]}`, StatusOK, `long <text>`, 2},
		{get, `{"query":"nothing like it"}`, StatusOK, "no tool matches", 1},
		{get, `{"names":"x"}`, StatusBadArguments, "names", 1},
		{execute, `{"name":"mcp_calc_add","arguments":{"a":1}}`, StatusOK, `got {"a":1}`, 1},
		{execute, `{"name":"mcp_calc_add","arguments":"{\"a\":1}"}`, StatusOK, `got {"a":1}`, 1},
		{execute, `{"name":"mcp_calc_add"}`, StatusOK, `got {}`, 1},
		{execute, `{"name":"mcp_calc_add","arguments":[1]}`, StatusBadArguments, "", 1},
		{execute, `{"name":"` + get + `"}`, StatusUnknownTool, "", 1},
		{execute, `{"name":`, StatusBadArguments, "", 1},
		{"mcp_calc_subtract", `null`, StatusOK, "less", 1}, // by the name that the model has looked up
		{"*get", `{}`, StatusUnknownTool, "", 1},
	} {
		r := s.call(t.Context(), c.name, c.arguments)
		if r.Status != c.status || !strings.Contains(r.Text, c.has) || strings.Count(r.Text, "\n")+1 != c.lines || r.Failed != (c.status != StatusOK) {
			t.Errorf("%s %s: %+v", c.name, c.arguments, r)
		}
	}
}

// A tool whose own name is that of a selector tool is still a tool, and the other is found under another name.
func TestSelectorNamesakes(t *testing.T) {
	c := new(shelf).add("mcp", "tools", "get", ok("the tool"))
	s, _ := Open([]byte(ask("x")), c, Options{Selector: true})
	names := offered(t, string(first(s)))
	if names[0] == "mcp_tools_get" || s.call(t.Context(), "mcp_tools_get", "").Text != "the tool" {
		t.Errorf("offered %v", names)
	}
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		client, mcp, a2a int
		want             int // tools in the request; 0 is no loop
	}{
		{0, 128, 0, 128},
		{0, 129, 0, 2},
		{100, 28, 0, 128},
		{100, 29, 0, 102},
		{126, 3, 0, 128},
		{127, 1, 0, 128},
		{127, 2, 0, 0},
		{128, 1, 1, 0},
		{0, 100, 50, 52},
		{0, 10, 150, 2},
		{0, 0, 129, 2},
		{200, 1, 0, 0},
	} {
		tools := new(shelf)
		for i := range c.mcp {
			tools.add("mcp", "s", fmt.Sprint(i), ok(""))
		}
		for i := range c.a2a {
			tools.add("a2a", "s", fmt.Sprint(i), ok(""))
		}
		own := make([]string, c.client)
		for i := range own {
			own[i] = fmt.Sprintf(`{"type":"function","function":{"name":"own%d"}}`, i)
		}
		s, isLoop := Open([]byte(ask("x", `"tools":[`+strings.Join(own, ",")+`]`)), tools, Options{})
		got := 0
		if isLoop {
			got = len(offered(t, string(first(s))))
		}
		if got != c.want {
			t.Errorf("%+v: %d tools", c, got)
		}
	}
}

func TestSplice(t *testing.T) {
	for array, want := range map[string]string{
		`[]`: ``, `[ ]`: ``, `[1 , {"a":[2,"],\""]} ,"x,y" ]`: `1|{"a":[2,"],\""]}|"x,y"`, `[[],{}]`: `[]|{}`,
	} {
		var got []string
		for _, e := range elements([]byte(array)) {
			got = append(got, string(e))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s is %q", array, got)
		}
	}
	for array, want := range map[string]string{``: `[1,2]`, `[]`: `[1,2]`, `[ ]`: `[ 1,2]`, `[0 ]`: `[0 ,1,2]`} {
		if got := string(extend([]byte(array), []byte("1"), []byte("2"))); got != want {
			t.Errorf("%s became %s, want %s", array, got, want)
		}
	}
}

// BenchmarkOpen is what fifty tools cost a request that calls none.
func BenchmarkOpen(b *testing.B) {
	tools := new(shelf)
	for i := range 50 {
		tools.add("mcp", "server", fmt.Sprint("tool", i), ok(""))
		tools.tools[i].Description = strings.Repeat("word ", 40)
		tools.tools[i].Schema = []byte(`{"type":"object","properties":{` + strings.Repeat(`"p":{"type":"string","description":"what it is"},`, 1) + `"q":{"type":"number"}}}`)
	}
	all, body := Join(tools), []byte(ask(strings.Repeat("words ", 200)))
	b.ReportAllocs()
	for b.Loop() {
		s, isLoop := Open(body, all, Options{})
		if !isLoop || len(first(s)) < len(body) {
			b.Fatal("no loop")
		}
	}
}

// BenchmarkChunk is what the loop costs each chunk of a stream.
func BenchmarkChunk(b *testing.B) {
	s, _ := Open([]byte(ask("x", streaming)), ordinary(), Options{})
	st := newStream(s)
	chunk := []byte(`data: {"id":"chatcmpl-abc","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default",` +
		`"system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"word"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, err = st.feed(out[:0], chunk); err != nil || len(out) == 0 {
			b.Fatal("nothing came")
		}
	}
}
