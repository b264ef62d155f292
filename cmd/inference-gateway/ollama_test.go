package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// discovered gives the names of the providers that are ready after a look at the addresses, and what was logged.
func discovered(t *testing.T, c *config.Config, addresses ...string) (ids []string, logged string) {
	var out bytes.Buffer
	for _, p := range discover(t.Context(), c, addresses, slog.New(slog.NewTextHandler(&out, nil))).Ready() {
		ids = append(ids, p.ID)
	}
	return ids, out.String()
}

// ollama answers as Ollama does.
func ollama(t *testing.T) (address string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ollama is running") })
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"version":"0.12.3"}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestAnOllamaIsOfferedWhenNothingElseIs(t *testing.T) {
	address := ollama(t)
	c := loaded(t, nil)
	nobody := httptest.NewServer(nil)
	nobody.Close()
	addresses := []string{strings.TrimPrefix(nobody.URL, "http://"), address}
	ids, logged := discovered(t, c, addresses...)
	assert.Equal(t, []string{"demo", "ollama"}, ids)
	assert.Contains(t, logged, "found an Ollama")
	for _, p := range discover(t.Context(), c, addresses, slog.New(slog.DiscardHandler)).Ready() {
		if p.ID == "ollama" {
			assert.Equal(t, "http://"+address+"/v1", p.URL.String())
		}
	}

	ids, logged = discovered(t, loaded(t, map[string]string{"OPENAI_API_KEY": "sk-x", "DEMO_ENABLED": "true"}), address)
	assert.Equal(t, []string{"demo", "openai"}, ids, "somebody has chosen")
	assert.Empty(t, logged)
	ids, _ = discovered(t, loaded(t, map[string]string{"OLLAMA_ENABLED": "false"}), address)
	assert.Equal(t, []string{"demo"}, ids, "it is switched off")
}

func TestWhatIsNoOllamaIsNotOffered(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	defer silent.Close()
	for name, address := range map[string]string{"nobody": strings.TrimPrefix(closed.URL, "http://"), "who says nothing": silent.Addr().String()} {
		ids, logged := discovered(t, loaded(t, nil), address)
		assert.Equal(t, []string{"demo"}, ids, name)
		assert.Empty(t, logged, name)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a web server": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"without one":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"version":""}`) },
		"an error":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"version":"1"}`, http.StatusNotFound) },
		"a redirection": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		s := httptest.NewServer(answer)
		ids, _ := discovered(t, loaded(t, nil), strings.TrimPrefix(s.URL, "http://"))
		s.Close()
		assert.Equal(t, []string{"demo"}, ids, name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	assert.False(t, isOllama(ctx, silent.Addr().String()), "the gateway is told to end")
}
