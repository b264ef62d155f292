package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// ollamaAddresses are where Ollama listens unless it is told otherwise, and where one listens that was told localhost on a
// machine that takes that for IPv6.
var ollamaAddresses = []string{"127.0.0.1:11434", "[::1]:11434"}

// discover offers an Ollama that runs on this machine when nobody has configured a provider.
func discover(ctx context.Context, c *config.Config, addresses []string, log *slog.Logger) *config.Config {
	ready := c.Ready()
	if len(ready) != 1 || ready[0].ID != "demo" {
		return c
	}
	for _, address := range addresses {
		if isOllama(ctx, address) {
			log.Info("found an Ollama on this machine and offer its models as ollama/…")
			return c.WithDiscovered("ollama", "http://"+address+"/v1")
		}
	}
	return c
}

// isOllama asks for the version that Ollama tells. Something else may listen on its port; to offer that as a provider
// would be a promise that fails.
func isOllama(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // the start waits for it
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/version", nil)
	if err != nil {
		return false
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy: it is this machine
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Version string `json:"version"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&answer)
	return err == nil && resp.StatusCode == http.StatusOK && answer.Version != ""
}
