package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hidden stands in every secret below, and may be seen in nothing that is printed.
const hidden = "hunter2"

func secretEnv() map[string]string {
	return map[string]string{
		"OPENAI_API_KEY": hidden, "PROVIDERS": "own", "OWN_API_URL": "http://own/v1", "OWN_API_KEY": hidden,
		"AUTH_OIDC_CLIENT_SECRET": hidden,
		"MCP_SERVERS":             "a=http://a/mcp", "MCP_A_HEADERS": "X-Key=" + hidden,
		"OPENAI_API_KYE": hidden, "OLLAMA_API_KEY": hidden, "GUARDRAILS_EXTERNAL_URL": "http://" + hidden,
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	cfg, warnings, err := Load(secretEnv())
	require.NoError(t, err)
	openai, _ := provider(cfg, "openai")
	assert.Equal(t, hidden, openai.Key.Reveal())
	assert.Equal(t, hidden, cfg.MCP.Servers[0].Headers[0].Value.Reveal())

	var out bytes.Buffer
	for _, v := range []any{cfg, *cfg, cfg.Providers, openai, openai.Key, &openai.Key, cfg.MCP.Servers, cfg.Effective(), warnings} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(encoded)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("config", "value", v)
		}
	}
	assert.NotContains(t, out.String(), hidden)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", hidden))
	assert.Contains(t, out.String(), mask)
}

func TestProblemsNeverPrintSecrets(t *testing.T) {
	env := map[string]string{
		"OPENAI_API_KEY": hidden + "\n", "GROQ_API_KEY": hidden, "GROQ_API_KEY_FILE": "/x",
		"MCP_SERVERS": "a=http://" + hidden + "@a/mcp,http://b/?k=" + hidden, "MCP_A_HEADERS": hidden,
		"A2A_AGENTS": "a=http://a", "A2A_A_HEADERS": hidden,
		"AUTH_OIDC_CLIENT_SECRET": hidden + "\x00", "OPENAI_API_URL": "https://me:" + hidden + "@x/v1",
		"GOOGLE_API_URL": "https://x/v1?key=" + hidden, "COHERE_API_URL": "%zz@" + hidden, "ZAI_API_URL": "x?key=" + hidden,
		"MISTRAL_API_URL":                 "https://x/#" + hidden,
		"TELEMETRY_TRACING_OTLP_ENDPOINT": "http://u:" + hidden + "@x", "MCP_ENABLED": "perhaps",
	}
	_, _, err := Load(env)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), hidden)
	assert.NotContains(t, fmt.Sprintf("%#v %+v", err, err), hidden)
	var problems Problems
	require.ErrorAs(t, err, &problems)
	assert.Len(t, problems, 12, err)
}

func TestEmptySecretShowsNothing(t *testing.T) {
	assert.Equal(t, `"" `, fmt.Sprintf("%q %s", Secret(""), Secret("")))
}
