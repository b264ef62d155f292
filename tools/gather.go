package tools

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// What no honest model reaches, and what keeps the work for one delta small.
const (
	maxCalls   = 512
	maxMembers = 64
	maxJudged  = 16 << 10 // bytes of arguments that are looked at to see whether they are complete
)

// gathering adds the deltas of one turn up to a message and its calls.
type gathering struct {
	session *Session
	members []*member // of the message, as they first came
	calls   []*slot
	byIndex map[string]*slot // the call that an index means now
	last    *slot            // the newest of them
	older   *slot            // the call that is told as function_call
	sent    int              // calls of the client that deltas have gone out for
	finish  string
	usage   []byte
}

// member is one member of the message: pieces of a text, members of arrays, or a last value.
type member struct {
	name  string
	text  strings.Builder
	items [][]byte
	value []byte
	kind  jsonedit.Kind
}

// slot is one call in the making. Its deltas are held until it is known whose it is.
type slot struct {
	id, kind  string
	name      strings.Builder
	arguments strings.Builder
	extra     []jsonedit.Edit
	held      [][]byte
	decided   bool
	clients   bool
	older     bool // told as function_call
	out       int  // the index that the client sees
}

// add takes a delta and gives the deltas with calls that go to the client now.
func (g *gathering) add(delta jsonedit.Doc) (released [][]byte) {
	for name, v := range delta.All() {
		switch {
		case name == "role":
		case name == "tool_calls":
			if v.Kind == jsonedit.Array {
				all := elements(v.Raw())
				for i, raw := range all {
					place := strconv.Itoa(i)
					if len(all) == 1 { // it may be a piece of any call
						place = ""
					}
					released = append(released, g.addCall(raw, place)...)
				}
			}
		case name == "function_call" && v.Kind == jsonedit.Object:
			released = append(released, g.addOlder(v.Raw())...)
		case v.Kind != jsonedit.Null:
			g.member(name).add(v)
		}
	}
	return released
}

func (g *gathering) member(name string) *member {
	for _, m := range g.members {
		if m.name == name {
			return m
		}
	}
	m := &member{name: name}
	if len(g.members) < maxMembers {
		g.members = append(g.members, m)
	}
	return m
}

func (m *member) add(v jsonedit.Value) {
	if m.kind != 0 && m.kind != v.Kind && (m.kind == jsonedit.Array || v.Kind == jsonedit.Array) {
		m.toParts()
	}
	switch v.Kind {
	case jsonedit.String:
		text, _ := v.Text()
		m.addText(text)
	case jsonedit.Array:
		m.kind = v.Kind
		m.items = append(m.items, elements(v.Raw())...)
	default:
		m.kind, m.value = v.Kind, v.Raw()
	}
}

// addText adds a piece of text, to a list as a part of its own.
func (m *member) addText(text string) {
	if m.kind == jsonedit.Array {
		m.items = append(m.items, textPart(text))
		return
	}
	m.kind = jsonedit.String
	m.text.WriteString(text)
}

// toParts turns a text into a list: some models begin with thoughts in parts and go on in words, or the other way.
func (m *member) toParts() {
	if m.kind == jsonedit.String && m.text.Len() > 0 {
		m.items = append(m.items, textPart(m.text.String()))
		m.text.Reset()
	}
	m.kind = jsonedit.Array
}

func textPart(text string) []byte {
	return append(append([]byte(`{"type":"text","text":`), quote(text)...), '}')
}

func (m *member) raw() []byte {
	switch m.kind {
	case jsonedit.String:
		return quote(m.text.String())
	case jsonedit.Array:
		return arrayOf(m.items...)
	default:
		return m.value
	}
}

// addCall takes the delta of one call. The place is what counts for its index where it has none.
func (g *gathering) addCall(raw []byte, place string) (released [][]byte) {
	doc, err := jsonedit.Parse(raw)
	if err != nil || doc.Len() == 0 {
		return nil
	}
	function, ok := object(doc, "function")
	custom := false
	if !ok {
		function, custom = object(doc, "custom")
	}
	c, isNew := g.slotOf(doc, function, place)
	if len(g.calls) == maxCalls && isNew {
		return nil
	}
	if isNew {
		g.last = c
		released = g.begin(c)
	}
	return append(released, g.addTo(c, raw, doc, function, custom)...)
}

// begin makes room for a call. The names of those before it are whole by now, where they have begun.
func (g *gathering) begin(c *slot) (released [][]byte) {
	released = g.decideAll(func(c *slot) bool { return c.name.Len() > 0 })
	g.calls = append(g.calls, c)
	return released
}

// addTo adds a delta to its call.
func (g *gathering) addTo(c *slot, raw []byte, doc, function jsonedit.Doc, custom bool) [][]byte {
	c.take(doc, function)
	if c.decided {
		if c.clients {
			return [][]byte{c.told(raw)}
		}
		return nil
	}
	c.held = append(c.held, raw)
	if c.name.Len() > 0 && c.arguments.Len() > 0 || custom { // a name may come in pieces, but not after the arguments have begun
		return g.decide(c)
	}
	return nil
}

// slotOf finds the call that a delta is of. Some servers leave the index out, give every call the same, or begin a call at
// one index and go on at another.
func (g *gathering) slotOf(doc, function jsonedit.Doc, place string) (c *slot, isNew bool) {
	key, id, name := place, text(doc, "id"), text(function, "name")
	index, indexed := present(doc, "index")
	if indexed {
		key = string(index.Raw())
	}
	c = g.byIndex[key]
	if !indexed {
		if known := g.withID(id); known != nil {
			c = known
		} else if key == "" {
			c = g.last
		}
	}
	if c == nil && id == "" && name == "" && g.last != nil && len(g.byIndex) < maxCalls && !g.last.complete() { // a piece of it
		c = g.last
		g.byIndex[key] = c
	}
	unmarked := !indexed && id == ""
	if c != nil && !c.endsBefore(id, name, function, unmarked) {
		return c, false
	}
	if g.byIndex == nil {
		g.byIndex = map[string]*slot{}
	}
	c = &slot{}
	if len(g.calls) < maxCalls {
		g.byIndex[key] = c
	}
	return c, true
}

