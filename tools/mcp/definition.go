package mcp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
)

// definition is a tool as its server describes it.
type definition struct {
	original    string
	description string
	schema      json.RawMessage
	needsTask   bool   // can only be run in a way that waits for its user
	pin         string // hash of all that is shown to a model
}

var (
	errNoName     = errors.New("it has no name, or one that is too long")
	errNoSchema   = errors.New("its input schema is not an object")
	errBigSchema  = errors.New("its input schema is too large")
	errNotATool   = errors.New("it is not a tool definition")
	defaultSchema = json.RawMessage(`{"type":"object","properties":{}}`)
)

const maxToolName = 256

func parseDefinition(raw json.RawMessage, limits Limits) (definition, error) {
	var t struct {
		Name        string          `json:"name"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"inputSchema"`
		Execution   struct {
			TaskSupport string `json:"taskSupport"`
		} `json:"execution"`
	}
	if json.Unmarshal(raw, &t) != nil {
		return definition{}, errNotATool
	}
	d := definition{original: t.Name, needsTask: t.Execution.TaskSupport == "required"}
	if t.Name == "" || len(t.Name) > maxToolName {
		return d, errNoName
	}
	if len(t.InputSchema) > limits.Schema {
		return d, errBigSchema
	}
	if d.description = strings.TrimSpace(t.Description); d.description == "" {
		d.description = strings.TrimSpace(t.Title)
	}
	d.description = cut(d.description, limits.Description)
	var canonical string
	var err error
	if d.schema, canonical, err = readSchema(t.InputSchema); err != nil {
		return d, err
	}
	sum := sha256.Sum256([]byte(d.original + "\x00" + d.description + "\x00" + canonical))
	d.pin = hex.EncodeToString(sum[:])
	return d, nil
}

// readSchema keeps a schema whole, in its order and spelling, and also gives it in one that servers do not choose: some
// list the same tool with its keys in another order each time.
func readSchema(raw json.RawMessage) (kept json.RawMessage, canonical string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return defaultSchema, string(defaultSchema), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var fields map[string]any
	if decoder.Decode(&fields) != nil || fields == nil {
		return nil, "", errNoSchema
	}
	sorted, err := json.Marshal(fields)
	if err != nil {
		return nil, "", errNoSchema
	}
	var out bytes.Buffer // a copy: raw is part of a page that may be large
	if json.Compact(&out, raw) != nil {
		return nil, "", errNoSchema
	}
	return complete(out.Bytes(), fields), string(sorted), nil
}

// complete adds the properties that a schema of no parameters leaves out: OpenAI refuses a whole request for that.
func complete(schema json.RawMessage, fields map[string]any) json.RawMessage {
	for _, key := range []string{"properties", "$ref", "oneOf", "anyOf", "allOf", "if", "patternProperties"} {
		if _, ok := fields[key]; ok {
			return schema
		}
	}
	head := `{"properties":{}`
	if _, ok := fields["type"]; !ok {
		head = `{"type":"object","properties":{}`
	}
	if len(fields) > 0 {
		head += ","
	}
	return append([]byte(head), schema[1:]...)
}
