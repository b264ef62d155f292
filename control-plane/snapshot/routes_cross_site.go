package snapshot

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// crossSiteRoutes refuse what a page of another site makes a browser do. Without them any page that somebody has open
// could have a gateway on that machine ask models, and, by a WebSocket, read the answers: browsers ask nobody before they
// send a plain POST. Browsers say so in Sec-Fetch-Site, which pages cannot set; other clients do not send it.
func crossSiteRoutes() []*routev3.Route {
	refuse := func(name string, more ...*routev3.HeaderMatcher) *routev3.Route {
		headers := append([]*routev3.HeaderMatcher{headerRegex("sec-fetch-site", "cross-site|same-site")}, more...)
		return direct("cross-site: "+name, prefixPath("/", headers...), apierror.New(apierror.PermissionDenied,
			"a page of another site may not call this gateway"))
	}
	return []*routev3.Route{
		refuse("changes", method("POST|PUT|PATCH|DELETE")),
		refuse("websocket", method("GET"), headerRegex("upgrade", ".+")),
	}
}

// corsHeaders are what a provider may say about pages; it is not the one to say it.
func corsHeaders() []string {
	return []string{
		"access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
		"access-control-allow-private-network", "access-control-expose-headers", "access-control-max-age",
	}
}
