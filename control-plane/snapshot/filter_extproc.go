package snapshot

import (
	"time"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const extProcName = "envoy.filters.http.ext_proc"

// extProcFilter sends a request's headers and body to the external processor, and nothing of the response. It is off
// unless a route switches it on (withExtProc). Only the headers that a decision needs are sent: a client's
// credentials never leave Envoy.
func extProcFilter() *hcmv3.HttpFilter {
	f := filter(extProcName, &extprocv3.ExternalProcessor{
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: extProcCluster, SkipEnvoyHeaders: true},
		}},
		StatusOnError:  &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		MessageTimeout: duration(5 * time.Second), // of the modes that have one; FULL_DUPLEX_STREAMED has not
		ProcessingMode: &extprocv3.ProcessingMode{
			RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
			RequestBodyMode:     extprocv3.ProcessingMode_FULL_DUPLEX_STREAMED,
			RequestTrailerMode:  extprocv3.ProcessingMode_SEND, // FULL_DUPLEX_STREAMED requires it
			ResponseHeaderMode:  extprocv3.ProcessingMode_SKIP,
			ResponseBodyMode:    extprocv3.ProcessingMode_NONE,
			ResponseTrailerMode: extprocv3.ProcessingMode_SKIP,
		},
		ForwardRules: &extprocv3.HeaderForwardingRules{
			AllowedHeaders: exactly(":path", "content-type", "content-encoding", "content-length", catalog.CallerHeader, catalog.GroupsHeader),
		},
		AllowContentLengthHeader: true,
		EmitClientSpan:           no(),
		MutationRules:            &mutationv3.HeaderMutationRules{AllowAllRouting: yes()}, // :path loses ?provider=
	})
	f.Disabled = true
	return f
}

// withExtProc switches the external processor on for a route.
func withExtProc() map[string]*anypb.Any {
	return map[string]*anypb.Any{extProcName: pack(&extprocv3.ExtProcPerRoute{
		Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{}},
	})}
}

// withReckoning has the external processor say what a request may take, and leave it to go where it goes.
func withReckoning() map[string]*anypb.Any {
	return map[string]*anypb.Any{extProcName: pack(&extprocv3.ExtProcPerRoute{
		Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{
			GrpcInitialMetadata: []*corev3.HeaderValue{{Key: catalog.TokensHeader, Value: "only"}},
		}},
	})}
}

// withHeadersChecked has the external processor look at the headers alone: what follows an upgrade is no body.
func withHeadersChecked() map[string]*anypb.Any {
	return map[string]*anypb.Any{extProcName: pack(&extprocv3.ExtProcPerRoute{
		Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{
			ProcessingMode: &extprocv3.ProcessingMode{
				RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
				RequestTrailerMode:  extprocv3.ProcessingMode_SKIP,
				ResponseHeaderMode:  extprocv3.ProcessingMode_SKIP,
				ResponseTrailerMode: extprocv3.ProcessingMode_SKIP,
			},
			GrpcInitialMetadata: []*corev3.HeaderValue{{Key: catalog.CheckedHeader, Value: "headers"}},
		}},
	})}
}

// withoutExtProc switches the external processor off for a request that the wasm filter has sent here from a route where
// it is on: Envoy chooses the filters by the first route, and asks the second one whether they run.
func withoutExtProc() map[string]*anypb.Any {
	return map[string]*anypb.Any{extProcName: pack(&extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Disabled{Disabled: true}})}
}

func exactly(names ...string) *matcherv3.ListStringMatcher {
	list := &matcherv3.ListStringMatcher{}
	for _, n := range names {
		list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: n}})
	}
	return list
}
