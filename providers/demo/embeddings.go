package demo

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
)

// OpenAI's limits, which clients batch by.
const (
	maxInputs      = 2048
	maxInputTokens = 8192
	maxAllTokens   = 300_000
)

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of them
}

type embeddingList struct {
	Object string         `json:"object"`
	Data   []embedding    `json:"data"`
	Model  string         `json:"model"`
	Usage  embeddingUsage `json:"usage"`
}

type embeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// embeddings takes any model of this provider, so that one id is enough to try everything.
func (h *handler) embeddings(w http.ResponseWriter, r *http.Request, body []byte) {
	req, err := parseEmbeddings(body)
	if err == nil && !slices.Contains(models, req.model) && !(h.opts.Faults && strings.HasPrefix(req.model, faultPrefix)) {
		err = noModel(req.model)
	}
	if err != nil {
		fail(w, err)
		return
	}
	list := embeddingList{Object: "list", Model: req.model, Data: make([]embedding, 0, len(req.inputs))}
	for i, in := range req.inputs {
		list.Usage.PromptTokens += in.tokens
		list.Data = append(list.Data, embedding{Object: "embedding", Index: i, Embedding: req.encode(vector(in.text, req.dimensions))})
	}
	list.Usage.TotalTokens = list.Usage.PromptTokens
	writeJSON(w, http.StatusOK, list)
}

type embeddingRequest struct {
	model      string
	inputs     []input
	dimensions int
	base64     bool
}

type input struct {
	text   string
	tokens int
}

func parseEmbeddings(body []byte) (*embeddingRequest, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	req := &embeddingRequest{dimensions: defaultDimensions}
	if err := o.need("", "model", &req.model, "a string"); err != nil {
		return nil, err
	}
	if err := o.read("", "dimensions", &req.dimensions, "an integer"); err != nil {
		return nil, err
	}
	if req.dimensions < 1 || req.dimensions > maxDimensions {
		return nil, invalid("dimensions", "Invalid 'dimensions': expected an integer between 1 and %d, got %d.", maxDimensions, req.dimensions)
	}
	encoding := "float"
	if err := o.read("", "encoding_format", &encoding, "a string"); err != nil {
		return nil, err
	}
	if encoding != "float" && encoding != "base64" {
		return nil, invalid("encoding_format", "Invalid value: '%s'. Supported values are: 'float' and 'base64'.", encoding)
	}
	req.base64 = encoding == "base64"
	if !o.has("input") {
		return nil, invalid("input", "Missing required parameter: 'input'.")
	}
	req.inputs, err = parseInputs(o["input"])
	return req, err
}

// parseInputs reads the four spellings: a text, texts, token numbers, lists of token numbers.
func parseInputs(raw json.RawMessage) ([]input, error) {
	var (
		text    string
		texts   []string
		numbers []uint32
		lists   [][]uint32
		out     []input
	)
	switch {
	case json.Unmarshal(raw, &text) == nil:
		out = append(out, input{text, countTokens(text)})
	case json.Unmarshal(raw, &texts) == nil:
		for _, t := range texts {
			out = append(out, input{t, countTokens(t)})
		}
	case json.Unmarshal(raw, &numbers) == nil:
		out = append(out, input{tokenText(numbers), len(numbers)})
	case json.Unmarshal(raw, &lists) == nil:
		for _, l := range lists {
			out = append(out, input{tokenText(l), len(l)})
		}
	default:
		return nil, invalid("input", "Invalid type for 'input': expected a string, an array of strings, or arrays of token numbers.")
	}
	return out, checkInputs(out)
}

func checkInputs(inputs []input) error {
	if len(inputs) == 0 || len(inputs) > maxInputs {
		return invalid("input", "Invalid 'input': expected between 1 and %d items, got %d.", maxInputs, len(inputs))
	}
	all := 0
	for i, in := range inputs {
		all += in.tokens
		switch {
		case in.tokens == 0:
			return invalid("input", "Invalid 'input[%d]': input cannot be empty.", i)
		case in.tokens > maxInputTokens:
			return invalid("input", "This model's maximum context length is %d tokens, however input[%d] has %d tokens.", maxInputTokens, i, in.tokens)
		case all > maxAllTokens:
			return invalid("input", "Invalid 'input': at most %d tokens in one request.", maxAllTokens)
		}
	}
	return nil
}

// tokenText spells token numbers as words: which words does not matter, only that equal numbers are equal words.
func tokenText(numbers []uint32) string {
	var b strings.Builder
	for _, n := range numbers {
		_, _ = fmt.Fprintf(&b, "%d ", n) // a Builder never fails
	}
	return b.String()
}

// encode gives numbers, or base64 of little-endian float32: what the official Python client asks for by default.
func (e *embeddingRequest) encode(v []float32) any {
	if !e.base64 {
		return v
	}
	raw := make([]byte, 0, 4*len(v))
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
