package mesh

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const tricksPolicy = `
rules:
  - {name: team, match: {headers: {x-team: red}}, act: {deny: {status: 418}}}
  - {name: host, match: {headers: {host: dear.models}}, act: {deny: {status: 418}}}
  - {name: large, match: {body: {min: 2KiB}}, act: {deny: {status: 451}}}
  - {name: no-preview, match: {model: "*-preview*"}, act: {deny: {status: 402}}}
`

// What no client would send: the model that is refused does not arrive, whichever way it comes. Refused by the policy, or by
// Envoy (400), or not taken for a request to a model by anybody.
func TestTricks(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const bad, good = `{"model":"gpt-9-preview"}`, `{"model":"gpt-4o"}`
	chunks := func(pieces ...string) string {
		var out strings.Builder
		for _, p := range pieces {
			fmt.Fprintf(&out, "%x;ext=1\r\n%s\r\n", len(p), p)
		}
		return out.String() + "0\r\n"
	}
	const chat, files = "/v1/chat/completions", "/v1/files"
	for _, hold := range []bool{false, true} {
		l := w.with(t, plugin{HoldHeaders: hold, configuration: holding(t, tricksPolicy, hold)})
		for name, c := range map[string]struct {
			path, headers, body string
			status              int
		}{
			"plain":                        {chat, "Content-Length: 25\r\n\r\n", bad, 402},
			"another model":                {chat, "Content-Length: 18\r\n\r\n", good, 200},
			"an upgrade":                   {chat, "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 25\r\n\r\n", bad, 451},
			"an upgrade, chunked":          {chat, "Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n", chunks(bad) + "\r\n", 451},
			"an upgrade that is none":      {chat, "Upgrade: websocket\r\nContent-Length: 25\r\n\r\n", bad, 402},
			"another protocol":             {chat, "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 25\r\n\r\n", bad, 402},
			"chunks with extensions":       {chat, "Transfer-Encoding: chunked\r\n\r\n", chunks(bad[:9], bad[9:]) + "X-Trailer: {\"model\":\"gpt-4o\"}\r\n\r\n", 402},
			"two lengths":                  {chat, "Content-Length: 25\r\nContent-Length: 18\r\n\r\n", bad, 400},
			"a length and chunks":          {chat, "Content-Length: 25\r\nTransfer-Encoding: chunked\r\n\r\n", chunks(bad) + "\r\n", 400},
			"compressed, it says at last":  {chat, "Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 18\r\n\r\n", good, 415},
			"a second header":              {chat, "X-Team: blue\r\nX-Team: red\r\nContent-Length: 18\r\n\r\n", good, 418},
			"a header in a list":           {chat, "X-Team: blue , red\r\nContent-Length: 18\r\n\r\n", good, 418},
			"large":                        {chat, "Content-Length: 2048\r\n\r\n", good + strings.Repeat(" ", 2048-18), 451},
			"large, compressed":            {files, "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", chunks(strings.Repeat("x", 2048)) + "\r\n", 451},
			"small, compressed":            {files, "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", chunks("x") + "\r\n", 200},
			"large, as another protocol":   {files, "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2048\r\n\r\n", strings.Repeat("x", 2048), 451},
			"an engine in a path":          {"/v1/engines/a-preview/completions", "Content-Length: 2\r\n\r\n", "{}", 402},
			"a deployment with a slash":    {"/openai/deployments/openai/a-preview/chat/completions", "Content-Length: 2\r\n\r\n", "{}", 402},
			"Google's name of a model":     {chat, "Content-Length: 41\r\n\r\n", `{"model":"google/models/a-preview"}      `, 402},
			"large and without a length":   {chat, "Transfer-Encoding: chunked\r\n\r\n", chunks(good+strings.Repeat(" ", 2048)) + "\r\n", 451},
			"a fragment":                   {chat + "#x", "Content-Length: 25\r\n\r\n", bad, 400},
			"a whole URL":                  {"http://vllm.models" + chat, "Content-Length: 25\r\n\r\n", bad, 402},
			"two slashes before":           {"//vllm.models/.." + chat, "Content-Length: 25\r\n\r\n", bad, 402},
			"two slashes at the end":       {chat + "//", "Content-Length: 25\r\n\r\n", bad, 402},
			"capitals and escapes":         {"/V1/%43hat%2Fcompletions", "Content-Length: 25\r\n\r\n", bad, 402},
			"a parameter of a segment":     {"/v1/chat;v=1/completions;x", "Content-Length: 25\r\n\r\n", bad, 402},
			"a query that names a model":   {chat + "?model=gpt-9-preview", "Content-Length: 18\r\n\r\n", good, 400},
			"a query that does not":        {chat + "?models=gpt-9-preview", "Content-Length: 18\r\n\r\n", good, 200},
			"a tuned model in a path":      {"/v1/projects/p/endpoints/a-preview:generateContent", "Content-Length: 2\r\n\r\n", "{}", 402},
			"a model with its escapes":     {chat, "Content-Length: 32\r\n\r\n", `{"model":"gpt-9-pre\u0076iew"}  `, 402},
			"a name in another case":       {chat, "Content-Length: 42\r\n\r\n", `{"model":"gpt-4o","Model":"gpt-9-preview"}`, 400},
			"a name twice":                 {chat, "Content-Length: 42\r\n\r\n", `{"model":"gpt-4o","model":"gpt-9-preview"}`, 400},
			"a length that is less":        {chat, "Content-Length: 18\r\n\r\n", good + `,"model":"gpt-9-preview"}`, 200},
			"a body that is cut off early": {chat, "Transfer-Encoding: chunked\r\n\r\n", chunks(bad[:9]) + "\r\n", 400},
		} {
			name = fmt.Sprintf("%s, held: %v", name, hold)
			id := strconv.FormatInt(number.Add(1), 10)
			conn := l.Dial(t)
			conn.Send("POST " + c.path + " HTTP/1.1\r\nHost: vllm.models\r\nX-Id: " + id + "\r\n" + c.headers + c.body)
			r := conn.Receive(http.MethodPost)
			if assert.NotNil(t, r, name) {
				assert.Equal(t, c.status, r.Status, "%s: %s", name, r)
			}
			for _, got := range w.arrived(id) {
				assert.NotContains(t, string(got.Body), "preview", name)
			}
		}
		r, _ := l.ask(t, chat, good, host("dear.models"))
		assert.Equal(t, http.StatusTeapot, r.Status, "%s: the host is a header like others", r)
	}
}
