package access

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

// reader walks one file's YAML and collects every problem.
type reader struct {
	file     string
	problems Problems
}

func (r *reader) problem(n *yaml.Node, field, expected string) {
	r.problems = append(r.problems, Problem{r.file, n.Line, field, expected})
}

var lineOf = regexp.MustCompile(`line (\d+)`)

// document gives the root of the file's one document; nil for an empty file, or for one that is not YAML. The parser's
// own message is left out but for its line: it may quote the file.
func (r *reader) document(content []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		switch err = decoder.Decode(&second); {
		case errors.Is(err, io.EOF):
			err = nil
		case err == nil:
			r.problem(&second, "", "one document")
			return nil
		}
	}
	if err != nil {
		p := Problem{File: r.file, Expected: "valid YAML"}
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

// fields says what becomes of each field of an object.
type fields map[string]func(n *yaml.Node, field string)

// object reads a mapping with known fields.
func (r *reader) object(n *yaml.Node, field string, known fields) {
	r.members(n, field, func(name string, key, value *yaml.Node, path string) {
		read, ok := known[name]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			r.problem(key, path, "one of the fields "+strings.Join(names, ", "))
			return
		}
		read(value, path)
	})
}

// members reads a mapping with any fields, each of them once.
func (r *reader) members(n *yaml.Node, field string, each func(name string, key, value *yaml.Node, path string)) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, field, "fields with values (name: value)")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, path := key.Value, join(field, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			r.problem(key, field, "plain names of fields, without anchors and merges")
		case seen[name]:
			r.problem(key, path, "each field once")
		case value.Kind == yaml.AliasNode:
			r.problem(value, path, "a value without anchors and aliases")
		case value.Tag == "!!null":
			r.problem(value, path, "a value")
		default:
			seen[name] = true
			each(name, key, value, path)
			continue
		}
		seen[name] = true
	}
}

func join(field, name string) string {
	printed := printable(name)
	switch {
	case field == "":
		return printed
	case strings.ContainsAny(printed, ".:*/ "):
		return field + "[" + strconv.Quote(printed) + "]"
	default:
		return field + "." + printed
	}
}

// printable shortens a name of the file for a message.
func printable(name string) string {
	const most = 64
	if strings.HasPrefix(name, CredentialPrefix) { // a key in the wrong place
		return CredentialPrefix + "…"
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

// elements walks a sequence.
func (r *reader) elements(n *yaml.Node, field string, each func(n *yaml.Node, field string)) {
	if n.Kind != yaml.SequenceNode {
		r.problem(n, field, "a list")
		return
	}
	for i, e := range n.Content {
		path := field + "[" + strconv.Itoa(i+1) + "]"
		if e.Kind == yaml.AliasNode {
			r.problem(e, path, "a value without anchors and aliases")
			continue
		}
		each(e, path)
	}
}

// text reads a scalar that passes the check; what names the right form for the message.
func (r *reader) text(n *yaml.Node, field, what string, valid func(string) bool) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || !valid(n.Value) {
		r.problem(n, field, what)
		return "", false
	}
	return n.Value, true
}

// texts reads a list of scalars.
func (r *reader) texts(n *yaml.Node, field, what string, valid func(string) bool) []string {
	out := []string{}
	r.elements(n, field, func(n *yaml.Node, field string) {
		if s, ok := r.text(n, field, what, valid); ok {
			out = append(out, s)
		}
	})
	return out
}
