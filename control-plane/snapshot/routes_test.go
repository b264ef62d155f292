package snapshot

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

func routesOf(t testing.TB, listener string, variables ...string) []*routev3.Route {
	t.Helper()
	c, ok := build(t, variables...).GetResources(routeType)[listener].(*routev3.RouteConfiguration)
	require.True(t, ok)
	require.Len(t, c.GetVirtualHosts(), 1)
	assert.Equal(t, []string{"*"}, c.GetVirtualHosts()[0].GetDomains(), "the Host header must not decide anything")
	return c.GetVirtualHosts()[0].GetRoutes()
}

func filterNames(list []*hcmv3.HttpFilter) (out []string) {
	for _, f := range list {
		out = append(out, f.GetName())
	}
	return out
}

// A change of the order is a decision: it must be made here as well.
func TestFilterOrder(t *testing.T) {
	last := []string{"envoy.filters.http.ext_proc", "envoy.filters.http.router"}
	holds := func(want []string, in Input) []*hcmv3.HttpFilter {
		t.Helper()
		list := publicFilters(in)
		assert.Equal(t, slices.Concat([]string{"envoy.filters.http.header_mutation"}, want, last), filterNames(list))
		return list
	}
	plain := holds(nil, inputOf(t))
	holds([]string{"envoy.filters.http.set_filter_state"}, inputOf(t,
		"SERVER_TLS_CERT_PATH="+certPath, "SERVER_TLS_KEY_PATH="+keyPath, "SERVER_TLS_CLIENT_CA_PATH="+certPath))
	checked := holds([]string{"envoy.filters.http.ext_authz", "envoy.filters.http.set_filter_state"}, inputOf(t, "API_KEYS_FILE="+keysPath))
	assert.False(t, checked[1].GetDisabled(), "who calls is asked of every request that no route exempts")
	withModule := inputOf(t, "WASM_ENABLED=true")
	withModule.WasmPath = "/modules/filter.wasm"
	assert.True(t, holds([]string{"envoy.filters.http.wasm"}, withModule)[1].GetDisabled(), "and so is wasm")
	policed := inputOf(t)
	policed.WasmPath, policed.Config.Policy = withModule.WasmPath, config.Policy{File: "a", JSON: []byte(`{}`)}
	holds([]string{"envoy.filters.http.buffer", "inference-gateway.policy"}, policed)
	withModule.Config.Policy = policed.Config.Policy
	for _, f := range holds([]string{"envoy.filters.http.buffer", "envoy.filters.http.wasm", "inference-gateway.policy"}, withModule)[1:4] {
		assert.True(t, f.GetDisabled(), f.GetName())
	}
	holds([]string{"envoy.filters.http.jwt_authn", "envoy.filters.http.lua", "envoy.filters.http.set_filter_state"},
		inputOf(t, "AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://a", "AUTH_OIDC_CLIENT_ID=x"))
	holds([]string{"igw.origin", "envoy.filters.http.cors", "envoy.filters.http.ext_authz", "envoy.filters.http.set_filter_state"},
		inputOf(t, "SERVER_CORS_ALLOWED_ORIGINS=*", "API_KEYS_FILE="+keysPath))
	assert.Equal(t, last, filterNames(loopbackFilters()))
	for _, list := range [][]*hcmv3.HttpFilter{plain[1:], loopbackFilters()} {
		assert.True(t, list[0].GetDisabled(), "ext_proc is off unless a route switches it on")
		assert.False(t, list[len(list)-1].GetDisabled())
	}
	in := inputOf(t, "OPENAI_API_KEY=a")
	openai := in.Config.Ready()[0]
	assert.Equal(t, []string{"envoy.filters.http.header_mutation", "envoy.filters.http.credential_injector", "envoy.filters.http.upstream_codec"},
		filterNames(upstreamFilters(openai)))
}

// The external processor sees a model request before it is decided and a proxied one that has to be read: no other.
func TestExtProcIsOnWhereSomethingIsToBeRead(t *testing.T) {
	for _, listener := range []string{PublicListener, LoopbackListener} {
		var on int
		for _, r := range routesOf(t, listener, everyProvider()...) {
			want := strings.HasSuffix(r.GetName(), ": undecided") || strings.HasSuffix(r.GetName(), ": to be checked")
			packed, got := r.GetTypedPerFilterConfig()[extProcName]
			assert.Equal(t, want, got, r.GetName())
			if !got {
				continue
			}
			on++
			per := &extprocv3.ExtProcPerRoute{}
			require.NoError(t, packed.UnmarshalTo(per))
			assert.NotNil(t, per.GetOverrides())
			assert.EqualValues(t, 503, r.GetDirectResponse().GetStatus(), "%s: what was not decided goes nowhere", r.GetName())
		}
		assert.Positive(t, on)
	}
}

