package tools

import (
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// settle makes the calls of a turn ones that can be answered, and that providers take back: each with an id of its own, and
// a function as OpenAI describes it. It is for turns that the gateway executes; what the client gets stays as it is, and
// so does what the calls are run with.
func (t *turn) settle(followUps int) {
	seen := map[string]bool{}
	for i := range t.calls {
		c := &t.calls[i]
		doc, err := jsonedit.Parse(c.raw)
		if err != nil {
			continue
		}
		var edits []jsonedit.Edit
		if c.ID == "" || seen[c.ID] {
			c.ID = "call_gateway_" + strconv.Itoa(followUps) + "_" + strconv.Itoa(i)
			edits = append(edits, jsonedit.Edit{Name: "id", Raw: quote(c.ID)})
		}
		seen[c.ID] = true
		if _, ok := present(doc, "type"); !ok {
			edits = append(edits, jsonedit.Edit{Name: "type", Raw: quote("function")})
		}
		function, _ := object(doc, "function")
		if mended := c.mend(function); len(mended) > 0 {
			edits = append(edits, jsonedit.Edit{Name: "function", Raw: withMembers(function, mended)})
		}
		if len(edits) > 0 {
			c.raw = doc.Apply(nil, edits...)
		}
	}
}

// mend says what has to change in a call's function. Models make mistakes that providers refuse in a history, and then the
// whole conversation: OpenAI a name outside its alphabet, such as functions.add; llama.cpp and vLLM arguments that are no
// JSON. The model is told of its mistake in the call's result.
func (c *call) mend(function jsonedit.Doc) (edits []jsonedit.Edit) {
	if name := sayable(c.Name); name != text(function, "name") || name != c.Name {
		edits = append(edits, jsonedit.Edit{Name: "name", Raw: quote(name)})
	}
	arguments := c.Arguments
	if doc, err := readArguments(arguments); err != nil || doc.Len() == 0 {
		arguments = "{}"
	}
	if v, _ := function.Member("arguments"); v.Kind != jsonedit.String || arguments != c.Arguments {
		edits = append(edits, jsonedit.Edit{Name: "arguments", Raw: quote(arguments)})
	}
	return edits
}

// sayable is a name that may stand in a request, the name itself where that may.
func sayable(name string) string {
	if fit := legal(name); name != "" && fit == name && len(name) <= maxName {
		return name
	}
	return withHash(legal(name), name)
}

func withMembers(d jsonedit.Doc, edits []jsonedit.Edit) []byte {
	if d.Len() == 0 {
		d, _ = jsonedit.Parse([]byte(`{}`))
	}
	return d.Apply(nil, edits...)
}
