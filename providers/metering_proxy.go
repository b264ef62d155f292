//go:build !wasip1

package providers

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// ProxyTakes is what a proxied request may take. Its Tokens are 0 also when the body cannot be read.
func (d *Directory) ProxyTakes(path string, body []byte) Take {
	if d.metering.Reserve == 0 {
		return Take{}
	}
	path, refusal := proxiedPath(path)
	if refusal != nil {
		return Take{}
	}
	t := Take{Untold: isBatch(path)}
	doc, err := jsonedit.Parse(body)
	if err != nil {
		return t
	}
	e := catalog.ChatCompletions
	if strings.HasSuffix(path, "/embeddings") {
		e = catalog.Embeddings
	}
	t.Tokens, t.Untold = estimate(doc, e, d.metering.Reserve), t.Untold || inBackground(doc)
	return t
}

// isBatch tells the paths at which providers take many requests for later: OpenAI's and Anthropic's, Mistral's, Google's.
func isBatch(path string) bool {
	return strings.HasSuffix(path, "/batches") || strings.HasSuffix(path, "/batch/jobs") ||
		strings.HasSuffix(path, ":batchGenerateContent") || strings.HasSuffix(path, ":asyncBatchEmbedContent")
}