// withID gives the newest call of an id.
func (g *gathering) withID(id string) *slot {
	for _, c := range slices.Backward(g.calls) {
		if id != "" && c.id == id {
			return c
		}
	}
	return nil
}

// endsBefore says that a delta at the same place is of another call all the same. It has a name, and then another id, or
// another name than the one whose arguments have begun; or it begins arguments where the call has all of its own (Gemini's
// streams of parallel calls were like that, without ids). An unmarked one, of neither index nor id, begins a call by its
// name alone once the one before is complete.
func (c *slot) endsBefore(id, name string, function jsonedit.Doc, unmarked bool) bool {
	switch {
	case name == "" || c.name.Len() == 0 && c.arguments.Len() > 0: // its name comes late
		return false
	case id != "" && c.id != "" && id != c.id:
		return true
	case name != c.name.String() && c.arguments.Len() > 0 && (id == "" || id != c.id):
		return true
	}
	v, _ := present(function, "arguments")
	piece, isText := v.Text()
	begins := v.Kind == jsonedit.Object || isText && strings.HasPrefix(strings.TrimSpace(piece), "{")
	return (begins || unmarked) && c.complete()
}

// complete says that a call has all of its arguments.
func (c *slot) complete() bool {
	return c.arguments.Len() <= maxJudged && json.Valid([]byte(c.arguments.String()))
}

// take adds a delta's members to the call.
func (c *slot) take(doc, function jsonedit.Doc) {
	if id := text(doc, "id"); c.id == "" {
		c.id = id
	}
	if kind := text(doc, "type"); c.kind == "" {
		c.kind = kind
	}
	if name := text(function, "name"); name != c.name.String() { // some servers repeat it in every delta
		if c.name.Len() == 0 || c.arguments.Len() == 0 {
			c.name.WriteString(name)
		}
	}
	if !c.clients || c.arguments.Len() <= maxJudged {
		if v, _ := present(function, "arguments"); v.Kind == jsonedit.Object {
			c.arguments.Write(v.Raw())
		} else {
			piece, _ := v.Text()
			c.arguments.WriteString(piece)
		}
	}
	for name, v := range doc.All() {
		switch name {
		case "index", "id", "type", "function", "custom":
		default: // such as the signature of a thought, which the provider wants back
			if v.Kind != jsonedit.Null {
				c.keep(name, v.Raw())
			}
		}
	}
}

// keep has a member go back with the call. Of one that comes again the last holds.
func (c *slot) keep(name string, raw []byte) {
	i := slices.IndexFunc(c.extra, func(e jsonedit.Edit) bool { return e.Name == name })
	switch {
	case i >= 0:
		c.extra[i].Raw = raw
	case len(c.extra) < maxMembers:
		c.extra = append(c.extra, jsonedit.Edit{Name: name, Raw: raw})
	}
}

// decide says whose call it is, and gives what was held of it if it is the client's.
func (g *gathering) decide(c *slot) [][]byte {
	c.decided = true
	c.clients = g.session.isClients(c.kind, c.name.String())
	held := c.held
	c.held = nil
	if !c.clients {
		return nil
	}
	if !c.older {
		c.out = g.sent
		g.sent++
	}
	for i, raw := range held {
		held[i] = c.told(raw)
	}
	return held
}

// told is a delta as the client gets it.
func (c *slot) told(raw []byte) []byte {
	if c.older {
		return slices.Concat([]byte(`{"function_call":`), raw, []byte(`}`))
	}
	doc, _ := jsonedit.Parse(raw)
	return slices.Concat([]byte(`{"tool_calls":[`), doc.Insert(nil, "index", strconv.AppendInt(nil, int64(c.out), 10)), []byte(`]}`))
}

// decideAll decides the calls that are still open and ready.
func (g *gathering) decideAll(ready func(*slot) bool) (released [][]byte) {
	for _, c := range g.calls {
		if !c.decided && ready(c) {
			released = append(released, g.decide(c)...)
		}
	}
	return released
}

// end is the turn that the deltas add up to.
func (g *gathering) end() *turn {
	t := &turn{finish: g.finish, usage: g.usage}
	var message bytes.Buffer
	message.WriteString(`{"role":"assistant"`)
	if m := g.member("content"); m.kind == 0 {
		m.kind, m.value = jsonedit.Null, null
	} else if m.kind == jsonedit.String {
		t.text = m.text.String()
	} else {
		t.text = spokenParts(m.items)
	}
	for _, m := range g.members {
		message.WriteByte(',')
		message.Write(quote(m.name))
		message.WriteByte(':')
		message.Write(m.raw())
	}
	message.WriteByte('}')
	t.message = message.Bytes()
	for _, c := range g.calls {
		one := call{Call: chat.Call{ID: c.id, Name: c.name.String(), Arguments: c.arguments.String()}, clients: c.clients, older: c.older}
		one.raw = chat.AppendCall(nil, one.Call)
		if len(c.extra) > 0 {
			doc, _ := jsonedit.Parse(one.raw)
			one.raw = doc.Apply(nil, c.extra...)
		}
		t.calls = append(t.calls, one)
	}
	t.tellOnce()
	return t
}
