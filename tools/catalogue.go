package tools

import (
	"context"
	"encoding/json"
)

// Where tools come from. The names are a part of those that models see.
const (
	SourceMCP = "mcp"
	SourceA2A = "a2a"
)

// Tool is one callable tool as offered to a model.
type Tool struct {
	Name        string          // as injected: mcp_<server>_<tool> or a2a_<agent>_<skill>, [A-Za-z0-9_-], at most 64 characters
	Source      string          // SourceMCP or SourceA2A
	Server      string          // the configured name of the server or agent
	Original    string          // the tool's or skill's own name
	Description string          // capped
	Schema      json.RawMessage // JSON Schema object of the parameters, kept whole
}

// Catalogue is one immutable snapshot of callable tools: a request uses one from its beginning to its end. It may be
// used by many requests at once. Call takes a tool's injected name and the model's arguments, a JSON object; it ends
// when ctx does, and cancels at the tool's server what it leaves behind.
type Catalogue interface {
	Tools() []Tool
	Call(ctx context.Context, name string, arguments json.RawMessage) Result
}

// Result is the text for the model. A failure is a Result too: a short text without addresses or secrets.
type Result struct {
	Text   string
	Failed bool
	Status string // one of the constants below
}

// What a call can come to. The names are shown to clients that asked for tool events, and counted.
const (
	StatusOK           = "ok"
	StatusError        = "error"
	StatusTimeout      = "timeout"
	StatusCancelled    = "cancelled"
	StatusUnknownTool  = "unknown_tool"
	StatusBadArguments = "bad_arguments"
	StatusNeedsInput   = "needs_input"
)

// Failure is a failed Result with a text for the model.
func Failure(status, text string) Result {
	return Result{Text: text, Failed: true, Status: status}
}

func unknownTool(name string) Result {
	return Failure(StatusUnknownTool, "there is no tool named "+quoted(name))
}
