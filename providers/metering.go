package providers

import (
	"bytes"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Metering says what is done to requests whose tokens are limited. The zero Metering does nothing.
type Metering struct {
	Reserve  int64 // tokens to reckon for an answer whose length the client does not bound; 0: do not reckon
	AskUsage bool  // have streams say what they took, though the client did not ask
}

// Take is what a request may take, for those who count it. The zero Take is that nobody wants to know.
type Take struct {
	Tokens int64 // roughly
	Untold bool  // no answer will say what it was
}

// Metered is the directory with requests made countable.
func (d *Directory) Metered(m Metering) *Directory {
	next := *d
	next.metering = m
	next.unasked = map[string]bool{}
	for _, p := range catalog.All() {
		next.unasked[p.ID] = p.UsageUnasked
	}
	return &next
}

// meter fills in what a plan may take, and asks for what it took.
func (d *Directory) meter(p *Plan, e catalog.Endpoint) {
	if d.metering.Reserve == 0 {
		return
	}
	doc, err := jsonedit.Parse(p.Body) // another one than the client's, perhaps: its model, the length of its answer
	if err != nil {
		return
	}
	p.Take = Take{estimate(doc, e, d.metering.Reserve), inBackground(doc)}
	chats := e == catalog.ChatCompletions || e == catalog.Completions
	if streams, _ := doc.Bool("stream"); streams && chats && d.metering.AskUsage && !d.unasked[p.Provider] {
		p.Body = askUsage(doc)
	}
}

// askUsage adds stream_options.include_usage, and leaves alone what the client says about its streams otherwise. What is
// no object is the provider's to refuse.
func askUsage(doc jsonedit.Doc) []byte {
	raw := []byte(`{"include_usage":true}`)
	if v, ok := doc.Member("stream_options"); ok && v.Kind != jsonedit.Null {
		options, err := jsonedit.Parse(v.Raw())
		if asks, _ := options.Bool("include_usage"); err != nil || asks {
			return doc.Body()
		}
		raw = options.Insert(nil, "include_usage", []byte("true"))
	}
	return doc.Insert(nil, "stream_options", raw)
}

// inBackground says that the answer to a request of the responses API comes before there are any tokens.
func inBackground(doc jsonedit.Doc) bool {
	in, _ := doc.Bool("background")
	return in
}

const (
	bytesPerToken = 4    // English, roughly; other languages take fewer bytes of more tokens
	imageTokens   = 1000 // of an image or a file in the body, whose bytes say little of it
	mostTokens    = 1_000_000_000
)

// estimate reckons how many tokens a request may take: its prompt by its size, and the longest answer that it allows.
func estimate(doc jsonedit.Doc, e catalog.Endpoint, reserve int64) int64 {
	n := prompt(doc.Body())
	if e != catalog.Embeddings {
		n += product(answer(doc, reserve), answers(doc), prompts(doc))
	}
	return min(max(n, 1), mostTokens)
}

// answers is how many of them a prompt gets.
func answers(doc jsonedit.Doc) int64 {
	return max(1, number(doc, "n"), number(doc, "best_of"), number(inside(doc, "generationConfig"), "candidateCount"))
}

// product multiplies numbers of at most mostTokens and stays there.
func product(factors ...int64) int64 {
	out := int64(1)
	for _, f := range factors {
		out = min(out*f, mostTokens)
	}
	return out
}

// prompts is how many prompts a body of the completions endpoint holds: each gets an answer. A list of numbers is one prompt.
func prompts(doc jsonedit.Doc) int64 {
	v, ok := doc.Member("prompt")
	if !ok || v.Kind != jsonedit.Array {
		return 1
	}
	items := v.Items()
	if len(items) == 0 || items[0].Kind == jsonedit.Number {
		return 1
	}
	return int64(len(items))
}

// answer is the bound that the client sets to an answer, or the reserve.
func answer(doc jsonedit.Doc, reserve int64) int64 {
	var most int64
	for _, name := range lengths {
		most = max(most, number(doc, name))
	}
	for _, n := range nestedLengths {
		most = max(most, number(inside(doc, n.in), n.name))
	}
	if most > 0 {
		return most
	}
	return reserve
}

// nestedLengths are those of Google's own API, in both of its spellings, and of Ollama's.
var nestedLengths = []struct{ in, name string }{
	{"generationConfig", "maxOutputTokens"},
	{"generationConfig", "max_output_tokens"},
	{"generation_config", "maxOutputTokens"},
	{"generation_config", "max_output_tokens"},
	{"options", "num_predict"},
}

// inside is a member that is an object; else it is empty.
func inside(doc jsonedit.Doc, name string) jsonedit.Doc {
	v, ok := doc.Member(name)
	if !ok || v.Kind != jsonedit.Object {
		return jsonedit.Doc{}
	}
	inner, _ := v.Object()
	return inner
}

// number is a top-level member's value when that is a whole number, else 0.
func number(doc jsonedit.Doc, name string) int64 {
	v, ok := doc.Member(name)
	if !ok || v.Kind != jsonedit.Number {
		return 0
	}
	f, err := strconv.ParseFloat(string(v.Raw()), 64)
	if err != nil || f < 0 {
		return 0
	}
	return int64(min(f, mostTokens))
}

// prompt reckons the tokens of a body; what it holds as base64 counts by the piece.
func prompt(body []byte) int64 {
	size, pieces := int64(len(body)), int64(0)
	mark := []byte(";base64,")
	for rest := body; ; {
		i := bytes.Index(rest, mark)
		if i < 0 {
			break
		}
		rest = rest[i+len(mark):]
		end := max(0, bytes.IndexByte(rest, '"'))
		size -= int64(end)
		pieces++
		rest = rest[end:]
	}
	return size/bytesPerToken + pieces*imageTokens
}
