// Package chat is the part of the chat completions API (https://platform.openai.com/docs/api-reference/chat) that the
// gateway itself has to speak: the names of its members' values, and the few objects that it makes. What clients and
// providers send is edited in place elsewhere and never goes through these types, so that nothing of it is lost.
// It is a leaf: it must not know providers, other dialects or HTTP.
package chat

import (
	"bytes"
	"encoding/json"
)

// Why a model stopped.
const (
	FinishStop      = "stop"
	FinishLength    = "length"
	FinishToolCalls = "tool_calls"
	FinishFilter    = "content_filter"
)

// What tool_choice may be besides a named tool.
const (
	ChoiceAuto = "auto"
	ChoiceNone = "none"
)

// Call is one tool call of a model. Arguments is the JSON text as the model wrote it, which may be no JSON at all.
type Call struct {
	ID        string
	Name      string
	Arguments string
}

// noParameters is the schema of a tool that takes none.
const noParameters = `{"type":"object","properties":{}}`

// AppendTool appends a function as a member of tools. A schema that is no JSON object becomes that of no parameters.
func AppendTool(dst []byte, name, description string, schema json.RawMessage) []byte {
	dst = append(dst, `{"type":"function","function":{"name":`...)
	dst = appendString(dst, name)
	if description != "" {
		dst = append(dst, `,"description":`...)
		dst = appendString(dst, description)
	}
	dst = append(dst, `,"parameters":`...)
	if schema = bytes.TrimSpace(schema); len(schema) == 0 || schema[0] != '{' || !json.Valid(schema) {
		schema = json.RawMessage(noParameters)
	}
	dst = append(dst, schema...)
	return append(dst, `}}`...)
}

// AppendCall appends a call as a member of a message's tool_calls.
func AppendCall(dst []byte, c Call) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, c.ID)
	dst = append(dst, `,"type":"function","function":{"name":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"arguments":`...)
	dst = appendString(dst, c.Arguments)
	return append(dst, `}}`...)
}

// AppendToolMessage appends the message that answers a call.
func AppendToolMessage(dst []byte, callID, text string) []byte {
	dst = append(dst, `{"role":"tool","tool_call_id":`...)
	dst = appendString(dst, callID)
	dst = append(dst, `,"content":`...)
	dst = appendString(dst, text)
	return append(dst, '}')
}

// appendString quotes as clients do: <, > and & stay as they are.
func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
