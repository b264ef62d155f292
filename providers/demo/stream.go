package demo

import (
	"encoding/json"
	"net/http"
	"time"
)

// delta is what a chunk adds to its choice. Content is raw JSON because OpenAI sends it absent, null, "" and as text.
type delta struct {
	Role      string          `json:"role,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	ToolCalls []callDelta     `json:"tool_calls,omitempty"`
	Refusal   json.RawMessage `json:"refusal,omitempty"`
}

// callDelta names its call once; later fragments of the arguments carry the index alone.
type callDelta struct {
	Index    int           `json:"index"`
	ID       string        `json:"id,omitempty"`
	Type     string        `json:"type,omitempty"`
	Function functionDelta `json:"function"`
}

type functionDelta struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// stream sends the answers as server-sent events, the choices taking turns as they do at OpenAI.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, c *chatRequest, head completion, answers []answer) {
	head.Object = "chat.completion.chunk"
	if c.includeUsage {
		head.Usage = null
	}
	events := newEvents(w)
	chunk := func(choices ...choice) error {
		head.Choices = choices
		return events.send(encode(head))
	}
	open := map[int][]delta{}
	for i, a := range answers {
		open[i] = a.deltas()
	}
	for turn := 0; len(open) > 0; turn++ {
		for i, a := range answers {
			deltas, isOpen := open[i]
			if !isOpen {
				continue
			}
			ch := choice{Index: i, Delta: &delta{}, Logprobs: null}
			if turn < len(deltas) {
				ch.Delta = &deltas[turn]
			} else {
				ch.FinishReason = &a.finish
				delete(open, i)
			}
			if chunk(ch) != nil {
				return // the client has gone away: nobody wants the rest
			}
		}
		if !pause(r.Context().Done(), h.opts.Pause) {
			return
		}
	}
	if c.includeUsage {
		head.Usage = c.usage(answers)
		if chunk([]choice{}...) != nil {
			return
		}
	}
	_ = events.send([]byte("[DONE]")) // the last event: there is nothing left to stop
}

// deltas cuts an answer into what the chunks carry: the role first and once, then words or fragments of arguments.
func (a answer) deltas() []delta {
	first := delta{Role: "assistant", Content: json.RawMessage(`""`), Refusal: null}
	if len(a.calls) > 0 {
		first.Content = null
	}
	out := []delta{first}
	for _, piece := range split(a.text) {
		out = append(out, delta{Content: encode(piece)})
	}
	for i, call := range a.calls {
		out = append(out, delta{ToolCalls: []callDelta{{Index: i, ID: call.ID, Type: call.Type, Function: functionDelta{Name: call.Function.Name}}}})
		for _, piece := range split(call.Function.Arguments) {
			out = append(out, delta{ToolCalls: []callDelta{{Index: i, Function: functionDelta{Arguments: piece}}}})
		}
	}
	return out
}

// pause waits and says whether the client is still there.
func pause(gone <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		select {
		case <-gone:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-gone:
		return false
	case <-timer.C:
		return true
	}
}
