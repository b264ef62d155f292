package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// The selector shows a model two tools in place of very many: one to look tools up, one to call them.
const (
	selectorGet     = "mcp_tools_get"
	selectorExecute = "mcp_tools_execute"
	toGet           = "*get" // what calls of the two mean: no tool has such a name
	toExecute       = "*execute"
	maxFound        = 20       // tools in one answer with their schemas
	maxListed       = 500      // tools in one answer with their names alone
	maxAnswer       = 64 << 10 // bytes of one answer
	maxSummary      = 120      // bytes of a description in a list
)

var selectorTools = []Tool{
	{
		Name: selectorGet, Source: "gateway", Original: toGet,
		Description: "Look up the tools that can be called with " + selectorExecute + ". Without arguments: the names of all of them. " +
			"With a query or names: those tools with the JSON Schemas of their arguments.",
		Schema: json.RawMessage(`{"type":"object","properties":{` +
			`"query":{"type":"string","description":"words to look for in names and descriptions"},` +
			`"names":{"type":"array","items":{"type":"string"},"description":"exact names of tools"}},"additionalProperties":false}`),
	},
	{
		Name: selectorExecute, Source: "gateway", Original: toExecute,
		Description: "Call a tool found with " + selectorGet + ".",
		Schema: json.RawMessage(`{"type":"object","properties":{` +
			`"name":{"type":"string","description":"the tool's name"},` +
			`"arguments":{"type":"object","description":"the tool's arguments, as its schema says"}},` +
			`"required":["name","arguments"],"additionalProperties":false}`),
	},
}

// offerSelector is the definitions of the two, renamed where the client has tools of these names.
func (s *Session) offerSelector() [][]byte {
	var out [][]byte
	for _, t := range selectorTools {
		name := s.free(t)
		s.renamed[name] = t.Original
		out = append(out, define(t, name))
	}
	return out
}

// call runs one call of the model. It is the only way from a request to a tool.
func (s *Session) call(ctx context.Context, name, arguments string) Result {
	name, args, failure := s.resolve(name, arguments)
	switch {
	case failure != nil:
		return *failure
	case name == toGet:
		return s.lookUp(args)
	default:
		return s.tools.Call(ctx, name, args.Body())
	}
}

// resolve finds what a call is for: the tool's name in the catalogue and its arguments. What goes through the selector
// is resolved to the tool that it executes.
func (s *Session) resolve(called, arguments string) (name string, args jsonedit.Doc, failure *Result) {
	name = s.target(called)
	args, err := readArguments(arguments)
	switch {
	case name == "":
		return called, args, failed(unknownTool(called))
	case err != nil:
		return name, args, failed(Failure(StatusBadArguments, "the arguments are not one JSON object"))
	case name != toExecute:
		return name, args, nil
	}
	name = text(args, "name")
	if _, ok := s.tools.at[name]; !ok {
		return name, args, failed(unknownTool(name))
	}
	v, _ := present(args, "arguments")
	inner, isText := v.Text() // some models quote what should be an object
	if !isText {
		inner = ""
		if v.Kind != 0 {
			inner = string(v.Raw())
		}
	}
	if args, err = readArguments(inner); err != nil {
		return name, args, failed(Failure(StatusBadArguments, "the arguments are not one JSON object"))
	}
	return name, args, nil
}

func failed(r Result) *Result { return &r }

// readArguments takes no arguments at all for an empty object, as models without parameters to fill in mean it.
func readArguments(arguments string) (jsonedit.Doc, error) {
	if a := strings.TrimSpace(arguments); a == "" || a == "null" {
		arguments = "{}"
	}
	return jsonedit.Parse([]byte(strings.TrimSpace(arguments)))
}

type found struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

// lookUp answers the first selector tool.
func (s *Session) lookUp(args jsonedit.Doc) Result {
	var names []string
	if v, ok := present(args, "names"); ok && json.Unmarshal(v.Raw(), &names) != nil {
		return Failure(StatusBadArguments, "names is not a list of strings")
	}
	words := strings.Fields(strings.ToLower(text(args, "query")))
	everything, most := len(names) == 0 && len(words) == 0, maxFound
	if everything {
		most = maxListed
	}
	var lines []string
	size, left := 0, 0
	for _, t := range s.tools.tools {
		if !everything && !matches(t, names, words) {
			continue
		}
		f := found{Name: t.Name, Description: t.Description, Parameters: t.Schema}
		if everything {
			f.Parameters, f.Description = nil, cut(t.Description, maxSummary)
		}
		line, err := compactJSON(f)
		if err != nil || len(lines) == most || size+len(line) > maxAnswer {
			left++
			continue
		}
		size += len(line)
		lines = append(lines, line)
	}
	if len(lines) == 0 && left == 0 {
		return Result{Text: "no tool matches", Status: StatusOK}
	}
	answer := strings.Join(lines, "\n")
	if left > 0 {
		answer += fmt.Sprintf("\n%d more are left out: ask for fewer by name or query", left)
	}
	return Result{Text: answer, Status: StatusOK}
}

// matches says whether a tool is named, or holds every word.
func matches(t Tool, names, words []string) bool {
	if slices.Contains(names, t.Name) {
		return true
	}
	if len(words) == 0 {
		return false
	}
	where := strings.ToLower(t.Name + " " + t.Server + " " + t.Original + " " + t.Description)
	for _, w := range words {
		if !strings.Contains(where, w) {
			return false
		}
	}
	return true
}

// compactJSON is one line, with <, > and & as they are: it is for reading.
func compactJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSpace(b.String()), err
}
