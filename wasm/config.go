package main

import (
	"errors"
	"math"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// settings are the plugin's configuration, immutable once read.
type settings struct {
	directory *providers.Directory // at the edge; nil in a mesh, where requests have their upstream already
}

// readSettings reads the JSON that the control plane writes (control-plane/snapshot) or a WasmPlugin's pluginConfig
// holds. The bytes are the host's and are not kept.
func readSettings(raw []byte) (*settings, error) {
	doc, err := jsonedit.Parse(slices.Clone(raw))
	if err != nil {
		return nil, err
	}
	s := &settings{}
	if edge, ok := doc.Member("edge"); ok {
		if s.directory, err = readEdge(edge); err != nil {
			return nil, errors.New("edge: " + err.Error())
		}
	}
	return s, nil
}

// readEdge reads {"providers":[{"id":…,"ready":…,"fix":…,"endpoints":[…]}],"allowed":[…],"disallowed":[…]}. The size of
// bodies is limited by the route that leads here.
func readEdge(v jsonedit.Value) (*providers.Directory, error) {
	doc, err := v.Object()
	if err != nil {
		return nil, err
	}
	var entries []providers.Entry
	list, _ := doc.Member("providers")
	for _, item := range list.Items() {
		entry, err := readEntry(item)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	allowed, err := texts(doc, "allowed")
	if err != nil {
		return nil, err
	}
	disallowed, err := texts(doc, "disallowed")
	if err != nil {
		return nil, err
	}
	return providers.NewDirectory(entries, catalog.NewModelFilter(allowed, disallowed), math.MaxInt64), nil
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
