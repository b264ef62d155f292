package wasm

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A policy is given to two filters, one after the other, and the lane of a request decides which of them it meets. What both
// the old and the new policy refuse must never pass in between, and what both allow must not fail, in any lane. The same
// holds of a policy with a mistake, and of variables that say whether there is a filter at all.
func TestNothingPassesWhileAPolicyChanges(t *testing.T) {
	t.Parallel()
	one := harness.NewProvider(t, nil)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	rules := func(status int) string {
		return fmt.Sprintf("rules: [{name: dear-%d, match: {model: dear}, act: {deny: {status: %d}}}, {name: short, act: {cap: 9}}]", status, status)
	}
	require.NoError(t, os.WriteFile(policy, []byte(rules(402)), 0o600))
	file := filepath.Join(t.TempDir(), "env")
	variablesAre := func(text string) {
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	on := "WASM_ENABLED=true\nPOLICY_FILE=" + policy + "\n"
	variablesAre(on)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_PATH": harness.Module(t), "GATEWAY_ENV_FILE": file,
	})
	pad := strings.Repeat("x", 150<<10)
	ask := func(c *http.Client, lane int, model string) (int, string) {
		path, body := "/v1/chat/completions", `{"model":"one/`+model+`","max_tokens":99}`
		switch lane {
		case 1: // too large for the wasm lane
			body = `{"model":"one/` + model + `","max_tokens":99,"x":"` + pad + `"}`
		case 2:
			path, body = "/proxy/one/chat/completions", `{"model":"`+model+`","max_tokens":99}`
		}
		resp, err := c.Post(g.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); load.Wait() })
	t.Cleanup(end)
	for lane := range 3 {
		c := harness.NewClient(t)
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if status, text := ask(c, lane, "dear"); status != 402 && status != 451 {
					t.Errorf("lane %d, refused by both: %d %s", lane, status, text)
				}
				if status, text := ask(c, lane, "cheap"); status != 200 {
					t.Errorf("lane %d, allowed by both: %d %s", lane, status, text)
				}
			}
		})
	}
	c := harness.NewClient(t)
	settled := func(want int) {
		for lane := range 3 {
			harness.Eventually(t, patience, fmt.Sprintf("lane %d has the policy with %d", lane, want), func() bool {
				status, _ := ask(c, lane, "dear")
				return status == want
			})
		}
	}
	settled(402)
	for _, status := range []int{451, 402} {
		require.NoError(t, os.WriteFile(policy, []byte(rules(status)), 0o600))
		settled(status)
	}
	// The filter itself stays as it was at the start: it would take seconds to come, and its routes would not wait.
	variablesAre("WASM_ENABLED=false\n")
	g.Stderr.Await(t, patience, "WASM_ENABLED has changed and takes effect at the next start")
	g.Stderr.Await(t, patience, "POLICY_FILE has changed and takes effect at the next start")
	settled(402)
	variablesAre(on)
	require.NoError(t, os.WriteFile(policy, []byte(strings.ReplaceAll(rules(451), "deny:", "denie:")), 0o600))
	g.Stderr.Await(t, patience, "rules[0].act.denie")
	settled(402)
	require.NoError(t, os.WriteFile(policy, []byte(rules(451)), 0o600))
	settled(451)
	end()
	all := one.Requests()
	t.Logf("%d requests passed", len(all))
	assert.NotEmpty(t, all)
	for _, r := range all {
		assert.NotContains(t, string(r.Body), `dear`, "refused by every policy")
		assert.Contains(t, string(r.Body), `"max_tokens":9`, "capped by every policy")
	}
}
