package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// chatRequest is what this provider understands of a chat request; members that it does not know are accepted.
type chatRequest struct {
	body     []byte
	model    string
	messages []message

	stream       bool
	includeUsage bool

	n     int
	limit int // most tokens of an answer; 0 is no limit
	stop  []string

	tools      []string                   // offered functions, in order
	parameters map[string]json.RawMessage // schemas of their arguments, by name; nil for none
	toolChoice toolChoice
	parallel   bool

	format string          // text, json_object or json_schema
	schema json.RawMessage // of json_schema
}

// toolChoice is auto, none, required, or function with its name.
type toolChoice struct{ mode, name string }

// parseChat reads and checks a request, except that the model exists.
func parseChat(body []byte) (*chatRequest, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	c := &chatRequest{body: body, n: 1, parallel: true, parameters: map[string]json.RawMessage{}}
	if err := o.need("", "model", &c.model, "a string"); err != nil {
		return nil, err
	}
	if c.messages, err = parseMessages(o); err != nil {
		return nil, err
	}
	for _, step := range []func(object) error{c.readStream, c.readLimits, c.readTools, c.readFormat} {
		if err := step(o); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *chatRequest) readStream(o object) error {
	if err := o.read("", "stream", &c.stream, "a boolean"); err != nil {
		return err
	}
	if !o.has("stream_options") {
		return nil
	}
	if !c.stream {
		return invalid("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	var options object
	if err := o.read("", "stream_options", &options, "an object"); err != nil {
		return err
	}
	return options.read("stream_options", "include_usage", &c.includeUsage, "a boolean")
}

func (c *chatRequest) readLimits(o object) error {
	if err := o.read("", "n", &c.n, "an integer"); err != nil {
		return err
	}
	if c.n < 1 || c.n > 8 {
		return invalid("n", "Invalid 'n': expected an integer between 1 and 8, got %d.", c.n)
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if !o.has(name) {
			continue
		}
		if err := o.read("", name, &c.limit, "an integer"); err != nil {
			return err
		}
		if c.limit < 1 {
			return invalid(name, "Invalid '%s': expected an integer of at least 1, got %d.", name, c.limit)
		}
	}
	for name, most := range map[string]float64{"temperature": 2, "top_p": 1} {
		var v float64
		if err := o.read("", name, &v, "a number"); err != nil {
			return err
		}
		if v < 0 || v > most {
			return invalid(name, "Invalid '%s': expected a number between 0 and %v.", name, most)
		}
	}
	return c.readStop(o)
}

func (c *chatRequest) readStop(o object) error {
	var one string
	if o.has("stop") && json.Unmarshal(o["stop"], &one) == nil {
		c.stop = []string{one}
		return nil
	}
	if err := o.read("", "stop", &c.stop, "a string or an array of strings"); err != nil {
		return err
	}
	if len(c.stop) > 4 {
		return invalid("stop", "Invalid 'stop': expected at most 4 sequences, got %d.", len(c.stop))
	}
	return nil
}

func (c *chatRequest) readTools(o object) error {
	var tools []object
	if err := o.read("", "tools", &tools, "an array of objects"); err != nil {
		return err
	}
	for i, tool := range tools {
		path := fmt.Sprintf("tools[%d]", i)
		var kind, name string
		var function object
		if err := tool.need(path, "type", &kind, "a string"); err != nil {
			return err
		}
		if kind != "function" {
			return invalid(path+".type", "Invalid value: '%s'. Supported values are: 'function'.", kind)
		}
		if err := tool.need(path, "function", &function, "an object"); err != nil {
			return err
		}
		if err := function.need(path+".function", "name", &name, "a string"); err != nil {
			return err
		}
		c.tools = append(c.tools, name)
		c.parameters[name] = function["parameters"]
	}
	if err := o.read("", "parallel_tool_calls", &c.parallel, "a boolean"); err != nil {
		return err
	}
	return c.readToolChoice(o)
}

func (c *chatRequest) readToolChoice(o object) error {
	c.toolChoice.mode = "auto"
	if !o.has("tool_choice") {
		return nil
	}
	var named object
	if json.Unmarshal(o["tool_choice"], &c.toolChoice.mode) == nil {
		if !slices.Contains([]string{"auto", "none", "required"}, c.toolChoice.mode) {
			return invalid("tool_choice", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", c.toolChoice.mode)
		}
	} else if json.Unmarshal(o["tool_choice"], &named) == nil && named.has("function") {
		var function object
		if err := named.read("tool_choice", "function", &function, "an object"); err != nil {
			return err
		}
		c.toolChoice.mode = "function"
		if err := function.need("tool_choice.function", "name", &c.toolChoice.name, "a string"); err != nil {
			return err
		}
		if !slices.Contains(c.tools, c.toolChoice.name) {
			return invalid("tool_choice", "Tool choice '%s' not found in 'tools' parameter.", c.toolChoice.name)
		}
	} else {
		return invalid("tool_choice", "Invalid type for 'tool_choice': expected 'none', 'auto', 'required' or a function.")
	}
	if len(c.tools) == 0 && c.toolChoice.mode != "none" {
		return invalid("tool_choice", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	return nil
}

func (c *chatRequest) readFormat(o object) error {
	c.format = "text"
	var format, named object
	if err := o.read("", "response_format", &format, "an object"); err != nil {
		return err
	}
	if format == nil {
		return nil
	}
	if err := format.need("response_format", "type", &c.format, "a string"); err != nil {
		return err
	}
	kinds := []string{"text", "json_object", "json_schema"}
	if !slices.Contains(kinds, c.format) {
		return invalid("response_format.type", "Invalid value: '%s'. Supported values are: '%s'.", c.format, strings.Join(kinds, "', '"))
	}
	if c.format != "json_schema" {
		return nil
	}
	if err := format.need("response_format", "json_schema", &named, "an object"); err != nil {
		return err
	}
	return named.read("response_format.json_schema", "schema", &c.schema, "an object")
}
