package tools

import (
	"slices"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/chat"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// DefaultIterations is how many requests may follow the first one of a loop.
const DefaultIterations = 10

// Options say how a loop treats a request. The zero Options is the default.
type Options struct {
	MaxIterations int  // requests after the first; DefaultIterations when 0
	Selector      bool // show MCP tools behind two selector tools instead of one by one
}

// Session is one chat request in the loop: what was asked, what has been added since, and what it has cost. It decides
// and never acts, and it belongs to one request.
type Session struct {
	request jsonedit.Doc
	options Options
	tools   *joined

	renamed     map[string]string // names in the request that are not those of the catalogue, with what they mean
	clientTools map[string]bool

	stream     bool
	asksUsage  bool            // the client wants a usage chunk
	always     []jsonedit.Edit // of every request to the model
	history    [][]byte        // messages added to those of the client
	followUps  int
	lastCalls  string // what the turn before called
	sameCalls  int    // turns in a row that called the same
	usage      []byte // of all turns
	said       string // the text of all turns
	structured bool   // the client wants an answer of a format, such as JSON
}

// Open begins a loop. It is false when the request has no use for one and should take its way as it is: there are no
// tools to offer or no room for them, tool_choice is none, n is not 1, the functions of the older API are used, or the
// request is not what the loop can read, which the model's provider will say better.
func Open(body []byte, catalogue Catalogue, o Options) (*Session, bool) {
	request, err := jsonedit.Parse(body)
	if err != nil {
		return nil, false
	}
	if o.MaxIterations <= 0 {
		o.MaxIterations = DefaultIterations
	}
	s := &Session{request: request, options: o, renamed: map[string]string{}, clientTools: map[string]bool{}}
	if s.stream, err = request.Bool("stream"); err != nil && !absent(err) {
		return nil, false
	}
	if !s.accepts() {
		return nil, false
	}
	switch c := catalogue.(type) {
	case nil:
		return nil, false
	case *joined:
		s.tools = c
	default:
		s.tools, _ = Join(c).(*joined)
	}
	if !s.inject() {
		return nil, false
	}
	if options, ok := object(s.request, "stream_options"); ok && s.stream {
		s.asksUsage, _ = options.Bool("include_usage")
	}
	if format, ok := object(s.request, "response_format"); ok {
		s.structured = text(format, "type") != "text"
	}
	return s, true
}

// accepts says whether the request is one that tools can be added to.
func (s *Session) accepts() bool {
	if _, ok := array(s.request, "messages"); !ok {
		return false
	}
	if v, ok := present(s.request, "tools"); ok && v.Kind != jsonedit.Array {
		return false
	}
	if _, ok := present(s.request, "functions"); ok {
		return false
	}
	if text(s.request, "tool_choice") == chat.ChoiceNone {
		return false
	}
	if v, ok := present(s.request, "n"); ok {
		n, err := strconv.ParseFloat(string(v.Raw()), 64)
		return err == nil && n == 1
	}
	return true
}

// First is the first request to the model, in pieces: the client's with tools added, every other byte as it came.
func (s *Session) First() [][]byte { return s.request.Pieces(s.always...) }

// next is the request that brings the model the results of its calls. The last one forbids more calls, so that the
// client gets words.
func (s *Session) next(t *turn, results []Result) [][]byte {
	s.followUps++
	s.history = append(s.history, t.asHistory())
	for i, c := range t.calls {
		s.history = append(s.history, chat.AppendToolMessage(nil, c.ID, results[i].Text))
	}
	messages, _ := array(s.request, "messages")
	edits := append(slices.Clone(s.always), jsonedit.Edit{Name: "messages", Raw: extend(messages, s.history...)})
	switch choice, chosen := present(s.request, "tool_choice"); {
	case s.followUps >= s.options.MaxIterations:
		edits = append(edits, jsonedit.Edit{Name: "tool_choice", Raw: quote(chat.ChoiceNone)})
	case chosen: // what was required has been called; absent means auto
		edits = append(edits, jsonedit.Edit{Name: "tool_choice", Raw: freely(choice)})
	}
	return s.request.Pieces(edits...)
}

// freely is the choice that leaves a model free to answer. What it may choose from stays as the client said.
func freely(choice jsonedit.Value) []byte {
	if doc, err := jsonedit.Parse(choice.Raw()); err == nil && text(doc, "type") == "allowed_tools" {
		if allowed, ok := object(doc, "allowed_tools"); ok {
			return doc.Replace(nil, "allowed_tools", allowed.Insert(nil, "mode", quote(chat.ChoiceAuto)))
		}
	}
	return quote(chat.ChoiceAuto)
}
