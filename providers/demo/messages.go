package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

var roles = []string{"system", "developer", "user", "assistant", "tool", "function"}

// message is what this provider understands of one message.
type message struct {
	role   string
	text   string // text parts joined by newlines
	images int
	calls  []calledTool // of an assistant
	callID string       // of a tool's result
}

type calledTool struct{ id, name string }

func parseMessages(o object) ([]message, error) {
	var raw []object
	if err := o.need("", "messages", &raw, "an array of objects"); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, invalid("messages", "Invalid 'messages': empty array. Expected at least one message.")
	}
	out := make([]message, 0, len(raw))
	for i, m := range raw {
		parsed, err := parseMessage(m, fmt.Sprintf("messages[%d]", i))
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
	}
	return out, checkToolResults(out)
}

func parseMessage(o object, path string) (message, error) {
	var m message
	if err := o.need(path, "role", &m.role, "a string"); err != nil {
		return m, err
	}
	if !slices.Contains(roles, m.role) {
		return m, invalid(path+".role", "Invalid value: '%s'. Supported values are: '%s'.", m.role, strings.Join(roles, "', '"))
	}
	if m.role == "assistant" {
		if err := m.readCalls(o, path); err != nil {
			return m, err
		}
	}
	if m.role == "tool" {
		if err := o.need(path, "tool_call_id", &m.callID, "a string"); err != nil {
			return m, err
		}
	}
	if !o.has("content") {
		if m.role == "assistant" && (len(m.calls) > 0 || o.has("refusal") || o.has("function_call")) {
			return m, nil
		}
		return m, invalid(path+".content", "Invalid value for 'content': expected a string or an array of parts, got null.")
	}
	return m, m.readContent(o["content"], path+".content")
}

func (m *message) readCalls(o object, path string) error {
	var calls []object
	if err := o.read(path, "tool_calls", &calls, "an array of objects"); err != nil {
		return err
	}
	for i, call := range calls {
		path := fmt.Sprintf("%s.tool_calls[%d]", path, i)
		var c calledTool
		var function object
		if err := call.need(path, "id", &c.id, "a string"); err != nil {
			return err
		}
		if err := call.need(path, "function", &function, "an object"); err != nil {
			return err
		}
		if err := function.need(path+".function", "name", &c.name, "a string"); err != nil {
			return err
		}
		var arguments string // a string that holds JSON, not JSON itself: a common mistake of clients
		if err := function.need(path+".function", "arguments", &arguments, "a string"); err != nil {
			return err
		}
		m.calls = append(m.calls, c)
	}
	return nil
}

func (m *message) readContent(raw json.RawMessage, path string) error {
	if json.Unmarshal(raw, &m.text) == nil {
		return nil
	}
	var parts []object
	if json.Unmarshal(raw, &parts) != nil {
		return invalid(path, "Invalid type for '%s': expected a string or an array of objects.", path)
	}
	var texts []string
	for i, part := range parts {
		path := fmt.Sprintf("%s[%d]", path, i)
		var kind, text string
		if err := part.need(path, "type", &kind, "a string"); err != nil {
			return err
		}
		switch kind {
		case "text", "refusal":
			if err := part.need(path, kind, &text, "a string"); err != nil {
				return err
			}
			texts = append(texts, text)
		case "image_url":
			var image object
			if err := part.need(path, "image_url", &image, "an object"); err != nil {
				return err
			}
			if err := image.need(path+".image_url", "url", &text, "a string"); err != nil {
				return err
			}
			m.images++
		case "input_audio", "file": // accepted, not counted
		default:
			return invalid(path+".type", "Invalid value: '%s'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal' and 'file'.", kind)
		}
	}
	m.text = strings.Join(texts, "\n")
	return nil
}

// checkToolResults holds OpenAI's rule that calls and results stand in pairs. A tool loop that loses a result is
// found here, not in production.
func checkToolResults(messages []message) error {
	var open []string // calls without their result yet
	for i, m := range messages {
		path := fmt.Sprintf("messages[%d]", i)
		if m.role == "tool" {
			at := slices.Index(open, m.callID)
			if at < 0 {
				return invalid(path+".role", "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
			}
			open = slices.Delete(open, at, at+1)
			continue
		}
		if len(open) > 0 {
			return unanswered(open)
		}
		for _, c := range m.calls {
			open = append(open, c.id)
		}
	}
	if len(open) > 0 {
		return unanswered(open)
	}
	return nil
}

func unanswered(ids []string) error {
	return invalid("messages", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "+
		"The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", "))
}
