package snapshot

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// modelRoutes are the model endpoints. A request comes in without a provider and matches "undecided", where ext_proc
// reads it; ext_proc sets the provider's header and the request matches that provider's route.
func modelRoutes(in Input) []*routev3.Route {
	var out []*routev3.Route
	for _, e := range catalog.Endpoints() {
		for _, p := range in.Config.Ready() {
			if path, ok := p.Paths[e]; ok {
				out = append(out, modelRoute(in, p, e, path))
			}
		}
		out = append(out, undecidedRoute(e), methodNotAllowed(string(e), exactPath(e.Path()), "POST"))
	}
	return out
}

// reconfigured is for the moment in which a provider goes.
const reconfigured = "the provider of this request is being reconfigured: try again"

// undecidedRoute is where ext_proc finds out the provider. Its reply is for the moment in which a provider's route has
// gone and ext_proc does not know yet.
func undecidedRoute(e catalog.Endpoint) *routev3.Route {
	r := direct(string(e)+": undecided", exactPath(e.Path(), method("POST")),
		apierror.New(apierror.Unavailable, reconfigured))
	r.TypedPerFilterConfig = withExtProc()
	return r
}

func modelRoute(in Input, p config.Provider, e catalog.Endpoint, path string) *routev3.Route {
	action := providerAction(in, p)
	action.PrefixRewrite = basePath(p) + path // an exact match: the whole path is replaced, the query stays
	r := providerRoute(p, exactPath(e.Path(), headerIs(catalog.ProviderHeader, p.ID)), action)
	r.Name = string(e) + ": " + p.ID
	// The body was read as JSON: no provider is to take it for something else, such as a form with another model in it.
	r.RequestHeadersToAdd = append(r.RequestHeadersToAdd, setHeader("content-type", "application/json"))
	if in.Config.Policy.Open && in.WasmPath != "" {
		r.TypedPerFilterConfig = withoutExtProc()
	}
	r.Metadata = lane("direct")
	return r
}
