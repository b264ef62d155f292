package wasm

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Pieces that bodies are put together from: what matters to routing, to rules and to readers of JSON.
var (
	mutatedNames = []string{
		`"model"`, `"mod\u0065l"`, `"Model"`, `"stream"`, `"max_tokens"`, `"MAX_TOKENS"`, `"max_completion_tokens"`, `"n_predict"`, `"messages"`,
		`"models"`, `"seed"`, `"user"`, `"tools"`, `""`, `"é"`, `"x"`, `"\ud83d\ude00"`, `"\u0000"`,
	}
	mutatedValues = []string{
		`"openai/gpt-4o"`, `"OpenAI/a"`, `"anthropic/claude"`, `"cloudflare/@cf/a/b"`, `"openai/dear"`, `"groq/x"`, `"nobody/x"`, `"gpt"`, `""`, `"openai/"`, `"/a"`,
		`"op\u0065nai\/gpt"`, `true`, `false`, `null`, `0`, `-0.0`, `1e999`, `5000`, `"5000"`, `99999999999999999999999`, `[]`, `{}`, `[1,{"a":"b"}]`,
		`{"x":1,"x":2}`, `"AKIAIOSFODNN7EXAMPLE"`, `"\u0041KIAIOSFODNN7EXAMPLE"`, "\"\xff\"", `"\ud800"`, `[{"type":"image_url"}]`, `01`, `+1`, `tru`, `'a'`,
	}
	mutatedPaths = []string{
		"/v1/chat/completions", "/v1/chat/completions?provider=openai", "/v1/chat/completions?provider=OPENAI&x=%2F", "/v1/embeddings", "/v1/responses", "/v1/messages",
		"/v1/chat/completions?provider=", "/v1/chat/completions?provider=a&provider=b", "/v1/chat/completions?x=provider", "/v1/completions?provider=%6fpenai",
		"/proxy/openai/chat/completions", "/proxy/OpenAI/chat/completions", "/proxy/openai/v1//embeddings", "/proxy/openai/files",
	}
)

// Requests that nobody has thought of: both lanes still do the same. MUTATIONS says how many.
func TestBothLanesReadMutatedBodiesAlike(t *testing.T) {
	t.Parallel()
	times, err := strconv.Atoi(os.Getenv("MUTATIONS"))
	if err != nil {
		times = 300
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for i := range times {
		var body strings.Builder
		body.WriteByte('{')
		for j := range 1 + random.IntN(5) {
			if j > 0 {
				body.WriteByte(',')
			}
			name := pick(mutatedNames)
			if j == 0 && random.IntN(3) > 0 {
				name = `"model"`
			}
			value := pick(mutatedValues)
			if name == `"model"` && random.IntN(3) > 0 {
				value = mutatedValues[random.IntN(6)]
			}
			body.WriteString(name + ":" + value)
		}
		body.WriteByte('}')
		raw := []byte(body.String())
		if random.IntN(4) == 0 { // a byte more, less or other
			at := random.IntN(len(raw))
			switch random.IntN(3) {
			case 0:
				raw = append(raw[:at], raw[at+1:]...)
			case 1:
				raw[at] = byte(random.IntN(256))
			default:
				raw = append(raw[:at+1], raw[at:]...)
			}
		}
		w := freeTwin(t)
		if random.IntN(2) == 0 {
			w = policedTwin(t)
		}
		path, framing := pick(mutatedPaths), []string{"with a length", "with a length", "chunked", "HTTP/2"}[random.IntN(4)]
		w.both(t, fmt.Sprintf("%d: %s %q, %s", i, path, raw, framing), path, string(raw), func(r *http.Request) {
			if change := framings[framing]; change != nil {
				change(r)
			}
		})
		if t.Failed() {
			return
		}
	}
}
