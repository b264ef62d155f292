package wasm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const tricksPolicy = `
rules:
  - {name: one-dear, match: {provider: one, model: "dear*"}, act: {deny: {status: 402}}}
  - {name: large, match: {body: {min: 2KiB}}, act: {deny: {status: 451}}}
  - {name: capped, match: {provider: one}, act: {cap: {tokens: 7, insert: max_tokens}}}
`

// What no client would send: the model that is refused, and answers longer than the cap, do not reach the provider, in
// whichever spelling and lane. Refused by the policy, or by Envoy or routing (400, 404, 503), or not found by anybody.
func TestTricksAtTheEdge(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"true", "false"} {
		t.Run("WASM_ENABLED="+lane, func(t *testing.T) {
			t.Parallel()
			one := harness.NewProvider(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":true}`)) })
			g := harness.Start(t, harness.Env{
				"PROVIDERS": "one,two", "ONE_API_URL": one.URL + "/v1", "TWO_API_URL": one.URL + "/v1",
				"WASM_ENABLED": lane, "WASM_PATH": harness.Module(t), "POLICY_FILE": policyFile(t, tricksPolicy),
			})
			const chat, proxied = "/v1/chat/completions", "/proxy/one/chat/completions"
			const bad, routed = `{"model":"dear-1"}`, `{"model":"one/dear-1"}`
			for name, c := range map[string]struct {
				path, headers, body string
				status              int
			}{
				"plain":                        {chat, "", routed, 402},
				"by query":                     {chat + "?provider=one", "", bad, 402},
				"by query, against a prefix":   {chat + "?provider=one", "", `{"model":"dear/two"}`, 402},
				"an escaped query":             {chat + "?provider=%6fne", "", bad, 402},
				"a query in capitals":          {chat + "?provider=ONE", "", bad, 402},
				"the query, of LocalAI":        {chat + "?provider=one&model=dear-1", "", `{"model":"cheap"}`, 400},
				"proxied, the query":           {proxied + "?mod%65l=dear-1", "", `{"model":"cheap"}`, 400},
				"proxied":                      {proxied, "", bad, 402},
				"proxied in capitals":          {"/PROXY/ONE/chat/completions", "", bad, 402},
				"proxied in some capitals":     {"/Proxy/one/Chat/Completions", "", bad, 402},
				"proxied, doubled slashes":     {"/proxy/one//chat//completions", "", bad, 402},
				"proxied, a slash at the end":  {proxied + "/", "", bad, 402},
				"proxied, an escape":           {"/proxy/one/%63hat/completions", "", bad, 402},
				"proxied, parameters":          {"/proxy/one/chat;a/completions;b", "", bad, 402},
				"proxied as a form":            {proxied, "Content-Type: application/x-www-form-urlencoded\r\n", `{"model":"cheap","a":"&model=dear-1&"}`, 415},
				"a form in capitals":           {"/PROXY/one/chat/completions", "Content-Type: multipart/form-data; boundary=a\r\n", `{"model":"cheap"}`, 415},
				"compressed":                   {proxied, "Content-Encoding: gzip\r\n", bad, 415},
				"an upgrade":                   {proxied, "Connection: Upgrade\r\nUpgrade: websocket\r\n", `{"model":"cheap","a":"` + strings.Repeat("a", 4096) + `"}`, 400},
				"escapes":                      {chat, "", `{"mod\u0065l":"one/\u0064ear-1"}`, 402},
				"a space at the end":           {chat + "?provider=one", "", `{"model":"dear-1 "}`, 400},
				"a space of no width":          {chat + "?provider=one", "", `{"model":"dea\u200br-1"}`, 400},
				"a byte order mark":            {chat, "", "\xef\xbb\xbf" + routed, 400},
				"UTF-16":                       {chat, "Content-Type: application/json; charset=utf-16\r\n", "{\x00}\x00", 400},
				"two documents":                {chat, "", `{"model":"one/cheap"}` + "\n" + routed, 400},
				"Google's spelling of a limit": {chat, "", `{"model":"one/cheap","max_tokens":5,"maxTokens":9999}`, 400},
				"a length that is not told":    {chat, "chunked", routed, 402},
				"another method":               {chat, "X-HTTP-Method-Override: GET\r\n", routed, 402},
			} {
				one.Reset()
				framing := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(c.body), c.body)
				if c.headers == "chunked" {
					c.headers = ""
					framing = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Model: one/cheap\r\n\r\n", len(c.body), c.body)
				}
				conn := g.Dial(t)
				conn.Send("POST " + c.path + " HTTP/1.1\r\nHost: x\r\n" + c.headers + framing)
				r := conn.Receive(http.MethodPost)
				if assert.NotNil(t, r, name) {
					assert.Equal(t, c.status, r.Status, "%s: %s", name, r)
				}
				assert.Empty(t, one.Requests(), name)
				_ = conn.Close()
			}
			r := g.Do(t, http.MethodPost, "/PROXY/two/chat/completions", bad)
			assert.Equal(t, http.StatusOK, r.Status, "%s: the same model of another provider", r)
		})
	}
}
