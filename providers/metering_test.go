package providers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

func metered(t *testing.T, m providers.Metering, e catalog.Endpoint, body string) providers.Plan {
	t.Helper()
	var entries []providers.Entry
	for _, id := range []string{"openai", "mistral"} {
		entries = append(entries, providers.Entry{ID: id, Ready: true, Endpoints: catalog.Endpoints()})
	}
	d := providers.NewDirectory(entries, catalog.ModelFilter{}, 1<<20).Metered(m)
	p, refusal := d.Between(d).Plan(providers.Caller{}, providers.Request{Endpoint: e, Body: []byte(body)})
	require.Nil(t, refusal)
	return p
}

func TestWhatARequestMayTake(t *testing.T) {
	m := providers.Metering{Reserve: 1000}
	prompt := strings.Repeat("word ", 400) // 2000 bytes
	chat := func(more string) string { return `{"model":"openai/m","messages":["` + prompt + `"]` + more + `}` }
	for name, tt := range map[string]struct {
		body     string
		endpoint catalog.Endpoint
		want     int64
	}{
		"the reserve":               {chat(``), catalog.ChatCompletions, 1500},
		"a bound":                   {chat(`,"max_tokens":50`), catalog.ChatCompletions, 550},
		"the newer name":            {chat(`,"max_completion_tokens":60`), catalog.ChatCompletions, 560},
		"of the responses API":      {chat(`,"max_output_tokens":70`), catalog.Responses, 570},
		"several answers":           {chat(`,"max_tokens":50,"n":3`), catalog.ChatCompletions, 650},
		"the best of several":       {chat(`,"max_tokens":50,"n":2,"best_of":3`), catalog.Completions, 650},
		"several prompts":           {chat(`,"max_tokens":50,"n":3,"prompt":["a","b"]`), catalog.Completions, 800},
		"prompts of tokens":         {chat(`,"max_tokens":50,"prompt":[[1,2],[3]]`), catalog.Completions, 600},
		"one prompt of tokens":      {chat(`,"max_tokens":50,"prompt":[1,2,3]`), catalog.Completions, 550},
		"no prompt":                 {chat(`,"max_tokens":50,"prompt":[]`), catalog.Completions, 550},
		"llama.cpp's name":          {chat(`,"max_tokens":50,"n_predict":80`), catalog.ChatCompletions, 580},
		"no answer":                 {chat(``), catalog.Embeddings, 500},
		"no number":                 {chat(`,"max_tokens":"50","n":null`), catalog.ChatCompletions, 1500},
		"a negative one":            {chat(`,"max_tokens":-5,"n":-1`), catalog.ChatCompletions, 1500},
		"more than anybody has":     {chat(`,"max_tokens":1e300,"n":1e300,"prompt":["a","b"]`), catalog.ChatCompletions, 1e9},
		"an image counts by itself": {chat(`,"x":"data:image/png;base64,` + strings.Repeat("A", 100_000) + `","max_tokens":50`), catalog.ChatCompletions, 1550},
		"a mark without its end":    {chat(`,"x":";base64,","max_tokens":50`), catalog.ChatCompletions, 1550},
	} {
		t.Run(name, func(t *testing.T) {
			assert.InDelta(t, tt.want, metered(t, m, tt.endpoint, tt.body).Tokens, 40)
		})
	}
	assert.Zero(t, metered(t, providers.Metering{}, catalog.ChatCompletions, chat(``)).Tokens, "nobody wants to know")
}

