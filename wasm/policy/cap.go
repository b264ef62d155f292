package policy

import (
	"math"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// tokenCap limits how many tokens an answer may have, under whichever name the request says so.
type tokenCap struct {
	most   int64
	raw    []byte // most as JSON
	insert string // the member to add when none says so; empty to leave such a request as it is
}

// capNames are the top-level members that limit the answer, of all the APIs that are understood, and of those that servers in
// between, such as LiteLLM, hand on as they are.
var (
	capNames  = [...]string{"max_tokens", "max_completion_tokens", "max_output_tokens", capLlama, "max_new_tokens", "max_tokens_to_sample", "num_predict"}
	capInsert = capNames[:3] // those that can be added
)

// capLlama limits the answer for llama.cpp alone, and wins over the others there.
const capLlama = "n_predict"

// Google's API has the limit one level down, and reads names with underscores too.
var (
	geminiConfigs = [...]string{"generationConfig", "generation_config"}
	geminiCaps    = [...]string{"maxOutputTokens", "max_output_tokens"}
)

// limit lowers what is too high. False: the request cannot be read for certain, and its halt is set.
func (c *tokenCap) limit(r *Request) bool {
	if r.target().endpoint == Gemini {
		return c.limitGemini(r)
	}
	s, found := &r.seen, false
	for _, name := range capNames {
		raw, ok := s.current(name)
		if !ok || string(raw) == "null" {
			continue
		}
		found = found || c.obeyed(name, r.target().endpoint)
		over, ok := c.over(raw)
		if !ok {
			return r.refuse(name, name+" must be a number")
		}
		if over {
			s.edits = append(s.edits, jsonedit.Edit{Name: name, Raw: c.raw})
		}
	}
	if !found && c.insert != "" && !r.target().counts {
		s.edits = append(s.edits, jsonedit.Edit{Name: c.insertAt(r.target().endpoint), Raw: c.raw})
	}
	return true
}

// obeyed says that a member limits the answer of an endpoint, so that none has to be added. The name of another
// endpoint's limit is ignored by most servers: with it alone, there would be no limit.
func (c *tokenCap) obeyed(name string, e Endpoint) bool {
	if e == Chat {
		return name == "max_tokens" || name == "max_completion_tokens"
	}
	return name == c.insertAt(e)
}

// insertAt gives the name that an endpoint knows where it has only one.
func (c *tokenCap) insertAt(e Endpoint) string {
	switch e {
	case Responses:
		return "max_output_tokens"
	case Completions, Messages:
		return "max_tokens"
	}
	return c.insert
}

// over says whether a limit is above the cap. None, written as zero or less, is. Only numbers are understood: servers
// that take a "9999" in quotes exist, and so do those that take it for something else.
func (c *tokenCap) over(raw []byte) (over, ok bool) {
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return false, false
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // too large a number is infinite, and over
	return f <= 0 || f > float64(c.most) || math.IsNaN(f), true
}

func (c *tokenCap) limitGemini(r *Request) bool {
	s, found := &r.seen, r.target().counts // nothing is added to what has no answer of a model
	for _, name := range geminiConfigs {
		raw, ok := s.current(name)
		if !ok || string(raw) == "null" {
			continue
		}
		config, err := jsonedit.Parse(raw)
		if err != nil {
			return r.refuse(name, name+" must be an object")
		}
		edits := make([]jsonedit.Edit, 0, len(geminiCaps))
		for _, inner := range geminiCaps {
			v, ok := config.Member(inner)
			if !ok || v.Kind == jsonedit.Null {
				continue
			}
			found = true
			over, ok := c.over(v.Raw())
			if !ok {
				return r.refuse(inner, inner+" must be a number")
			}
			if over {
				edits = append(edits, jsonedit.Edit{Name: inner, Raw: c.raw})
			}
		}
		if !found && c.insert != "" {
			found = true
			edits = append(edits, jsonedit.Edit{Name: geminiCaps[0], Raw: c.raw})
		}
		if len(edits) > 0 {
			s.edits = append(s.edits, jsonedit.Edit{Name: name, Raw: config.Apply(nil, edits...)})
		}
	}
	if !found && c.insert != "" {
		raw := append([]byte(`{"maxOutputTokens":`), c.raw...)
		s.edits = append(s.edits, jsonedit.Edit{Name: geminiConfigs[0], Raw: append(raw, '}')})
	}
	return true
}
