package snapshot

import (
	"regexp"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	requestsLimited = "/limits/requests.yaml"
	bothLimited     = "/limits/both.yaml"
)

var limitFiles = map[string]string{
	requestsLimited: `
limits:
  - {name: each-address, per: address, requests: {minute: 60, day: 5000}}
`,
	bothLimited: `
limits:
  - {name: each, per: caller, requests: {minute: 60}, tokens: {minute: 100000, month: 4000000000}, except: {groups: [staff], callers: ["key:ops-*"]}}
  - {name: team, per: everyone, groups: [a team, b], tokens: {day: 100000}}
  - {name: ci, per: everyone, callers: ["key:ci-*", "oidc:login.example.com/*"], requests: {hour: 100}}
  - {name: plan, per: "claim:org.id", claims: {plan: free}, requests: {minute: 5}, tokens: {hour: 5000}}
`,
}

// headerMutation stands first for every answer, whatever is configured.
const headerMutation = "envoy.filters.http.header_mutation"

// What is not limited costs nothing: no filter, no cluster.
func TestWithoutLimitsThereIsNothingOfThem(t *testing.T) {
	for _, variables := range [][]string{everyProvider(), append(everyProvider(), "RATELIMIT_URL=grpc://limits:8081")} {
		s := build(t, variables...)
		assert.Equal(t, []string{headerMutation, extProcName, "envoy.filters.http.router"}, filtersOf(t, s.GetResources(listenerType)[PublicListener]))
		assert.NotContains(t, s.GetResources(clusterType), rateLimitCluster)
	}
}

func TestTheFiltersOfLimits(t *testing.T) {
	const router = "envoy.filters.http.router"
	for _, tt := range []struct {
		name      string
		variables []string
		filters   []string
	}{
		{"requests are Envoy's alone", []string{"LIMITS_FILE=" + requestsLimited}, []string{limitHeadersName, requestLimitsName, extProcName, router}},
		{"tokens are the gateway's", []string{"LIMITS_FILE=" + bothLimited}, []string{limitHeadersName, requestLimitsName, extProcName, tokenLimitsName, usageName, router}},
		{"what is shared is the gateway's", []string{"LIMITS_FILE=" + requestsLimited, "RATELIMIT_URL=grpc://limits:8081"}, []string{extProcName, requestLimitsName, router}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := build(t, append(tt.variables, "OPENAI_API_KEY=a")...)
			assert.Equal(t, append([]string{headerMutation}, tt.filters...), filtersOf(t, s.GetResources(listenerType)[PublicListener]))
			assert.Equal(t, []string{extProcName, router}, filtersOf(t, s.GetResources(listenerType)[LoopbackListener]), "the gateway's own calls are never limited")
			assert.Contains(t, s.GetResources(clusterType), rateLimitCluster)
		})
	}
}

func filtersOf(t *testing.T, r any) []string {
	t.Helper()
	m := &hcmv3.HttpConnectionManager{}
	require.NoError(t, r.(*listenerv3.Listener).GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(m))
	return filterNames(m.GetHttpFilters())
}

func TestWhereLimitsHold(t *testing.T) {
	list := routesOf(t, PublicListener, "OPENAI_API_KEY=a", "LIMITS_FILE="+bothLimited, "MCP_ENABLED=true", "MCP_SERVERS=http://localhost:9")
	requests, tokens := map[string]bool{}, map[string]bool{}
	for _, r := range list {
		_, off := r.GetTypedPerFilterConfig()[requestLimitsName]
		requests[r.GetName()] = !off
		_, off = r.GetTypedPerFilterConfig()[tokenLimitsName]
		tokens[r.GetName()] = !off
	}
	for name, want := range map[string][2]bool{
		"health": {false, false}, "health: other methods": {false, false}, "ready": {false, false},
		"nothing here": {false, false}, "refused path": {false, false},
		"models": {true, false}, "model": {true, false}, "mcp": {true, false}, "a2a": {true, false},
		"chat/completions: undecided": {true, true}, "chat/completions: loop": {true, true}, "chat/completions: tools bypassed": {true, true},
		"chat/completions: openai": {true, true}, "embeddings: undecided": {true, true}, "messages: undecided": {true, true},
		"proxy: openai: no body": {true, false}, "proxy: openai: checked": {true, true}, "proxy: openai: to be checked": {true, true},
	} {
		require.Contains(t, requests, name)
		assert.Equal(t, want, [2]bool{requests[name], tokens[name]}, name)
	}
	assert.NotContains(t, requests, "proxy: openai: small body", "what a proxied request may take is reckoned")
	for _, r := range list {
		if r.GetName() == "chat/completions: loop" {
			assert.Contains(t, r.GetTypedPerFilterConfig(), extProcName, "and so is what one with tools may")
		}
		if r.GetRoute() == nil || !tokens[r.GetName()] {
			continue
		}
		assert.Contains(t, r.GetTypedPerFilterConfig(), usageName, r.GetName())
		assert.True(t, hasHeader(r, "accept-encoding", "identity"), "%s: what is compressed cannot be read", r.GetName())
		assert.Subset(t, r.GetResponseHeadersToRemove(), []string{"x-ratelimit-remaining-tokens", "x-ratelimit-limit-requests"}, r.GetName())
	}
}

func hasHeader(r *routev3.Route, name, value string) bool {
	for _, h := range r.GetRequestHeadersToAdd() {
		if h.GetHeader().GetKey() == name && h.GetHeader().GetValue() == value {
			return true
		}
	}
	return false
}

func TestPatternsOfCallersAndGroups(t *testing.T) {
	full := func(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }
	callers := full(onePattern([]string{"key:ci-*", "cert:a.b"}))
	for s, want := range map[string]bool{"key:ci-1": true, "key:ci-": true, "cert:a.b": true, "cert:axb": false, "key:ci": false, "x key:ci-1": false} {
		assert.Equal(t, want, callers.MatchString(s), s)
	}
	groups := full(oneName([]string{"a%20team", "b+"}))
	for s, want := range map[string]bool{
		"a%20team": true, "x,a%20team": true, "b+,y": true, "x,b+,y": true, "a%20teamx": false, "bb": false, "": false, "xa%20team": false,
	} {
		assert.Equal(t, want, groups.MatchString(s), s)
	}
}

// Envoy's own counter finds a bucket only when the entries fit those of the request one by one.
func TestEntriesFitTheActions(t *testing.T) {
	for _, r := range inputOf(t, "LIMITS_FILE="+bothLimited).Config.Limits.Set.Rules {
		actions, made := fitting(r, "x"), entries(r, "x")
		require.Len(t, made, len(actions))
		for i, e := range made {
			assert.NotEmpty(t, e.GetKey(), r.Name)
			anyValue := i == len(made)-1 && r.Per != "everyone"
			assert.Equal(t, anyValue, e.GetValue() == "", "%s: only whose budget it is is open: %s", r.Name, e.GetKey())
		}
		assert.False(t, strings.HasPrefix(made[len(made)-1].GetKey(), "claim."), r.Name)
	}
}
