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

// toolMembers offer tools: OpenAI's today and before, Anthropic's MCP servers, and the search of OpenAI's search models.
var toolMembers = [...]string{"tools", "functions", "mcp_servers", searchMember}

const searchMember = "web_search_options" // an empty object switches it on

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
	for _, name := range toolMembers {
		v, ok := s.doc.Member(name)
		if ok && (!v.Blank() || name == searchMember && v.Kind == jsonedit.Object) {
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
			if isOneOf(text, "image_url", "image_embeds") { // OpenAI, vLLM
				return true
			}
			name = nil
			if isOneOf(text, imageNames[:]...) {
				name = append(name, text...)
				pos = valueAfter(body, end)
				if body[pos] != '"' {
					name = nil
				}
			}
			continue
		}
		switch {
		case name == nil:
		case isOneOf(name, "type"):
			if isOneOf(text, imageTypes[:]...) {
				return true
			}
		case isOneOf(name, "mimeType", "mime_type", "media_type"):
			if beginsWith(text, "image/") {
				return true
			}
		case beginsWith(text, "data:image/"):
			return true
		}
		name = nil
	}
}

// imageNames are the members whose texts tell an image.
var imageNames = [...]string{"type", "mimeType", "mime_type", "media_type", "url", "file_data", "file_url", "fileUri", "file_uri", "image"}

// imageTypes are the types of parts and items that are images: Anthropic's, OpenAI's, those of its tools, and vLLM's.
var imageTypes = [...]string{"image", "input_image", "image_url", "image_embeds", "computer_screenshot", "image_generation_call"}

// isOneOf compares in any case, since some servers do.
func isOneOf(text []byte, words ...string) bool {
	for _, word := range words {
		if len(text) == len(word) && strings.EqualFold(string(text), word) {
			return true
		}
	}
	return false
}

func beginsWith(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(string(text[:len(prefix)]), prefix)
}

// valueAfter gives where the value begins whose name ends before pos.
func valueAfter(body []byte, pos int) int {
	for body[pos] == ' ' || body[pos] == '\t' || body[pos] == '\n' || body[pos] == '\r' || body[pos] == ':' {
		pos++
	}
	return pos
}
