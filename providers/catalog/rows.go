package catalog

// rows makes the table afresh, so that a caller may change what it gets. Paths list what a provider's public API
// documents under its base URL, and no more: an endpoint that is absent here is refused with the names of those that
// have it, which a client understands better than a provider's 404.
func rows() []Provider {
	return []Provider{
		{
			ID: "anthropic", Name: "Anthropic", BaseURL: "https://api.anthropic.com/v1",
			// Chat goes to Anthropic's own OpenAI-compatible endpoint, so nothing is translated.
			Dialect: DialectOpenAI, Auth: XAPIKey, Headers: anthropicHeaders(),
			Paths: paths(ChatCompletions, Messages),
			// Its list is paged by 20 unless told otherwise; 1000 is the most it gives.
			ModelsPath: "/models?limit=1000", ModelsFormat: ModelsOpenAI,
		},
		{
			ID: "cloudflare", Name: "Cloudflare Workers AI",
			BaseURL: "https://api.cloudflare.com/client/v4/accounts/" + AccountPlaceholder + "/ai",
			Dialect: DialectOpenAI, Auth: Bearer,
			Paths:      map[Endpoint]string{ChatCompletions: "/v1/chat/completions", Embeddings: "/v1/embeddings"},
			ModelsPath: "/finetunes/public?limit=1000", ModelsFormat: ModelsCloudflare,
		},
		{
			ID: "cohere", Name: "Cohere", BaseURL: "https://api.cohere.ai",
			Dialect: DialectOpenAI, Auth: Bearer,
			Paths: map[Endpoint]string{
				ChatCompletions: "/compatibility/v1/chat/completions",
				Embeddings:      "/compatibility/v1/embeddings",
			},
			ModelsPath: "/v1/models?page_size=1000", ModelsFormat: ModelsCohere,
		},
		compatible("deepseek", "DeepSeek", "https://api.deepseek.com"),
		compatible("google", "Google AI", "https://generativelanguage.googleapis.com/v1beta/openai", Embeddings),
		compatible("groq", "Groq", "https://api.groq.com/openai/v1", Responses),
		local(compatible("llamacpp", "llama.cpp", "http://localhost:8080/v1", Embeddings, Completions, Responses, Messages), KeyOptional),
		compatible("minimax", "MiniMax", "https://api.minimax.io/v1"),
		unasked(compatible("mistral", "Mistral AI", "https://api.mistral.ai/v1", Embeddings)),
		compatible("moonshot", "Moonshot AI", "https://api.moonshot.ai/v1"),
		compatible("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1", Embeddings),
		local(compatible("ollama", "Ollama", "http://localhost:11434/v1", Embeddings, Completions, Responses, Messages), KeyNone),
		compatible("ollama_cloud", "Ollama Cloud", "https://ollama.com/v1", Messages),
		compatible("openai", "OpenAI", "https://api.openai.com/v1", Embeddings, Completions, Responses),
		compatible("zai", "Z.ai", "https://api.z.ai/api/paas/v4"),
	}
}

// compatible is the ordinary row: an OpenAI-compatible API with a bearer key and the usual paths under base. Chat is
// always spoken; extra names the other endpoints that it has.
func compatible(id, name, base string, extra ...Endpoint) Provider {
	return Provider{
		ID: id, Name: name, BaseURL: base,
		Dialect: DialectOpenAI, Auth: Bearer,
		Paths:      paths(append([]Endpoint{ChatCompletions}, extra...)...),
		ModelsPath: "/models", ModelsFormat: ModelsOpenAI,
	}
}

// unasked makes a row whose streams end with what they took, and refuse stream_options
// (https://github.com/BerriAI/litellm/issues/8978).
func unasked(p Provider) Provider {
	p.UsageUnasked = true
	return p
}

// local makes a row that counts as configured by its URL alone.
func local(p Provider, need KeyNeed) Provider {
	p.KeyNeed = need
	if need == KeyNone {
		p.Auth = NoAuth
	}
	return p
}

// paths gives each endpoint its usual path under a base URL that ends in /v1 or stands for it.
func paths(endpoints ...Endpoint) map[Endpoint]string {
	m := make(map[Endpoint]string, len(endpoints))
	for _, e := range endpoints {
		m[e] = "/" + string(e)
	}
	return m
}

func anthropicHeaders() []Header { return []Header{{Name: "anthropic-version", Value: "2023-06-01"}} }
