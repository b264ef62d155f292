package demo

import (
	"net/http"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

func (h *handler) chat(w http.ResponseWriter, r *http.Request, body []byte) {
	c, err := parseChat(body)
	if err == nil {
		err = h.checkModel(c.model)
	}
	if err != nil {
		fail(w, err)
		return
	}
	answers := make([]answer, c.n)
	for i := range answers {
		answers[i] = c.answer(i)
	}
	head := completion{
		ID:                "chatcmpl-" + hashID(body),
		Created:           h.opts.Now().Unix(),
		Model:             c.model,
		ServiceTier:       "default",
		SystemFingerprint: "fp_demo",
	}
	if c.stream {
		h.stream(w, r, c, head, answers)
		return
	}
	head.Object, head.Usage = "chat.completion", c.usage(answers)
	for i, a := range answers {
		head.Choices = append(head.Choices, choice{Index: i, Message: a.message(), Logprobs: null, FinishReason: &a.finish})
	}
	writeJSON(w, http.StatusOK, head)
}

// checkModel lets the models of faults pass: those that reach the chat handler answer as the assistant.
func (h *handler) checkModel(model string) error {
	switch {
	case model == modelEmbedding:
		return apierror.Field(apierror.InvalidRequest, "model", "This is not a chat model: use it with /v1/embeddings.")
	case slices.Contains(models, model), h.opts.Faults && strings.HasPrefix(model, faultPrefix):
		return nil
	default:
		return noModel(model)
	}
}
