package demo

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// toolCall is a call as a response carries it.
type toolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// callTools says which tools the model calls now; none when it answers with text.
//
// The last user message decides by fixed phrases (see parsePhrases). Each phrase is one step: the first is called
// now, the second after the results of the first have come back, and so on. Without a phrase, tool_choice and the
// model "tools" call the named or the first tool, once.
func (c *chatRequest) callTools(choice int) []toolCall {
	if len(c.tools) == 0 || c.toolChoice.mode == "none" || c.model == modelMirror {
		return nil
	}
	steps, done := parsePhrases(c.lastUser().text, c.tools), c.stepsDone()
	var calls []functionCall
	switch {
	case done < len(steps):
		calls = steps[done].calls
	case len(steps) > 0 && steps[len(steps)-1].again:
		calls = steps[len(steps)-1].calls
	case len(steps) > 0 || c.messages[len(c.messages)-1].role == "tool":
		return nil
	case c.toolChoice.mode == "function":
		calls = []functionCall{{Name: c.toolChoice.name, Arguments: arguments(c.parameters[c.toolChoice.name])}}
	case c.toolChoice.mode == "required", c.model == modelTools:
		calls = []functionCall{{Name: c.tools[0], Arguments: "{}"}}
	}
	if !c.parallel && len(calls) > 1 {
		calls = calls[:1]
	}
	out := make([]toolCall, 0, len(calls))
	for i, f := range calls {
		out = append(out, toolCall{ID: "call_" + hashID(c.body, choice, i), Type: "function", Function: f})
	}
	return out
}

// arguments fit the schema of a function that has to be called: libraries ask for structured output in this way.
func arguments(schema json.RawMessage) string {
	object, ok := sample(schema).(map[string]any)
	if text, err := json.Marshal(object); ok && err == nil {
		return string(text)
	}
	return "{}"
}

// stepsDone counts the rounds of tool calls since the last user message.
func (c *chatRequest) stepsDone() int {
	n := 0
	for _, m := range c.messages {
		switch {
		case m.role == "user":
			n = 0
		case len(m.calls) > 0:
			n++
		}
	}
	return n
}

// step is one phrase: its calls are made at once. again repeats it after every result, for ever, as a model does
// that never finds an end.
type step struct {
	calls []functionCall
	again bool
}

var (
	phrase   = regexp.MustCompile(`(?i)\b(keep using|use) (?:the tools?|tools) `)
	toolName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:/-]*`)
	with     = regexp.MustCompile(`^ with\s*\{`)
	and      = regexp.MustCompile(`^,? and (?:the tool )?`)
)

// parsePhrases finds the fixed phrases of a message:
//
//	use the tool NAME
//	use the tool NAME with {"json":"object"}
//	use tools NAME with {…} and NAME with {…}      in parallel
//	use the tool A with {…} then use the tool B    in two steps
//	keep using the tool NAME with {…}              never stops
//
// A NAME with arguments is called as it stands, offered or not, since real models invent names too; a NAME without
// arguments has to be one of the offered, so that ordinary sentences about tools stay ordinary.
func parsePhrases(text string, offered []string) []step {
	var steps []step
	for {
		at := phrase.FindStringSubmatchIndex(text)
		if at == nil {
			return steps
		}
		s := step{again: strings.EqualFold(text[at[2]:at[3]], "keep using")}
		text = text[at[1]:]
		for {
			call, rest, ok := parseCall(text, offered)
			if !ok {
				break
			}
			s.calls, text = append(s.calls, call), rest
			next := and.FindString(text)
			if next == "" {
				break
			}
			text = text[len(next):]
		}
		if len(s.calls) > 0 {
			steps = append(steps, s)
		}
	}
}

// parseCall reads "NAME with {json}" or "NAME" from the start of a text, and gives what follows.
func parseCall(text string, offered []string) (functionCall, string, bool) {
	name := toolName.FindString(text)
	rest := text[len(name):]
	if name != "" && with.MatchString(rest) {
		from := strings.Index(rest, "{")
		dec := json.NewDecoder(strings.NewReader(rest[from:]))
		var arguments json.RawMessage
		if dec.Decode(&arguments) == nil {
			return functionCall{Name: name, Arguments: string(arguments)}, rest[from+len(arguments):], true
		}
	}
	if !slices.Contains(offered, name) { // the full stop of a sentence is not part of the name
		name = strings.TrimRight(name, ".:")
		rest = text[len(name):]
	}
	if !slices.Contains(offered, name) {
		return functionCall{}, text, false
	}
	return functionCall{Name: name, Arguments: "{}"}, rest, true
}
