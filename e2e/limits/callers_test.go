package limits

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// keyed gives a file of API keys. Each is an id and its groups; the key is igw- and the id.
func keyed(t testing.TB, keys map[string]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("keys:\n")
	for id, groups := range keys {
		sum := sha256.Sum256([]byte(keyOf(id)))
		_, _ = fmt.Fprintf(&b, "  - {id: %s, sha256: %s, groups: [%s]}\n", id, hex.EncodeToString(sum[:]), groups)
	}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func keyOf(id string) string { return "igw-KEYMARKER-" + id + "-0123456789012345678901234567890123456" }

func TestKeysAndGroups(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, `
limits:
  - {name: each, per: caller, except: {groups: [staff]}, requests: {hour: 3}}
  - {name: team, per: everyone, groups: ["The Team"], tokens: {month: 3000}}
  - {name: robots, per: everyone, callers: ["key:robot-*"], requests: {hour: 2}}
`), "API_KEYS_FILE", keyed(t, map[string]string{
		"alice": "", "bob": "", "chief": "staff", "one": `other, "The Team"`, "two": `"The Team", staff`, "robot-1": "", "robot-2": "",
	}))
	ask := func(id string, model string, more ...string) *harness.Response {
		t.Helper()
		return g.Chat(t, chat("up/"+model, more...), "Authorization: Bearer "+keyOf(id))
	}
	t.Run("each key has its own requests", func(t *testing.T) {
		for range 3 {
			require.Equal(t, http.StatusOK, ask("alice", "use-10").Status)
		}
		checkRefusal(t, ask("alice", "use-10"), "requests")
		assert.Equal(t, "2", left(ask("bob", "use-10"), "requests"))
	})
	t.Run("but not those in an excepted group", func(t *testing.T) {
		for range 6 {
			r := ask("chief", "use-10")
			require.Equal(t, http.StatusOK, r.Status)
			assert.Empty(t, left(r, "requests"), "nothing is told where nothing is limited")
		}
	})
	t.Run("a group shares its tokens", func(t *testing.T) {
		require.Equal(t, http.StatusOK, ask("one", "use-1500", `"max_tokens":1500`).Status)
		harness.Eventually(t, patience, "it is settled", func() bool {
			return left(ask("two", "fail", `"max_tokens":1`), "tokens") == fmt.Sprint(1500-estimated("fail", 1, `"max_tokens":1`))
		})
		checkRefusal(t, ask("two", "use-10", `"max_tokens":2000`), "tokens")
		assert.Empty(t, left(ask("bob", "use-10"), "tokens"))
	})
	t.Run("callers by a pattern share theirs", func(t *testing.T) {
		assert.Equal(t, http.StatusOK, ask("robot-1", "use-10").Status)
		assert.Equal(t, http.StatusOK, ask("robot-2", "use-10").Status)
		checkRefusal(t, ask("robot-1", "use-10"), "requests")
	})
	t.Run("a client cannot say who it is", func(t *testing.T) {
		r := g.Chat(t, chat("up/use-10"), "Authorization: Bearer "+keyOf("alice"), "X-Igw-Caller: key:chief", "X-Igw-Groups: staff", "X-Igw-Tokens: 1")
		checkRefusal(t, r, "requests")
	})
	t.Run("and who has no key is not counted but refused", func(t *testing.T) {
		assert.Equal(t, http.StatusUnauthorized, g.Chat(t, chat("up/use-10")).Status)
	})
	for _, said := range []string{g.Stdout.String(), g.Stderr.String(), g.Admin(t, http.MethodGet, "/config_dump"), g.Admin(t, http.MethodGet, "/stats")} {
		assert.NotContains(t, said, "KEYMARKER")
	}
	stats := g.Admin(t, http.MethodGet, "/stats?usedonly")
	assert.Regexp(t, `(?m)^requests\.http_local_rate_limit\.rate_limited: [1-9]`, stats)
	assert.Regexp(t, `(?m)^cluster\.provider/up\.ratelimit\.tokens\.over_limit: [1-9]`, stats)
}

