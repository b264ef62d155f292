package tools

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A provider's stream may be spelled in many ways, and all of them mean the same.
func TestStreamsAreReadHoweverTheyAreSpelled(t *testing.T) {
	call := deltas("tool_calls", `[{"index":0,"id":"a","type":"function","function":{"name":"mcp_ca","arguments":""}}]`,
		`[{"index":0,"function":{"name":"lc_add","arguments":""}}]`, `[{"index":0,"id":"","function":{"arguments":"{\"a\""}}]`, `[{"index":0,"id":"other","function":{"arguments":":1}"}}]`)
	chunk := func(delta, finish, more string) string {
		return `{"id":"s","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]` + more + `}`
	}
	answer := "data: " + chunk(`{"role":"assistant","content":"do"}`, "null", "") + "\n\ndata: " + chunk(`{"content":"ne"}`, "null", "") +
		"\n\ndata: " + chunk(`{}`, `"stop"`, "") + "\n\ndata: [DONE]\n\n"
	spell := map[string]func(string) string{
		"plainly":        func(s string) string { return s },
		"with CRLF":      func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"with CR":        func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"with a BOM":     func(s string) string { return "\ufeff" + s },
		"without spaces": func(s string) string { return strings.ReplaceAll(s, "data: ", "data:") },
		"over lines":     func(s string) string { return strings.ReplaceAll(s, `,"choices"`, ",\ndata: \"choices\"") },
		"with other fields": func(s string) string {
			return strings.ReplaceAll(s, "data: ", "id: 7\nretry: 9\nevent: message\ndata: ")
		},
		"with comments": func(s string) string {
			return strings.ReplaceAll(s, "data: ", ": keep-alive\n\n: OPENROUTER PROCESSING\ndata: ")
		},
		"with empty events":    func(s string) string { return strings.ReplaceAll(s, "data: ", "\n\n\ndata:\n\ndata: ") },
		"without [DONE]":       func(s string) string { return strings.ReplaceAll(s, "data: [DONE]\n\n", "") },
		"without its last end": func(s string) string { return strings.TrimSuffix(s, "\n\n") },
		"with usage in all": func(s string) string {
			return strings.ReplaceAll(s, `}]}`+"\n", `}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`+"\n")
		},
		"with words after the end": func(s string) string { return s + "data: {\"late\":1}\n\nnonsense" },
	}
	for name, as := range spell {
		t.Run(name, func(t *testing.T) {
			for _, pieces := range []int{1 << 20, 1} { // at once, and byte by byte
				s := start(t, ordinary(), inPieces(pieces, as(call), as(answer)))
				r := s.post(ask("x", streaming))
				wellFormed(t, r)
				if got := followed(t, s); len(got) != 1 || got[0] != `mcp_calc_add {"a":1}: got {"a":1}` || r.seen.content != "done" || strings.Contains(r.body, "usage") {
					t.Errorf("%q\n%s", got, r.body)
				}
			}
		})
	}
}

// inPieces answers one request after the other with a stream in pieces of that size.
func inPieces(size int, answers ...string) http.HandlerFunc {
	var next atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request) {
		answer := answers[min(int(next.Add(1)), len(answers))-1]
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for len(answer) > 0 {
			n := min(size, len(answer))
			_, _ = io.WriteString(w, answer[:n])
			if answer = answer[n:]; size > 1 || len(answer)%7 == 0 {
				w.(http.Flusher).Flush()
			}
		}
	}
}

// Content that comes after calls is the turn's all the same, and calls of the client go out whatever stands between them.
func TestWordsAfterCalls(t *testing.T) {
	turn := `data: {"id":"s","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"s","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"I am adding."},"finish_reason":null}]}

data: {"id":"s","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: [DONE]

`
	s := start(t, ordinary(), inPieces(1<<20, turn, deltas("stop")))
	r := s.post(ask("x", streaming))
	wellFormed(t, r)
	if r.seen.content != "I am adding." || !strings.Contains(s.sent()[1].body, `"content":"I am adding."`) {
		t.Errorf("%s\n%s", r.body, s.sent()[1].body)
	}
}

// A provider that does not do as it is asked is understood where it can be: the client gets what it would get without
// tools, and calls are run.
func TestAProviderThatStreamsUnasked(t *testing.T) {
	t.Run("a stream for a whole answer", func(t *testing.T) {
		s := start(t, ordinary(), &script{answers: []string{deltas("tool_calls", `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{}"}}]`), deltas("stop")}})
		r := s.post(ask("x"))
		wellFormed(t, r)
		if got := followed(t, s); len(got) != 1 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("%q %s", got, r.body)
		}
	})
	t.Run("a whole answer for a stream", func(t *testing.T) {
		s := start(t, ordinary(), &script{answers: []string{calling(add(1)), saying("done")}})
		r := s.post(ask("x", streaming))
		wellFormed(t, r)
		if got := followed(t, s); len(got) != 1 || r.header.Get("Content-Type") != "application/json" || r.seen.content != "done" {
			t.Errorf("%q %s", got, r.body)
		}
	})
	t.Run("now so, now so", func(t *testing.T) {
		for _, answers := range [][]string{
			{calling(add(1)), deltas("stop")},
			{deltas("tool_calls", `[{"index":0,"id":"a","function":{"name":"mcp_calc_add","arguments":"{}"}}]`), saying("done")},
		} {
			s := start(t, ordinary(), &script{answers: answers})
			r := s.post(ask("x", streaming))
			if r.status == http.StatusOK && r.seen.errors != 1 || r.status != http.StatusOK && r.status != http.StatusBadGateway {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
	})
}

func TestAnswersThatAreCompressedThoughNobodyAsked(t *testing.T) {
	bothWays(t, func(t *testing.T, more ...string) {
		answers := []string{calling(add(1)), saying("done")}
		if len(more) > 0 {
			answers = []string{deltas("tool_calls", add(1)), deltas("stop")}
		}
		var n atomic.Int32
		s := start(t, ordinary(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer := answers[n.Add(1)-1]
			w.Header().Set("Content-Type", "application/json")
			if len(more) > 0 {
				w.Header().Set("Content-Type", "text/event-stream")
			}
			w.Header().Set("Content-Encoding", "gzip")
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, answer)
			_ = z.Close()
			_, _ = w.Write(b.Bytes())
		}))
		r := s.post(ask("x", more...))
		wellFormed(t, r)
		if got := followed(t, s); len(got) != 1 || r.header.Get("Content-Encoding") != "" {
			t.Errorf("%q %v", got, r.header)
		}
	})
}

// Some providers say what is wrong with status 200. In a later turn that must not pass for an answer.
func TestAnErrorWithStatus200(t *testing.T) {
	const wrong = `{"error":{"message":"the model is overloaded","code":503}}`
	s := start(t, ordinary(), &script{answers: []string{calling(add(1)), wrong}})
	if r := s.post(ask("x")); r.status != http.StatusBadGateway || !strings.Contains(r.body, "the model is overloaded") || r.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %s", r.status, r.body)
	}
	s = start(t, ordinary(), &script{answers: []string{wrong}})
	if r := s.post(ask("x")); r.status != http.StatusOK || r.body != wrong {
		t.Errorf("%d %s", r.status, r.body)
	}
}
