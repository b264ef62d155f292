package tools

import (
	"errors"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// maxTools is what OpenAI takes in one request, the client's own included.
const maxTools = 128

// inject decides what the model sees: the client's tools as they are, then the gateway's. It is false when there is
// nothing to add, or no room.
func (s *Session) inject() bool {
	clients, _ := array(s.request, "tools")
	count := s.readClientTools(clients)
	visible, hidden := s.choose(maxTools - count)
	if len(visible) == 0 && !hidden {
		return false
	}
	if count == 0 && len(visible) == len(s.tools.tools) && !hidden { // as most requests are: nothing has to be made
		s.always = append(s.always, jsonedit.Edit{Name: "tools", Raw: s.tools.all})
		return true
	}
	added := make([][]byte, 0, len(visible)+len(selectorTools))
	for _, i := range visible {
		added = append(added, s.offer(i))
	}
	if hidden {
		added = append(added, s.offerSelector()...)
	}
	s.always = append(s.always, jsonedit.Edit{Name: "tools", Raw: extend(clients, added...)})
	return true
}

// choose picks the tools to show one by one, by index, and whether the others stand behind the selector, as only those of
// MCP servers can.
func (s *Session) choose(room int) (visible []int, hidden bool) {
	all := make([]int, 0, len(s.tools.tools))
	var others []int
	for i, t := range s.tools.tools {
		all = append(all, i)
		if t.Source != SourceMCP {
			others = append(others, i)
		}
	}
	selecting := s.options.Selector && len(others) < len(all)
	switch {
	case len(all) == 0:
		return nil, false
	case !selecting && len(all) <= room:
		return all, false
	case len(others) < len(all) && len(others)+len(selectorTools) <= room:
		return others, true
	case len(selectorTools) <= room:
		return nil, true
	default:
		return nil, false
	}
}

// offer is the definition of one tool. The client's tools win a clash of names.
func (s *Session) offer(i int) []byte {
	t := s.tools.tools[i]
	if !s.clientTools[t.Name] {
		return s.tools.definitions[i]
	}
	name := s.free(t)
	s.renamed[name] = t.Name
	return define(t, name)
}

// target is the tool in the catalogue, or the one of the selector, that a model means by a name; "" is none. A model may
// know a hidden tool's name from the selector and call it by that.
func (s *Session) target(name string) string {
	if to := s.renamed[name]; to != "" {
		return to
	}
	if _, ok := s.tools.at[name]; ok && !s.clientTools[name] {
		return name
	}
	return ""
}

// free is a name for the tool that nothing else in the request has.
func (s *Session) free(t Tool) string {
	return freeName(t, func(name string) bool { return s.clientTools[name] || s.target(name) != "" })
}

// readClientTools learns the names of the client's own tools and counts them.
func (s *Session) readClientTools(tools []byte) int {
	all := elements(tools)
	for _, raw := range all {
		tool, err := jsonedit.Parse(raw)
		if err != nil {
			continue
		}
		for _, kind := range []string{"function", "custom"} {
			if o, ok := object(tool, kind); ok {
				s.clientTools[text(o, "name")] = true
			}
		}
	}
	delete(s.clientTools, "")
	return len(all)
}

func absent(err error) bool { return errors.Is(err, jsonedit.Missing) }
