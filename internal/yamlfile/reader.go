package yamlfile

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Node is a value in a file.
type Node struct {
	node, key *yaml.Node // without a key for the root and for elements
	path      string
}

// Line is where the value begins, from 1.
func (n Node) Line() int { return n.node.Line }

// Path names it as problems do.
func (n Node) Path() string { return n.path }

// Name is the field's name as a place for problems with it.
func (n Node) Name() Node {
	if n.key == nil {
		return n
	}
	return Node{node: n.key, path: n.path}
}

// Reader walks one file and collects every problem.
type Reader struct {
	problems Problems
	secrets  []string
}

// Read walks a file's one document with root, which is not called for an empty file. The error is Problems. Names of fields
// that begin with one of secrets are not repeated in it: what stands there is in the wrong place.
func Read(content []byte, root func(r *Reader, n Node), secrets ...string) error {
	r := &Reader{secrets: secrets}
	if n := r.document(content); n != nil {
		root(r, Node{node: n})
	}
	if len(r.problems) > 0 {
		return r.problems.sorted()
	}
	return nil
}

// Count is how many problems there have been.
func (r *Reader) Count() int { return len(r.problems) }

// Problem adds a problem with a value.
func (r *Reader) Problem(n Node, expected string) {
	r.problems = append(r.problems, Problem{n.node.Line, n.path, expected})
}

// Missing adds a problem with a field of an object that is not there.
func (r *Reader) Missing(n Node, name, expected string) {
	r.problems = append(r.problems, Problem{n.node.Line, r.join(n.path, name), expected})
}

var lineOf = regexp.MustCompile(`line (\d+)`)

// document gives the root; nil for an empty file, or for one that is not YAML. The parser's own message is left out but
// for its line: it may quote the file.
func (r *Reader) document(content []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			r.Problem(Node{node: &second}, "one document")
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		p := Problem{Expected: "valid YAML"}
		if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
		}
		r.problems = append(r.problems, p)
		return nil
	}
	if root := doc.Content[0]; root.Tag != "!!null" {
		return root
	}
	return nil
}

// Fields says what becomes of each field of an object.
type Fields map[string]func(Node)

// Object reads a mapping with known fields. It says whether it was one.
func (r *Reader) Object(n Node, known Fields) bool {
	return r.Members(n, func(name string, value Node) {
		if read, ok := known[name]; ok {
			read(value)
			return
		}
		r.Problem(value.Name(), "one of the fields "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	})
}

// Members reads a mapping with any fields, each of them once. It says whether it was one.
func (r *Reader) Members(n Node, each func(name string, value Node)) bool {
	if n.node.Kind != yaml.MappingNode {
		r.Problem(n, "fields with values (name: value)")
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.node.Content); i += 2 {
		key, value := n.node.Content[i], n.node.Content[i+1]
		at := Node{value, key, r.join(n.path, key.Value)}
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			r.Problem(Node{node: key, path: n.path}, "plain names of fields, without anchors and merges")
		case seen[key.Value]:
			r.Problem(at.Name(), "each field once")
		case value.Kind == yaml.AliasNode:
			r.Problem(at, "a value without anchors and aliases")
		case value.Tag == "!!null":
			r.Problem(at, "a value")
		default:
			each(key.Value, at)
		}
		seen[key.Value] = true
	}
	return true
}

// Elements walks a sequence. The first element is number 1.
func (r *Reader) Elements(n Node, each func(Node)) {
	if n.node.Kind != yaml.SequenceNode {
		r.Problem(n, "a list")
		return
	}
	for i, e := range n.node.Content {
		at := Node{node: e, path: n.path + "[" + strconv.Itoa(i+1) + "]"}
		if e.Kind == yaml.AliasNode {
			r.Problem(at, "a value without anchors and aliases")
			continue
		}
		each(at)
	}
}

// Text reads a scalar that is valid; form names the right form for the message.
func (r *Reader) Text(n Node, form string, valid func(string) bool) string {
	if n.node.Kind != yaml.ScalarNode || n.node.Tag == "!!null" || !valid(n.node.Value) {
		r.Problem(n, form)
		return ""
	}
	return n.node.Value
}

// Texts reads a list of scalars.
func (r *Reader) Texts(n Node, form string, valid func(string) bool) []string {
	out := []string{}
	r.Elements(n, func(n Node) { out = append(out, r.Text(n, form, valid)) })
	return out
}

func (r *Reader) join(path, name string) string {
	printed := r.printable(name)
	switch {
	case path == "":
		return printed
	case strings.ContainsAny(printed, ".:*/ "):
		return path + "[" + strconv.Quote(printed) + "]"
	}
	return path + "." + printed
}

// printable shortens a name of the file for a message.
func (r *Reader) printable(name string) string {
	const most = 64
	for _, prefix := range r.secrets {
		if strings.HasPrefix(name, prefix) {
			return prefix + "…"
		}
	}
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, name)
}
