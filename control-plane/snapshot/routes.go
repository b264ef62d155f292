package snapshot

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// routeConfigurations hold the routes in the order in which Envoy tries them: the first match decides.
func routeConfigurations(in Input) []cachetypes.Resource {
	public := policed(in, slices.Concat(loopRoutes(in), wasmRoutes(in), modelRoutes(in), refusedPaths(), refusedTrace(), ownRoutes(in), proxyRoutes(in), []*routev3.Route{nothingHere()}))
	limitRoutes(in, public)
	loopback := slices.Concat(modelRoutes(in), plainProxyRoutes(in), []*routev3.Route{nothingHere()})
	out := []cachetypes.Resource{routes(LoopbackListener, loopback), publicVirtualHosts(in, public)}
	if in.Config.Server.TLS.RedirectPort != 0 {
		out = append(out, routes(RedirectListener, redirectRoutes(in)))
	}
	if in.Config.Server.ProbePort != 0 {
		out = append(out, routes(ProbeListener, append(probeRoutes(), direct("nothing else", prefixPath("/"),
			apierror.New(apierror.NotFound, "this port answers GET /health and GET /ready alone")))))
	}
	return out
}

func routes(name string, list []*routev3.Route) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:         name,
		VirtualHosts: []*routev3.VirtualHost{{Name: name, Domains: []string{"*"}, Routes: list}},
		// The Host header never decides anything: providers' host names come from the configuration.
		ValidateClusters: no(),
		// The answer to an unknown provider lists the known ones; Envoy's own limit of 4 KiB would refuse every route.
		MaxDirectResponseBodySizeBytes: u32(1 << 20),
	}
}

// refusedPaths are dot segments hidden by escaped slashes or backslashes, which Envoy's normalisation leaves alone
// and a provider might resolve. Some do so without what follows a semicolon.
func refusedPaths() []*routev3.Route {
	m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{
		SafeRegex: regex(`(?i).*(^|/|\\|%2f|%5c)(\.|%2e)(\.|%2e)(/|\\|;|%2f|%5c|%3b|$).*`),
	}}
	return []*routev3.Route{direct("refused path", m, apierror.New(apierror.InvalidRequest, "the path has escaped dot segments"))}
}

// refusedTrace stands before the providers' own APIs: who answers a TRACE repeats the request, and the provider's key
// with it (RFC 9110, 9.3.8).
func refusedTrace() []*routev3.Route {
	m := prefixPath("/proxy/", method("TRACE"))
	m.CaseSensitive = no()
	r := direct("proxy: TRACE", m, apierror.New(apierror.MethodNotAllowed, "TRACE is not passed on to providers: they would repeat the key"))
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, setHeader("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
	return []*routev3.Route{r}
}

// ownHeader marks a request to the gateway's own process, for the local reply when that is not there.
const ownHeader = catalog.InternalHeaderPrefix + "own"

// ownRoutes are the gateway's own endpoints: health by Envoy itself, the rest by the API.
func ownRoutes(in Input) []*routev3.Route {
	return append(openToAll(in, probeRoutes()),
		apiRoute("models", exactPath("/v1/models")),
		apiRoute("model", prefixPath("/v1/models/")),
		apiRoute("mcp", prefixPath("/v1/mcp/")),
		apiRoute("a2a", prefixPath("/v1/a2a/")),
	)
}

// probeRoutes say whether the gateway lives and whether it is ready.
func probeRoutes() []*routev3.Route {
	return []*routev3.Route{
		directBody("health", exactPath("/health", method("GET|HEAD")), 200, `{"status":"ok"}`),
		methodNotAllowed("health", exactPath("/health"), "GET, HEAD"),
		apiRoute("ready", exactPath("/ready")),
	}
}

func apiRoute(name string, m *routev3.RouteMatch) *routev3.Route {
	return &routev3.Route{Name: name, Match: m, Metadata: lane("static"), RequestHeadersToAdd: []*corev3.HeaderValueOption{setHeader(ownHeader, "true")}, Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: apiCluster},
		Timeout:          duration(0),
		RetryPolicy:      &routev3.RetryPolicy{RetryOn: "connect-failure,reset-before-request,refused-stream"},
	}}}
}

func nothingHere() *routev3.Route {
	return direct("nothing here", prefixPath("/"), apierror.New(apierror.NotFound,
		"no such endpoint: see POST /v1/chat/completions, GET /v1/models, ANY /proxy/{provider}/{path}"))
}

func exactPath(path string, headers ...*routev3.HeaderMatcher) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: path}, Headers: headers}
}

func prefixPath(prefix string, headers ...*routev3.HeaderMatcher) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}, Headers: headers}
}

// method matches one method, or several separated by |.
func method(names string) *routev3.HeaderMatcher {
	if strings.Contains(names, "|") {
		return headerRegex(":method", names)
	}
	return headerIs(":method", names)
}

func headerIs(name, value string) *routev3.HeaderMatcher {
	return headerMatch(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}})
}

func headerRegex(name, pattern string) *routev3.HeaderMatcher {
	return headerMatch(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(pattern)}})
}

func headerMatch(name string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

func headerAbsent(name string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: false}}
}

func regex(pattern string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: pattern} }

// lane says in the route, and so in the access log, which way a request takes.
func lane(name string) *corev3.Metadata {
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		metadataNamespace: {Fields: map[string]*structpb.Value{"lane": structpb.NewStringValue(name)}},
	}}
}

// direct answers with an error of the table, without an upstream.
func direct(name string, m *routev3.RouteMatch, e *apierror.Error) *routev3.Route {
	return directBody(name, m, uint32(e.Status()), string(e.Body()))
}

func directBody(name string, m *routev3.RouteMatch, code uint32, body string) *routev3.Route {
	return &routev3.Route{
		Name: name, Match: m, Metadata: lane("static"),
		Action:               &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: code, Body: inline(body)}},
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{setHeader("content-type", "application/json")},
	}
}

func methodNotAllowed(name string, m *routev3.RouteMatch, allow string) *routev3.Route {
	r := direct(name+": other methods", m, apierror.New(apierror.MethodNotAllowed, "method not allowed: use %s", allow))
	r.ResponseHeadersToAdd = append(r.ResponseHeadersToAdd, setHeader("allow", allow))
	return r
}

func setHeader(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func internalHeaders() []string {
	return []string{catalog.ProviderHeader, catalog.CheckedHeader, catalog.CallerHeader, catalog.GroupsHeader, catalog.SessionHeader, catalog.LimitsHeader, catalog.TokensHeader, catalog.UncountedHeader}
}
