package access

import (
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

// A gateway of its own, whose files and dotenv file change while it runs, and while requests do.
func TestKeysChangeWhileRequestsRun(t *testing.T) {
	t.Parallel()
	one := harness.NewProvider(t, nil)
	dir := tempDir(t)
	keys, env := filepath.Join(dir, "keys.yaml"), filepath.Join(dir, "gateway.env")
	keyFile(t, keys, "steady", "brief")
	write(t, env, "PROVIDERS=one\nONE_API_URL="+one.URL+"\nONE_AUTH=none\nAPI_KEYS_FILE="+keys+"\n")
	g := harness.Start(t, harness.Env{"GATEWAY_ENV_FILE": env})
	ask := func(id string) int { return g.Do(t, http.MethodGet, "/proxy/one/x", "", bearer(id)).Status }
	becomes := func(id string, status int) {
		t.Helper()
		harness.Eventually(t, patience, "the answer for "+id+" changes", func() bool { return ask(id) == status })
	}

	var failed, done atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		client := harness.NewClient(t)
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := g.Try(t, client, http.MethodPost, "/v1/chat/completions", chat("one/m"), bearer("steady"))
				if err != nil || r.Status != http.StatusOK {
					failed.Add(1)
					t.Errorf("a request with a key that is good all the time: %v %v", r, err)
				}
				done.Add(1)
			}
		})
	}
	assert.Equal(t, http.StatusOK, ask("brief"))
	keyFile(t, keys, "steady", "brief\nrevoked: 2020-01-01", "new")
	becomes("brief", http.StatusUnauthorized)
	becomes("new", http.StatusOK)

	// A file with mistakes is refused with all of them, and what was there stays.
	keyFile(t, keys, "steady", "new\nexpire: 2020-01-01\nsha257: "+credential("new"))
	g.Stderr.Await(t, patience, "line 6, keys[2].expire")
	g.Stderr.Await(t, patience, "line 7, keys[2].sha257")
	assert.Equal(t, http.StatusOK, ask("new"))
	assert.Equal(t, http.StatusUnauthorized, ask("brief"))

	// A mistake elsewhere does not keep a key alive.
	write(t, env, "PROVIDERS=one\nONE_API_URL="+one.URL+"\nONE_AUTH=nonsense\nAPI_KEYS_FILE="+keys+"\n")
	g.Stderr.Await(t, patience, "ONE_AUTH")
	keyFile(t, keys, "steady")
	becomes("new", http.StatusUnauthorized)
	assert.Equal(t, http.StatusOK, ask("steady"))

	// The command edits the same file.
	write(t, env, "PROVIDERS=one\nONE_API_URL="+one.URL+"\nONE_AUTH=none\nAPI_KEYS_FILE="+keys+"\n")
	made := harness.Run(t, harness.Env{"GATEWAY_ENV_FILE": env}, "keys", "create", "made", "--owner", "a test")
	require.Zero(t, made.Code, made.Stderr)
	credential := made.Stdout[:len(made.Stdout)-1]
	require.Regexp(t, `^igw-[A-Za-z0-9_-]{43}$`, credential)
	with := func() int {
		return g.Do(t, http.MethodGet, "/proxy/one/x", "", "X-Api-Key: "+credential).Status
	}
	harness.Eventually(t, patience, "the new key opens", func() bool { return with() == http.StatusOK })
	revoked := harness.Run(t, harness.Env{"GATEWAY_ENV_FILE": env}, "keys", "revoke", "made")
	require.Zero(t, revoked.Code, revoked.Stderr)
	harness.Eventually(t, patience, "the new key opens nothing any more", func() bool { return with() == http.StatusUnauthorized })

	// Without the variable everybody may call again, and with it nobody may who has no key.
	write(t, env, "PROVIDERS=one\nONE_API_URL="+one.URL+"\nONE_AUTH=none\n")
	becomes("nobody", http.StatusOK)
	write(t, env, "PROVIDERS=one\nONE_API_URL="+one.URL+"\nONE_AUTH=none\nAPI_KEYS_FILE="+keys+"\n")
	becomes("nobody", http.StatusUnauthorized)

	close(stop)
	load.Wait()
	assert.Zero(t, failed.Load())
	assert.Positive(t, done.Load())
	assert.Zero(t, g.Stop(t))
	for _, secret := range []string{marker, credential, access.Hash(credential)} {
		assert.NotContains(t, g.Stderr.String()+g.Stdout.String(), secret)
	}
}
