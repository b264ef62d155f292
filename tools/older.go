package tools

import (
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// The older form of a call is one function_call in a message, without an id. Nobody asks for it here: a client that offers
// functions has no loop. Some servers use it all the same, and llama-cpp-python's tells every call in both forms.

// addOlder takes a delta of it.
func (g *gathering) addOlder(raw []byte) (released [][]byte) {
	function, err := jsonedit.Parse(raw)
	if err != nil || g.older == nil && len(g.calls) == maxCalls {
		return nil
	}
	if g.older == nil {
		g.older = &slot{older: true}
		released = g.begin(g.older)
	}
	return append(released, g.addTo(g.older, raw, jsonedit.Doc{}, function, false)...)
}

// readOlder finds it in a whole message.
func (s *Session) readOlder(message jsonedit.Doc) (c call, ok bool) {
	function, ok := object(message, "function_call")
	if !ok {
		return call{}, false
	}
	c = call{older: true, Call: chat.Call{Name: text(function, "name"), Arguments: argumentsIn(function)}}
	c.raw, c.clients = chat.AppendCall(nil, c.Call), s.isClients("", c.Name)
	return c, true
}

// tellOnce drops a call in the older form that stands among the others as well.
func (t *turn) tellOnce() {
	at := slices.IndexFunc(t.calls, func(c call) bool { return c.older })
	if at < 0 {
		return
	}
	older := t.calls[at]
	if slices.ContainsFunc(t.calls, func(c call) bool {
		return !c.older && c.Name == older.Name && (c.clients || c.Arguments == older.Arguments)
	}) {
		t.calls = slices.Delete(t.calls, at, at+1)
	}
}
