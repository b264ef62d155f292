// Package providers decides what becomes of a model request: which provider it is for, whether it may go there, and
// which bytes that provider gets. Its decisions are pure functions of a Directory and a request; it must not know
// Envoy's protos, sockets, keys or the environment.
package providers

import (
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Entry is one known provider as the directory sees it.
type Entry struct {
	ID        string // lower case
	Ready     bool
	Fix       string // when not Ready: what to set, as a sentence without a full stop
	Endpoints []catalog.Endpoint
}

// Directory is the immutable table that requests are decided by. A reload of the configuration makes another.
type Directory struct {
	entries map[string]Entry
	filter  catalog.ModelFilter
	maxBody int64
}

// NewDirectory makes a Directory. maxBody is the largest request body in bytes.
func NewDirectory(entries []Entry, filter catalog.ModelFilter, maxBody int64) *Directory {
	d := &Directory{entries: make(map[string]Entry, len(entries)), filter: filter, maxBody: maxBody}
	for _, e := range entries {
		d.entries[e.ID] = e
	}
	return d
}

// MaxBody is the largest request body in bytes.
func (d *Directory) MaxBody() int64 { return d.maxBody }

// Between is the directory for the time in which Envoy moves from d to next: only what both hold is ready, so that no
// request is sent to a route that is not there yet or not there any more. Everything else is next's.
func (d *Directory) Between(next *Directory) *Directory {
	b := &Directory{entries: make(map[string]Entry, len(next.entries)), filter: next.filter, maxBody: next.maxBody}
	for id, e := range next.entries {
		old, known := d.entries[id]
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

// ready lists the providers that can take requests for the endpoint, sorted.
func (d *Directory) ready(endpoint catalog.Endpoint) []string {
	var out []string
	for id, e := range d.entries {
		if e.Ready && slices.Contains(e.Endpoints, endpoint) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// find looks a provider up by its name in any case.
func (d *Directory) find(name string) (Entry, bool) {
	if e, ok := d.entries[name]; ok { // nearly every client writes lower case
		return e, true
	}
	e, ok := d.entries[strings.ToLower(name)]
	return e, ok
}