// What stands beside a key holds for that key, with and without a file of limits, and follows the file.
func TestLimitsBesideAKey(t *testing.T) {
	entry := func(id, more string) string {
		sum := sha256.Sum256([]byte(keyOf(id)))
		return fmt.Sprintf("  - {id: %s, sha256: %s%s}\n", id, hex.EncodeToString(sum[:]), more)
	}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	write := func(entries ...string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path+".new", []byte("keys:\n"+strings.Join(entries, "")), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	var crowd strings.Builder // of one kind: one rule for all
	for i := range 2000 {
		crowd.WriteString(entry(fmt.Sprint("crowd-", i), ", limits: {requests: {day: 7}}"))
	}
	limited := ", limits: {requests: {hour: 3}, tokens: {month: 2000}}"
	write(entry("alice", limited), entry("bob", limited), entry("carol", ""), crowd.String())
	m := newModel(t)
	g := &gateway{Gateway: harness.Start(t, harness.Env{"PROVIDERS": "up", "UP_API_URL": m.URL, "API_KEYS_FILE": path})}
	ask := func(id, model string, more ...string) *harness.Response {
		t.Helper()
		return g.Chat(t, chat("up/"+model, more...), "Authorization: Bearer "+keyOf(id))
	}
	require.Equal(t, http.StatusOK, ask("alice", "use-1500", `"max_tokens":1500`).Status)
	r := ask("alice", "use-10", `"max_tokens":600`)
	checkRefusal(t, r, "tokens")
	assert.Contains(t, string(r.Body), "key.3-requests-hour.2000-tokens-month")
	require.Equal(t, http.StatusOK, ask("alice", "use-10", `"max_tokens":10`).Status)
	checkRefusal(t, ask("alice", "use-10", `"max_tokens":10`), "requests")
	assert.Equal(t, "2", left(ask("bob", "use-10", `"max_tokens":10`), "requests"), "another key with the same limits has its own budget")
	assert.Equal(t, "6", left(ask("crowd-1999", "use-10"), "requests"))
	for range 5 {
		r := ask("carol", "use-10")
		require.Equal(t, http.StatusOK, r.Status)
		assert.Empty(t, left(r, "requests"))
	}

	mark := g.Stderr.Len()
	write(entry("alice", ""), entry("bob", ", limits: {requests: {hour: 1}}"), entry("carol", ""))
	harness.Eventually(t, patience, taken, func() bool { return strings.Contains(g.Stderr.Since(mark), taken) })
	require.Equal(t, http.StatusOK, ask("alice", "use-10").Status)
	require.Equal(t, http.StatusOK, ask("bob", "use-10").Status)
	checkRefusal(t, ask("bob", "use-10"), "requests")

	write(entry("bob", ", limits: {tokens: {month: 5}}"))
	harness.Eventually(t, patience, "limits that nothing could pass are refused", func() bool {
		return strings.Contains(g.Stderr.String(), "more than the 1024 tokens")
	})
	checkRefusal(t, ask("bob", "use-10"), "requests")
}

// The filter in Envoy leaves requests to ext_proc where tokens are limited, and limits of requests hold in front of it.
func TestWithTheFilterInEnvoy(t *testing.T) {
	g := start(t, newModel(t), limitsFile(t, perAddress("requests: {hour: 3}")), "WASM_ENABLED", "true", "WASM_PATH", harness.Module(t))
	c := g.stranger(t)
	assert.Equal(t, map[int]int{200: 3, 429: 7}, c.burst(t, 10, "use-10"))
	g.change(t, perAddress("tokens: {month: 2000}"), taken)
	c = g.stranger(t)
	r := c.ask(t, "use-1500", `"max_tokens":1500`)
	require.Equal(t, http.StatusOK, r.Status, r)
	checkRefusal(t, c.ask(t, "use-10", `"max_tokens":600`), "tokens")
}
