package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// turn is one answer of the model, streamed or whole.
type turn struct {
	message []byte // as an assistant's message, its calls left out
	calls   []call
	finish  string // as the provider spelled it, or ""
	text    string
	usage   []byte // a JSON object, or nil
}

// call is one tool call. Raw is the object as the provider sent it, or as its deltas add up.
type call struct {
	chat.Call
	raw     []byte
	clients bool // the client's to answer
	older   bool // told as the message's function_call, and not as one of its tool_calls
}

// verdict is what a turn means.
type verdict int

const (
	answered     verdict = iota // no calls, or only ones that the model could not finish: what it said is the answer
	execute                     // only the gateway's calls
	handOver                    // only the client's calls: they are the answer
	handOverPart                // of both: the client's are the answer, the gateway's are dropped and never run
	limited                     // calls, but the loop is at its end
)

// sameTurns in a row that call the same end a loop.
const sameTurns = 3

// judge says what a turn means and counts it.
func (s *Session) judge(t *turn) verdict {
	s.usage = addUsage(s.usage, t.usage)
	if t.text != "" {
		s.said += separator(s.said) + t.text
	}
	clients := 0
	for _, c := range t.calls {
		if c.clients {
			clients++
		}
	}
	switch {
	case len(t.calls) == 0:
		return answered
	case clients == len(t.calls):
		return handOver
	case clients > 0:
		return handOverPart
	case t.finish == chat.FinishLength, t.finish == chat.FinishFilter: // the arguments were cut off with the rest
		return answered
	case s.followUps >= s.options.MaxIterations, s.repeats(t):
		return limited
	default:
		return execute
	}
}

// repeats says whether the model has made the same calls with the same arguments for the third turn in a row.
func (s *Session) repeats(t *turn) bool {
	h := sha256.New()
	for _, c := range t.calls {
		arguments := c.Arguments
		if doc, err := readArguments(arguments); err == nil {
			arguments = compact(doc.Body())
		}
		_, _ = h.Write([]byte(strconv.Quote(c.Name) + strconv.Quote(arguments))) // a hash never fails
	}
	if calls := hex.EncodeToString(h.Sum(nil)); calls != s.lastCalls {
		s.lastCalls, s.sameCalls = calls, 0
	}
	s.sameCalls++
	return s.sameCalls >= sameTurns
}

// reason is the finish_reason that ends a client's stream: the provider's, where it gave one and the loop was not cut.
func (t *turn) reason(v verdict) string {
	switch {
	case v == limited:
		return chat.FinishLength
	case t.finish != "":
		return t.finish
	case len(t.calls) > 0:
		return chat.FinishToolCalls
	default:
		return chat.FinishStop
	}
}

// isClients says whose call it is. Calls of another kind than function can only be answers to the client's own tools.
func (s *Session) isClients(kind, name string) bool {
	return kind != "" && kind != "function" || s.clientTools[name]
}

// asHistory is the turn as a message of the next request. It is what the provider sent, thoughts and signatures
// included, without what says nothing: some providers refuse what others send as null.
func (t *turn) asHistory() []byte {
	calls := make([][]byte, len(t.calls))
	for i, c := range t.calls {
		calls[i] = c.raw
	}
	doc, err := jsonedit.Parse(t.message)
	if err != nil { // cannot be: it was parsed or made here
		doc, _ = jsonedit.Parse([]byte(`{"role":"assistant","content":null}`))
	}
	var edits []jsonedit.Edit
	for name, v := range doc.All() {
		if name != "content" && v.Blank() {
			edits = append(edits, jsonedit.Edit{Name: name})
		}
	}
	if _, ok := present(doc, "role"); !ok {
		edits = append(edits, jsonedit.Edit{Name: "role", Raw: quote("assistant")})
	}
	return doc.Apply(nil, append(edits, jsonedit.Edit{Name: "tool_calls", Raw: arrayOf(calls...)})...)
}
