package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// shapes says, for each format, which member of the answer lists the models and which of a model's is its name.
var shapes = map[catalog.ModelsFormat]struct{ list, name string }{
	catalog.ModelsOpenAI:     {"data", "id"},
	catalog.ModelsCohere:     {"models", "name"},
	catalog.ModelsCloudflare: {"result", "name"},
}

var errNotModels = answerError("its answer is not a list of models")

// parseModels reads a provider's list. An entry without a name is left out, and so is the second of the same name. The
// result refers to no byte of body.
func parseModels(body []byte, p Provider, most int) ([]model, error) {
	shape, ok := shapes[p.ModelsFormat]
	if !ok {
		return nil, answerError(fmt.Sprintf("the format %q of its list is unknown", p.ModelsFormat))
	}
	entries, err := findList(body, shape.list, most)
	if err != nil {
		return nil, errors.Join(errNotModels, err)
	}
	if len(entries) > most {
		return nil, answerError(fmt.Sprintf("it lists more than %d models", most))
	}
	models := make([]model, 0, len(entries))
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		m, ok := reshape(entry, p.ID, shape.name)
		if !ok || seen[m.name] {
			continue
		}
		seen[m.name] = true
		models = append(models, m)
	}
	if len(models) == 0 && len(entries) > 0 {
		return nil, errNotModels
	}
	return models, nil
}

// findList gives the elements of the named array, one more than most when there are too many. Some OpenAI-like servers
// send the array alone, others null for empty.
func findList(body []byte, name string, most int) (entries []jsontext.Value, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body)) // a Buffer is parsed in place: values stay valid
	found := false
	if dec.PeekKind() == jsontext.KindBeginArray {
		found = true
		entries, err = readArray(dec, most)
	} else {
		err = eachMember(dec, func(member string) error {
			if member != name {
				return dec.SkipValue()
			}
			found = true
			entries, err = readArray(dec, most)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	if !found {
		return nil, fmt.Errorf("no member %q", name)
	}
	return entries, nil
}

// eachMember walks an object; value must read exactly the member's value.
func eachMember(dec *jsontext.Decoder, value func(name string) error) error {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return errors.New("not an object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := value(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func readArray(dec *jsontext.Decoder, most int) ([]jsontext.Value, error) {
	switch dec.PeekKind() {
	case jsontext.KindNull:
		return nil, dec.SkipValue()
	case jsontext.KindBeginArray:
	default:
		return nil, errors.New("not an array")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var out []jsontext.Value
	for dec.PeekKind() != jsontext.KindEndArray {
		if len(out) > most { // they are too many: millions of small ones take several times the body in memory
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		v, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := dec.ReadToken()
	return out, err
}
