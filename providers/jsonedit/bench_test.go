package jsonedit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// chat makes a chat request of about size bytes, in messages of about 500 bytes with line breaks and quotes.
func chat(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"openai/gpt-4o-mini","stream":true,"temperature":0.7,"stream_options":{"include_usage":true},"messages":[`)
	b.WriteString(`{"role":"system","content":"You are a helpful assistant."}`)
	text := strings.Repeat(`Why is the sky \"blue\"?\nBecause of Rayleigh scattering <p>. `, 8)
	for i := 0; b.Len() < size-len(text); i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":"%s"}`, text)
	}
	b.WriteString(`],"max_tokens":1024,"user":"`)
	b.WriteString(strings.Repeat("u", max(1, size-b.Len()-len(`"}`))) + `"}`)
	return []byte(b.String())
}

func benchmark(b *testing.B, run func(b *testing.B, body []byte)) {
	for _, size := range []struct {
		name string
		n    int
	}{{"300B", 300}, {"10kB", 10_000}, {"1MB", 1_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			body := chat(size.n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			run(b, body)
		})
	}
}

func BenchmarkParse(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		for b.Loop() {
			if _, err := jsonedit.Parse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRoute is all that the gateway does with a direct request: parse, read model and stream, set the model.
func BenchmarkRoute(b *testing.B) {
	benchmark(b, func(b *testing.B, body []byte) {
		var dst []byte
		for b.Loop() {
			doc, err := jsonedit.Parse(body)
			if err != nil {
				b.Fatal(err)
			}
			model, err := doc.String("model")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := doc.Bool("stream"); err != nil {
				b.Fatal(err)
			}
			dst = doc.SetString(dst[:0], "model", model[len("openai/"):])
		}
	})
}

// BenchmarkParseHostile is what an unfriendly body costs: many names, which jsontext keeps in a map.
func BenchmarkParseHostile(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"a":{"":0`)
	for i := range 100_000 {
		fmt.Fprintf(&s, `,"%d":0`, i)
	}
	s.WriteString(`}}`)
	body := []byte(s.String())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonedit.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}
