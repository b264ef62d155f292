package tools

import (
	"bytes"
	"unicode/utf8"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// shape is a chunk without the text in it: what stands before and after. The chunks of an answer mostly differ in their
// text alone, so that one which is like another that has been read and passed on as it came needs no second reading. The
// zero shape is like nothing.
type shape struct{ before, after []byte }

// shapeOf gives the shape of a chunk whose delta adds a text and nothing else; of others, and where the text's place is
// not plain, the zero shape.
func shapeOf(chunk []byte, delta jsonedit.Doc) shape {
	var said []byte
	for name, v := range delta.All() {
		switch {
		case name == "content" && v.Kind == jsonedit.String:
			said = v.Raw()
		case v.Kind != jsonedit.Null:
			return shape{}
		}
	}
	if said == nil || bytes.Count(chunk, said) != 1 {
		return shape{}
	}
	before, after, _ := bytes.Cut(chunk, said)
	return shape{before: before, after: after}
}

// text gives what a chunk of this shape says. A text with escapes is left to those who can read it.
func (s shape) text(chunk []byte) (string, bool) {
	if len(s.before) == 0 || len(chunk) < len(s.before)+len(`""`)+len(s.after) ||
		!bytes.HasPrefix(chunk, s.before) || !bytes.HasSuffix(chunk, s.after) {
		return "", false
	}
	quoted := chunk[len(s.before) : len(chunk)-len(s.after)]
	said := quoted[1 : len(quoted)-1]
	if quoted[0] != '"' || quoted[len(quoted)-1] != '"' || !plain(said) {
		return "", false
	}
	return string(said), true
}

// plain says whether bytes can stand in a JSON string, and mean what they are.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(b)
}
