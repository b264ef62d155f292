package demo

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose members are read one at a time: by their exact name, where encoding/json would match
// any case and so accept "Model", and with the name of the member at fault in the error, as OpenAI does.
type object map[string]json.RawMessage

// parseObject reads a request body.
func parseObject(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, invalid("", "We could not parse the JSON body of your request: it must be one JSON object.")
	}
	if o == nil { // the body was null
		return nil, invalid("", "The request body must be a JSON object.")
	}
	return o, nil
}

// has says whether the member is there and not null.
func (o object) has(name string) bool {
	raw, ok := o[name]
	return ok && !isNull(raw)
}

// read fills into when the member is there; want says in words what the member has to be. path names the object that
// holds the member, for the error's param.
func (o object) read(path, name string, into any, want string) error {
	if !o.has(name) {
		return nil
	}
	if err := json.Unmarshal(o[name], into); err != nil {
		return invalid(join(path, name), "Invalid type for '%s': expected %s.", join(path, name), want)
	}
	return nil
}

// need is read for a member that must be there.
func (o object) need(path, name string, into any, want string) error {
	if !o.has(name) {
		return invalid(join(path, name), "Missing required parameter: '%s'.", join(path, name))
	}
	return o.read(path, name, into, want)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }
