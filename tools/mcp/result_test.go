package mcp

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

func TestResultsAsText(t *testing.T) {
	ok := func(text string) tools.Result { return tools.Result{Text: text, Status: tools.StatusOK} }
	tests := []struct {
		name, raw string
		want      tools.Result
	}{
		{"text", `{"content":[{"type":"text","text":"a"},{"type":"text","text":"b\n"}]}`, ok("a\nb\n")},
		{"text before structure", `{"content":[{"type":"text","text":"a"}],"structuredContent":{"x":1}}`, ok("a")},
		{"structure", `{"content":[],"structuredContent":{"x": 1.0, "a":[ ]}}`, ok(`{"x":1.0,"a":[]}`)},
		{"structure without content", `{"structuredContent":{"x":1}}`, ok(`{"x":1}`)},
		{"structure and a picture", `{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"}],"structuredContent":{"x":1}}`, ok("{\"x\":1}\n[image, image/png, 3 bytes]")},
		{"sound", `{"content":[{"type":"audio","data":"AAA=","mimeType":"audio/wav"}]}`, ok("[audio, audio/wav, 2 bytes]")},
		{"no type", `{"content":[{"type":"image","data":"AA=="}]}`, ok("[image, of unknown type, 1 bytes]")},
		{"link", `{"content":[{"type":"resource_link","uri":"file:///a","name":"A"}]}`, ok("[resource A] file:///a")},
		{"embedded text", `{"content":[{"type":"resource","resource":{"uri":"x://y","text":"words"}}]}`, ok("words")},
		{"embedded bytes", `{"content":[{"type":"resource","resource":{"uri":"x://y","mimeType":"application/pdf","blob":"AAAA"}}]}`, ok("[resource x://y, application/pdf, 3 bytes]")},
		{"something new", `{"content":[{"type":"hologram","text":{"a":1}},{"type":"hologram"},7]}`, ok(`[content of type "hologram"]`)},
		{"nothing", `{"content":[]}`, ok("(the tool gave no content)")},
		{"a failure", `{"content":[{"type":"text","text":"no such file"}],"isError":true}`, tools.Failure(tools.StatusError, "Error: no such file")},
		{"a silent failure", `{"content":[],"isError":true}`, tools.Failure(tools.StatusError, "Error: the tool failed and did not say why")},
		{"too long", `{"content":[{"type":"text","text":"` + strings.Repeat("ü", 60) + `"}]}`, ok(strings.Repeat("ü", 50) + "\n[20 more bytes were cut]")},
		{"null for nothing", `{"content":null}`, ok("(the tool gave no content)")},
		{"not a list", `{"content":{}}`, tools.Failure(tools.StatusError, "the tool gave a result that cannot be read")},
		{"not an object", `7`, tools.Failure(tools.StatusError, "the tool gave a result that cannot be read")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, resultText(json.RawMessage(tt.raw), 101)) })
	}
}

func TestAResultOfVeryManyBlocks(t *testing.T) {
	raw := `{"content":[` + strings.Repeat(`{"type":"text","text":"a"},`, mostBlocks+1) + `{}]}`
	got := resultText(json.RawMessage(raw), 1<<20)
	assert.Equal(t, strings.Repeat("a\n", mostBlocks)+"[more content was left out]", got.Text)
}

func TestAPageOfVeryManyTools(t *testing.T) {
	ctx, ex := withExchange(t.Context())
	page := `{"nextCursor":"2","tools":[` + strings.Repeat("{},", mostListed+1) + `{}]}`
	resp, err := new(strict).listed(ctx, &transport.JSONRPCResponse{Result: json.RawMessage(page)})
	require.NoError(t, err)
	assert.JSONEq(t, `{"tools":[],"nextCursor":"2"}`, string(resp.Result), "what mcp-go needs of it")
	assert.Len(t, ex.answer.tools, mostListed)
}

// A server that repeats what it was asked with gives nothing away to a model.
func TestFailuresHoldNoSecret(t *testing.T) {
	f := newFake(t, false, tool("rpc"), tool("own"))
	echo := func(m message) string {
		return "request to " + f.url() + " at " + f.Listener.Addr().String() + " with " + m.header.Get("Authorization") + ": " + strings.Repeat("long ", 300)
	}
	f.call = func(w http.ResponseWriter, _ *http.Request, m message) {
		if m.Params.Name == "rpc" {
			fault(w, m, -32603, echo(m))
			return
		}
		reply(w, m, strings.Replace(says(echo(m)), `{`, `{"isError":true,`, 1))
	}
	m := start(t, quick(Server{Name: "one", URL: f.url(), Headers: http.Header{"Authorization": {"Bearer token-of-mine"}}}))
	rpc, own := call(t, m, "mcp_one_rpc", ""), call(t, m, "mcp_one_own", "")
	for _, r := range []tools.Result{rpc, own} {
		assert.Equal(t, tools.StatusError, r.Status)
		assert.Contains(t, r.Text, "request to [address] at [address] with [hidden]: long")
	}
	assert.Less(t, len(rpc.Text), 600)
	assert.True(t, strings.HasPrefix(rpc.Text, "Error -32603: "))
}

func TestOptionsAreChecked(t *testing.T) {
	for _, wrong := range []string{"", "localhost:1/mcp", "ftp://a/b", "http://", "%"} {
		_, err := New(Options{Servers: []Server{{Name: "one", URL: wrong}}})
		if assert.ErrorContains(t, err, "server one", wrong) && len(wrong) > 7 {
			assert.NotContains(t, err.Error(), wrong)
		}
	}
	_, err := New(Options{Servers: []Server{{Name: "one", URL: "http://a"}, {Name: "one", URL: "http://b"}}})
	assert.EqualError(t, err, "mcp: two servers are named one")
}
