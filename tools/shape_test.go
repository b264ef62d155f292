package tools

import (
	"fmt"
	"strings"
	"testing"
)

// A chunk that is like the one before it is passed on without being read. Whatever comes in its place, the client and the
// loop must learn from it what they would have learnt by reading.
func TestChunksAlikeAreReadAlike(t *testing.T) {
	const like = `{"id":"a","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}],"usage":null}`
	first := fmt.Sprintf(like, `" one"`)
	for name, then := range map[string]string{
		"a word":              fmt.Sprintf(like, `" two"`),
		"nothing":             fmt.Sprintf(like, `""`),
		"other scripts":       fmt.Sprintf(like, `"größer 你好 🙂"`),
		"escapes":             fmt.Sprintf(like, `"line\nline \"quoted\" \u00e9 \\"`),
		"another member":      fmt.Sprintf(like, `"x","tool_calls":[{"index":0,"id":"c","function":{"name":"mcp_calc_add","arguments":"{}"}}],"z":"y"`),
		"the member twice":    fmt.Sprintf(like, `"x","content":"y"`),
		"no text":             fmt.Sprintf(like, `null`),
		"a number":            fmt.Sprintf(like, `1`),
		"a lone quote":        fmt.Sprintf(like, `"`),
		"no quotes":           fmt.Sprintf(like, ``),
		"a control character": fmt.Sprintf(like, "\"\t\""),
		"no UTF-8":            fmt.Sprintf(like, "\"\xff\""),
		"an open escape":      fmt.Sprintf(like, `"x\"`),
		"another id":          strings.Replace(fmt.Sprintf(like, `"x"`), `"a"`, `"b"`, 1),
		"an end":              strings.Replace(fmt.Sprintf(like, `"x"`), `"finish_reason":null`, `"finish_reason":"stop"`, 1),
		"a count":             strings.Replace(fmt.Sprintf(like, `"x"`), `"usage":null`, `"usage":{"total_tokens":3}`, 1),
		"an error":            strings.Replace(fmt.Sprintf(like, `"x"`), `"usage":null`, `"error":{"message":"no"}`, 1),
		"cut short":           `{"id":"a","created":1,"model":"m","choices":[{"index":0,"delta":{"content":`,
	} {
		t.Run(name, func(t *testing.T) {
			outcome := func(forget bool) string {
				s, ok := Open([]byte(`{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}`), ordinary(), Options{})
				if !ok {
					t.Fatal("no loop")
				}
				st := newStream(s)
				var seen []byte
				for _, chunk := range []string{first, first, then, first, `[DONE]`} {
					if forget {
						st.passed = shape{}
					}
					var err error
					if seen, err = st.feed(seen, []byte("data: "+chunk+"\n\n")); err != nil {
						return fmt.Sprint(string(seen), err)
					}
					if !forget && chunk == first && len(st.passed.before) == 0 {
						t.Fatal("no shape was learnt: nothing is tried here")
					}
				}
				seen, turn, err := st.endTurn(seen)
				return fmt.Sprintf("%s%+v %v", seen, turn, err)
			}
			if got, want := outcome(false), outcome(true); got != want {
				t.Errorf("got:\n%s\nwant, as when every chunk is read:\n%s", got, want)
			}
		})
	}
}
