package policyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// What bounds the work that a document of a few bytes can make. maxJSON is what a policy may have at most, in bytes, and
// what aliases may grow a document to.
const (
	maxJSON     = 1 << 20
	maxDepth    = 100
	maxProblems = 100
)

// document is a YAML document as JSON, with the line of each of its values.
type document struct {
	name  string
	base  string // the field of the file that the document was taken from, such as spec.pluginConfig.policy
	json  []byte
	lines map[string]int // by path, as policy.Problem spells it
}

// line gives the line of a field: its own, or that of what it would stand in.
func (d *document) line(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.lines[""]
		}
		path = path[:cut]
	}
}

// field gives a path as seen from the file.
func (d *document) field(path string) string {
	switch {
	case d.base == "" || path == "":
		return d.base + path
	case path[0] == '[':
		return d.base + path
	}
	return d.base + "." + path
}

// readYAML reads a file that holds a policy, by itself or as the pluginConfig of an Istio WasmPlugin.
func readYAML(name string, content []byte) (*document, Problems) {
	root, problems := parseYAML(name, content)
	if problems != nil {
		return nil, problems
	}
	c := converter{document: document{name: name, lines: map[string]int{}}}
	if scalar(member(root, "kind")) == "WasmPlugin" {
		c.base = "spec.pluginConfig.policy"
		config := member(member(root, "spec"), "pluginConfig")
		inner := member(config, "policy")
		if inner == nil {
			return nil, Problems{{name, root.Line, c.base, "this WasmPlugin holds no policy"}}
		}
		if problems := besidePolicy(name, config); problems != nil {
			return nil, problems
		}
		root = inner
	}
	c.value("", root)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &c.document, nil
}

// besidePolicy finds what else a pluginConfig holds: the filter would refuse it, or wait for what Istio does not let it do.
func besidePolicy(name string, config *yaml.Node) Problems {
	var out Problems
	for i := 0; i+1 < len(config.Content); i += 2 {
		key, message := config.Content[i], "unknown field: expected policy"
		switch key.Value {
		case "policy":
			continue
		case "hold_headers":
			message = "a WasmPlugin cannot let the filter hold headers back, and requests would hang: only an EnvoyFilter can"
		}
		out = append(out, Problem{name, key.Line, "spec.pluginConfig." + key.Value, message})
	}
	return out
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// parseYAML gives the one document of a file: of several, the one that is a WasmPlugin.
func parseYAML(name string, content []byte) (*yaml.Node, Problems) {
	var found *yaml.Node
	for decoder, n := yaml.NewDecoder(bytes.NewReader(content)), 0; ; n++ {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p := Problem{File: name, Message: "this is not YAML"}
			if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
				p.Line, _ = strconv.Atoi(m[1])
				p.Message += ": " + m[2]
			}
			return nil, Problems{p}
		}
		if len(doc.Content) == 0 {
			continue
		}
		root := doc.Content[0]
		switch plugin := scalar(member(root, "kind")) == "WasmPlugin"; {
		case found == nil || plugin && scalar(member(found, "kind")) != "WasmPlugin":
			found = root
		case plugin || scalar(member(found, "kind")) != "WasmPlugin":
			return nil, Problems{{File: name, Line: root.Line, Message: "expected one document: this is another"}}
		}
	}
	if found == nil {
		return nil, Problems{{File: name, Message: "the file is empty"}}
	}
	return found, nil
}

// member finds a value in a mapping; nil when there is none.
func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// converter writes a document as JSON, in the order of the file.
type converter struct {
	document
	problems Problems
	depth    int // of the value, with those that aliases lead through
}

func (c *converter) problem(n *yaml.Node, path, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.name, n.Line, c.field(path), fmt.Sprintf(format, args...)})
}

func (c *converter) value(path string, n *yaml.Node) {
	c.depth++
	defer func() { c.depth-- }()
	switch {
	case len(c.problems) == maxProblems:
		return
	case len(c.json) > maxJSON:
		if len(c.problems) == 0 {
			c.problem(n, path, "the document is larger than %d bytes", maxJSON)
		}
		return
	case c.depth > maxDepth:
		c.problem(n, path, "is nested too deeply")
		return
	}
	if _, ok := c.lines[path]; !ok {
		c.lines[path] = n.Line
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.mapping(path, n)
	case yaml.SequenceNode:
		c.json = append(c.json, '[')
		for i, item := range n.Content {
			if i > 0 {
				c.json = append(c.json, ',')
			}
			c.value(policy.JoinIndex(path, i), item)
		}
		c.json = append(c.json, ']')
	case yaml.AliasNode:
		c.value(path, n.Alias)
	case yaml.ScalarNode:
		c.scalar(path, n)
	default:
		c.problem(n, path, "expected a value")
	}
}

func (c *converter) mapping(path string, n *yaml.Node) {
	c.json = append(c.json, '{')
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := policy.JoinName(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.problem(key, path, "expected a name")
			continue
		case key.Tag == "!!merge":
			c.problem(key, path, "merge keys (<<) are not read: write the fields out")
			continue
		case seen[key.Value] > 0:
			c.problem(key, at, "is given already in line %d", seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		if len(seen) > 1 {
			c.json = append(c.json, ',')
		}
		c.text(key.Value)
		c.json = append(c.json, ':')
		c.lines[at] = key.Line
		c.value(at, value)
	}
	c.json = append(c.json, '}')
}

// scalar follows the types that YAML 1.2's core schema gives to plain words. A date is text to it.
func (c *converter) scalar(path string, n *yaml.Node) {
	switch n.Tag {
	case "!!str", "!!timestamp":
		c.text(n.Value)
		return
	case "!!null":
		c.json = append(c.json, "null"...)
		return
	case "!!bool":
		if word := strings.ToLower(n.Value); word == "true" || word == "false" {
			c.json = append(c.json, word...)
			return
		}
	case "!!int", "!!float":
		// As it is written, which counts where text is wanted: a version 1.10 is not 1.1.
		if json.Valid([]byte(n.Value)) && strings.IndexByte("-0123456789", n.Value[0]) >= 0 {
			c.json = append(c.json, n.Value...)
			return
		}
		c.problem(n, path, "%s is no number that JSON has: write it in decimals, or put it in quotes to make it text", n.Value)
		return
	}
	c.problem(n, path, "%s is no value that JSON has: put it in quotes to make it text", n.Value)
}

func (c *converter) text(s string) { c.json = jsonedit.AppendQuote(c.json, s) }
