package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// shortDir is short enough for the path of a socket, which t.TempDir is not on every machine.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "igw-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func loaded(t *testing.T, env map[string]string) *config.Config {
	c, _, err := config.Load(env)
	require.NoError(t, err)
	return c
}

func TestAnnouncement(t *testing.T) {
	c := loaded(t, map[string]string{"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": "b", "MISTRAL_ENABLED": "false"})
	line := announcement(c, "127.0.0.1:8080")
	assert.Contains(t, line, "http://127.0.0.1:8080/v1")
	assert.Contains(t, line, "groq openai")
	assert.NotContains(t, line, "mistral")
	assert.NotContains(t, line, "sk-secret")
	assert.NotContains(t, line, "\n", "one line")
	secure := *c
	secure.Server.TLS.CertPath = "/cert.pem"
	assert.Contains(t, announcement(&secure, "127.0.0.1:8443"), "https://127.0.0.1:8443/v1")
}

func TestPrivateDir(t *testing.T) {
	set := func(dir string) *config.Config { return &config.Config{Control: config.Control{SocketDir: dir}} }

	made, cleanup, err := privateDir(set(""), withEnvoy)
	require.NoError(t, err)
	info, err := os.Stat(made)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	cleanup()
	assert.NoDirExists(t, made)

	dir := filepath.Join(shortDir(t), "a", "b")
	for _, m := range []mode{withEnvoy, withoutEnvoy} {
		got, cleanup, err := privateDir(set(dir), m)
		require.NoError(t, err)
		assert.Equal(t, dir, got)
		cleanup()
		assert.DirExists(t, dir, "what the operator chose is not removed")
	}
	info, err = os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	for _, open := range []os.FileMode{0o770, 0o720, 0o702, 0o777} {
		require.NoError(t, os.Chmod(dir, open))
		_, _, err := privateDir(set(dir), withoutEnvoy)
		assert.ErrorContains(t, err, "chmod 700", "%o", open)
	}
	require.NoError(t, os.Chmod(dir, 0o700))

	link := filepath.Join(shortDir(t), "link")
	require.NoError(t, os.Symlink(dir, link))
	_, _, err = privateDir(set(link), withoutEnvoy)
	assert.Error(t, err, "a link may lead anywhere later")

	file := filepath.Join(shortDir(t), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, _, err = privateDir(set(file), withoutEnvoy)
	assert.Error(t, err)
}

// A directory that somebody else made first is theirs to change, whatever its mode says.
func TestPrivateDirOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := shortDir(t)
	require.NoError(t, os.Chown(dir, 12345, 12345))
	_, _, err := privateDir(&config.Config{Control: config.Control{SocketDir: dir}}, withoutEnvoy)
	assert.ErrorContains(t, err, "another user")
}

func TestListen(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	first, err := listen(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	go func() { // it is alive: it takes connections
		for {
			c, err := first.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	_, err = listen(path)
	require.ErrorContains(t, err, "in use by another gateway")

	unix, ok := first.(*net.UnixListener)
	require.True(t, ok)
	unix.SetUnlinkOnClose(false) // as a process that was killed
	require.NoError(t, first.Close())
	require.FileExists(t, path)
	second, err := listen(path)
	require.NoError(t, err, "a dead socket is replaced")
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	_ = c.Close()
	require.NoError(t, second.Close())

	_, err = listen(filepath.Join(path, "no", "such"))
	assert.Error(t, err)
}

// The directory says what the configuration says: who is ready, for what, and what to set.
func TestDirectory(t *testing.T) {
	d := directory(loaded(t, map[string]string{
		"OPENAI_API_KEY": "a", "GROQ_API_KEY": "b", "GROQ_ENABLED": "false",
		"SERVER_MAX_REQUEST_BODY_SIZE": "12345", "DISALLOWED_MODELS": "openai/dear",
	}))
	assert.EqualValues(t, 12345, d.MaxBody())
	for model, want := range map[string]apierror.Kind{
		"openai/cheap": "", "openai/dear": apierror.ModelNotAllowed, "groq/x": apierror.ProviderNotReady,
		"anthropic/x": apierror.ProviderNotReady, "nobody/x": apierror.UnknownProvider,
	} {
		_, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(`{"model":"` + model + `"}`)})
		if want == "" {
			assert.Nil(t, refusal, model)
			continue
		}
		require.NotNil(t, refusal, model)
		assert.Equal(t, want, refusal.Kind, model)
		if want == apierror.ProviderNotReady {
			assert.Contains(t, refusal.Message, "set ", model)
		}
	}
	_, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.Messages, Body: []byte(`{"model":"openai/cheap"}`)})
	require.NotNil(t, refusal)
	assert.Equal(t, apierror.UnsupportedRoute, refusal.Kind)
}

// The API's view carries no key, only what tells two keys apart.
func TestAPIState(t *testing.T) {
	g := &gateway{lane: newLane()}
	g.lane.current.Store(&laneState{tools: &toolset{}})
	fingerprint := func(key string) string {
		for _, p := range g.apiState(loaded(t, map[string]string{"OPENAI_API_KEY": key})).Providers {
			if p.ID == "openai" {
				assert.True(t, p.Ready)
				return p.Fingerprint
			}
		}
		t.Fatal("openai is missing")
		return ""
	}
	a, b := fingerprint("sk-secret-a"), fingerprint("sk-secret-b")
	assert.NotEqual(t, a, b)
	assert.Equal(t, a, fingerprint("sk-secret-a"))
	assert.NotContains(t, a, "sk-secret")
}

// Between one configuration and the next only what both have is chosen, before Envoy is told anything.
func TestWhatDisappearsIsNotChosenBeforeItsRouteGoes(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	was, is := loaded(t, map[string]string{"OPENAI_API_KEY": "a"}), loaded(t, map[string]string{"GROQ_API_KEY": "b"})
	g, err := newGateway(was, layoutOf(was, withEnvoy, "/socket/dir"), log, &slog.LevelVar{})
	require.NoError(t, err)
	defer g.api.Close()
	require.NoError(t, g.first(t.Context(), was))
	chosen := func(model string) bool {
		_, refusal := g.extproc.Directory().Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(`{"model":"` + model + `"}`)})
		return refusal == nil
	}
	require.True(t, chosen("openai/x"))
	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan error, 1)
	go func() { applied <- g.apply(ctx, is) }() // waits for an Envoy, which is not there
	require.Eventually(t, func() bool { return !chosen("openai/x") }, 10*time.Second, time.Millisecond)
	assert.False(t, chosen("groq/x"))
	cancel()
	require.ErrorIs(t, <-applied, context.Canceled)
	assert.True(t, chosen("openai/x"), "all is as it was")
}

// Who is asked for an issuer's keys answers under the issuer's own name.
func TestIssuersRedirectNobody(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer other.Close()
	issuer := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer issuer.Close()
	resp, err := issuerClient(loaded(t, nil)).Get(issuer.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusFound, resp.StatusCode)
}
