package tools

import (
	"strings"
	"testing"
)

// What clients can read the loop reads too. A character that is cut in two is lost, and nothing else is.
func TestAnswersThatAreNotQuiteRight(t *testing.T) {
	for name, c := range map[string]struct{ said, want string }{
		"half a character in bytes":   {"\"content\":\"a\xf0\x9f\"", "a\ufffd"},
		"half a character as escapes": {`"content":"a\ud83d"`, "a\ufffd"},
		"a name twice":                {`"content":"","content":"a"`, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			call := `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"{}"}}]`
			t.Run("streamed", func(t *testing.T) {
				s := start(t, ordinary(), inPieces(1<<20, chunked("tool_calls", `{"role":"assistant",`+c.said+`}`, `{`+call+`}`), chunked("stop", `{`+c.said+`}`)))
				r := s.post(ask("x", streaming))
				wellFormed(t, r)
				if len(followed(t, s)) != 1 || strings.ReplaceAll(r.seen.content, "\ufffd\ufffd", "\ufffd") != c.want+"\n\n"+c.want {
					t.Errorf("got %q of %s", r.seen.content, r.body)
				}
			})
			t.Run("whole", func(t *testing.T) {
				answer := func(members, finish string) string {
					return `{"id":"s","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",` + members + `},"finish_reason":"` + finish + `"}],"usage":{"total_tokens":12345678901234567890}}`
				}
				s := start(t, ordinary(), &script{answers: []string{answer(c.said+","+call, "tool_calls"), answer(c.said, "stop")}})
				r := s.post(ask("x"))
				wellFormed(t, r)
				if len(followed(t, s)) != 1 || strings.ReplaceAll(r.seen.content, "\ufffd\ufffd", "\ufffd") != c.want+"\n\n"+c.want {
					t.Errorf("got %q of %s", r.seen.content, r.body)
				}
			})
		})
	}
	large := `{"choices":[],"choices":[],"x":"` + strings.Repeat("x", mostMended) + `"}`
	for _, none := range []string{`{"choices":[]} {"choices":[]}`, `[1]`, `null`, `"x"`, `{"choices":`, large} {
		s := start(t, ordinary(), &script{answers: []string{none}})
		if r := s.post(ask("x")); r.status != 502 {
			t.Errorf("%.50s: %d %.500s", none, r.status, r.body)
		}
	}
}
