package tools

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// olderTurns are a turn in which a model calls, streamed and whole: as function_call, and where also is said as one of the
// tool_calls too.
func olderTurns(name string, also bool) (stream, whole string) {
	function := func(arguments string) string {
		return `{"name":"` + name + `","arguments":"` + arguments + `"}`
	}
	var deltas []string
	for _, piece := range []string{`{\"a\"`, `:1}`} { // the name in every piece, as llama-cpp-python has it
		d := `{"role":null,"content":null,"function_call":` + function(piece)
		if also {
			d += `,"tool_calls":[{"index":0,"id":"a","type":"function","function":` + function(piece) + `}]`
		}
		deltas = append(deltas, d+"}")
	}
	message := `{"role":"assistant","content":null,"function_call":` + function(`{\"a\":1}`)
	finish := "function_call"
	if also {
		finish = "tool_calls"
		message += `,"tool_calls":[{"id":"a","type":"function","function":` + function(`{\"a\":1}`) + `}]`
	}
	return chunked(finish, append([]string{`{"role":"assistant"}`}, deltas...)...),
		`{"id":"s","created":1,"model":"m","choices":[{"index":0,"message":` + message + `},"finish_reason":"` + finish + `"}]}`
}

const olderEnd = `{"id":"s","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is 1."},"finish_reason":"stop"}]}`

// Some servers tell calls in the older form, though nobody has asked for it, or in both forms at once.
func TestCallsInTheOlderForm(t *testing.T) {
	for _, also := range []bool{false, true} {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("also in the newer %v, streamed %v", also, streamed), func(t *testing.T) {
				answer := func(name string) (s *setup, r reply) {
					stream, whole := olderTurns(name, also)
					if streamed {
						s = start(t, ordinary(), inPieces(1<<20, stream, chunked("stop", `{"role":"assistant","content":"It is 1."}`)))
						return s, s.post(ask("x", streaming, `"tools":[{"type":"function","function":{"name":"mine"}}]`))
					}
					s = start(t, ordinary(), &script{answers: []string{whole, olderEnd}})
					return s, s.post(ask("x", `"tools":[{"type":"function","function":{"name":"mine"}}]`))
				}

				s, r := answer("mcp_calc_add")
				wellFormed(t, r)
				if r.seen.content != "It is 1." || strings.Contains(r.body, "function_call") || strings.Contains(r.body, "tool_calls") {
					t.Errorf("the client got %s", r.body)
				}
				if got := followed(t, s); strings.Join(got, ";") != `mcp_calc_add {"a":1}: got {"a":1}` || strings.Contains(s.sent()[1].body, "function_call") {
					t.Errorf("run were %q\n%s", got, s.sent()[1].body)
				}

				s, r = answer("nobody")
				wellFormed(t, r)
				if r.seen.content != "It is 1." || !strings.Contains(s.sent()[1].body, "no tool named") {
					t.Errorf("%s\n%s", r.body, s.sent()[1].body)
				}

				s, r = answer("mine")
				if r.status != http.StatusOK || len(s.sent()) != 1 || strings.Count(r.body, `"function_call":{"name":"mine"`) != 1+one(streamed) || strings.Contains(r.body, `"tool_calls":[{`) != also {
					t.Errorf("the client's own: %s", r.body)
				}
			})
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// A gateway's call in the older form is not the client's to answer, whatever else is called or ends the loop.
func TestNoCallInTheOlderFormIsLeftOver(t *testing.T) {
	gateways := `"function_call":{"name":"mcp_calc_add","arguments":"{}"}`
	clients := `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"mine","arguments":"{}"}}]`
	for name, c := range map[string]struct{ message, finish, want string }{
		"beside a client's call": {`"content":"c",` + gateways + `,` + clients, "tool_calls", "tool_calls"},
		"cut off":                {`"content":"c",` + gateways, "length", "length"},
		"again and again":        {`"content":"c",` + gateways, "function_call", "length"},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, more ...string) {
				answer := `{"id":"s","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",` + c.message + `},"finish_reason":"` + c.finish + `"}]}`
				if len(more) > 0 {
					answer = chunked(c.finish, `{"role":"assistant",`+c.message+`}`)
				}
				s := start(t, ordinary(), &script{answers: []string{answer}})
				r := s.post(ask("x", append(more, `"tools":[{"type":"function","function":{"name":"mine"}}]`)...))
				wellFormed(t, r)
				if strings.Contains(r.body, "function_call\":{") || !strings.HasPrefix(r.seen.content, "c") || strings.Join(r.seen.finishes, ",") != c.want {
					t.Errorf("got %s", r.body)
				}
			})
		})
	}
}
