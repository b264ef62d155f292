package tools

// Only gives the tools of a catalogue that keep says yes to. The others are neither offered nor found nor run: a model
// that calls one is told that there is no such tool.
func Only(c Catalogue, keep func(Tool) bool) Catalogue {
	all, ok := c.(*joined)
	if !ok {
		all, _ = Join(c).(*joined)
	}
	some := &joined{at: map[string]place{}}
	for i, t := range all.tools {
		if !keep(t) {
			continue
		}
		p := all.at[t.Name]
		p.index = len(some.tools)
		some.at[t.Name] = p
		some.tools = append(some.tools, t)
		some.definitions = append(some.definitions, all.definitions[i])
	}
	some.all = arrayOf(some.definitions...)
	return some
}
