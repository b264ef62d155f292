package tools

import (
	"bytes"
	"errors"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

var (
	errProvider = errors.New("the provider has sent an error event")
	errChunk    = errors.New("the model's stream holds an event that is not a chunk")
	errCutShort = errors.New("the model's stream ended before the answer did")
)

// stream makes one client's stream of the streams of many turns: what the model says passes as it comes; what is
// between the gateway and the model, or can only be said once, is withheld. It is fed with bytes cut anywhere and
// knows neither who sends them nor who reads.
type stream struct {
	session *Session
	parser  sse.Parser
	turn    gathering
	done    bool // [DONE] of this turn is behind
	spoke   bool // this turn has said something

	identity []jsonedit.Edit // id, created and model of the first chunk, which all others get
	known    bool            // identity is set
	early    [][]byte        // chunks without choices that came before it
	roleSent bool
	passed   shape // of the last chunk that went on as it came

	finishChunk []byte // the provider's last, as a pattern for the one that the client gets
	usageChunk  []byte
}

func newStream(s *Session) *stream { return &stream{session: s, turn: gathering{session: s}} }

// feed takes the next bytes of a turn and appends to dst what goes to the client at once.
func (st *stream) feed(dst, p []byte) ([]byte, error) {
	err := st.parser.Feed(p, func(e sse.Event) error {
		var err error
		dst, err = st.event(dst, e)
		return err
	})
	return dst, err
}

// endTurn ends a turn: its stream is over. The next feed begins another turn.
func (st *stream) endTurn(dst []byte) ([]byte, *turn, error) {
	err := st.parser.End(func(e sse.Event) error {
		var err error
		dst, err = st.event(dst, e)
		return err
	})
	if errors.Is(err, errChunk) || err == nil && !st.done && st.turn.finish == "" { // half a chunk is no chunk
		err = errCutShort
	}
	if err != nil {
		return dst, nil, err
	}
	for _, delta := range st.turn.decideAll(func(*slot) bool { return true }) {
		dst = st.send(dst, st.pattern(nil, delta, null))
	}
	t := st.turn.end()
	st.turn, st.parser, st.done, st.spoke = gathering{session: st.session}, sse.Parser{}, false, false
	return dst, t, nil
}

// finish appends what ends the client's stream.
func (st *stream) finish(dst []byte, reason string) []byte {
	dst = st.sendEarly(dst)
	dst = st.send(dst, st.pattern(st.finishChunk, []byte("{}"), quote(reason)))
	if usage := st.session.usage; st.session.asksUsage && usage != nil {
		doc, err := jsonedit.Parse(st.usageChunk)
		if err != nil {
			doc, _ = jsonedit.Parse([]byte(`{"id":"","object":"chat.completion.chunk","created":0,"model":""}`))
		}
		edits := append(slices.Clone(st.identity), jsonedit.Edit{Name: "choices", Raw: []byte("[]")}, jsonedit.Edit{Name: "usage", Raw: usage})
		dst = sse.AppendData(dst, doc.Apply(nil, edits...))
	}
	return sse.AppendData(dst, []byte("[DONE]"))
}

// event takes one event of the provider.
func (st *stream) event(dst []byte, e sse.Event) ([]byte, error) {
	data := bytes.TrimSpace(e.Data)
	switch {
	case st.done:
		return dst, nil
	case e.IsComment: // keeps the client's connection alive as it does the gateway's
		return sse.AppendComment(dst, string(e.Data)), nil
	case len(data) == 0:
		return dst, nil
	case string(data) == "[DONE]":
		st.done = true
		return dst, nil
	}
	if said, ok := st.passed.text(data); ok && st.spoke {
		st.turn.member("content").addText(said)
		return sse.AppendData(dst, data), nil
	}
	data = bytes.Clone(data) // the event's bytes do not stay
	chunk, err := parseAnswer(data)
	if err != nil {
		return dst, errChunk
	}
	if _, failed := present(chunk, "error"); failed {
		return sse.AppendEvent(dst, e.Name, data), errProvider
	}
	return st.chunk(dst, chunk), nil
}

// chunk takes one chunk. Of its choices only the first counts: more are never asked for.
func (st *stream) chunk(dst []byte, chunk jsonedit.Doc) []byte {
	usage, counts := present(chunk, "usage")
	if counts && usage.Kind == jsonedit.Object {
		st.turn.usage = usage.Raw() // some providers count in every chunk: the last is the turn's
	}
	choices, _ := array(chunk, "choices")
	var choice jsonedit.Doc
	if all := firstElements(choices, 1); len(all) > 0 {
		choice, _ = jsonedit.Parse(all[0])
	}
	if choice.Len() == 0 {
		switch {
		case counts:
			st.usageChunk = chunk.Body()
		case !st.known: // Azure sends one before the id is known
			st.early = append(st.early, chunk.Body())
		default:
			dst, _ = st.sendDoc(dst, chunk)
		}
		return dst
	}
	dst = st.identify(dst, chunk)
	delta, _ := object(choice, "delta")
	dst = st.separate(dst, chunk, delta)
	edited, released := st.delta(delta)
	edits, withheld := choiceEdits(delta, edited), false
	if finish := text(choice, "finish_reason"); finish != "" {
		withheld = true
		st.turn.finish = finish
		st.finishChunk = chunk.Body()
		edits = append(edits, jsonedit.Edit{Name: "finish_reason", Raw: null})
	}
	if changed := len(edits) > 0; !changed || !empties(edited) || !withheld && hasMore(choice) {
		if changed {
			choices = arrayOf(choice.Apply(nil, edits...))
			chunk, _ = jsonedit.Parse(chunk.Replace(nil, "choices", choices))
		}
		var asItCame bool
		if dst, asItCame = st.sendDoc(dst, chunk); asItCame && !changed {
			st.passed = shapeOf(chunk.Body(), delta)
		}
	}
	for _, d := range released {
		dst = st.send(dst, st.pattern(chunk.Body(), d, null))
	}
	return dst
}

// separate sends what goes between the texts of two turns, before the first of the second.
func (st *stream) separate(dst []byte, chunk, delta jsonedit.Doc) []byte {
	content, _ := delta.Member("content")
	if st.spoke || spoken(content) == "" {
		return dst
	}
	st.spoke = true
	between := separator(st.session.said)
	if between == "" {
		return dst
	}
	return st.send(dst, st.pattern(chunk.Body(), slices.Concat([]byte(`{"content":`), quote(between), []byte(`}`)), null))
}

// delta takes what a chunk adds. It gives the delta that the client gets, without the role when it has had one and
// without calls, and the deltas of the client's calls that can go now.
func (st *stream) delta(delta jsonedit.Doc) (edited jsonedit.Doc, released [][]byte) {
	if delta.Len() == 0 {
		return delta, nil
	}
	var edits []jsonedit.Edit
	if _, ok := present(delta, "role"); ok {
		if st.roleSent {
			edits = append(edits, jsonedit.Edit{Name: "role"})
		}
		st.roleSent = true
	}
	if _, ok := delta.Member("tool_calls"); ok {
		edits = append(edits, jsonedit.Edit{Name: "tool_calls"})
	}
	if _, ok := present(delta, "function_call"); ok {
		edits = append(edits, jsonedit.Edit{Name: "function_call"})
	}
	released = st.turn.add(delta)
	if len(edits) == 0 {
		return delta, released
	}
	edited, _ = jsonedit.Parse(delta.Apply(nil, edits...))
	return edited, released
}

// identify makes the first chunk's identity that of all, and sends what waited for it.
func (st *stream) identify(dst []byte, chunk jsonedit.Doc) []byte {
	if st.known {
		return dst
	}
	st.known = true
	for _, name := range []string{"id", "created", "model"} {
		if v, ok := chunk.Member(name); ok {
			st.identity = append(st.identity, jsonedit.Edit{Name: name, Raw: v.Raw()})
		}
	}
	return st.sendEarly(dst)
}

func (st *stream) sendEarly(dst []byte) []byte {
	for _, waited := range st.early {
		dst = st.send(dst, waited)
	}
	st.early = nil
	return dst
}