// With a list, no proxied request goes by unread.
func TestAListClosesTheWaysAroundTheCheck(t *testing.T) {
	for _, restriction := range []string{"ALLOWED_MODELS=a", "DISALLOWED_MODELS=a", "ACCESS_FILE=" + rulesPath} {
		for _, r := range routesOf(t, PublicListener, "OPENAI_API_KEY=a", restriction) {
			if !strings.HasPrefix(r.GetName(), "proxy: openai: ") || r.GetRoute() == nil {
				continue
			}
			why := strings.TrimPrefix(r.GetName(), "proxy: openai: ")
			headers := map[string]*routev3.HeaderMatcher{}
			for _, h := range r.GetMatch().GetHeaders() {
				headers[h.GetName()] = h
			}
			switch why {
			case "checked":
				assert.Equal(t, "true", headers["x-igw-checked"].GetStringMatch().GetExact())
			case "no body":
				assert.Equal(t, "true", headers["x-igw-checked"].GetStringMatch().GetExact(), "its path may name a model")
				assert.NotNil(t, headers["content-length"])
				assert.NotNil(t, headers["transfer-encoding"])
				assert.NotContains(t, headers[":method"].GetStringMatch().GetSafeRegex().GetRegex(), "POST")
			case "websocket":
				// A POST that only says that it wants an upgrade is answered by its body like any other.
				assert.Equal(t, "GET", headers[":method"].GetStringMatch().GetExact())
				assert.Contains(t, r.GetTypedPerFilterConfig(), extProcName, "its path and query may")
			default:
				t.Errorf("%s lets requests by", r.GetName())
			}
		}
	}
}

// A provider that is not ready has no route to anywhere: only an answer that says what to set.
func TestNoRouteOfAProviderThatIsNotReady(t *testing.T) {
	in := inputOf(t, "OPENAI_API_KEY=a", "GROQ_API_KEY=b", "GROQ_ENABLED=false")
	var refused int
	for _, r := range routesOf(t, PublicListener, "OPENAI_API_KEY=a", "GROQ_API_KEY=b", "GROQ_ENABLED=false") {
		if c := r.GetRoute().GetCluster(); c != "" {
			assert.Contains(t, []string{apiCluster, "provider/openai"}, c, r.GetName())
		}
		if strings.HasSuffix(r.GetName(), " not configured") {
			refused++
			assert.EqualValues(t, 400, r.GetDirectResponse().GetStatus())
			assert.Contains(t, r.GetDirectResponse().GetBody().GetInlineString(), "set ")
		}
	}
	assert.Equal(t, len(in.Config.Providers)-1, refused)
	for _, p := range in.Config.Providers {
		assert.Equal(t, p.ID == "openai", p.State == config.Ready, p.ID)
	}
}

// Whoever calls the gateway is nobody's business at the provider.
func TestClientCredentialsStayHere(t *testing.T) {
	for _, listener := range []string{PublicListener, LoopbackListener} {
		var seen int
		for _, r := range routesOf(t, listener, everyProvider()...) {
			if !strings.HasPrefix(r.GetRoute().GetCluster(), "provider/") {
				continue
			}
			seen++
			for _, h := range []string{
				"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie",
				"x-forwarded-for", "forwarded", "x-real-ip", "x-igw-provider", "x-igw-checked", "x-igw-origin", "x-igw-shown", "origin", "referer",
			} {
				assert.Contains(t, r.GetRequestHeadersToRemove(), h, r.GetName())
			}
			if r.GetRoute().GetCluster() == "provider/vllm" {
				assert.Contains(t, r.GetRequestHeadersToRemove(), "x-secret")
			}
			assert.Contains(t, r.GetResponseHeadersToRemove(), "set-cookie", r.GetName())
			assert.Contains(t, r.GetResponseHeadersToRemove(), retryHintHeader, r.GetName())
		}
		assert.Positive(t, seen)
	}
}

// The first route that matches decides, so what is wide stands after what is narrow.
func TestNothingStandsBehindACatchAll(t *testing.T) {
	for _, listener := range []string{PublicListener, LoopbackListener} {
		list := routesOf(t, listener, everyProvider()...)
		names := map[string]bool{}
		for i, r := range list {
			assert.Equal(t, i == len(list)-1, r.GetMatch().GetPrefix() == "/" && len(r.GetMatch().GetHeaders()) == 0, r.GetName())
			assert.NotEmpty(t, r.GetName())
			assert.False(t, names[r.GetName()], "two routes are named %s", r.GetName())
			names[r.GetName()] = true
			assert.NotEmpty(t, r.GetMetadata().GetFilterMetadata()[metadataNamespace].GetFields()["lane"].GetStringValue(), r.GetName())
		}
	}
}

