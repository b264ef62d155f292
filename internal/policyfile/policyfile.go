// Package policyfile reads policies that people write: YAML, with the line of every mistake, and example requests that say
// what a policy should do. It runs on the command line and in the control plane, never inside Envoy: what a policy means is
// wasm/policy's alone, which gets the same JSON here as there. It must not know Envoy, HTTP servers or the environment.
package policyfile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Problem is one mistake in a file.
type Problem struct {
	File    string
	Line    int    // from 1; 0 when the whole file is meant
	Field   string // such as rules[3].match.model; empty when no field is meant
	Message string // what was expected
}

// String is one line, which editors and CI systems take for a place in a file.
func (p Problem) String() string {
	out := p.File
	if p.Line > 0 {
		out += fmt.Sprintf(":%d", p.Line)
	}
	if p.Field != "" {
		out += ": " + p.Field
	}
	return out + ": " + p.Message
}

// Problems is every mistake of a file as one error.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads a policy from a file and gives it as the JSON that policy.Parse takes. The error is Problems when the file can
// be read and is no good policy.
func Load(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the policy cannot be read: %w", err)
	}
	return Read(path, content)
}

// Read is Load for content at hand; name stands for the file in problems.
func Read(name string, content []byte) ([]byte, error) {
	doc, problems := readYAML(name, content)
	if len(problems) > 0 {
		return nil, problems
	}
	return check(doc)
}

// LoadPolicy is Load, and gives the policy.
func LoadPolicy(path string) (*policy.Policy, error) {
	json, err := Load(path)
	if err != nil {
		return nil, err
	}
	p, _ := policy.Parse(json) // Load has seen that there are no problems
	return p, nil
}

// check gives the document's JSON when it is a policy.
func check(doc *document) ([]byte, error) {
	_, found := policy.Parse(doc.json)
	if len(found) == 0 {
		return doc.json, nil
	}
	problems := make(Problems, len(found))
	for i, f := range found {
		problems[i] = Problem{File: doc.name, Line: doc.line(f.Path), Field: doc.field(f.Path), Message: f.Message}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return nil, problems
}
