package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// CredentialPrefix begins every key that this program makes, so that people and scanners know one when they see it.
const CredentialPrefix = "igw-"

// Credential writes 32 random bytes as a key.
func Credential(random [32]byte) string {
	return CredentialPrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// Hash is what a file holds of a key. A key of 256 random bits needs no salt and no slow hash: there is nothing to guess.
func Hash(credential string) string {
	d := sha256.Sum256([]byte(credential))
	return hex.EncodeToString(d[:])
}

// NewKey is a key to add to a file.
type NewKey struct {
	Key
	Credential string
	Models     []string // that it may use; nil for no list
	MaxTokens  int64    // 0 for none

	limits []limit
}

type limit struct{ kind, period, most string }

// AddLimit adds a limit of the key's own, written requests/minute=60. Whether the number can be is seen by Add.
func (k *NewKey) AddLimit(s string) error {
	what, most, _ := strings.Cut(s, "=")
	kind, period, _ := strings.Cut(what, "/")
	l := limit{kind, period, most}
	if !slices.Contains([]limits.Kind{limits.Requests, limits.Tokens}, limits.Kind(kind)) ||
		!slices.Contains(limits.Periods(), limits.Period(period)) || most == "" {
		return errors.New("a limit such as requests/minute=60 or tokens/day=100000")
	}
	for _, have := range k.limits {
		if have.kind == kind && have.period == period {
			return errors.New("each limit once")
		}
	}
	k.limits = append(k.limits, l)
	return nil
}

// Add gives the content of a file of keys with one more, its comments kept. The content may be empty.
func Add(content []byte, k NewKey) ([]byte, error) {
	doc, list, err := keyList(content)
	if err != nil {
		return nil, err
	}
	entry := &yaml.Node{Kind: yaml.MappingNode}
	put(entry, "id", k.ID)
	put(entry, "sha256", Hash(k.Credential))
	if k.Owner != "" {
		put(entry, "owner", k.Owner)
	}
	if len(k.Groups) > 0 {
		putNode(entry, "groups", texts(k.Groups))
	}
	for _, at := range []struct {
		name string
		time time.Time
	}{{"created", k.Created}, {"expires", k.Expires}} {
		if !at.time.IsZero() {
			put(entry, at.name, at.time.UTC().Format(time.RFC3339))
		}
	}
	if k.Models != nil {
		allow := &yaml.Node{Kind: yaml.MappingNode}
		putNode(allow, "models", texts(k.Models))
		putNode(entry, "allow", allow)
	}
	if k.MaxTokens > 0 {
		put(entry, "max_tokens", strconv.FormatInt(k.MaxTokens, 10))
	}
	if len(k.limits) > 0 {
		putNode(entry, "limits", limitsNode(k.limits))
	}
	list.Style &^= yaml.FlowStyle
	list.Content = append(list.Content, entry)
	return write(doc)
}

// Revoke gives the content of a file of keys with one of them refused from now on. The entry stays, so that a log can
// still be understood and the id is not given away again.
func Revoke(content []byte, id string, now time.Time) ([]byte, error) {
	doc, list, err := keyList(content)
	if err != nil {
		return nil, err
	}
	for _, entry := range list.Content {
		if v := member(entry, "id"); v == nil || v.Value != id {
			continue
		}
		stamp := now.UTC().Format(time.RFC3339)
		v := member(entry, "revoked")
		if v == nil {
			put(entry, "revoked", stamp)
			return write(doc)
		}
		if old, err := ParseTime(v.Value); err == nil && !old.After(now) {
			return nil, fmt.Errorf("the key %q has been revoked already", id)
		}
		v.Value = stamp
		return write(doc)
	}
	return nil, fmt.Errorf("there is no key %q", id)
}

// keyList finds the list of keys in a file without problems, or makes it.
func keyList(content []byte) (doc, list *yaml.Node, err error) {
	if _, err := Load(&Source{Name: "the file", Content: content}, nil); err != nil {
		return nil, nil, err
	}
	doc = &yaml.Node{}
	if err := yaml.Unmarshal(content, doc); err != nil {
		return nil, nil, errors.New("the file is not valid YAML")
	}
	if len(doc.Content) == 0 {
		doc.Kind = yaml.DocumentNode
		head := strings.TrimSpace(string(content)) // comments, or nothing
		if head == "" {
			head = "API keys: docs/access.md. Written by `inference-gateway keys`; the keys themselves stand nowhere."
		}
		doc.Content = []*yaml.Node{{Kind: yaml.MappingNode, HeadComment: head}}
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode { // a document of nothing but null
		*root = yaml.Node{Kind: yaml.MappingNode, HeadComment: root.HeadComment, FootComment: root.FootComment}
	}
	if list = member(root, "keys"); list == nil {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		putNode(root, "keys", list)
	}
	return doc, list, nil
}

// write encodes a document and reads it again: what is written is a file without problems.
func write(doc *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(doc), e.Close()); err != nil {
		return nil, err
	}
	if _, err := Load(&Source{Name: "the new file", Content: out.Bytes()}, nil); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func member(object *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == name {
			return object.Content[i+1]
		}
	}
	return nil
}

func put(object *yaml.Node, name, value string) {
	v := &yaml.Node{}
	v.SetString(value)
	if name == "max_tokens" || name == "created" || name == "expires" || name == "revoked" {
		v.Tag = "" // not text to YAML: no quotes
	}
	putNode(object, name, v)
}

func putNode(object *yaml.Node, name string, value *yaml.Node) {
	key := &yaml.Node{}
	key.SetString(name)
	object.Content = append(object.Content, key, value)
}

func limitsNode(all []limit) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, l := range all {
		of := member(out, l.kind)
		if of == nil {
			of = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
			putNode(out, l.kind, of)
		}
		putNode(of, l.period, &yaml.Node{Kind: yaml.ScalarNode, Value: l.most})
	}
	return out
}

func texts(values []string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		n := &yaml.Node{}
		n.SetString(v)
		list.Content = append(list.Content, n)
	}
	return list
}
