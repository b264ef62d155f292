package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFirstMatchDecides(t *testing.T) {
	p, problems := Parse([]byte(`{"default":"deny","rules":[
		{"name":"no-mini","match":{"model":"gpt-4o-mini"},"act":{"deny":{"status":451,"message":"not here"}}},
		{"name":"watch","match":{"model":"gpt-*"},"shadow":true},
		{"name":"bounded","match":{"provider":"openai","model":"gpt-4o*"},"act":{"cap":100,"set":{"user":"x"},"remove":"logit_bias","model":"gpt-4o-2024"}}
	]}`))
	require.Empty(t, problems)
	decide := func(body string) (*Request, Decision) {
		r := &Request{Method: "POST", Path: "/v1/chat/completions", Body: Body{State: Whole, Bytes: []byte(body), Size: int64(len(body))}}
		return r, p.Decide(r)
	}
	_, d := decide(`{"model":"openai/GPT-4o-mini"}`)
	assert.Equal(t, Refuse, d.Verdict)
	assert.Equal(t, 451, d.Status)
	assert.Equal(t, "no-mini", d.Name)
	assert.JSONEq(t, `{"error":{"message":"not here","type":"invalid_request_error","param":null,"code":"policy_denied"}}`, string(d.AppendReply(nil)))

	r, d := decide(`{"model":"openai/gpt-4o","logit_bias":{},"max_tokens":1e9}`)
	require.Equal(t, Pass, d.Verdict)
	assert.Equal(t, []Step{{1, Allowed, true}, {2, Edited, false}}, d.Steps)
	assert.Equal(t, `{"model":"openai/gpt-4o-2024","max_tokens":100,"user":"x"}`, string(d.AppendBody(nil, r)))

	_, d = decide(`{"model":"llama"}`)
	assert.Equal(t, Denied, d.Outcome)
	_, d = decide(`{"model":1}`)
	assert.Equal(t, NotReadable, d.Outcome)
	_, d = decide(`{"model":"a","MODEL":"b"}`)
	assert.Equal(t, NotReadable, d.Outcome)
}
