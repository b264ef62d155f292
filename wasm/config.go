package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// settings are the plugin's configuration, immutable once read. One of edge and policy is there at least.
type settings struct {
	edge   *edge          // nil in a mesh, where requests have their upstream already
	policy *policy.Policy // nil without one

	// holdHeaders says that Envoy lets the filter stop a request's headers until the body was read
	// (allow_on_headers_stop_iteration). Istio's WasmPlugin cannot set that; there the headers go ahead of the decision.
	holdHeaders bool
}

// readSettings reads the plugin's configuration. The bytes are the host's and are not kept. It is either what the
// control plane writes (control-plane/snapshot),
//
//	{"edge": {…}, "policy": {…}, "hold_headers": true}
//
// each member optional, or a policy by itself. A WasmPlugin's pluginConfig holds {"policy": {…}}.
func readSettings(raw []byte) (*settings, error) {
	raw = slices.Clone(raw)
	doc, err := jsonedit.Parse(raw)
	if err != nil {
		encoded, ok := structJSON(raw)
		if !ok {
			return nil, errors.New(strings.Replace(err.Error(), "the request body", "the configuration", 1))
		}
		raw = encoded
		if doc, err = jsonedit.Parse(raw); err != nil {
			return nil, err
		}
	}
	at, hasEdge := doc.Member("edge")
	rules, hasPolicy := doc.Member("policy")
	if !hasEdge && !hasPolicy {
		s := &settings{}
		s.policy, err = readPolicy(raw, nil)
		return s, err
	}
	s := &settings{}
	for name := range doc.All() {
		if name != "edge" && name != "policy" && name != "hold_headers" {
			return nil, errors.New("unknown field " + name + ": expected edge, hold_headers, policy")
		}
	}
	if s.holdHeaders, err = optionalBool(doc, "hold_headers"); err != nil {
		return nil, err
	}
	if hasEdge {
		if s.edge, err = readEdge(at); err != nil {
			return nil, errors.New("edge: " + err.Error())
		}
	}
	if hasPolicy {
		var own []string
		if s.edge != nil {
			own = s.edge.providers
		}
		if s.policy, err = readPolicy(rules.Raw(), own); err != nil {
			return nil, errors.New("policy: " + err.Error())
		}
	}
	return s, nil
}

// readPolicy gives all problems in one error. Providers are those that routing takes for a model's prefix.
func readPolicy(raw []byte, providers []string) (*policy.Policy, error) {
	p, problems := policy.Parse(raw, providers...)
	if len(problems) == 0 {
		return p, nil
	}
	text := ""
	for i, problem := range problems {
		if i > 0 {
			text += "; "
		}
		if problem.Path != "" {
			text += problem.Path + ": "
		}
		text += problem.Message
	}
	return nil, errors.New(text)
}

func optionalBool(doc jsonedit.Doc, name string) (bool, error) {
	b, err := doc.Bool(name)
	if errors.Is(err, jsonedit.Missing) {
		return false, nil
	}
	return b, err
}
