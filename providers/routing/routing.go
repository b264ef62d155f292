// Package routing finds the provider of a model request and the body that it gets there. It is the one place where that
// is decided: ext_proc, the tool loop and the wasm filter inside Envoy all ask it, so none of them can read a request
// differently. It is compiled into the filter: it must not know how a refusal is told to a client, and it stays clear of
// fmt, reflect and net to keep that binary small.
package routing

import (
	"errors"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Reason says why a request is refused.
type Reason string

// The reasons.
const (
	EmptyParameter Reason = "?provider= is empty or cannot be read"
	TwoParameters  Reason = "?provider= is given twice with different names"
	BadBody        Reason = "the body cannot be read"
	NoModel        Reason = "no model"
	ModelNotString Reason = "model is not a string"
	EmptyModel     Reason = "model is empty"
	NoPrefix       Reason = "the model names no provider"
	OnlyPrefix     Reason = "the model is only a provider"
	Unknown        Reason = "unknown provider"
	NotReady       Reason = "the provider is not configured"
	NotOffered     Reason = "the provider does not offer this endpoint"
	NotAllowed     Reason = "the model is not allowed"
	OtherCase      Reason = "a second member is the model to readers that ignore case"
	MoreModels     Reason = "a member names models to fall back on"
	InQuery        Reason = "the query may name a model"
)

// Refusal is why a request goes nowhere, with what a message to the client needs.
type Refusal struct {
	Reason   Reason
	Body     error  // of BadBody: from jsonedit
	Provider string // as the client wrote it, or the ID once it is known
	Model    string // as the client wrote it; without the provider once that is known
	Member   string // of OtherCase and MoreModels
	Entry    Entry  // once the provider is known
}

// Entry is one known provider.
type Entry struct {
	ID        string // lower case
	Ready     bool
	Fix       string // when not Ready: what to set, as a sentence without a full stop
	Endpoints []catalog.Endpoint
}

// Table is what requests are decided by. It is immutable and safe for concurrent use.
type Table struct {
	entries map[string]Entry
	filter  catalog.ModelFilter
}

// NewTable makes a Table of the known providers and the models that may be used.
func NewTable(entries []Entry, filter catalog.ModelFilter) *Table {
	t := &Table{entries: make(map[string]Entry, len(entries)), filter: filter}
	for _, e := range entries {
		t.entries[e.ID] = e
	}
	return t
}

// Request is a model request whose body has arrived whole.
type Request struct {
	Endpoint catalog.Endpoint
	Provider string // the value of ?provider=, or empty
	Queried  bool   // the query may name a model
	Body     []byte // owned by the caller; a Plan may refer to it
}

// Plan is where a request goes and with which model.
type Plan struct {
	Provider string       // the ID that the route is chosen by
	Model    string       // as the provider gets it
	Renamed  bool         // Model differs from what the body says
	Doc      jsonedit.Doc // the request's body
}

// Body gives the bytes for the provider: the request's own when nothing has to change, else dst with them appended.
func (p Plan) Body(dst []byte) []byte {
	if !p.Renamed {
		return p.Doc.Body()
	}
	return p.Doc.SetString(dst, "model", p.Model)
}

// Decide finds the provider. Exactly one of its results is set.
func (t *Table) Decide(r Request) (Plan, *Refusal) {
	doc, err := jsonedit.Parse(r.Body)
	if err != nil {
		return Plan{}, &Refusal{Reason: BadBody, Body: err}
	}
	return t.DecideDoc(r, doc)
}

// DecideDoc is Decide for a body that was read before.
func (t *Table) DecideDoc(r Request, doc jsonedit.Doc) (Plan, *Refusal) {
	model, err := doc.String("model")
	switch {
	case errors.Is(err, jsonedit.Missing):
		return Plan{}, &Refusal{Reason: NoModel}
	case err != nil:
		return Plan{}, &Refusal{Reason: ModelNotString}
	case model == "":
		return Plan{}, &Refusal{Reason: EmptyModel}
	}
	entry, bare, refusal := t.route(r, model)
	if refusal != nil {
		return Plan{}, refusal
	}
	if !t.filter.Empty() {
		if r.Queried {
			return Plan{}, &Refusal{Reason: InQuery}
		}
		if member := SecondModel(doc); member != "" {
			return Plan{}, &Refusal{Reason: OtherCase, Member: member}
		}
		if member := MoreModelsIn(doc); member != "" {
			return Plan{}, &Refusal{Reason: MoreModels, Member: member}
		}
		if !t.filter.Allows(entry.ID, bare) {
			return Plan{}, &Refusal{Reason: NotAllowed, Provider: entry.ID, Model: bare, Entry: entry}
		}
	}
	return Plan{Provider: entry.ID, Model: bare, Renamed: bare != model, Doc: doc}, nil
}

// route finds the provider of a model, and the model's name there.
func (t *Table) route(r Request, model string) (Entry, string, *Refusal) {
	name, bare := r.Provider, model
	if name == "" {
		prefix, rest, found := strings.Cut(model, "/")
		if !found {
			if _, provider := t.find(model); !provider {
				return Entry{}, "", &Refusal{Reason: NoPrefix, Model: model}
			}
		}
		if rest == "" {
			return Entry{}, "", &Refusal{Reason: OnlyPrefix, Model: model}
		}
		name, bare = prefix, rest
	}
	entry, known := t.find(name)
	switch {
	case !known:
		return Entry{}, "", &Refusal{Reason: Unknown, Provider: name, Model: bare}
	case !entry.Ready:
		return Entry{}, "", &Refusal{Reason: NotReady, Provider: entry.ID, Model: bare, Entry: entry}
	case !slices.Contains(entry.Endpoints, r.Endpoint):
		return Entry{}, "", &Refusal{Reason: NotOffered, Provider: entry.ID, Model: bare, Entry: entry}
	}
	return entry, bare, nil
}

// find looks a provider up by its name in any case.
func (t *Table) find(name string) (Entry, bool) {
	if e, ok := t.entries[name]; ok { // nearly every client writes lower case
		return e, true
	}
	e, ok := t.entries[strings.ToLower(name)]
	return e, ok
}

// Offering lists the providers that can take requests for the endpoint, sorted.
func (t *Table) Offering(endpoint catalog.Endpoint) []string {
	var out []string
	for id, e := range t.entries {
		if e.Ready && slices.Contains(e.Endpoints, endpoint) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Between is the table for the time in which Envoy moves from t to next: only what both hold is ready, so that no
// request is sent to a route that is not there yet or not there any more. Everything else is next's.
func (t *Table) Between(next *Table) *Table {
	b := &Table{entries: make(map[string]Entry, len(next.entries)), filter: next.filter}
	for id, e := range next.entries {
		old, known := t.entries[id]
		if e.Ready && (!known || !old.Ready) {
			e.Ready, e.Fix = false, "try again in a moment: it is being switched on"
		}
		e.Endpoints = slices.DeleteFunc(slices.Clone(e.Endpoints), func(p catalog.Endpoint) bool {
			return known && !slices.Contains(old.Endpoints, p)
		})
		b.entries[id] = e
	}
	return b
}

// SecondModel gives the name of a member that a server which reads names in any case (every one that uses Go's
// encoding/json, Ollama among them) takes for the model, or "": the last one would win there, unseen by the allow-list.
func SecondModel(doc jsonedit.Doc) string {
	for name := range doc.All() {
		if name != "model" && strings.EqualFold(name, "model") {
			return name
		}
	}
	return ""
}

// FallbackMembers are members with models to fall back on: OpenRouter's, and LiteLLM's.
var FallbackMembers = [...]string{"models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks"}

// MoreModelsIn gives the name of a member with models to fall back on, or "": one of them would be past the allow-list.
func MoreModelsIn(doc jsonedit.Doc) string {
	for name, v := range doc.All() {
		for _, more := range FallbackMembers {
			if strings.EqualFold(name, more) && v.Kind != jsonedit.Null {
				return name
			}
		}
	}
	return ""
}
