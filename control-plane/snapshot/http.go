package snapshot

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// publicHTTP is how the public listener speaks HTTP to clients that nobody has vetted.
func publicHTTP(in Input) *hcmv3.HttpConnectionManager {
	m := edgeHTTP(in, PublicListener)
	m.HttpFilters = publicFilters(in)
	return m
}

// redirectHTTP serves plain HTTP beside the public listener.
func redirectHTTP(in Input) *hcmv3.HttpConnectionManager {
	m := edgeHTTP(in, RedirectListener)
	m.HttpFilters = []*hcmv3.HttpFilter{responseHeadersFilter(in), routerFilter()}
	return m
}

// probeHTTP serves those who watch over the gateway: a liveness probe that fails since there are many clients would have
// the gateway ended, and every stream with it.
func probeHTTP(in Input) *hcmv3.HttpConnectionManager {
	m := edgeHTTP(in, ProbeListener)
	m.HttpFilters = []*hcmv3.HttpFilter{responseHeadersFilter(in), routerFilter()}
	return m
}

// edgeHTTP is what every listener has that strangers can reach.
func edgeHTTP(in Input, name string) *hcmv3.HttpConnectionManager {
	m := connectionManager(in, name)
	m.AccessLog = accessLogs(in)
	m.UseRemoteAddress = yes()
	m.SkipXffAppend = true
	m.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{earlyHeaders(in)}
	m.NormalizePath = yes()
	// %2F stays as it is: the official SDKs ask for /v1/models/openai%2Fgpt-4o. Escaped dot segments are refused by a route.
	m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	m.RequestTimeout = durationOrUnset(in.Config.Server.ReadTimeout) // of the headers too: it starts with them
	m.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
		IdleTimeout:                  duration(in.Config.Server.IdleTimeout),
		MaxStreamDuration:            durationOrUnset(in.Config.Server.WriteTimeout),
		HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
		MaxHeadersCount:              u32(uint32(in.Config.Server.MaxHeaders)),
	}
	m.MaxRequestHeadersKb = u32(uint32(in.Config.Server.MaxHeaderSize))
	m.Http2ProtocolOptions.MaxConcurrentStreams = u32(uint32(in.Config.Server.MaxStreams))
	// Without it Envoy closes the connection after every 400 that is not a provider's, ext_proc's among them. What is
	// wrong in the framing itself ends the connection all the same. HTTP/2 keeps the default: RATIONALE.md says why.
	m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{OverrideStreamErrorOnInvalidHttpMessage: yes()}
	m.UpgradeConfigs = []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket", Enabled: no()}}
	return m
}

// loopbackHTTP serves the gateway's own process (loopbackListener).
func loopbackHTTP(in Input) *hcmv3.HttpConnectionManager {
	m := connectionManager(in, LoopbackListener)
	m.HttpFilters = loopbackFilters()
	return m
}

// streamIdle ends what waits for the gateway's own process, or has no upstream. Routes to providers have their own times.
const streamIdle = 5 * time.Minute

func connectionManager(in Input, name string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: name, ConfigSource: ads(),
		}},
		StreamIdleTimeout:            duration(streamIdle),
		ServerName:                   "inference-gateway",
		GenerateRequestId:            yes(),
		PreserveExternalRequestId:    true,
		AlwaysSetRequestIdInResponse: true,
		LocalReplyConfig:             localReplies(in.Config),
		DrainTimeout:                 duration(5 * time.Second),
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        u32(1024),
			InitialStreamWindowSize:     u32(connectionBuffer),
			InitialConnectionWindowSize: u32(4 * connectionBuffer),
		},
	}
}
