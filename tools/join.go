package tools

import (
	"context"
	"encoding/json"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Join makes one catalogue of several, in their order. Of two tools of the same name the first keeps it; the other gets
// a name made of its own origin. What every request needs of the tools is made here once, so a snapshot should be
// joined when it changes and not by each request.
func Join(catalogues ...Catalogue) Catalogue {
	j := &joined{at: map[string]place{}}
	for _, c := range catalogues {
		if c == nil {
			continue
		}
		seen := map[string]bool{} // one catalogue that repeats a name could not tell the two apart when called
		for _, t := range c.Tools() {
			if seen[t.Name] {
				continue
			}
			seen[t.Name] = true
			inner := t.Name
			t.Name = freeName(t, func(name string) bool { _, taken := j.at[name]; return taken })
			t.Schema = safeSchema(t.Schema)
			j.at[t.Name] = place{catalogue: c, name: inner, index: len(j.tools)}
			j.tools = append(j.tools, t)
			j.definitions = append(j.definitions, define(t, t.Name))
		}
	}
	j.all = arrayOf(j.definitions...)
	return j
}

type joined struct {
	tools       []Tool
	definitions [][]byte // of each tool, as a member of a request's tools
	all         []byte   // an array of them
	at          map[string]place
}

type place struct {
	catalogue Catalogue
	name      string // as that catalogue knows the tool
	index     int
}

// Tools gives the caller a list of its own.
func (j *joined) Tools() []Tool { return append([]Tool(nil), j.tools...) }

func (j *joined) Call(ctx context.Context, name string, arguments json.RawMessage) Result {
	p, ok := j.at[name]
	if !ok {
		return unknownTool(name)
	}
	return p.catalogue.Call(ctx, p.name, arguments)
}

func define(t Tool, name string) []byte {
	return chat.AppendTool(nil, name, t.Description, t.Schema)
}

// safeSchema drops a schema that the gateway would refuse in a request (duplicate names, text that is not UTF-8, nested
// too deeply): a tool server must not be able to break every chat.
func safeSchema(schema json.RawMessage) json.RawMessage {
	if _, err := jsonedit.Parse(schema); err != nil {
		return nil
	}
	// Once more as deep as it will stand in a request, with room for what selector mode wraps around it.
	deep := append([]byte(`{"a":[{"a":{"a":{"a":[{"a":`), schema...)
	if _, err := jsonedit.Parse(append(deep, `}]}}}]}`...)); err != nil {
		return nil
	}
	return schema
}
