package policy

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// streaming says whether the answer is asked for as a stream.
func (r *Request) streaming(p *Policy) bool {
	s := &r.seen
	if s.streaming != unasked {
		return s.streaming == yes
	}
	t := r.target()
	if t.endpoint == Gemini || t.streaming { // there, the path alone says it
		s.streaming = answerOf(t.streaming)
		return t.streaming
	}
	if !r.inspected(p) || !r.document(p) {
		return false
	}
	v, ok := s.doc.Member("stream")
	if ok && v.Kind != jsonedit.True && v.Kind != jsonedit.False && v.Kind != jsonedit.Null {
		return r.refuse("stream", "stream must be true or false") // some servers take "true" or 1 for it
	}
	s.streaming = answerOf(v.Kind == jsonedit.True)
	return s.streaming == yes
}

// hasTools says whether the request offers tools to the model.
func (r *Request) hasTools(p *Policy) bool {
	s := &r.seen
	if s.tools != unasked {
		return s.tools == yes
	}
	if !r.inspected(p) || !r.document(p) {
		return false
	}
	s.tools = no
	for _, name := range [...]string{"tools", "functions"} {
		if v, ok := s.doc.Member(name); ok && !v.Blank() {
			s.tools = yes
		}
	}
	return s.tools == yes
}

// hasImages says whether the prompt holds an image, at any depth: as a part of a message or as a tool's result.
func (r *Request) hasImages(p *Policy) bool {
	s := &r.seen
	if s.images != unasked {
		return s.images == yes
	}
	if !r.inspected(p) || !r.document(p) {
		return false
	}
	s.images = answerOf(s.findImage(s.doc.Body()))
	return s.images == yes
}

// findImage looks for the members that make a part of a message an image. Text cannot look like one: it stands in
// strings, and these are names of members and the values of "type" and of MIME types.
func (s *seen) findImage(body []byte) bool {
	var name []byte
	for pos := 0; ; {
		quoted, key, end := jsonedit.NextString(body, pos)
		if end < 0 {
			return false
		}
		pos = end
		text := jsonedit.Unescaped(s.scratch, quoted)
		if key {
			if string(text) == "image_url" { // OpenAI
				return true
			}
			name = nil
			if string(text) == "type" || string(text) == "mimeType" || string(text) == "mime_type" {
				name = append(name, text...)
				pos = valueAfter(body, end)
				if body[pos] != '"' {
					name = nil
				}
			}
			continue
		}
		switch string(name) {
		case "type":
			if string(text) == "image" || string(text) == "input_image" || string(text) == "image_url" { // Anthropic, OpenAI
				return true
			}
		case "mimeType", "mime_type":
			if len(text) > 6 && strings.EqualFold(string(text[:6]), "image/") { // Google
				return true
			}
		}
		name = nil
	}
}

// valueAfter gives where the value begins whose name ends before pos.
func valueAfter(body []byte, pos int) int {
	for body[pos] == ' ' || body[pos] == '\t' || body[pos] == '\n' || body[pos] == '\r' || body[pos] == ':' {
		pos++
	}
	return pos
}