func TestWhatAProxiedRequestMayTake(t *testing.T) {
	d := providers.NewDirectory(nil, catalog.ModelFilter{}, 1<<20)
	path := func(p string) string { return "/proxy/up" + p }
	for name, tt := range map[string]struct {
		path, body string
		want       providers.Take
	}{
		"chat":                      {path("/v1/chat/completions"), `{"max_tokens":50,"n":2}`, providers.Take{Tokens: 105}},
		"Google's own":              {path("/models/g:generateContent"), `{"generationConfig":{"maxOutputTokens":50,"candidateCount":2}}`, providers.Take{Tokens: 115}},
		"Google's other spelling":   {path("/models/g:generateContent"), `{"generation_config":{"max_output_tokens":50}}`, providers.Take{Tokens: 61}},
		"Ollama's own":              {path("/api/chat"), `{"options":{"num_predict":50}}`, providers.Take{Tokens: 57}},
		"Ollama's without a length": {path("/api/chat"), `{"options":{"num_predict":-1}}`, providers.Take{Tokens: 1007}},
		"other options":             {path("/api/chat"), `{"options":["num_predict"]}`, providers.Take{Tokens: 1006}},
		"embeddings":                {path("/v1/embeddings"), `{"input":"` + strings.Repeat("x", 400) + `"}`, providers.Take{Tokens: 103}},
		"no JSON":                   {path("/v1/audio/speech"), `--x`, providers.Take{}},
		"in the background":         {path("/v1/responses"), `{"background":true}`, providers.Take{Tokens: 1004, Untold: true}},
		"not in the background":     {path("/v1/responses"), `{"background":false}`, providers.Take{Tokens: 1005}},
		"a batch":                   {path("/v1/batches"), `{}`, providers.Take{Tokens: 1000, Untold: true}},
		"a batch in other words":    {path("/v1/messages/batches/?x=y"), ``, providers.Take{Untold: true}},
		"Mistral's":                 {path("/v1/batch/jobs"), ``, providers.Take{Untold: true}},
		"Google's":                  {path("/models/g%3AbatchGenerateContent"), ``, providers.Take{Untold: true}},
		"a path that cannot be":     {path("/%zz"), `{}`, providers.Take{}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, d.Metered(providers.Metering{Reserve: 1000}).ProxyTakes(tt.path, []byte(tt.body)))
			assert.Zero(t, d.ProxyTakes(tt.path, []byte(tt.body)), "nobody wants to know")
		})
	}
}

func TestStreamsAreAskedWhatTheyTook(t *testing.T) {
	m := providers.Metering{Reserve: 10, AskUsage: true}
	for name, tt := range map[string]struct {
		endpoint   catalog.Endpoint
		body, want string
	}{
		"asked":                 {catalog.ChatCompletions, `{"model":"openai/m","stream":true}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`},
		"completions too":       {catalog.Completions, `{"model":"openai/m","stream":true}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`},
		"other options stay":    {catalog.ChatCompletions, `{"model":"openai/m","stream":true,"stream_options":{"x":1.0,"include_usage":false}}`, `{"model":"m","stream":true,"stream_options":{"x":1.0,"include_usage":true}}`},
		"null is none":          {catalog.ChatCompletions, `{"model":"openai/m","stream":true,"stream_options":null}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`},
		"asked already":         {catalog.ChatCompletions, `{"model":"openai/m","stream":true,"stream_options": {"include_usage":true}}`, `{"model":"m","stream":true,"stream_options": {"include_usage":true}}`},
		"nonsense stays":        {catalog.ChatCompletions, `{"model":"openai/m","stream":true,"stream_options":7}`, `{"model":"m","stream":true,"stream_options":7}`},
		"no stream":             {catalog.ChatCompletions, `{"model":"openai/m","stream":false}`, `{"model":"m","stream":false}`},
		"tells unasked":         {catalog.ChatCompletions, `{"model":"mistral/m","stream":true}`, `{"model":"m","stream":true}`},
		"other endpoints do so": {catalog.Responses, `{"model":"openai/m","stream":true}`, `{"model":"m","stream":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, string(metered(t, m, tt.endpoint, tt.body).Body))
		})
	}
	m.AskUsage = false
	assert.Equal(t, `{"model":"m","stream":true}`, string(metered(t, m, catalog.ChatCompletions, `{"model":"openai/m","stream":true}`).Body))
}
