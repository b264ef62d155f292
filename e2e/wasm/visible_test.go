package wasm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const visiblePolicy = `
rules:
  - {name: watched, match: {headers: {x-team: red}}, shadow: true, act: deny}
  - {name: no-sockets, match: {path: "*/realtime", headers: {x-team: blue}}, act: deny}
  - {name: dear, match: {model: "one/dear*"}, act: {deny: {status: 402}}}
  - {name: keys, act: {secrets: all}, continue: true}
  - {name: tagged, act: {require: [user], cap: 10}}
`

// What the rules did is in Envoy's statistics, by rule and action, in the access log and on refusals; what was in the
// prompts is nowhere, at the most talkative level of the log.
func TestWhatAPolicyDoesIsVisible(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"true", "false"} {
		t.Run("WASM_ENABLED="+lane, func(t *testing.T) {
			t.Parallel()
			one := harness.NewProvider(t, sockets)
			g := harness.Start(t, harness.Env{
				"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_ENABLED": lane, "WASM_PATH": harness.Module(t),
				"POLICY_FILE": policyFile(t, visiblePolicy), "LOG_LEVEL": "debug",
			})
			want := map[string]string{} // the access log's words by request
			for _, c := range []struct {
				body, rule, logged string
				status             int
			}{
				{`{"model":"one/m","user":"u"}`, "", "tagged allow", 200},
				{`{"model":"one/m","user":"u","max_tokens":50}`, "", "tagged edit", 200},
				{`{"model":"nobody/m","user":"u"}`, "", "tagged allow", 400},
				{`{"model":"one/m"}`, "tagged", "tagged require", 400},
				{`{"model":"one/dear","messages":[{"content":"PROMPTMARKER"}]}`, "dear", "dear deny", 402},
				{`{"model":"one/m","messages":[{"content":"PROMPTMARKER ghp_0123456789abcdefghijABCDEFGHIJ456789 and AKIAIOSFODNN7EXAMPLE"}]}`, "keys", "keys secret", 403},
				{`{"model":"one/m","PROMPTMARKER":`, "unreadable", "none unreadable", 400},
			} {
				for _, team := range []string{"red", "green"} {
					r := g.Chat(t, c.body, "X-Team: "+team)
					assert.Equal(t, c.status, r.Status, "%s: %s", c.body, r)
					assert.Equal(t, c.rule, r.Header.Get("X-Policy-Rule"), c.body)
					details := "via_upstream"
					if c.status != http.StatusOK {
						details = "igw_" + r.Error().Code
					}
					want[r.Header.Get("X-Request-Id")] = c.logged + ", " + details
				}
			}
			stats := "\n" + g.Admin(t, http.MethodGet, "/stats?filter=inference_gateway.policy")
			for name, n := range map[string]int{
				"rule.watched.deny.shadow": 7, "rule.tagged.allow": 4, "rule.tagged.edit": 2, "rule.tagged.require": 2, "rule.dear.deny": 2,
				"rule.keys.secret": 2, "none.unreadable": 2, "secret.github_token": 2, "secret.aws_access_key": 2,
			} {
				assert.Contains(t, stats, fmt.Sprintf("\nwasmcustom.inference_gateway.policy.%s: %d\n", name, n))
			}
			sockets := func(team string) string {
				c := g.Dial(t)
				c.Send("GET /proxy/one/realtime HTTP/1.1\r\nHost: x\r\nX-Team: " + team + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
				defer c.Close()
				status := line(t, c.Reader())
				if strings.Contains(status, "101") {
					for line(t, c.Reader()) != "" {
					}
					c.Send("hello")
					got := make([]byte, 5)
					_, err := io.ReadFull(c.Reader(), got)
					require.NoError(t, err)
					assert.Equal(t, "HELLO", string(got))
				}
				return status
			}
			assert.Contains(t, sockets("green"), "101", "a WebSocket passes")
			assert.Contains(t, sockets("blue"), "403", "or is refused at its handshake")

			// Those that hang up in the middle of a body leave nothing behind.
			for range 50 {
				c := g.Dial(t)
				c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + `{"model":`)
				_ = c.Close()
			}
			harness.Eventually(t, patience, "no request is under way", func() bool {
				return regexp.MustCompile(`(?m)^http\.public\.downstream_rq_active: 0$`).MatchString(g.Admin(t, http.MethodGet, "/stats?filter=downstream_rq_active"))
			})
			assert.Equal(t, http.StatusOK, g.Chat(t, `{"model":"one/m","user":"u"}`).Status)

			g.Stop(t) // Envoy has written all of its log then
			for text := range strings.Lines(g.Stdout.String()) {
				var entry struct {
					Msg, Policy, Details string
					ID                   string `json:"request_id"`
				}
				if json.Unmarshal([]byte(text), &entry) != nil || entry.Msg != "access" {
					continue
				}
				if logged, asked := want[entry.ID]; asked {
					assert.Equal(t, logged, entry.Policy+", "+entry.Details)
					delete(want, entry.ID)
				}
			}
			assert.Empty(t, want, "requests that the access log does not have")
			all := g.Stdout.String() + g.Stderr.String()
			for _, text := range []string{"PROMPTMARKER", "ghp_0123", "IOSFODNN"} {
				assert.False(t, strings.Contains(all, text), "%s is in a log", text)
			}
		})
	}
}

// sockets answers upgrades with a socket that shouts back, and all else with 200.
func sockets(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(r.Header.Values("Upgrade"), "websocket") {
		_, _ = io.WriteString(w, `{"ok":true}`)
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
	shout(conn, buf.Reader)
}

func shout(to io.Writer, from *bufio.Reader) {
	for {
		b, err := from.ReadByte()
		if err != nil {
			return
		}
		_, _ = to.Write([]byte(strings.ToUpper(string(b))))
	}
}
