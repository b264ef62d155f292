package main

import (
	"errors"
	"math"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// edge is what the filter needs to choose providers at the gateway's own listener.
type edge struct {
	directory *providers.Directory
	providers []string // their IDs
	routes    bool     // the provider is chosen here; else by ext_proc, or it is chosen already
}

// readEdge reads {"providers":[{"id":…,"ready":…,"fix":…,"endpoints":[…]}],"allowed":[…],"disallowed":[…],"routes":true}.
// The size of bodies is limited by the routes.
func readEdge(v jsonedit.Value) (*edge, error) {
	doc, err := v.Object()
	if err != nil {
		return nil, err
	}
	var entries []providers.Entry
	var ids []string
	list, _ := doc.Member("providers")
	for _, item := range list.Items() {
		entry, err := readEntry(item)
		if err != nil {
			return nil, err
		}
		entries, ids = append(entries, entry), append(ids, entry.ID)
	}
	allowed, err := texts(doc, "allowed")
	if err != nil {
		return nil, err
	}
	disallowed, err := texts(doc, "disallowed")
	if err != nil {
		return nil, err
	}
	routes, err := optionalBool(doc, "routes")
	if err != nil {
		return nil, err
	}
	filter := catalog.NewModelFilter(allowed, disallowed)
	return &edge{directory: providers.NewDirectory(entries, filter, math.MaxInt64), providers: ids, routes: routes}, nil
}

func readEntry(v jsonedit.Value) (providers.Entry, error) {
	doc, err := v.Object()
	if err != nil {
		return providers.Entry{}, err
	}
	var e providers.Entry
	if e.ID, err = doc.String("id"); err != nil {
		return e, err
	}
	if e.Ready, err = doc.Bool("ready"); err != nil {
		return e, err
	}
	if e.Fix, err = doc.String("fix"); err != nil && !errors.Is(err, jsonedit.Missing) {
		return e, err
	}
	names, err := texts(doc, "endpoints")
	for _, name := range names {
		e.Endpoints = append(e.Endpoints, catalog.Endpoint(name))
	}
	return e, err
}

// texts reads a list of strings; an absent one is empty.
func texts(doc jsonedit.Doc, name string) ([]string, error) {
	var out []string
	list, _ := doc.Member(name)
	for _, item := range list.Items() {
		s, ok := item.Text()
		if !ok {
			return nil, errors.New(name + " must be a list of strings")
		}
		out = append(out, s)
	}
	return out, nil
}
