package tools

import (
	"bytes"
	"errors"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

var errNotAnswer = errors.New("the model's answer is not a chat completion")

// readWhole reads an answer that is not streamed, and gives it as one that can be edited.
func (s *Session) readWhole(answer []byte) (t *turn, body []byte, err error) {
	doc, err := parseAnswer(answer)
	if err != nil {
		return nil, nil, errNotAnswer
	}
	if err := failureIn(doc); err != nil && s.followUps > 0 {
		return nil, nil, err
	}
	t, body = &turn{}, doc.Body()
	if v, ok := doc.Member("usage"); ok && v.Kind == jsonedit.Object {
		t.usage = v.Raw()
	}
	if s.followUps == 0 && !mayCall(body) {
		return t, answer, nil // it goes to the client as it is
	}
	choice, message, ok := firstMessage(doc)
	if !ok {
		return t, body, nil // not what the loop can read more of; the client may know what it is
	}
	t.finish = text(choice, "finish_reason")
	content, _ := message.Member("content")
	t.text = spoken(content)
	t.message = message.Apply(nil, jsonedit.Edit{Name: "tool_calls"}, jsonedit.Edit{Name: "function_call"})
	calls, _ := array(message, "tool_calls")
	for _, raw := range firstElements(calls, maxCalls) {
		t.calls = append(t.calls, s.readCall(raw))
	}
	if older, ok := s.readOlder(message); ok {
		t.calls = append(t.calls, older)
	}
	t.tellOnce()
	return t, body, nil
}

// mayCall says whether an answer may hold calls: most hold none, and need no closer look.
func mayCall(answer []byte) bool {
	for _, name := range []string{"tool_calls", "function_call", `\u00`} { // a name may be escaped
		if bytes.Contains(answer, []byte(name)) {
			return true
		}
	}
	return false
}

// firstMessage finds the one choice of an answer and its message.
func firstMessage(doc jsonedit.Doc) (choice, message jsonedit.Doc, ok bool) {
	choices, _ := array(doc, "choices")
	all := firstElements(choices, 1)
	if len(all) == 0 {
		return choice, message, false
	}
	choice, err := jsonedit.Parse(all[0])
	if err != nil {
		return choice, message, false
	}
	message, ok = object(choice, "message")
	return choice, message, ok
}

func (s *Session) readCall(raw []byte) call {
	c := call{raw: raw}
	doc, err := jsonedit.Parse(raw)
	if err != nil { // not even an object: it is answered as a tool that is not known
		c.raw = chat.AppendCall(nil, c.Call)
		return c
	}
	c.ID = text(doc, "id")
	kind := text(doc, "type")
	function, ok := object(doc, "function")
	if !ok {
		function, _ = object(doc, "custom")
	}
	c.Name, c.Arguments = text(function, "name"), argumentsIn(function)
	c.clients = s.isClients(kind, c.Name)
	return c
}

func argumentsIn(function jsonedit.Doc) string {
	if v, ok := present(function, "arguments"); ok && v.Kind == jsonedit.Object {
		return string(v.Raw()) // some servers forget to quote it
	}
	return text(function, "arguments")
}

// finishWhole is the client's answer: the provider's last body, edited as little as possible.
func (s *Session) finishWhole(body []byte, t *turn, v verdict) []byte {
	if s.followUps == 0 && (len(t.calls) == 0 || v == handOver) {
		return body
	}
	doc, err := jsonedit.Parse(body)
	if err != nil {
		return body
	}
	var edits []jsonedit.Edit
	if s.followUps > 0 && s.usage != nil {
		edits = append(edits, jsonedit.Edit{Name: "usage", Raw: s.usage})
	}
	dropsCalls := len(t.calls) > 0 && v != handOver
	if choice, message, ok := firstMessage(doc); ok && (dropsCalls || s.spokeBefore(t)) {
		choices, _ := array(doc, "choices")
		choice, _ = jsonedit.Parse(s.finishChoice(choice, message, t, v))
		edits = append(edits, jsonedit.Edit{Name: "choices", Raw: withElement(choices, 0, choice.Body())})
	}
	if len(edits) == 0 {
		return body
	}
	return doc.Apply(nil, edits...)
}

// finishChoice leaves the client's calls and no other, has all turns' text, and at the limit says so.
func (s *Session) finishChoice(choice, message jsonedit.Doc, t *turn, v verdict) []byte {
	var edits []jsonedit.Edit
	if len(t.calls) > 0 {
		var calls [][]byte
		older := jsonedit.Edit{Name: "function_call"}
		for _, c := range t.calls {
			switch {
			case c.clients && c.older:
				v, _ := message.Member("function_call")
				older.Raw = v.Raw()
			case c.clients:
				calls = append(calls, c.raw)
			}
		}
		edit := jsonedit.Edit{Name: "tool_calls"}
		if len(calls) > 0 {
			edit.Raw = arrayOf(calls...)
		}
		edits = append(edits, edit, older)
	}
	if v == limited || s.spokeBefore(t) {
		edits = append(edits, jsonedit.Edit{Name: "content", Raw: s.wholeContent(message, t)})
	}
	choiceEdits := []jsonedit.Edit{{Name: "message", Raw: message.Apply(nil, edits...)}}
	if v == limited {
		choiceEdits = append(choiceEdits, jsonedit.Edit{Name: "finish_reason", Raw: quote(chat.FinishLength)})
	}
	return choice.Apply(nil, choiceEdits...)
}
