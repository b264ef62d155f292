package tools

import (
	"bytes"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

var null = []byte("null")

// send appends a chunk as the client gets it: of one identity, and with no count, which comes last and once.
func (st *stream) send(dst, chunk []byte) []byte {
	doc, err := jsonedit.Parse(chunk)
	if err != nil { // cannot be: it was made here
		return dst
	}
	dst, _ = st.sendDoc(dst, doc)
	return dst
}

// sendDoc is send of a chunk that has been read, and says whether nothing had to be changed.
func (st *stream) sendDoc(dst []byte, doc jsonedit.Doc) (_ []byte, asItCame bool) {
	chunk := doc.Body()
	var edits []jsonedit.Edit
	for _, e := range st.identity {
		if v, ok := doc.Member(e.Name); !ok || !bytes.Equal(v.Raw(), e.Raw) {
			edits = append(edits, e)
		}
	}
	if usage, ok := doc.Member("usage"); ok {
		switch {
		case !st.session.asksUsage:
			edits = append(edits, jsonedit.Edit{Name: "usage"})
		case usage.Kind != jsonedit.Null:
			edits = append(edits, jsonedit.Edit{Name: "usage", Raw: null})
		}
	}
	if len(edits) > 0 {
		chunk = doc.Apply(nil, edits...)
	}
	return sse.AppendData(dst, chunk), len(edits) == 0
}

// pattern is a chunk like the given one with another delta and finish_reason; without one, of the bare minimum.
func (st *stream) pattern(like, delta, finish []byte) []byte {
	doc, err := jsonedit.Parse(like)
	if err != nil {
		doc, _ = jsonedit.Parse([]byte(`{"id":"","object":"chat.completion.chunk","created":0,"model":""}`))
	}
	choices, _ := array(doc, "choices")
	choice, err := jsonedit.Parse(slices.Concat(firstElements(choices, 1)...))
	if err != nil {
		choice, _ = jsonedit.Parse([]byte(`{"index":0}`))
	}
	edits := []jsonedit.Edit{{Name: "delta", Raw: delta}, {Name: "finish_reason", Raw: finish}}
	if _, ok := present(choice, "logprobs"); ok { // they went with the tokens that they are of
		edits = append(edits, jsonedit.Edit{Name: "logprobs", Raw: null})
	}
	return doc.Insert(nil, "choices", arrayOf(choice.Apply(nil, edits...)))
}

// envelope is a chunk of this stream without choices: what is no part of an answer can be sent in it, and clients that
// look into the choices of everything they get find none.
func (st *stream) envelope(name string, value []byte) []byte {
	doc, _ := jsonedit.Parse([]byte(`{"id":"","object":"chat.completion.chunk","created":0,"model":"","choices":[]}`))
	return doc.Apply(nil, append(slices.Clone(st.identity), jsonedit.Edit{Name: name, Raw: value})...)
}

// choiceEdits replaces the delta where it was changed.
func choiceEdits(before, after jsonedit.Doc) []jsonedit.Edit {
	if before.Len() == after.Len() {
		return nil
	}
	return []jsonedit.Edit{{Name: "delta", Raw: after.Body()}}
}

// empties says that a delta adds nothing.
func empties(delta jsonedit.Doc) bool {
	for _, v := range delta.All() {
		if !v.Blank() {
			return false
		}
	}
	return true
}

// hasMore says that a choice holds more than its delta. What came with a finish_reason goes with that.
func hasMore(choice jsonedit.Doc) bool {
	for name, v := range choice.All() {
		if name != "index" && name != "delta" && name != "finish_reason" && !v.Blank() {
			return true
		}
	}
	return false
}