var formatters = regexp.MustCompile(`%[A-Z][A-Z_]*(\([^)]*\))?%`)

// wellFormed holds a body to the shape that clients read, after Envoy's own formatters became text.
func wellFormed(t *testing.T, body string) {
	t.Helper()
	var e struct {
		Error map[string]any `json:"error"`
	}
	plain := strings.ReplaceAll(formatters.ReplaceAllString(body, "x"), "%%", "%")
	require.NoError(t, json.Unmarshal([]byte(plain), &e), body)
	for _, field := range []string{"message", "type", "param", "code"} {
		assert.Contains(t, e.Error, field, body)
	}
}

func TestDirectResponsesAreErrorsOfTheTable(t *testing.T) {
	for _, r := range routesOf(t, PublicListener, everyProvider()...) {
		d := r.GetDirectResponse()
		if d == nil || r.GetName() == "health" {
			continue
		}
		wellFormed(t, d.GetBody().GetInlineString())
		assert.Contains(t, []uint32{400, 403, 404, 405, 503}, d.GetStatus(), r.GetName())
		if d.GetStatus() == 405 {
			assert.Equal(t, "allow", r.GetResponseHeadersToAdd()[1].GetHeader().GetKey())
		}
	}
}

func TestLocalReplies(t *testing.T) {
	want := map[string]uint32{
		"request_timeout": 408, "unavailable": 503, "upstream_timeout": 504, "upstream_error": 502, "overloaded": 503,
		"not_found": 404, "invalid_request": 400, "headers_too_large": 431, "request_too_large": 413, "internal_error": 500,
		"unauthorized": 401, "invalid_api_key": 401,
		"rate_limit_exceeded": 429,
	}
	seen, written := map[string]bool{}, []string(nil)
	for _, m := range localReplies(inputOf(t, "AUTH_ENABLED=true", "AUTH_OIDC_ISSUER=https://a", "AUTH_OIDC_CLIENT_ID=x").Config).GetMappers() {
		if m.GetBodyFormatOverride() == nil { // a policy, ext_authz or ext_proc has written that body, with the same table
			written = append(written, m.GetFilter().String())
			continue
		}
		body := m.GetBodyFormatOverride().GetTextFormatSource().GetInlineString()
		wellFormed(t, body)
		assert.NotContains(t, body, theProvider)
		assert.Equal(t, "application/json", m.GetBodyFormatOverride().GetContentType())
		code := regexp.MustCompile(`"code":"(\w+)"`).FindStringSubmatch(body)
		require.NotNil(t, code, body)
		seen[code[1]] = true
		assert.Equal(t, want[code[1]], m.GetStatusCode().GetValue(), body)
		if strings.HasPrefix(code[1], "upstream_") && !strings.Contains(m.GetFilter().String(), ownHeader) {
			assert.Contains(t, body, "%METADATA(CLUSTER:igw:provider)%")
		}
	}
	assert.Len(t, seen, len(want))
	assert.Equal(t, []string{
		matches(headerPresent(catalog.PolicyHeader)).String(), flags("UAEX").String(), detailsAre("igw_overloaded").String(),
	}, written)
}

// Envoy refuses a whole route configuration for one direct response above its limit.
func TestManyProvidersFitADirectResponse(t *testing.T) {
	names, env := "", []string{}
	for i := range 300 {
		name := "a-provider-with-a-long-name-" + strconv.Itoa(i)
		names += name + ","
		env = append(env, strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_API_URL=http://10.0.0.7")
	}
	c, _ := build(t, append(env, "PROVIDERS="+names)...).GetResources(routeType)[PublicListener].(*routev3.RouteConfiguration)
	longest := 0
	for _, r := range c.GetVirtualHosts()[0].GetRoutes() {
		longest = max(longest, len(r.GetDirectResponse().GetBody().GetInlineString()))
	}
	assert.Greater(t, longest, 4096, "or this test tests nothing")
	assert.Less(t, longest, int(c.GetMaxDirectResponseBodySizeBytes().GetValue()))
}

// A percent sign in a message is Envoy's, unless it is doubled.
func TestAPercentSignInALocalReply(t *testing.T) {
	m := reply(status(500), "internal_error", "100% of {provider}")
	body := m.GetBodyFormatOverride().GetTextFormatSource().GetInlineString()
	assert.Contains(t, body, "100%% of %METADATA(")
	wellFormed(t, body)
}
