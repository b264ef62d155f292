package tools

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// A model that says something before it calls tools says it in a message of its own. The client gets one message, so
// the texts of turns stand in it as paragraphs, streamed or not.

// separator is what goes between the text so far and that of the next turn: as much as there lacks to a blank line.
func separator(before string) string {
	switch {
	case strings.TrimSpace(before) == "", strings.HasSuffix(before, "\n\n"):
		return ""
	case strings.HasSuffix(before, "\n"):
		return "\n"
	default:
		return "\n\n"
	}
}

// spoken is the text in a message's content: a string, or the parts that are text.
func spoken(content jsonedit.Value) string {
	if content.Kind != jsonedit.Array {
		s, _ := content.Text()
		return s
	}
	return spokenParts(elements(content.Raw()))
}

func spokenParts(parts [][]byte) string {
	var b strings.Builder
	for _, raw := range parts {
		if part, err := jsonedit.Parse(raw); err == nil && text(part, "type") == "text" {
			b.WriteString(text(part, "text"))
		}
	}
	return b.String()
}

// wholeContent is the content of a client's message: what the earlier turns said stands before that of the last.
func (s *Session) wholeContent(message jsonedit.Doc, t *turn) []byte {
	before := ""
	if s.spokeBefore(t) {
		before = strings.TrimSuffix(s.said, t.text)
	}
	parts, ok := array(message, "content")
	switch {
	case !ok:
		return quote(before + t.text)
	case before == "":
		return parts
	default:
		return arrayOf(append([][]byte{textPart(before)}, elements(parts)...)...)
	}
}

// spokeBefore says whether earlier turns belong to the client's answer. One of a format is the last turn's alone: of two
// JSON texts nobody could read one.
func (s *Session) spokeBefore(t *turn) bool { return s.said != t.text && !s.structured }
