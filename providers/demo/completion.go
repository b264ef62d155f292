package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// The structs below are OpenAI's wire format. Members that may be absent, null or a value are raw JSON: absent when
// empty.

type completion struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	Choices           []choice        `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
	ServiceTier       string          `json:"service_tier"`
	SystemFingerprint string          `json:"system_fingerprint"`
}

// choice holds a message in a whole answer and a delta in a stream.
type choice struct {
	Index        int             `json:"index"`
	Message      json.RawMessage `json:"message,omitempty"`
	Delta        *delta          `json:"delta,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason *string         `json:"finish_reason"`
}

type wholeMessage struct {
	Role        string     `json:"role"`
	Content     *string    `json:"content"`
	ToolCalls   []toolCall `json:"tool_calls,omitempty"`
	Refusal     *string    `json:"refusal"`
	Annotations []string   `json:"annotations"`
}

type usage struct {
	PromptTokens      int           `json:"prompt_tokens"`
	CompletionTokens  int           `json:"completion_tokens"`
	TotalTokens       int           `json:"total_tokens"`
	PromptDetails     promptDetails `json:"prompt_tokens_details"`
	CompletionDetails answerDetails `json:"completion_tokens_details"`
}

type promptDetails struct {
	CachedTokens int `json:"cached_tokens"`
	AudioTokens  int `json:"audio_tokens"`
}

type answerDetails struct {
	ReasoningTokens          int `json:"reasoning_tokens"`
	AudioTokens              int `json:"audio_tokens"`
	AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
	RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
}

var null = json.RawMessage("null")

// hashID names a thing after the request that made it: the same request gives the same ids.
func hashID(body []byte, salt ...int) string {
	h := sha256.New()
	_, _ = h.Write(body) // a hash never fails
	_, _ = fmt.Fprint(h, salt)
	return hex.EncodeToString(h.Sum(nil))[:24]
}

func (c *chatRequest) usage(answers []answer) json.RawMessage {
	u := usage{PromptTokens: c.promptTokens()}
	for _, a := range answers {
		u.CompletionTokens += a.tokens
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return encode(u)
}

func (a answer) message() json.RawMessage {
	m := wholeMessage{Role: "assistant", ToolCalls: a.calls, Annotations: []string{}}
	if len(a.calls) == 0 {
		m.Content = &a.text
	}
	return encode(m)
}
