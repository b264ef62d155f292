package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// FuzzChat holds the promise that no body brings the provider down, and that every answer is JSON: the whole body, or
// every event of a stream.
func FuzzChat(f *testing.F) {
	for _, body := range []string{
		hello, streaming(hello), "", "null", "{}", `{"model":"echo","messages":[{"role":"user","content":"\ud800"}]}`,
		ask("tools", `use tools weather with {"a":[1,2]} and clock`, `,"tool_choice":"required","n":2`),
		streaming(ask("assistant", `keep using the tool weather with {"a":"é"}`, `,"stream_options":{"include_usage":true}`)),
		`{"model":"echo","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"$ref":"#"}}}}`,
		`{"model":"echo","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"required":["a","b"],"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}}}}`,
		`{"model":"assistant","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}],"stop":[""],"max_tokens":1}`,
	} {
		f.Add(body)
	}
	h := demo.New(demo.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, completions, strings.NewReader(body)))
		got := w.Body.String()
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			var decoded map[string]any
			if err := json.Unmarshal([]byte(got), &decoded); err != nil {
				t.Fatalf("not JSON: %v\n%s", err, got)
			}
			if _, isError := decoded["error"]; isError == (w.Code == http.StatusOK) || w.Code >= http.StatusInternalServerError {
				t.Fatalf("status %d with %s", w.Code, got)
			}
			return
		}
		events, ok := strings.CutSuffix(got, "data: [DONE]\n\n")
		if !ok {
			t.Fatalf("no [DONE]: %q", got)
		}
		for _, event := range strings.Split(strings.TrimSuffix(events, "\n\n"), "\n\n") {
			data, ok := strings.CutPrefix(event, "data: ")
			if !ok || !json.Valid([]byte(data)) {
				t.Fatalf("not an event of JSON: %q", event)
			}
		}
	})
}
