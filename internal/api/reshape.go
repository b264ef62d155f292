package api

import (
	"bytes"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// model is one entry of the list, ready to be sent.
type model struct {
	id   string // provider/name
	name string // as the provider calls it; may hold slashes
	raw  []byte // the JSON object
}

// field is one member of a model's object.
type field struct {
	name string
	raw  jsontext.Value
}

// reshape makes an entry of OpenAI's list out of a provider's: its own members keep their order and spelling, and those
// that clients rely on are set. An entry without a name is refused.
func reshape(entry jsontext.Value, provider, nameField string) (model, bool) {
	fields, ok := fieldsOf(entry)
	if !ok {
		return model{}, false
	}
	name, ok := text(fields, nameField)
	if !ok || name == "" {
		return model{}, false
	}
	m := model{id: provider + "/" + name, name: name}
	fields = put(fields, "id", quote(m.id))
	fields = put(fields, "object", quote("model"))
	if find(fields, "created") == nil {
		fields = put(fields, "created", created(fields))
	}
	if owner, ok := text(fields, "owned_by"); !ok || owner == "" {
		fields = put(fields, "owned_by", quote(provider))
	}
	fields = put(fields, "served_by", quote(provider))

	m.raw = append(m.raw, '{')
	for i, f := range fields {
		if i > 0 {
			m.raw = append(m.raw, ',')
		}
		m.raw = append(m.raw, quote(f.name)...)
		m.raw = append(m.raw, ':')
		m.raw = append(m.raw, f.raw...)
	}
	m.raw = append(m.raw, '}')
	return m, true
}

func fieldsOf(entry jsontext.Value) (fields []field, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(entry))
	err := eachMember(dec, func(name string) error {
		raw, err := dec.ReadValue()
		fields = append(fields, field{name, raw})
		return err
	})
	return fields, err == nil
}

func find(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// put sets a member where it stands, or adds it at the end.
func put(fields []field, name string, raw jsontext.Value) []field {
	if f := find(fields, name); f != nil {
		f.raw = raw
		return fields
	}
	return append(fields, field{name, raw})
}

// text gives a member that is a string.
func text(fields []field, name string) (string, bool) {
	f := find(fields, name)
	if f == nil || f.raw.Kind() != jsontext.KindString {
		return "", false
	}
	out, err := jsontext.AppendUnquote(nil, f.raw)
	return string(out), err == nil
}

func quote(s string) jsontext.Value {
	out, _ := jsontext.AppendQuote(nil, s) // what is not UTF-8 becomes U+FFFD
	return out
}

// created is the Unix time in seconds that typed clients insist on: read from created_at (Anthropic), or 0 for unknown.
func created(fields []field) jsontext.Value {
	at, _ := text(fields, "created_at")
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return jsontext.Value("0")
	}
	return jsontext.Value(strconv.FormatInt(t.Unix(), 10))
}
