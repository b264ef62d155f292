package wasm

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A body over max_body is refused, or it passes and rules about it do not hold, by one setting; whatever its framing.
// One over the server's limit is refused in any case.
func TestBodiesOverTheLimit(t *testing.T) {
	t.Parallel()
	const rules = `
max_body: 64KiB
over_limit: %s
rules:
  - {name: team, match: {headers: {x-team: red}}, act: {deny: {status: 451}}}
  - {name: dear, match: {model: "one/dear*"}, act: {deny: {status: 402}}}
`
	for over, passes := range map[string]bool{"refuse": false, "pass": true} {
		for _, lane := range []string{"true", "false"} {
			t.Run(over+", WASM_ENABLED="+lane, func(t *testing.T) {
				t.Parallel()
				one := harness.NewProvider(t, nil)
				g := harness.Start(t, harness.Env{
					"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_ENABLED": lane, "WASM_PATH": harness.Module(t),
					"SERVER_MAX_REQUEST_BODY_SIZE": "1048576", "POLICY_FILE": policyFile(t, fmt.Sprintf(rules, over)),
				})
				for framing, change := range framings {
					if framing == "in pieces" {
						continue
					}
					for size, status := range map[int]int{60 << 10: 402, 100 << 10: 413, 500 << 10: 413, 2 << 20: 413} {
						name := fmt.Sprintf("%s, %d bytes", framing, size)
						if passes && size > 64<<10 && size < 1<<20 {
							status = 200
						}
						body := chat("one/dear-1", strings.Repeat("x", size))
						one.Reset()
						r := framed(t, g, body, change)
						assert.Equal(t, status, r.Status, "%s: %s", name, r)
						if got := one.Requests(); status != 200 {
							assert.Empty(t, got, name)
							assert.NotEmpty(t, r.Error().Code, "%s: %s", name, r)
						} else if assert.Len(t, got, 1, name) {
							assert.Equal(t, strings.Replace(body, "one/dear-1", "dear-1", 1), string(got[0].Body), name)
						}
						if size < 1<<20 {
							r = framed(t, g, body, change, "X-Team", "red")
							assert.Contains(t, []int{451, 413}, r.Status, "%s: %s", name, r)
							assert.False(t, passes && r.Status != 451, "rules about headers hold for every size")
						}
					}
				}
			})
		}
	}
}

// framed posts a chat in a framing.
func framed(t *testing.T, g *harness.Gateway, body string, change func(*http.Request), header ...string) *harness.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
	assert.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if change != nil {
		change(r)
	}
	client := g.Client(t)
	if r.Proto == "HTTP/2.0" {
		client = cleartextHTTP2(t)
	}
	resp, err := client.Do(r)
	if !assert.NoError(t, err) {
		return &harness.Response{}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	return &harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: got}
}

func cleartextHTTP2(t *testing.T) *http.Client {
	c := harness.NewClient(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c.Transport.(*http.Transport).Protocols = protocols
	return c
}
