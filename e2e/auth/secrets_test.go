package auth

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// adminPages are those of Envoy's admin interface that show what it has and what it did.
var adminPages = []string{
	"/config_dump?include_eds", "/clusters", "/clusters?format=json", "/stats", "/stats/prometheus", "/listeners", "/server_info", "/certs",
	"/init_dump", "/runtime", "/memory",
}

// A gateway with one secret of each kind, at the level that prints most, is used in every way and with mistakes. Then
// everything that it has said, written and shown is searched for them.
func TestSecretsAreSeenByNobody(t *testing.T) {
	t.Parallel()
	e := newEverything(t)
	places := map[string]string{}
	say := func(place, text string) { places[place] += text + "\n" }
	answer := func(place string, r *harness.Response) {
		say(place, r.String())
		for name, values := range r.Header {
			if name != "Set-Cookie" { // a browser's own, sealed
				say(place, name+": "+strings.Join(values, "\n"))
			}
		}
	}
	b := newBrowser(t)
	_, page := b.logIn(e.world, "/v1/models")
	answer("the page after a login", page)
	answer("a login that fails", b.ask(http.MethodGet, e.URL+"/oauth2/callback?code=x&state=y", nil))
	for _, credential := range []string{
		bearer(callerKey), bearer(callerKey + "x"), "X-Api-Key: " + callerKey, bearer(e.issuer.token(t)), bearer(e.issuer.token(t, set("exp", 1))),
		"Authorization: Basic " + callerKey, "Cookie: __Host-igw-id=" + cookieSecret,
	} {
		for _, path := range []string{
			"/v1/models", "/v1/mcp/tools", "/v1/mcp/servers", "/v1/a2a/agents", "/v1/a2a/agents/p/status", "/nothing", "/nothing?key=" + callerKey,
			"/proxy/own/models", "/proxy/own/nothing", "/proxy/nobody/x", "/health", "/ready",
		} {
			answer("GET "+path, e.Do(t, http.MethodGet, path, "", credential))
		}
		for _, body := range []string{useBoth(false), useBoth(true), chatBody, "{", `{"model":"own/fault-500","messages":[]}`, `{"model":"nobody/m"}`} {
			answer("chat "+body, e.Chat(t, body, credential))
		}
	}
	for _, path := range adminPages {
		text := e.Admin(t, http.MethodGet, path)
		require.NotEmpty(t, text, path)
		say("Envoy's "+path, text)
	}
	require.Contains(t, places["Envoy's /config_dump?include_eds"], "[redacted]", "the secrets are there, and hidden")
	for _, args := range [][]string{{"config"}, {"config", "--envoy"}, {"config", "--ratelimit"}, {"bootstrap"}, {"validate"}, {"keys", "list"}, {"version"}} {
		r := harness.Run(t, e.environment.With("SERVER_PORT", "1"), args...)
		require.Zero(t, r.Code, r.Stderr)
		say(strings.Join(args, " "), r.Stdout+r.Stderr)
	}
	wrong := harness.Run(t, e.environment.With("AUTH_COOKIE_SECRET", marker+"-short", "OWN_API_KEY", marker+"\n", "MCP_T_HEADERS", marker, "SERVER_TLS_CERT_PATH", e.keyFile), "validate")
	require.Equal(t, 1, wrong.Code)
	say("what is wrong", wrong.Stdout+wrong.Stderr)
	if _, err := os.Stat("/proc/self/cmdline"); err == nil { // where there is such a place
		for name, file := range map[string]string{
			"the gateway's arguments": fmt.Sprintf("/proc/%d/cmdline", e.PID()),
			"Envoy's arguments":       fmt.Sprintf("/proc/%d/cmdline", e.EnvoyPID()),
			"Envoy's environment":     fmt.Sprintf("/proc/%d/environ", e.EnvoyPID()),
		} {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			say(name, string(text))
		}
	}
	for path, content := range written(t, e.TempDir) {
		say(path, content)
	}
	require.Zero(t, e.Stop(t))
	say("stdout", e.Stdout.String())
	say("stderr", e.Stderr.String())
	require.Contains(t, places["stdout"], `"caller":"key:caller"`, "the access log is there")

	key, err := os.ReadFile(e.keyFile)
	require.NoError(t, err)
	secrets := strings.Split(strings.TrimSpace(string(key)), "\n")
	secrets = append(secrets[1:len(secrets)-1], marker, "PRIVATE KEY") // and none by its title
	for place, text := range places {
		for _, secret := range secrets {
			assert.False(t, strings.Contains(text, secret), "%s has %s", place, secret)
		}
		assert.NotRegexp(t, `eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.`, text, "%s has a token", place)
	}
}

// written is the content of every file under a directory, which nobody but its owner may open.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	out, sockets := map[string]string{}, 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s is %v", path, info.Mode())
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			out[path] = string(content)
		case info.Mode()&fs.ModeSocket != 0:
			sockets++
		}
		return nil
	}))
	require.NotEmpty(t, out)
	require.Greater(t, sockets, 3)
	return out
}
