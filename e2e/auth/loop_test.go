package auth

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

var aToken = regexp.MustCompile(`eyJ[\w-]{8,}`)

// Whoever calls, and however: what says so goes to no provider, tool server or agent, nor does what only the gateway's own
// parts say to each other.
func TestNobodyBehindTheGatewaySeesWhoCalls(t *testing.T) {
	t.Parallel()
	e := newEverything(t)
	b := newBrowser(t)
	_, page := b.logIn(e.world, "/v1/models")
	require.Equal(t, http.StatusOK, page.Status, page)
	var cookies []string
	for name, c := range b.host(e.world) {
		cookies = append(cookies, name+"="+c.Value)
	}
	require.NotEmpty(t, cookies)
	session := "Cookie: " + strings.Join(cookies, "; ")
	for name, headers := range map[string][]string{
		"a token":             {bearer(e.issuer.token(t))},
		"a token and cookies": {bearer(e.issuer.token(t)), session, "Cookie: own=SECRETMARKER-crumb"},
		"a login":             {session},
		"a key":               {bearer(callerKey)},
		"a key of its own":    {"X-Api-Key: " + callerKey, "Cookie: own=SECRETMARKER-crumb"},
	} {
		for kind, body := range map[string]string{"whole": useBoth(false), "streamed": useBoth(true), "bypassed": useBoth(false)} {
			t.Run(name+", "+kind, func(t *testing.T) {
				all := append([]string{
					"X-Igw-Caller: oidc:nobody", "X-Igw-Session: SECRETMARKER-session", "X-Igw-Provider: other", "X-Igw-Anything: SECRETMARKER-any",
					"Referer: https://page.example/?SECRETMARKER", "X-Forwarded-For: 203.0.113.7", "Proxy-Authorization: Basic SECRETMARKER",
				}, headers...)
				if kind == "bypassed" {
					all = append(all, "X-MCP-Bypass: true", "X-A2A-Bypass: true")
				}
				e.own.Reset()
				e.agent.Reset()
				e.tools.Reset()
				r := e.Chat(t, body, all...)
				require.Equal(t, http.StatusOK, r.Status, r)
				provider, tool, agent := e.own.Requests(), e.tools.Requests(), e.agent.Requests()
				require.NotEmpty(t, provider)
				if kind != "bypassed" {
					require.GreaterOrEqual(t, len(provider), 2, "a turn that asks for the tools, and one that has their answers")
					heard := func(list []harness.Request, text string) (yes bool) {
						for _, r := range list {
							yes = yes || strings.Contains(string(r.Body), text)
						}
						return yes
					}
					require.True(t, heard(tool, "to the tool"), "the tool was called")
					require.True(t, heard(agent, "to the agent"), "the agent was called")
				}
				tellsNothing(t, "provider", provider, "Authorization", "Bearer "+providerKey)
				tellsNothing(t, "tool server", tool, "X-Tool", toolSecret)
				tellsNothing(t, "agent", agent, "X-Agent", agentSecret)
			})
		}
	}
}

// tellsNothing looks through everything that has arrived somewhere. One header alone may have one secret.
func tellsNothing(t *testing.T, who string, list []harness.Request, own, secret string) {
	t.Helper()
	for _, r := range list {
		assert.Equal(t, []string{secret}, r.Header.Values(own), who)
		header := r.Header.Clone()
		header.Del(own)
		for name, values := range header {
			said := name + ": " + strings.Join(values, ", ")
			assert.NotRegexp(t, aToken, said, who)
			for _, part := range []string{marker, "203.0.113.7", "id2"} {
				assert.NotContains(t, said, part, who)
			}
			assert.False(t, strings.HasPrefix(name, "X-Igw-") || strings.HasPrefix(name, "X-Envoy-"), "%s: %s", who, said)
			assert.NotContains(t, []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "Referer", "X-Forwarded-For"}, name, who)
		}
		assert.NotRegexp(t, aToken, r.URI+string(r.Body), who)
		assert.NotContains(t, r.URI+string(r.Body), marker, who)
	}
}
