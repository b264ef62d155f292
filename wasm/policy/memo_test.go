package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const memoPolicy = `{"hosts":{"ours":["llm.internal"]},"default":"deny","rules":[
	{"name":"shadow","match":{"model":"gpt*"},"shadow":true},
	{"name":"openai","match":{"provider":"openai","model":["gpt-4o","openai/o*"]},"act":{"model":"small"}},
	{"name":"embed","match":{"endpoint":"embeddings","model":"*-embed"},"act":"allow"},
	{"name":"google","match":{"model":"google/models/gemini*"},"act":"allow"},
	{"name":"ours","match":{"provider":"ours"},"unless":{"model":"dear*"},"act":{"cap":10}},
	{"name":"team","match":{"headers":{"x-team":"red"},"provider":["groq","ours"]},"act":"allow"}]}`

// A request that follows others is decided on as if it were the first.
func TestWhatIsRememberedChangesNoDecision(t *testing.T) {
	p, other := parse(t, memoPolicy), parse(t, strings.ReplaceAll(memoPolicy, "gpt-4o", "gpt-3"))
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var reused Request
	recalled, arena := 0, make([]byte, 1024)
	// lent is a text in memory that the next request overwrites, as that is which Envoy hands over.
	lent := func(text string, used *int) string {
		at := *used
		*used += copy(arena[at:], text)
		return unsafe.String(&arena[at], len(text))
	}
	for range 5000 {
		body := pick(
			`{"model":"gpt-4o"}`, `{"model":"openai/gpt-4o"}`, `{"model":"OpenAI\/GPT-4o"}`, `{"model":"groq/openai/o3"}`, `{"mod\u0065l":"gpt-\u0034o"}`, `{"model":"ours/x-embed"}`,
			`{"model":"dear"}`, `{"model":"google/gemini-3"}`, `{"model":"models/gemini-3"}`, `{"model":null}`, `{"model":""}`, `{}`, `{"model":"gpt-4o ","a":1}`, `{"Model":"gpt-4o"}`,
			`{"model":"gpt-4o","models":["a"]}`, `{"model":3}`, `{"model":"`+strings.Repeat("m", 600)+`"}`, `{"model":`)
		fill := func(r *Request) {
			r.Body = Body{State: Whole, Bytes: []byte(body), Size: int64(len(body))}
			r.Method = "POST"
		}
		reused.Reset()
		reused.Method, reused.Body.State = "POST", Whole
		reused.Path = pick("/v1/chat/completions", "/v1/embeddings", "/v1/files", "/v1beta/models/gemini-3:generateContent")
		reused.Provider = pick("", "", "", "openai", "ours", "google")
		reused.Upstream = pick("", "", "llm.internal", "api.openai.com")
		reused.Authority = pick("", "api.groq.com", "generativelanguage.googleapis.com:443")
		used := 0
		reused.Path, reused.Provider = lent(reused.Path, &used), lent(reused.Provider, &used)
		reused.Upstream, reused.Authority, body = lent(reused.Upstream, &used), lent(reused.Authority, &used), lent(body, &used)
		reused.Body.Bytes = unsafe.Slice(unsafe.StringData(body), len(body))
		reused.Body.Size = int64(len(body))
		reused.Facts = headersOnly{"x-team": pick("red", "blue")}
		fresh := Request{Path: reused.Path, Provider: reused.Provider, Upstream: reused.Upstream, Authority: reused.Authority, Facts: reused.Facts}
		fill(&fresh)
		policy := p
		if random.IntN(50) == 0 {
			policy = other
		}
		want, got := policy.Decide(&fresh), policy.Decide(&reused)
		require.Equal(t, fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got), "%s at %s", body, fresh.Path)
		if got.Changed() {
			require.Equal(t, string(want.AppendBody(nil, &fresh)), string(got.AppendBody(nil, &reused)))
		}
		if reused.seen.memo != nil {
			recalled++
		}
	}
	assert.Greater(t, recalled, 1000)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	p := parse(t, memoPolicy)
	var r Request
	for i := range 3 * maxMemos {
		body := fmt.Appendf(nil, `{"model":"m%d"}`, i)
		r.Reset()
		r.Method, r.Path, r.Body = "POST", "/v1/chat/completions", Body{State: Whole, Bytes: body, Size: int64(len(body))}
		p.Decide(&r)
		assert.LessOrEqual(t, len(r.memos.byName), maxMemos)
	}
	assert.NotEmpty(t, r.memos.byName)
	for key := range r.memos.byName {
		assert.LessOrEqual(t, len(key), maxMemoKey+3)
	}
}
