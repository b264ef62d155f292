package mesh

import (
	"fmt"
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

const changing = `
rules:
  - {name: dear, match: {model: dear}, act: {deny: {status: %d}}}
  - {name: rest, act: {cap: {tokens: 7, insert: max_tokens}}}
`

// A push of istiod changes the policy while requests run, and none of them fails.
func TestAPolicyChangesUnderLoad(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{policy: fmt.Sprintf(changing, 400)})
	client := l.Client(t) // before goroutines share it
	done := make(chan struct{})
	var load sync.WaitGroup
	var mu sync.Mutex
	asked, failed := 0, []string{}
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := l.Try(t, client, http.MethodPost, "/v1/chat/completions", chat("cheap"), host("vllm.models"))
				mu.Lock()
				if asked++; err != nil {
					failed = append(failed, err.Error())
				} else if r.Status != http.StatusOK {
					failed = append(failed, r.String())
				}
				mu.Unlock()
			}
		})
	}
	for status := 401; status < 412; status++ {
		l.configure(t, plugin{policy: fmt.Sprintf(changing, status)})
		harness.Eventually(t, patience, "the new policy holds", func() bool {
			return l.Do(t, http.MethodPost, "/v1/chat/completions", chat("dear"), host("vllm.models")).Status == status
		})
	}
	close(done)
	load.Wait()
	assert.Empty(t, failed)
	assert.Greater(t, asked, 20)
}

// A policy with a mistake, which `policy check` would have found, is refused by the filter: the good one holds on.
func TestABadPolicyNeverReplacesAGoodOne(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{policy: fmt.Sprintf(changing, 451)})
	status := func() int {
		return l.Do(t, http.MethodPost, "/v1/chat/completions", chat("dear"), host("vllm.models")).Status
	}
	require.Equal(t, 451, status())
	for i, bad := range []string{
		`{"policy":{"rules":[{"name":"a","match":{"modell":"x"},"act":"deny"}]}}`, `{"polcy":{}}`, `{`,
	} {
		l.configure(t, plugin{configuration: bad})
		harness.Eventually(t, patience, "Envoy has refused it", func() bool {
			return strings.Count(w.Stderr.String(), "Unable to create Wasm plugin "+l.name) > i
		})
		assert.Equal(t, 451, status(), bad)
	}
	assert.Contains(t, w.Stderr.String(), "policy: rules[0].match.modell: unknown field")
	l.configure(t, plugin{policy: fmt.Sprintf(changing, 402)})
	harness.Eventually(t, patience, "a good one replaces it", func() bool { return status() == 402 })
}

// A filter that never came to life lets nothing pass, whatever the plugin's failStrategy says: Envoy refuses such a
// configuration, and has no other to go on with.
func TestAFilterThatCannotStartLetsNothingPass(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	broken := filepath.Join(w.dir, "broken.wasm")
	require.NoError(t, os.WriteFile(broken, []byte("\x00asm\x01\x00\x00\x00no module"), 0o600))
	for what, p := range map[string]plugin{
		"no module":       {policy: "rules: []", module: filepath.Join(w.dir, "none.wasm")},
		"a broken module": {policy: "rules: []", module: broken},
		"a bad policy":    {configuration: `{"polcy":{}}`},
	} {
		for _, failure := range []string{"FAIL_CLOSED", "FAIL_RELOAD", "FAIL_OPEN"} {
			p.failure = failure
			r, got := w.with(t, p).ask(t, "/v1/chat/completions", chat("x"), host("vllm.models"))
			assert.Equal(t, http.StatusInternalServerError, r.Status, "%s, %s: %s", what, failure, r)
			assert.Empty(t, got, "%s, %s", what, failure)
		}
	}
}

var crashing = harness.Shared(harness.CrashingModule)

// What becomes of requests when the virtual machine of a worker has died is the plugin's failStrategy.
func TestFailStrategies(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	w.MayPrint("panic", "goroutine 1 [") // of the filter, which Envoy logs
	for _, c := range []struct {
		failure         string
		allowed, denied int // in the end, of requests to a worker whose machine has died
	}{
		{"FAIL_CLOSED", 503, 503},
		{"FAIL_RELOAD", 200, 402}, // there is a new one
		{"FAIL_OPEN", 200, 200},   // no policy holds
	} {
		l := w.with(t, plugin{policy: fmt.Sprintf(changing, 402), failure: c.failure, module: crashing(t), vm: c.failure})
		status := func(model string, headers ...string) int {
			r, _ := l.ask(t, "/v1/chat/completions", chat(model), append(headers, host("vllm.models"), "Connection: close")...)
			return r.Status
		}
		require.Equal(t, 402, status("dear"), c.failure)
		for range 20 { // so that it dies in every worker
			assert.Contains(t, []int{503, c.allowed}, status("cheap", "X-Crash: panic"), c.failure)
		}
		settled := 0
		harness.Eventually(t, patience, c.failure, func() bool {
			if settled++; status("dear") != c.denied || status("cheap") != c.allowed {
				settled = 0
			}
			return settled > 10
		})
	}
}
