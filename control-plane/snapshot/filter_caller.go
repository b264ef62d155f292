package snapshot

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// callerState is the filter state that holds who calls, for the access log: routes take the header away before a
// request leaves, and so before its line is written.
const callerState = "igw.caller"

// callersKnown says whether anything tells callers apart.
func callersKnown(c *config.Config) bool {
	return c.Server.TLS.ClientCA != "" || c.Auth.Enabled || c.Access.On()
}

// callerFilter remembers who calls. It stands behind everything that finds that out.
func callerFilter() *hcmv3.HttpFilter {
	return remember("envoy.filters.http.set_filter_state", callerState, catalog.CallerHeader)
}

// remember keeps a header of the request as filter state, when it is there.
func remember(name, state, header string) *hcmv3.HttpFilter {
	return filter(name, &setfilterstatev3.Config{
		OnRequestHeaders: []*filterstatev3.FilterStateValue{{
			Key:         &filterstatev3.FilterStateValue_ObjectKey{ObjectKey: state},
			FactoryKey:  "envoy.string",
			SkipIfEmpty: true,
			Value: &filterstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format:          &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline("%REQ(" + header + ")%")},
				OmitEmptyValues: true,
			}},
		}},
	})
}
