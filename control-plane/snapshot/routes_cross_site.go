package snapshot

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// changes are the methods that do something.
const changes = "POST|PUT|PATCH|DELETE"

// refuseSite refuses what a page of another site makes a browser do. Without it any page that somebody has open could
// have a gateway on that machine ask models, and, by a WebSocket, read the answers: browsers ask nobody before they
// send a plain POST. Browsers say so in Sec-Fetch-Site, which pages cannot set; other clients do not send it.
func refuseSite(name string, more ...*routev3.HeaderMatcher) *routev3.Route {
	return direct("cross-site: "+name, prefixPath("/", append([]*routev3.HeaderMatcher{crossSite()}, more...)...), apierror.New(apierror.PermissionDenied,
		"a page of another site may not call this gateway (SERVER_CORS_ALLOWED_ORIGINS)"))
}

// websocketRoute refuses WebSockets, even to pages that may call: they can send no key with one, so that whoever is let in
// is known by a cookie.
func websocketRoute() *routev3.Route {
	return refuseSite("websocket", method("GET"), headerRegex("upgrade", ".+"))
}

func crossSite() *routev3.HeaderMatcher {
	return headerRegex("sec-fetch-site", "cross-site|same-site")
}

// corsHeaders are what a provider may say about pages; it is not the one to say it.
func corsHeaders() []string {
	return []string{
		"access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
		"access-control-allow-private-network", "access-control-expose-headers", "access-control-max-age",
	}
}
