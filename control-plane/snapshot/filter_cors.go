package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

const corsName = "envoy.filters.http.cors"

// originState is the filter state that holds which origin's page calls, for the answer: routes take the header away
// before a request leaves.
const originState = "igw.origin"

// corsFilters let pages of other origins call, when some may. The CORS filter answers a browser that asks beforehand
// (preflightRoute), and does so before anything asks who calls, since browsers ask without credentials. That is all it
// does: it passes over direct responses, which a chat request without a provider matches first, and all errors of the
// routes. What answers say to browsers is up to the virtual host (corsVirtualHost).
func corsFilters(in Input) []*hcmv3.HttpFilter {
	if !in.Config.Server.CORS.On() {
		return nil
	}
	return []*hcmv3.HttpFilter{
		filter("igw.origin", &setfilterstatev3.Config{OnRequestHeaders: []*filterstatev3.FilterStateValue{{
			Key:         &filterstatev3.FilterStateValue_ObjectKey{ObjectKey: originState},
			FactoryKey:  "envoy.string",
			SkipIfEmpty: true,
			Value: &filterstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format:          &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline("%REQ(origin)%")},
				OmitEmptyValues: true,
			}},
		}}}),
		filter(corsName, &corsv3.Cors{}),
	}
}
