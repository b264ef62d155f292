package tools

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// spoken words of one turn: what a provider means, before it is spelled in one of the many ways.
type meaning struct {
	text, thought string
	calls         []meant
}

type meant struct{ name, arguments string }

var words = []string{"plain ", "\"quoted\" ", "[DONE] ", "data: x\n\n", "\\ ", "ü", "日本", "🙂", "\u2028", "{\"a\":1}", "\r\n", "</s>", "\x7f", "  "}

func someText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

func aTurn(r *rand.Rand, calls bool) meaning {
	m := meaning{text: someText(r), thought: someText(r)}
	if calls {
		for i := range 1 + r.IntN(3) {
			arguments, _ := json.Marshal(map[string]any{"n": i, "say": someText(r)})
			m.calls = append(m.calls, meant{[]string{"mcp_calc_add", "a2a_bot_ask"}[r.IntN(2)], string(arguments)})
		}
	}
	return m
}

// cutText cuts between characters, as servers do that decode before they send.
func cutText(r *rand.Rand, s string) (pieces []string) {
	runes := []rune(s)
	for len(runes) > 0 {
		n := 1 + r.IntN(len(runes))
		pieces = append(pieces, string(runes[:n]))
		runes = runes[n:]
	}
	return pieces
}

// jsonString quotes a text in one of the ways that mean the same.
func jsonString(r *rand.Rand, s string) string {
	raw, _ := json.Marshal(s)
	if r.IntN(3) == 0 {
		raw = quote(s)
	}
	if r.IntN(5) > 0 {
		return string(raw)
	}
	var b strings.Builder // all that is not ASCII as escapes, as Python's json does
	for _, c := range string(raw) {
		switch {
		case c < 0x80:
			b.WriteRune(c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		}
	}
	return b.String()
}

// spell writes a turn as some provider might.
func spell(r *rand.Rand, m meaning) []byte {
	style := func(likely int) bool { return r.IntN(likely) == 0 }
	indexes, ids, repeats, nulls, usage, roles := !style(4), !style(4), style(3), style(3), style(3), style(3)
	var deltas []string
	add := func(members ...string) {
		if nulls {
			members = append(members, `"refusal":null`, `"function_call":null`)
		}
		if roles && len(deltas) > 0 {
			members = append(members, `"role":"assistant"`)
		}
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		deltas = append(deltas, "{"+strings.Join(members, ",")+"}")
	}
	add(`"role":"assistant"`, []string{`"content":""`, `"content":null`}[r.IntN(2)])
	for _, p := range cutText(r, m.thought) {
		add(`"reasoning_content":` + jsonString(r, p))
	}
	for _, p := range cutText(r, m.text) {
		add(`"content":` + jsonString(r, p))
	}
	if len(m.calls) > 0 && (style(4) || !indexes && !ids) { // all at once: in pieces nobody could tell them apart
		var all []string
		for i, c := range m.calls {
			all = append(all, aCall(r, indexes, ids, i, c.name, c.arguments))
		}
		add(`"tool_calls":[` + strings.Join(all, ",") + "]")
	} else {
		deltas = slices.Concat(deltas, inTurns(r, indexes, ids, repeats, m.calls))
	}
	finish := `"stop"` // vLLM and Ollama said so, calls or not
	if len(m.calls) > 0 && !style(4) {
		finish = `"tool_calls"`
	}
	eol := []string{"\n", "\r\n", "\r"}[r.IntN(3)]
	var b strings.Builder
	if style(5) {
		b.WriteString("\ufeff")
	}
	event := func(data string) {
		if style(6) {
			b.WriteString(": ping" + eol + eol)
		}
		if style(6) {
			b.WriteString("id: 1" + eol + "event: message" + eol)
		}
		b.WriteString([]string{"data: ", "data:"}[r.IntN(2)] + data + eol + eol)
	}
	chunk := func(choices, more string) {
		event(`{"id":"s","object":"chat.completion.chunk","created":1,"model":"m","choices":` + choices + more + "}")
	}
	if style(4) {
		chunk("[]", `,"prompt_filter_results":[]`)
	}
	for _, d := range deltas {
		more := ""
		if usage {
			more = `,"usage":{"total_tokens":1}`
		}
		chunk(`[{"index":0,"delta":`+d+`,"finish_reason":null}]`, more)
	}
	chunk(`[{"index":0,"delta":{},"finish_reason":`+finish+`,"logprobs":null}]`, "")
	if style(3) {
		chunk("[]", `,"usage":{"total_tokens":7}`)
	}
	if !style(5) {
		event("[DONE]")
	}
	return []byte(b.String())
}

func aCall(r *rand.Rand, indexes, ids bool, i int, name, arguments string) string {
	members := []string{`"type":"function"`, `"function":{"name":"` + name + `","arguments":` + jsonString(r, arguments) + `}`}
	if indexes {
		members = append(members, fmt.Sprintf(`"index":%d`, i))
	}
	if ids {
		members = append(members, fmt.Sprintf(`"id":"call_%d"`, i))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// inTurns has the calls in pieces, and where indexes tell them apart the pieces of several in between each other.
func inTurns(r *rand.Rand, indexes, ids, repeats bool, calls []meant) (deltas []string) {
	left := make([][]string, len(calls))
	for i, c := range calls {
		first := true
		for _, p := range append([]string{""}, cutText(r, c.arguments)...) {
			name := ""
			if first || repeats && indexes && ids {
				name = `"name":"` + c.name + `",`
			}
			members := `"function":{` + name + `"arguments":` + jsonString(r, p) + `}`
			if first && ids || repeats && indexes && ids {
				members += fmt.Sprintf(`,"id":"call_%d"`, i)
			}
			if indexes {
				members += fmt.Sprintf(`,"index":%d`, i)
			}
			left[i] = append(left[i], `{"tool_calls":[{`+members+`}]}`)
			first = false
		}
	}
	begun := 0
	for slices.ContainsFunc(left, func(l []string) bool { return len(l) > 0 }) {
		i := slices.IndexFunc(left, func(l []string) bool { return len(l) > 0 })
		if indexes && r.IntN(2) == 0 { // one that has begun, or the next to begin
			i = r.IntN(min(begun+1, len(left)))
		}
		if len(left[i]) > 0 {
			deltas, left[i] = append(deltas, left[i][0]), left[i][1:]
			begun = max(begun, i+1)
		}
	}
	return deltas
}

// However a conversation is spelled and cut, the client sees one answer with all texts, and every call is run as it was meant.
func TestAnyStreamMeansTheSame(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		turns := []meaning{aTurn(r, true), aTurn(r, r.IntN(2) == 0), aTurn(r, false)}
		if len(turns[1].calls) == 0 {
			turns = turns[:2]
		}
		var streams [][]byte
		var ran []string
		text, thoughts := "", ""
		for _, m := range turns {
			streams = append(streams, spell(r, m))
			for _, c := range m.calls {
				ran = append(ran, c.name+" "+c.arguments)
			}
			if m.text != "" {
				text += separator(text) + m.text
			}
			thoughts += m.thought
		}
		s, ok := Open([]byte(ask("x", streaming)), ordinary(), Options{})
		if !ok {
			t.Fatal("no loop")
		}
		pieces := []string{"whole", "byte by byte", "random cuts"}[r.IntN(3)]
		seen, requests := play(s, streams, cuts[pieces])
		got := readStream(t, string(seen))
		saidThoughts := thoughtsIn(t, string(seen))
		called := callsIn(t, requests)
		if got.content != text || saidThoughts != thoughts || !slices.Equal(called, ran) || len(got.finishes) != 1 || got.roles != 1 || got.dones != 1 || len(got.calls) != 0 || got.usages != 0 {
			t.Fatalf("seed %d, %s: text %q, want %q; thoughts %q, want %q; calls %q, want %q; finish %q, roles %d, done %d, calls shown %q\n%s\nof\n%s", seed, pieces,
				got.content, text, saidThoughts, thoughts, called, ran, got.finishes, got.roles, got.dones, got.calls, seen, slices.Concat(streams...))
		}
	}
}

func thoughtsIn(t *testing.T, stream string) (thoughts string) {
	t.Helper()
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(line, "data: {")
		if !ok {
			continue
		}
		var c struct {
			Choices []struct {
				Delta struct {
					Thought string `json:"reasoning_content"`
				}
			}
		}
		if err := json.Unmarshal([]byte("{"+data), &c); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, choice := range c.Choices {
			thoughts += choice.Delta.Thought
		}
	}
	return thoughts
}

// callsIn are the calls in the last request's history, each of which must have its answer.
func callsIn(t *testing.T, requests [][]byte) (calls []string) {
	t.Helper()
	if len(requests) == 0 {
		return nil
	}
	var last struct {
		Messages []struct {
			Role, Content string
			ID            string `json:"tool_call_id"`
			ToolCalls     []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal(requests[len(requests)-1], &last); err != nil {
		t.Fatal(err)
	}
	open := map[string]string{}
	for _, m := range last.Messages {
		for _, c := range m.ToolCalls {
			calls = append(calls, c.Function.Name+" "+c.Function.Arguments)
			open[c.ID] = "got " + c.Function.Arguments
		}
		if m.Role == "tool" {
			if open[m.ID] != m.Content {
				t.Fatalf("%q is answered with %q", m.ID, m.Content)
			}
			delete(open, m.ID)
		}
	}
	if len(open) > 0 {
		t.Fatalf("not answered: %v", open)
	}
	return calls
}
