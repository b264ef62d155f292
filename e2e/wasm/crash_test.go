package wasm

import (
	"bufio"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

var crashing = harness.Shared(harness.CrashingModule)

// With on_error closed, a VM that dies takes the request with it that killed it, and the next one finds a new VM within a
// second. The policy holds before, after and in between. Envoy breaks off what is under way on that one worker.
func TestAVMThatDiesComesBack(t *testing.T) {
	t.Parallel()
	one := harness.NewDemo(t, demo.Options{Pause: 100 * time.Millisecond})
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_ENABLED": "true", "WASM_PATH": crashing(t),
		"POLICY_FILE": policyFile(t, strings.Replace(denyDear, "rules:", "rules:\n  - {name: once, match: {headers: {x-once: true}}, act: {budget: {requests: 1, per: 30d}}}", 1)),
	})
	g.MayPrint("panic", "goroutine 1 [") // of the filter, which Envoy logs
	envoy := g.EnvoyPID()
	assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/echo", "hi"), "X-Once: 1").Status)
	for _, how := range []string{"panic", "memory", "stack", "body"} {
		stream := begin(t, g)
		one.Reset()
		before := reloads(t, g)
		r := g.Chat(t, chat("one/echo", "hi"), "X-Crash: "+how, "Connection: close")
		assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s: %s", how, r)
		assert.Equal(t, "unavailable", r.Error().Code, "%s: %s", how, r)
		alive := 0
		harness.Eventually(t, patience, "every worker has a VM again", func() bool {
			r := g.Chat(t, chat("one/dear-1", "hi"), "Connection: close")
			if alive++; r.Status != http.StatusPaymentRequired {
				assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s: %s", how, r)
				alive = 0
			}
			return alive >= 20 && reloads(t, g) > before
		})
		assert.Empty(t, one.Requests(), "%s: nothing has passed meanwhile", how)
		assert.Equal(t, http.StatusOK, g.Chat(t, chat("one/echo", "hi"), "Connection: close").Status, how)
		assert.Equal(t, http.StatusTooManyRequests, g.Chat(t, chat("one/echo", "hi"), "X-Once: 1").Status, "%s: what was spent is not forgotten", how)
		last, err := stream()
		assert.True(t, err != nil || last == "data: [DONE]", "%s: an answer ends whole, or the client sees that it does not: %s", how, last)
	}
	assert.Equal(t, envoy, g.EnvoyPID(), "the same Envoy all the time")
	assert.Regexp(t, `proxy_on_request_body failed`, g.Stderr.String())
}

// With on_error open, nobody notices but the policy: the request that killed the VM goes on to ext_proc, and so do later
// ones at that worker. Answers under way go on. A new configuration brings new VMs.
func TestAVMThatDiesLetsPassWhereThePolicyIsOpen(t *testing.T) {
	t.Parallel()
	one := harness.NewDemo(t, demo.Options{Pause: 50 * time.Millisecond})
	path := policyFile(t, "on_error: open\n"+denyDear)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL, "WASM_ENABLED": "true", "WASM_PATH": crashing(t), "POLICY_FILE": path,
	})
	g.MayPrint("panic", "goroutine 1 [")
	assert.Equal(t, http.StatusPaymentRequired, g.Chat(t, chat("one/dear-1", "hi")).Status)
	stream := begin(t, g)
	harness.Eventually(t, patience, "the VM of every worker has died", func() bool {
		r := g.Chat(t, chat("one/echo", "hi"), "X-Crash: panic", "Connection: close")
		require.Equal(t, http.StatusOK, r.Status, "%s", r)
		r = g.Chat(t, chat("one/echo", "AKIAIOSFODNN7EXAMPLE"), "Connection: close")
		return r.Status == http.StatusOK
	})
	last, err := stream()
	assert.NoError(t, err)
	assert.Equal(t, "data: [DONE]", last, "the answer that was under way")
	require.NoError(t, os.WriteFile(path, []byte("on_error: open\n"+strings.ReplaceAll(denyDear, "402", "451")), 0o600))
	alive := 0
	harness.Eventually(t, patience, "a new policy brings new VMs", func() bool {
		if alive++; g.Chat(t, chat("one/dear-1", "hi"), "Connection: close").Status != http.StatusUnavailableForLegalReasons {
			alive = 0
		}
		return alive >= 20
	})
}

// begin asks for a long answer and reads its first line; the function that it gives reads on to the last one.
func begin(t *testing.T, g *harness.Gateway) func() (last string, err error) {
	t.Helper()
	body := strings.TrimSuffix(chat("one/echo", strings.Repeat("word ", 30)), "}") + `,"stream":true}`
	resp, err := g.Client(t).Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan(), "the answer has begun")
	return func() (last string, err error) {
		for lines.Scan() {
			if text := lines.Text(); text != "" {
				last = text
			}
		}
		return last, lines.Err()
	}
}

var reloadLine = regexp.MustCompile(`(?m)^wasm\.inference-gateway\.vm_reload_success: (\d+)$`)

// reloads is how many VMs Envoy has made in place of dead ones.
func reloads(t *testing.T, g *harness.Gateway) int {
	t.Helper()
	m := reloadLine.FindStringSubmatch(g.Admin(t, http.MethodGet, "/stats?filter=vm_reload"))
	require.NotNil(t, m)
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	return n
}
