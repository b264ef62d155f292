//go:build browser

package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// asked is what a script of a page has seen of an answer; nothing when the browser shows it none.
type asked struct {
	Status          int
	Body, RequestID string
	Parts           int // in which a stream came
	Refused         bool
}

// ask has a script of the page call the gateway as an application does, and read the answer as it comes.
func (p *page) ask(address, key, body string) (a asked) {
	p.t.Helper()
	headers := map[string]string{"Content-Type": "application/json", "X-Stainless-Lang": "js"}
	if key != "" {
		headers["Authorization"] = "Bearer " + key
	}
	options, err := json.Marshal(map[string]any{"method": "POST", "headers": headers, "body": body})
	require.NoError(p.t, err)
	seen, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(async () => {
		try {
			const r = await fetch("`+address+`", `+string(options)+`), reader = r.body.getReader(), text = new TextDecoder()
			let body = "", parts = 0
			for (let next; !(next = await reader.read()).done; parts++) body += text.decode(next.value, {stream: true})
			return JSON.stringify({Status: r.status, Body: body, RequestID: r.headers.get("x-request-id") ?? "", Parts: parts})
		} catch { return JSON.stringify({Refused: true}) }
	})()`, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal([]byte(seen), &a))
	return a
}

// What CORS is in the end is up to the browser.
func TestChromiumCallsFromPagesThatMay(t *testing.T) {
	site := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<body>page"))
	}
	// To the browser localhost is another site than 127.0.0.1, although it is the same machine.
	mine, others := harness.NewProvider(t, site), harness.NewProvider(t, site)
	origin := func(p *harness.Provider) string { return strings.Replace(p.URL, "127.0.0.1", "localhost", 1) }
	const key = "igw_the-page's"
	keys, sum := filepath.Join(t.TempDir(), "keys.yaml"), sha256.Sum256([]byte(key))
	require.NoError(t, os.WriteFile(keys, []byte("keys: [{id: page, sha256: "+hex.EncodeToString(sum[:])+"}]\n"), 0o600))
	g := harness.Start(t, harness.Env{"SERVER_CORS_ALLOWED_ORIGINS": origin(mine), "API_KEYS_FILE": keys, "DEMO_ENABLED": "true"})
	chat, hello := g.URL+"/v1/chat/completions", `{"model":"demo/echo","messages":[{"role":"user","content":"hello from a page"}]}`
	c := chromium(t)

	c.do("opening a page that may", chromedp.Navigate(origin(mine)), chromedp.WaitReady(bodyElement))
	a := c.ask(chat, key, hello)
	assert.Equal(t, http.StatusOK, a.Status)
	assert.Contains(t, a.Body, "hello from a page")
	assert.NotEmpty(t, a.RequestID, "headers are shown too")
	a = c.ask(chat, key, `{"stream":true,`+hello[1:])
	assert.Equal(t, http.StatusOK, a.Status)
	assert.Contains(t, a.Body, "data: [DONE]")
	assert.Positive(t, a.Parts)
	a = c.ask(chat, key, "{")
	assert.Equal(t, http.StatusBadRequest, a.Status)
	assert.Contains(t, a.Body, "invalid_request_error")
	a = c.ask(chat, "", hello)
	assert.Equal(t, http.StatusUnauthorized, a.Status)
	assert.Contains(t, a.Body, "you did not provide an API key")
	assert.Equal(t, http.StatusNotFound, c.ask(g.URL+"/v1/nothing", key, hello).Status)
	assert.Zero(t, c.fetch(g.URL+"/v1/models"), "nothing with what the browser itself would show")

	c.do("opening a page that may not", chromedp.Navigate(origin(others)), chromedp.WaitReady(bodyElement))
	assert.True(t, c.ask(chat, key, hello).Refused)
	assert.True(t, c.ask(chat, "", hello).Refused)
}
