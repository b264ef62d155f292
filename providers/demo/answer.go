package demo

import (
	"encoding/json"
	"fmt"
	"strings"
)

// answer is what the model says, before it has a wire format. It is a pure function of the request.
type answer struct {
	text   string
	calls  []toolCall
	finish string // stop, length or tool_calls
	tokens int
}

// answer makes the answer of one choice. Choices differ in nothing but the ids of their tool calls.
func (c *chatRequest) answer(choice int) answer {
	if calls := c.callTools(choice); len(calls) > 0 {
		a := answer{calls: calls, finish: "tool_calls"}
		for _, call := range calls {
			a.tokens += 3 + countTokens(call.Function.Name) + countTokens(call.Function.Arguments)
		}
		return a
	}
	return c.cut(c.text())
}

// cut applies stop sequences and then the limit of tokens, in the order in which a real model meets them.
func (c *chatRequest) cut(text string) answer {
	a := answer{text: text, finish: "stop"}
	for _, stop := range c.stop {
		if before, _, found := strings.Cut(a.text, stop); found && stop != "" {
			a.text = before
		}
	}
	end := 0
	for piece := range pieces(a.text) {
		if c.limit > 0 && a.tokens == c.limit {
			a.text, a.finish = a.text[:end], "length"
			break
		}
		end += len(piece)
		a.tokens++
	}
	return a
}

func (c *chatRequest) text() string {
	if c.model == modelMirror {
		return string(c.body)
	}
	text := c.plainText()
	switch c.format {
	case "json_object":
		if c.model == modelEcho && json.Valid([]byte(text)) && strings.HasPrefix(text, "{") {
			return text
		}
		return string(encode(map[string]string{"answer": text}))
	case "json_schema":
		return string(encode(sample(c.schema)))
	default:
		return text
	}
}

func (c *chatRequest) plainText() string {
	asked := c.lastUser()
	if results := c.toolResults(); results != "" {
		return results
	}
	if c.model == modelEcho {
		return asked.text
	}
	var said string
	switch {
	case asked.text != "":
		said = fmt.Sprintf("You said: “%s”. ", quote(asked.text, 120))
	case asked.images > 0:
		said = "You sent no words. "
	}
	if asked.images > 0 {
		said += fmt.Sprintf("Images that came with it: %d. ", asked.images)
	}
	return said + "I am the demo provider that is built into this gateway: my answers are made up, and no language model has read yours. " +
		"To talk to a real one, set a provider's key and ask for one of its models, for example OPENAI_API_KEY=… " +
		"and then the model openai/gpt-4o-mini."
}

// lastUser is the last message of a user, or the last message at all when no user has spoken.
func (c *chatRequest) lastUser() message {
	for i := len(c.messages) - 1; i >= 0; i-- {
		if c.messages[i].role == "user" {
			return c.messages[i]
		}
	}
	return c.messages[len(c.messages)-1]
}

// toolResults quotes the results at the end of the conversation; it is empty when the last message is no result.
func (c *chatRequest) toolResults() string {
	names := map[string]string{}
	first := len(c.messages)
	for first > 0 && c.messages[first-1].role == "tool" {
		first--
	}
	if first == len(c.messages) {
		return ""
	}
	for _, m := range c.messages[:first] {
		for _, call := range m.calls {
			names[call.id] = call.name
		}
	}
	var lines []string
	for _, m := range c.messages[first:] {
		lines = append(lines, fmt.Sprintf("The tool %s answered: %s", names[m.callID], quote(m.text, 4000)))
	}
	return strings.Join(lines, "\n")
}

// quote shortens a text to so many characters.
func quote(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

// promptTokens counts roughly as OpenAI does: a few tokens around each message, and a fixed price for an image.
func (c *chatRequest) promptTokens() int {
	n := 3
	for _, m := range c.messages {
		n += 3 + countTokens(m.text) + 85*m.images
	}
	return n
}
