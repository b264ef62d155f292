package mcp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

func TestASchemaIsKeptWhole(t *testing.T) {
	const schema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"T","type":"object",` +
		`"properties":{"b":{"$ref":"#/$defs/n"},"a":{"type":["string","null"],"const":1.0},"any":true},` +
		`"oneOf":[{"required":["b"]},{"required":["a"]}],"$defs":{"n":{"type":"integer","maximum":12345678901234567890}},` +
		`"additionalProperties":false,"x-own":{"k":[1,2]}}`
	eras(t, func(t *testing.T, modern bool) {
		f := newFake(t, modern, `{"name":"t","title":"only a title","inputSchema": `+schema+` }`)
		m := start(t, quick(Server{Name: "one", URL: f.url()}))
		require.Len(t, m.Catalogue().Tools(), 1)
		assert.Equal(t, schema, string(m.Catalogue().Tools()[0].Schema))
		assert.Equal(t, "only a title", m.Catalogue().Tools()[0].Description)
	})
}

func TestDefinitions(t *testing.T) {
	limits := Options{}.withDefaults().Limits
	limits.Schema, limits.Description = 200, 20
	tests := []struct{ name, raw, schema, err string }{
		{"no schema", `{"name":"t"}`, `{"type":"object","properties":{}}`, ""},
		{"null", `{"name":"t","inputSchema":null}`, `{"type":"object","properties":{}}`, ""},
		{"empty", `{"name":"t","inputSchema":{ }}`, `{"type":"object","properties":{}}`, ""},
		{"no properties", `{"name":"t","inputSchema":{"type":"object","additionalProperties":false}}`, `{"properties":{},"type":"object","additionalProperties":false}`, ""},
		{"a choice without properties", `{"name":"t","inputSchema":{"oneOf":[{},{}]}}`, `{"oneOf":[{},{}]}`, ""},
		{"no object", `{"name":"t","inputSchema":[1]}`, "", errNoSchema.Error()},
		{"true", `{"name":"t","inputSchema":true}`, "", errNoSchema.Error()},
		{"too large", `{"name":"t","inputSchema":{"title":"` + strings.Repeat("x", 200) + `"}}`, "", errBigSchema.Error()},
		{"no name", `{"inputSchema":{}}`, "", errNoName.Error()},
		{"an endless name", `{"name":"` + strings.Repeat("n", 300) + `"}`, "", errNoName.Error()},
		{"a number", `7`, "", errNotATool.Error()},
		{"a name that is none", `{"name":7}`, "", errNotATool.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := parseDefinition(json.RawMessage(tt.raw), limits)
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.schema, string(d.schema))
			assert.True(t, json.Valid(d.schema))
		})
	}
	d, err := parseDefinition(json.RawMessage(`{"name":"t","description":"`+strings.Repeat("é", 30)+`"}`), limits)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("é", 10)+"\n[40 more bytes were cut]", d.description)
}

func TestThePinIsOfWhatModelsSee(t *testing.T) {
	pin := func(raw string) string {
		d, err := parseDefinition(json.RawMessage(raw), Options{}.withDefaults().Limits)
		require.NoError(t, err)
		return d.pin
	}
	base := pin(`{"name":"t","description":"d","inputSchema":{"type":"object","properties":{"a":{"maximum":1.0}}}}`)
	assert.Equal(t, base, pin(`{"inputSchema":{"properties":{"a":{"maximum":1.0}}, "type":"object"},"description":"d","name":"t","_meta":{"at":1}}`), "order and metadata may differ")
	assert.NotEqual(t, base, pin(`{"name":"t","description":"D","inputSchema":{"type":"object","properties":{"a":{"maximum":1.0}}}}`))
	assert.NotEqual(t, base, pin(`{"name":"t","description":"d","inputSchema":{"type":"object","properties":{"a":{"maximum":2.0}}}}`))
}

// One definition that mcp-go or the gateway cannot read does not cost the others.
func TestABadDefinitionIsLeftOut(t *testing.T) {
	eras(t, func(t *testing.T, modern bool) {
		f := newFake(t, modern, tool("good"), `7`, `{"name":"bad","inputSchema":[]}`, tool("good"),
			`{"name":"odd","annotations":[],"inputSchema":{"type":["object"],"required":"no","properties":{"a":true}}}`)
		m := start(t, quick(Server{Name: "one", URL: f.url()}))
		assert.Equal(t, []string{"mcp_one_good", "mcp_one_odd"}, names(m.Catalogue()))
		assert.Equal(t, 3, m.Servers().Data[0].ToolsLeftOut)
		assert.Equal(t, "odd {}", call(t, m, "mcp_one_odd", "").Text)
	})
}

func TestNames(t *testing.T) {
	legal := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	originals := []string{"echo", "a.b", "a/b", "a b", "ünï", "日本", strings.Repeat("x", 200), strings.Repeat("x", 201), "b_c"}
	var definitions []string
	for _, o := range originals {
		definitions = append(definitions, tool(o))
	}
	f, g, h := newFake(t, true, definitions...), newFake(t, false, definitions...), newFake(t, true, tool("c"))
	m := start(t, quick(Server{Name: "a", URL: f.url()}, Server{Name: "two", URL: g.url()}, Server{Name: "a_b", URL: h.url()}))
	list := m.Catalogue().Tools()
	require.Len(t, list, 2*len(originals)+1)
	seen := map[string]bool{}
	for _, tool := range list {
		assert.Regexp(t, legal, tool.Name)
		assert.False(t, seen[tool.Name], "%s is there twice", tool.Name)
		seen[tool.Name] = true
		assert.Equal(t, tool.Original+" {}", call(t, m, tool.Name, "").Text)
	}
	assert.True(t, seen["mcp_a_echo"] && seen["mcp_two_echo"] && seen["mcp_a_b_c"])
	assert.Len(t, f.heard("tools/call"), len(originals))
	assert.Len(t, g.heard("tools/call"), len(originals))
	assert.Len(t, h.heard("tools/call"), 1, "a_b's c and a's b_c are two tools")
}

func TestIncludeAndExcludeHoldAtTheCall(t *testing.T) {
	f := newFake(t, true, tool("Read"), tool("write"), tool("delete"))
	all := start(t, quick(Server{Name: "one", URL: f.url()})).Catalogue()
	tests := []struct {
		include, exclude []string
		want             []string
	}{
		{nil, []string{"DELETE", " "}, []string{"mcp_one_Read", "mcp_one_write"}},
		{[]string{"read", "mcp_one_delete"}, nil, []string{"mcp_one_Read", "mcp_one_delete"}},
		{[]string{"read", "write"}, []string{"MCP_one_write"}, []string{"mcp_one_Read"}},
		{[]string{"nothing"}, nil, []string{}},
	}
	for _, tt := range tests {
		opts := quick(Server{Name: "one", URL: f.url()})
		opts.Include, opts.Exclude = tt.include, tt.exclude
		m := start(t, opts)
		assert.Equal(t, tt.want, names(m.Catalogue()))
		before := len(f.heard("tools/call"))
		for _, tool := range all.Tools() {
			r := call(t, m, tool.Name, "")
			// Also below the snapshot: were a definition to get there, it would not be run.
			direct := m.servers[0].call(t.Context(), definition{original: tool.Original}, nil)
			if assert.Equal(t, contains(tt.want, tool.Name), !r.Failed); r.Failed {
				assert.Equal(t, tools.StatusUnknownTool, r.Status)
				assert.Equal(t, tools.StatusUnknownTool, direct.Status)
			}
		}
		assert.Len(t, f.heard("tools/call"), before+len(tt.want))
	}
}

func contains(list []string, s string) bool {
	return strings.Contains(fmt.Sprint(list, " "), s)
}

func TestAToolThatAsksItsUser(t *testing.T) {
	task := `{"name":"task","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}`
	answers := map[string]func(w http.ResponseWriter, m message){
		"input": func(w http.ResponseWriter, m message) {
			reply(w, m, `{"resultType":"input_required","requestState":"s","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}}}`)
		},
		"later": func(w http.ResponseWriter, m message) {
			reply(w, m, `{"resultType":"input_required","requestState":"s"}`)
		},
		"url":       func(w http.ResponseWriter, m message) { fault(w, m, -32042, "open https://example.com") },
		"can":       func(w http.ResponseWriter, m message) { fault(w, m, -32021, "elicitation") },
		"taskified": func(w http.ResponseWriter, m message) { reply(w, m, `{"task":{"taskId":"1","status":"working"}}`) },
	}
	f := newFake(t, true, task)
	for name := range answers {
		f.tools = append(f.tools, tool(name))
	}
	f.call = func(w http.ResponseWriter, _ *http.Request, m message) { answers[m.Params.Name](w, m) }
	m := start(t, quick(Server{Name: "one", URL: f.url()}))
	for _, tool := range m.Catalogue().Tools() {
		assert.Equal(t, tools.Failure(tools.StatusNeedsInput, needsInput), call(t, m, tool.Name, ""), tool.Name)
	}
	assert.Len(t, f.heard("tools/call"), len(answers), "each asked once, the task never")
}
