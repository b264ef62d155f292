package providers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

func TestParseTarget(t *testing.T) {
	const chat = "/v1/chat/completions"
	cases := map[string]providers.Target{
		chat:                                 {Endpoint: catalog.ChatCompletions, Path: chat},
		"/v1/embeddings":                     {Endpoint: catalog.Embeddings, Path: "/v1/embeddings"},
		"/v1/completions":                    {Endpoint: catalog.Completions, Path: "/v1/completions"},
		"/v1/responses":                      {Endpoint: catalog.Responses, Path: "/v1/responses"},
		"/v1/messages":                       {Endpoint: catalog.Messages, Path: "/v1/messages"},
		chat + "?":                           {Endpoint: catalog.ChatCompletions, Path: chat + "?"},
		chat + "?provider=openai":            {Endpoint: catalog.ChatCompletions, Provider: "openai", Path: chat},
		chat + "?provider=openai&beta=true":  {Endpoint: catalog.ChatCompletions, Provider: "openai", Path: chat + "?beta=true"},
		chat + "?a=%2f+b&provider=Groq&a&&=": {Endpoint: catalog.ChatCompletions, Provider: "Groq", Path: chat + "?a=%2f+b&a&&="},
		chat + "?provider=my%20own":          {Endpoint: catalog.ChatCompletions, Provider: "my own", Path: chat},
		chat + "?provider=a=b":               {Endpoint: catalog.ChatCompletions, Provider: "a=b", Path: chat},
		chat + "?provider=openai?x":          {Endpoint: catalog.ChatCompletions, Provider: "openai?x", Path: chat},
		chat + "?provider=x&provider=X":      {Endpoint: catalog.ChatCompletions, Provider: "X", Path: chat},
		chat + "?providers=x&aprovider=y":    {Endpoint: catalog.ChatCompletions, Path: chat + "?providers=x&aprovider=y"},
		chat + "?model=x":                    {Endpoint: catalog.ChatCompletions, Queried: true, Path: chat + "?model=x"},
		chat + "?a=b&Model":                  {Endpoint: catalog.ChatCompletions, Queried: true, Path: chat + "?a=b&Model"},
		chat + "?a=b;m%6Fdel=x":              {Endpoint: catalog.ChatCompletions, Queried: true, Path: chat + "?a=b;m%6Fdel=x"},
		chat + "?%zz=x":                      {Endpoint: catalog.ChatCompletions, Queried: true, Path: chat + "?%zz=x"},
		chat + "?model=x&provider=y":         {Endpoint: catalog.ChatCompletions, Queried: true, Provider: "y", Path: chat + "?model=x"},
		chat + "?models=x&a=model&amodel=y":  {Endpoint: catalog.ChatCompletions, Path: chat + "?models=x&a=model&amodel=y"},
		chat + "?Provider=x":                 {Endpoint: catalog.ChatCompletions, Path: chat + "?Provider=x"},
		chat + "/?provider=x":                {Provider: "x", Path: chat + "/"},
		"/V1/chat/completions":               {Path: "/V1/chat/completions"},
		"/proxy/openai/v1/x?provider=groq":   {Proxy: "openai", Path: "/proxy/openai/v1/x?provider=groq"},
		"/Proxy/OpenAI/x":                    {Proxy: "OpenAI", Path: "/Proxy/OpenAI/x"},
		"/PROXY/openai?provider=groq":        {Proxy: "openai", Path: "/PROXY/openai?provider=groq"},
		"/proxy/OpenAI/":                     {Proxy: "OpenAI", Path: "/proxy/OpenAI/"},
		"/proxy/openai":                      {Proxy: "openai", Path: "/proxy/openai"},
		"/proxy/?x=/y":                       {Path: "/proxy/?x=/y"},
		"":                                   {},
		"*":                                  {Path: "*"},
	}
	for path, want := range cases {
		t.Run(path, func(t *testing.T) {
			got, refusal := providers.ParseTarget(path)
			require.Nil(t, refusal)
			assert.Equal(t, want, got)
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for _, path := range []string{
		"/v1/chat/completions?provider=",
		"/v1/chat/completions?provider",
		"/v1/chat/completions?provider=%zz",
		"/v1/chat/completions?provider=openai&provider=",
		"/v1/chat/completions?provider=openai&x=1&provider=groq",
	} {
		t.Run(path, func(t *testing.T) {
			_, refusal := providers.ParseTarget(path)
			require.NotNil(t, refusal)
			assert.Equal(t, 400, refusal.Status())
			assert.Equal(t, "provider", refusal.Param)
		})
	}
}

// Nothing but the provider parameter is taken out of a path.
func FuzzParseTarget(f *testing.F) {
	f.Add("/v1/chat/completions", "a=1&&b=%zz", "openai")
	f.Add("/proxy/openai/x", "provider", "")
	f.Add("", "=", "%00")
	f.Fuzz(func(t *testing.T, bare, query, provider string) {
		if got, refusal := providers.ParseTarget(bare + "?" + query); refusal == nil && !strings.Contains(query, "provider") && !strings.Contains(bare, "?") {
			if got.Path != bare+"?"+query || got.Provider != "" {
				t.Fatalf("%q?%q became %+v", bare, query, got)
			}
		}
		if strings.Contains(bare, "?") || strings.HasPrefix(strings.ToLower(bare), "/proxy/") || strings.ContainsAny(provider, "&") || strings.Contains(query, "provider") {
			return
		}
		for _, both := range []string{query + "&provider=" + provider, "provider=" + provider + "&" + query} {
			got, refusal := providers.ParseTarget(bare + "?" + both)
			if refusal == nil && got.Path != bare+"?"+query {
				t.Fatalf("%q?%q: path %q", bare, both, got.Path)
			}
		}
	})
}

// jsonString quotes the way most clients do. It fails for what is no text, since that is no JSON either.
func jsonString(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", assert.AnError
	}
	b, err := json.Marshal(s)
	return string(b), err
}
