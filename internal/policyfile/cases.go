package policyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Case is one example request and what the policy is wanted to do with it.
type Case struct {
	Name    string  `yaml:"name"`
	Request Request `yaml:"request"`
	Repeat  int     `yaml:"repeat"` // how often it is sent; what is wanted is wanted of the last. 0 is once
	Usage   int64   `yaml:"usage"`  // tokens that each of its answers takes
	Want    Want    `yaml:"want"`

	line int
}

// Request is an example of a request. What is left out is usual: POST /v1/chat/completions with an empty body.
type Request struct {
	Method   string            `yaml:"method"`
	Path     string            `yaml:"path"`
	Host     string            `yaml:"host"`     // :authority
	Upstream string            `yaml:"upstream"` // host that the route leads to
	Provider string            `yaml:"provider"` // as the gateway's routing has decided it; not in a mesh
	Model    string            `yaml:"model"`    // likewise
	Headers  map[string]string `yaml:"headers"`
	Peer     struct {
		Principal string `yaml:"principal"`
		Namespace string `yaml:"namespace"`
	} `yaml:"peer"`
	Node struct {
		Namespace string            `yaml:"namespace"`
		Labels    map[string]string `yaml:"labels"`
	} `yaml:"node"`
	Claims map[string]any `yaml:"claims"`
	Body   yaml.Node      `yaml:"body"`      // text as it is; anything else as JSON
	Size   int64          `yaml:"body_size"` // stands for a body of so many bytes that is not shown
}

// Want is what a policy should do. What is left out is not compared.
type Want struct {
	Action  string            `yaml:"action"` // pass, refuse, or an outcome such as edit or deny
	Rule    *string           `yaml:"rule"`   // that decides; none for no rule
	Status  int               `yaml:"status"`
	Code    string            `yaml:"code"`
	Message string            `yaml:"message"` // a part of it
	Shadow  map[string]string `yaml:"shadow"`  // rules in shadow that held, and the outcome that each would have had
	Secrets map[string]uint16 `yaml:"secrets"` // by detector
	Model   string            `yaml:"model"`   // that is sent
	Path    string            `yaml:"path"`    // that is sent
	Body    yaml.Node         `yaml:"body"`    // that is sent
}

// none is how a case says that no rule decides.
const none = "none"

// LoadCases reads a file of cases.
func LoadCases(path string) ([]Case, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the cases cannot be read: %w", err)
	}
	return ParseCases(path, content)
}

// ParseCases is LoadCases for content at hand. The error is Problems.
func ParseCases(name string, content []byte) ([]Case, error) {
	root, problems := parseYAML(name, content)
	if problems != nil {
		return nil, problems
	}
	var file struct {
		Cases []Case `yaml:"cases"`
	}
	strict := yaml.NewDecoder(bytes.NewReader(content))
	strict.KnownFields(true)
	if err := strict.Decode(&file); err != nil {
		return nil, decodeProblems(name, err)
	}
	list := member(root, "cases")
	if list == nil || len(list.Content) != len(file.Cases) || len(file.Cases) == 0 {
		return nil, Problems{{File: name, Line: root.Line, Field: "cases", Message: "expected a list of cases"}}
	}
	names := map[string]bool{}
	for i := range file.Cases {
		c := &file.Cases[i]
		c.line = list.Content[i].Line
		for _, m := range c.mistakes(names) {
			problems = append(problems, Problem{name, c.line, policy.JoinIndex("cases", i), m})
		}
		names[c.Name] = true
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return file.Cases, nil
}

// mistakes are what the types of the fields do not show.
func (c *Case) mistakes(names map[string]bool) []string {
	var out []string
	if c.Name == "" {
		out = append(out, "has no name")
	}
	if names[c.Name] {
		out = append(out, "has the name of another case: "+c.Name)
	}
	if a := c.Want.Action; a != "" && a != "pass" && a != "refuse" && !slices.Contains(policy.Outcomes(), a) {
		out = append(out, "want.action: expected pass, refuse or one of "+strings.Join(policy.Outcomes(), ", "))
	}
	if c.Want.empty() {
		out = append(out, "wants nothing: a case without want cannot fail")
	}
	for name := range c.Want.Secrets {
		if !slices.Contains(policy.Detectors(), name) {
			out = append(out, "want.secrets: "+name+" is no detector")
		}
	}
	if c.Repeat < 0 || c.Repeat > 1000 {
		out = append(out, "repeat: expected a number from 1 to 1000")
	}
	if c.Request.Size < 0 || c.Request.Size > 1<<30 {
		out = append(out, "request.body_size: expected a number of bytes, at most 1073741824")
	}
	if c.Usage < 0 {
		out = append(out, "usage: expected a number of tokens")
	}
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Request.Headers)) {
		lower := strings.ToLower(name)
		if other, ok := first[lower]; ok {
			out = append(out, "request.headers: "+name+" is "+other+" again: write several values as one, with commas")
		}
		first[lower] = name
	}
	if _, err := bodyOf(c.Request.Body); err != nil {
		out = append(out, "request.body: "+err.Error())
	}
	if _, err := bodyOf(c.Want.Body); err != nil {
		out = append(out, "want.body: "+err.Error())
	}
	return out
}

func (w *Want) empty() bool {
	return w.Action == "" && w.Rule == nil && w.Status == 0 && w.Code == "" && w.Message == "" && w.Shadow == nil &&
		w.Secrets == nil && w.Model == "" && w.Path == "" && w.Body.IsZero()
}

// bodyOf gives the bytes that a body in a case stands for: nil when there is none.
func bodyOf(n yaml.Node) ([]byte, error) {
	if n.Kind == yaml.AliasNode {
		n = *n.Alias
	}
	switch {
	case n.IsZero():
		return nil, nil
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		return []byte(n.Value), nil
	}
	c := converter{document: document{lines: map[string]int{}}}
	c.value("", &n)
	if len(c.problems) > 0 {
		return nil, errors.New(c.problems[0].Message)
	}
	return c.json, nil
}

var (
	decodeLine  = regexp.MustCompile(`^line (\d+): (.*)`)
	unknownName = regexp.MustCompile(`^field (\S+) not found in type`)
	wrongKind   = regexp.MustCompile(`^cannot unmarshal .* into (\S+)`)
)

// decodeProblems turns the decoder's list of errors into ours: it names types of this program, which tell a reader of
// the file nothing.
func decodeProblems(name string, err error) Problems {
	var list *yaml.TypeError
	if !errors.As(err, &list) {
		return Problems{{File: name, Message: err.Error()}}
	}
	var out Problems
	for _, text := range list.Errors {
		p := Problem{File: name, Message: text}
		if m := decodeLine.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Message = m[2]
		}
		if m := unknownName.FindStringSubmatch(p.Message); m != nil {
			p.Message = "unknown field " + m[1]
		} else if m := wrongKind.FindStringSubmatch(p.Message); m != nil {
			p.Message = "expected " + kindOf(m[1])
		}
		out = append(out, p)
	}
	return out
}

func kindOf(goType string) string {
	switch {
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case goType == "string":
		return "text"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a map"
}

// sameJSON compares two bodies as JSON, the order of members aside.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	m, _ := json.Marshal(x)
	n, _ := json.Marshal(y)
	return bytes.Equal(m, n)
}
