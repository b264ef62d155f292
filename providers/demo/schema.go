package demo

import (
	"encoding/json"
	"strings"
)

// sample makes a value that fits a JSON schema as the SDKs write them for structured output: enough for a typed client
// to parse the answer. Every property is filled, in no particular order, since encoding sorts them.
func sample(schema json.RawMessage) any {
	var root any
	if json.Unmarshal(schema, &root) != nil {
		return map[string]any{}
	}
	s := sampler{root: root, left: maxValues}
	return s.value(root, 0)
}

// maxDepth ends schemas that refer to themselves, maxValues those that refer to themselves many times at once.
const (
	maxDepth  = 16
	maxValues = 10_000
)

type sampler struct {
	root any
	left int // values that may still be made
}

func (m *sampler) value(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	m.left--
	if !ok || depth > maxDepth || m.left < 0 {
		return nil
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if v, ok := s["enum"].([]any); ok && len(v) > 0 {
		return v[0]
	}
	if ref, ok := s["$ref"].(string); ok {
		return m.value(resolve(ref, m.root), depth+1)
	}
	for _, of := range []string{"anyOf", "oneOf", "allOf"} {
		if v, ok := s[of].([]any); ok && len(v) > 0 {
			return m.value(v[0], depth+1)
		}
	}
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]any); ok && len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	properties, _ := s["properties"].(map[string]any)
	switch {
	case kind == "object" || properties != nil:
		out := make(map[string]any, len(properties))
		for name, p := range properties {
			if depth < maxDepth/2 || isRequired(s, name) {
				out[name] = m.value(p, depth+1)
			}
		}
		return out
	case kind == "array":
		if depth >= maxDepth/2 { // a list may be empty: the cheap end of a recursive schema
			return []any{}
		}
		return []any{m.value(s["items"], depth+1)}
	case kind == "string":
		return "demo"
	case kind == "integer", kind == "number":
		if least, ok := s["minimum"].(float64); ok {
			return least
		}
		return 1
	case kind == "boolean":
		return true
	default:
		return nil
	}
}

func isRequired(schema map[string]any, name string) bool {
	required, _ := schema["required"].([]any)
	for _, r := range required {
		if r == name {
			return true
		}
	}
	return false
}

// resolve follows a reference inside the document, such as #/$defs/Step.
func resolve(ref string, root any) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := root
	for _, name := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if name == "" {
			continue
		}
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[name]
	}
	return at
}
