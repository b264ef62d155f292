package loop

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const benchAnswer = `{"id":"chatcmpl-BenchBenchBenchBenchBench01","object":"chat.completion","created":1700000000,"model":"m",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"A closed loop sends its next request only when the last answer ` +
	`is whole, so a slow server is offered less load and its queue stays short.","refusal":null,"annotations":[]},"logprobs":null,` +
	`"finish_reason":"stop"}],"usage":{"prompt_tokens":61,"completion_tokens":27,"total_tokens":88,"prompt_tokens_details":{"cached_tokens":0,` +
	`"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}`

// BenchmarkNoToolIsCalled is a request that is offered fifty tools and uses none.
func BenchmarkNoToolIsCalled(b *testing.B) {
	chunk := `data: {"id":"chatcmpl-BenchBenchBench01","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}` + "\n\n"
	stream := fmt.Sprintf(chunk, `{"role":"assistant","content":""}`, "null") + strings.Repeat(fmt.Sprintf(chunk, `{"content":" token"}`, "null"), 18) +
		fmt.Sprintf(chunk, `{}`, `"stop"`) + "data: [DONE]\n\n"
	model := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body[:200]), `"stream":true`) {
			w.Header().Set("Content-Type", "text/event-stream")
			for piece := range strings.SplitAfterSeq(stream, "\n\n") {
				_, _ = io.WriteString(w, piece)
				w.(http.Flusher).Flush()
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchAnswer)
	})
	many := offering("mcp", "bench", "t0", echo)
	for i := range 49 {
		t := many.tools[0]
		t.Name = fmt.Sprintf("mcp_bench_t%d", i+1)
		many.tools = append(many.tools, t)
	}
	for i := range many.tools {
		many.tools[i].Schema = []byte(`{"type":"object","properties":{"place":{"type":"string","description":"` + strings.Repeat("words ", 40) + `"}}}`)
	}
	for name, more := range map[string]string{"whole": "", "streamed": streaming} {
		b.Run(name, func(b *testing.B) {
			g := start(b, model, func(o *Options) { o.MCP, o.A2A = many, nil })
			client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
			defer client.CloseIdleConnections()
			body := say("one/m", strings.Repeat("text ", 60), more)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := client.Post(g.url+"/v1/chat/completions", "application/json", strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
