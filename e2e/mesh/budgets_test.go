package mesh

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// answer is what every provider answers: as X-Answer says, in pieces of X-Piece bytes, or an answer that took 100 tokens.
func answer(w http.ResponseWriter, r *http.Request) {
	text := r.Header.Get("X-Answer")
	if text == "" {
		text = `{"object":"chat.completion","usage":{"prompt_tokens":40,"completion_tokens":60,"total_tokens":100}}`
	}
	w.Header().Set("Content-Type", "application/json")
	if forged := r.Header.Get("X-Forge"); forged != "" {
		w.Header().Set("X-Igw-Policy", forged)
	}
	if r.Header.Get("X-Piece") == "" {
		_, _ = io.WriteString(w, text)
		return
	}
	for _, c := range []byte(text) {
		_, _ = w.Write([]byte{c})
		_ = http.NewResponseController(w).Flush()
	}
}

// usageScript is the filter of deploy/istio/options/token-usage.yaml.
func usageScript(t *testing.T) string { return patches(t, "token-usage.yaml")[0] }

// patches are the values of an option's patches, in their order.
func patches(t *testing.T, option string) []string {
	t.Helper()
	var filter struct {
		Spec struct {
			ConfigPatches []struct {
				Patch struct{ Value json.RawMessage }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(manifest(t, "options/"+option), &filter))
	var out []string
	for _, p := range filter.Spec.ConfigPatches {
		out = append(out, string(p.Patch.Value))
	}
	return out
}

const usageFilter = `{"name": "usage", "typed_config": {
	"@type": "type.googleapis.com/envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager",
	"response_handling": {"token_usage": {"metadata_namespace": "igw.usage", "include_unconfigured_routes": true}}}}`

// Budgets are of one proxy. Tokens are charged by what answers say, where a filter reads that; else by reserve.
func TestBudgetsOfASidecar(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	for name, c := range map[string]struct {
		budget string
		usage  string
		passes int
	}{
		"requests":                     {"{requests: 3, per: 30d}", "", 3},
		"tokens that Envoy reads off":  {"{tokens: 150, per: 30d}", usageFilter, 2}, // 100 each
		"tokens that a script reads":   {"{tokens: 150, per: 30d}", usageScript(t), 2},
		"tokens that nobody reads off": {"{tokens: 150, per: 30d, reserve: 60}", "", 2},
	} {
		rule := "budget-" + strings.ReplaceAll(name, " ", "-")
		l := w.with(t, plugin{Usage: c.usage, policy: "rules: [{name: " + rule + ", act: {budget: " + c.budget + "}}]"})
		for i := range 4 {
			r, _ := l.ask(t, "/v1/chat/completions", chat("gpt-4o"), host("api.openai.com"))
			if i < c.passes {
				assert.Equal(t, http.StatusOK, r.Status, "%s, request %d: %s", name, i, r)
				continue
			}
			assert.Equal(t, http.StatusTooManyRequests, r.Status, "%s, request %d: %s", name, i, r)
			assert.Equal(t, rule, r.Header.Get("X-Policy-Rule"))
			assert.NotEmpty(t, r.Header.Get("Retry-After"))
		}
	}
}

// The script of deploy/istio finds the number in the answers of every kind of provider, wherever they are cut, and
// changes nothing of them.
func TestTheScriptReadsUsageOfEveryProvider(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const open = `data: {"choices":[{"delta":{"content":"\"total_tokens\": 9000"}}]} `
	for name, text := range map[string]string{
		"OpenAI":              `{"choices":[{"message":{"content":"\"total_tokens\": 9000"}}],"usage":{"prompt_tokens":40,"total_tokens":100}}`,
		"OpenAI-streamed":     open + `data: {"choices":[],"usage": {"completion_tokens":60, "total_tokens" : 100}} data: [DONE]`,
		"OpenAI-responses":    `{"usage":{"input_tokens":40,"input_tokens_details":{"cached_tokens":7},"output_tokens":60,"total_tokens":100}}`,
		"Anthropic":           `{"content":[],"usage":{"input_tokens":40,"output_tokens":60}}`,
		"Anthropic-streamed":  `data: {"message":{"usage":{"input_tokens":40,"output_tokens":1}}} data: {"type":"message_delta","usage":{"output_tokens":60}}`,
		"Google-streamed":     `data: {"usageMetadata":{"totalTokenCount":50}} data: {"usageMetadata":{"totalTokenCount":100}}`,
		"an answer without":   `{"error":{"message":"no"}}`,
		"OpenAI-cut-anywhere": `{"usage":{"total_tokens":100}}`,
	} {
		rule := "usage-of-" + strings.ReplaceAll(name, " ", "-")
		l := w.with(t, plugin{Usage: usageScript(t), policy: "rules: [{name: " + rule + ", act: {budget: {tokens: 101, per: 30d}}}]"})
		headers := []string{host("api.openai.com"), "X-Answer: " + text}
		if strings.Contains(name, "cut") {
			headers = append(headers, "X-Piece: 1")
		}
		counts := text != `{"error":{"message":"no"}}`
		for i, want := range []int{200, 200, 429} { // 100, 200, and no more
			if !counts {
				want = 200
			}
			r, _ := l.ask(t, "/v1/chat/completions", chat("m"), headers...)
			assert.Equal(t, want, r.Status, "%s, request %d: %s", name, i, r)
			if r.Status == 200 {
				assert.Equal(t, text, r.String(), name)
			}
		}
	}
}

// Both worker threads count in one place, at the same time: no request is lost but the one that may be when two begin a counter.
func TestWorkersSpendOneBudget(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const budget = 200
	l := w.with(t, plugin{policy: fmt.Sprintf("rules: [{name: at-once-%d, act: {budget: {requests: %d, per: 30d, key: [\"header:x-user\"]}}}]", number.Add(1), budget)})
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for range 16 { // connections, which Envoy gives to either worker
		all.Go(func() {
			client := harness.NewClient(t)
			for range 30 {
				r, err := l.Try(t, client, http.MethodPost, "/v1/chat/completions", chat("gpt-4o"), host("vllm.models"), "X-User: ann")
				switch {
				case !assert.NoError(t, err):
				case r.Status == http.StatusOK:
					passed.Add(1)
				case r.Status == http.StatusTooManyRequests:
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 16*30, passed.Load()+refused.Load(), "no other answer")
	assert.GreaterOrEqual(t, passed.Load(), int64(budget))
	assert.LessOrEqual(t, passed.Load(), int64(budget+1))
}

// A new policy does not give back what was spent, and rules of one name share one budget, in whichever plugin they are.
func TestBudgetsOutliveTheirPolicy(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const rule = "{name: lasting, act: {budget: {requests: 2, per: 30d}}}"
	l := w.with(t, plugin{policy: "rules: [" + rule + "]"})
	status := func(l *listener) int {
		r, _ := l.ask(t, "/v1/chat/completions", chat("m"), host("api.openai.com"))
		return r.Status
	}
	require.Equal(t, http.StatusOK, status(l))
	require.Equal(t, http.StatusOK, status(l))
	l.configure(t, plugin{policy: "rules: [{name: dear, match: {model: dear}, act: {deny: {status: 402}}}, " + rule + "]"})
	harness.Eventually(t, patience, "the new policy holds", func() bool {
		r, _ := l.ask(t, "/v1/chat/completions", chat("dear"), host("api.openai.com"))
		return r.Status == http.StatusPaymentRequired
	})
	assert.Equal(t, http.StatusTooManyRequests, status(l))
	assert.Equal(t, http.StatusTooManyRequests, status(w.with(t, plugin{policy: "rules: [" + rule + "]"})))
}
