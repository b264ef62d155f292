package policy

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// Endpoint is the kind of request, which says how its body is read.
type Endpoint uint8

// The endpoints whose bodies are understood, and Other for everything else.
const (
	Other       Endpoint = iota
	Chat                 // OpenAI chat completions
	Completions          // OpenAI completions
	Embeddings           // OpenAI embeddings
	Responses            // OpenAI responses
	Messages             // Anthropic messages
	Gemini               // Google's generateContent and its kin: the model stands in the path
	numEndpoints
)

// endpointNames are the names in policies, by Endpoint.
var endpointNames = [numEndpoints]string{"other", "chat", "completions", "embeddings", "responses", "messages", "gemini"}

// String is the name in policies.
func (e Endpoint) String() string { return endpointNames[e] }

// target is what a path says.
type target struct {
	path      string // without query, normalised
	endpoint  Endpoint
	model     string // where the path names it, as it stands there
	modelAt   int    // where it begins in the raw path; -1 when it was not found there as it is
	streaming bool   // the path says so
	counts    bool   // tokens are counted or texts embedded: no model answers
}

// suffixes are the ends of the paths of endpoints. What stands before them differs from provider to provider.
var suffixes = [...]struct {
	end      string
	endpoint Endpoint
	counts   bool
}{
	{"/chat/completions", Chat, false},
	{"/completions", Completions, false},
	{"/embeddings", Embeddings, true},
	{"/responses", Responses, false},
	{"/messages", Messages, false},
	{"/messages/count_tokens", Messages, true},
}

// namers stand before the name of a model in paths of OpenAI's endpoints: Azure's, and OpenAI's first ones, which
// LiteLLM still has.
var namers = [...]string{"/deployments/", "/engines/"}

// methods are the ends of Google's paths, after the colon.
var methods = [...]struct {
	name      string
	endpoint  Endpoint
	streaming bool
	counts    bool
}{
	{"generatecontent", Gemini, false, false},
	{"streamgeneratecontent", Gemini, true, false},
	{"counttokens", Gemini, false, true},
	{"embedcontent", Gemini, false, true},
	{"batchembedcontents", Gemini, false, true},
	{"rawpredict", Messages, false, false}, // Anthropic's models on Vertex AI
	{"streamrawpredict", Messages, true, false},
}

// readTarget reads the value of :path. A path in an unusual spelling that a server may accept (other case, doubled
// slashes, escapes, dot segments) is recognised too, so that it is no way around a rule.
func readTarget(method, raw string) target {
	if method == "POST" {
		for i := range suffixes { // as most requests to a gateway are
			if p := &suffixes[i]; len(raw) == len("/v1")+len(p.end) && raw[:len("/v1")] == "/v1" && raw[len("/v1"):] == p.end {
				return target{path: raw, endpoint: p.endpoint, counts: p.counts, modelAt: -1}
			}
		}
	}
	bare, _, _ := strings.Cut(raw, "?")
	t := target{path: routing.CleanPath(bare), modelAt: -1}
	if method != "POST" {
		return t
	}
	lower := lowerASCII(t.path)
	for i := range suffixes {
		if strings.HasSuffix(lower, suffixes[i].end) {
			t.endpoint, t.counts = suffixes[i].endpoint, suffixes[i].counts
			t.nameBefore(bare, lower, len(lower)-len(suffixes[i].end))
			return t
		}
	}
	name := strings.LastIndexByte(lower, '/') + 1 // of a tuned model, an endpoint of Vertex AI, or whatever else has the method
	if at := strings.LastIndex(lower, "/models/"); at >= 0 {
		name = at + len("/models/")
	}
	colon := strings.LastIndexByte(lower, ':')
	if colon <= name {
		return t
	}
	for i := range methods {
		if lower[colon+1:] == methods[i].name {
			t.endpoint, t.streaming, t.counts = methods[i].endpoint, methods[i].streaming, methods[i].counts
			t.named(bare, name, colon)
		}
	}
	return t
}

// nameBefore looks for the name of a model before the end of an endpoint's path, which begins at end. To LiteLLM it may hold
// slashes, and Azure has had .../{name}/extensions/chat/completions.
func (t *target) nameBefore(raw, lower string, end int) {
	end = len(strings.TrimSuffix(lower[:end], "/extensions"))
	for _, before := range namers {
		if at := strings.LastIndex(lower[:end], before); at >= 0 {
			t.named(raw, at+len(before), end)
			return
		}
	}
}

// named keeps the model, which is from start to end of the path, and finds where it stands in the path as it was sent:
// in the same place from the end.
func (t *target) named(raw string, start, end int) {
	t.model = t.path[start:end]
	if at := len(raw) - len(t.path) + start; at >= 0 && raw[at:] == t.path[start:] {
		t.modelAt = at
	}
}

// lowerASCII changes no length, so that places in its result are places in the text.
func lowerASCII(s string) string {
	for i := range len(s) {
		if kinds[s[i]]&upper == 0 {
			continue
		}
		out := []byte(s)
		for j := i; j < len(out); j++ {
			if kinds[out[j]]&upper != 0 {
				out[j] += 'a' - 'A'
			}
		}
		return string(out)
	}
	return s
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
