package access

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A gateway of its own, so that all that it ever printed can be searched, at the level that prints most.
func TestKeysAreSeenByNobody(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	env := w.env.With("LOG_LEVEL", "debug")
	g := harness.Start(t, env)
	clean := func(what, text string) {
		t.Helper()
		assert.NotContains(t, text, marker, what)
	}
	for _, lane := range lanes {
		for _, headers := range [][]string{
			{bearer("plain")},
			{xAPIKey("plain")},
			{bearer("late")},
			{bearer("gone")},
			{bearer("nobody")},
			{bearer("plain"), xAPIKey("other")},
			{"Authorization: Basic " + credential("plain")},
			{"Authorization: " + credential("plain")},
		} {
			r := g.Do(t, lane.method, lane.path, lane.body, headers...)
			all := r.String()
			for name, values := range r.Header {
				all += "\n" + name + ": " + strings.Join(values, "\n")
			}
			clean(lane.name, all)
		}
	}
	for _, path := range []string{"/config_dump", "/config_dump?include_eds", "/clusters", "/stats", "/listeners", "/server_info"} {
		text := g.Admin(t, http.MethodGet, path)
		assert.NotEmpty(t, text, path)
		clean("Envoy's "+path, text)
		assert.NotContains(t, text, "2020-01-01", "%s: the file is nobody's but the gateway's", path)
	}
	for _, args := range [][]string{{"config"}, {"config", "--envoy"}, {"bootstrap"}, {"validate"}, {"keys", "list"}} {
		r := harness.Run(t, env.With("SERVER_PORT", "1"), args...)
		clean(strings.Join(args, " "), r.Stdout+r.Stderr)
	}
	// A key in the place of its hash is a likely mistake.
	bad := env.With("API_KEYS_FILE", env["API_KEYS_FILE"]+".bad")
	write(t, bad["API_KEYS_FILE"], "keys:\n  - id: "+credential("a")+"/\n    sha256: "+credential("b")+"\n    expires: "+credential("c")+"\n")
	r := harness.Run(t, bad, "validate")
	assert.Equal(t, 1, r.Code)
	assert.Equal(t, 3, strings.Count(r.Stderr, "API_KEYS_FILE="), r.Stderr)
	clean("a bad file", r.Stdout+r.Stderr)

	assert.Zero(t, g.Stop(t))
	clean("stdout", g.Stdout.String())
	clean("stderr", g.Stderr.String())
	assert.Contains(t, g.Stdout.String(), `"caller":"key:plain"`, "the access log has the caller")
}
