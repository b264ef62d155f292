package snapshot

import (
	"encoding/json"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	wasmfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The filter stands in the chain twice, since it would have to ask Envoy with each request which of two things it is to do:
// wasmName is where it chooses the provider, and holds the policy, if there is one; policyName is where it holds the policy
// over what others route. The names are those of their configurations, too, where these are discovered.
const (
	wasmName   = "envoy.filters.http.wasm"
	policyName = "inference-gateway.policy"
)

// wasmFilters decide model requests inside Envoy. Their configurations are resources of their own (extensions), so that a new
// provider or policy does not replace the listener, which would end the connections of long streams. They are off unless
// a route switches one of them on (withWasm, withPolicy).
func wasmFilters(in Input) []*hcmv3.HttpFilter {
	var out []*hcmv3.HttpFilter
	for _, name := range wasmNames(in) {
		out = append(out, &hcmv3.HttpFilter{
			Name:     name,
			Disabled: true,
			ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
				ConfigSource: ads(),
				TypeUrls:     []string{"type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"},
			}},
		})
	}
	return out
}

// wasmNames are the filters that there are.
func wasmNames(in Input) []string {
	var out []string
	if in.WasmPath != "" && in.Config.Wasm.Enabled {
		out = append(out, wasmName)
	}
	if policyOn(in) {
		out = append(out, policyName)
	}
	return out
}

// policyOn says whether there is a policy, and the filter that holds it.
func policyOn(in Input) bool { return in.WasmPath != "" && in.Config.Policy.On() }

// withWasm switches the filter on for a route of the wasm lane, and withPolicy for another.
func withWasm() map[string]*anypb.Any { return enabled(wasmName) }

func withPolicy() map[string]*anypb.Any { return enabled(policyName) }

func enabled(name string) map[string]*anypb.Any {
	return map[string]*anypb.Any{name: pack(&routev3.FilterConfig{Config: &anypb.Any{}})}
}

// extensions are the configurations of filters that change more often than the listener may.
func extensions(in Input) []cachetypes.Resource {
	var out []cachetypes.Resource
	for _, name := range wasmNames(in) {
		plugin := &wasmv3.PluginConfig{
			Name: "inference-gateway",
			Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{ // the same for both: they share a machine
				VmId:    "inference-gateway",
				Runtime: "envoy.wasm.runtime.v8",
				Code:    &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: file(in.WasmPath)}},
			}},
			Configuration:               pack(wrapperspb.String(wasmConfiguration(in, name == wasmName && wasmLane(in)))),
			AllowOnHeadersStopIteration: yes(), // the body chooses the route
		}
		onFailure(plugin, in.Config.Policy)
		out = append(out, &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(&wasmfilterv3.Wasm{Config: plugin})})
	}
	return out
}

// onFailure says what becomes of requests when the VM itself has died, which a panic of the plugin does not do. Closed,
// they are answered 503 until the VM is back, within a second; open, they go on to ext_proc, and no policy holds.
func onFailure(plugin *wasmv3.PluginConfig, p config.Policy) {
	if p.On() && p.Open {
		// FAIL_OPEN in its place is for later requests alone: Envoy 1.40 answers 503 to the one that the VM died of, and
		// breaks off every answer that is under way on that worker.
		plugin.FailOpen = true //nolint:staticcheck // why: above
		return
	}
	plugin.FailurePolicy = wasmv3.FailurePolicy_FAIL_RELOAD
}

// wasmConfiguration is what the filter (room wasm) reads: the same table that ext_proc decides by, and whether it is to
// choose the provider.
func wasmConfiguration(in Input, chooses bool) string {
	type provider struct {
		ID        string             `json:"id"`
		Ready     bool               `json:"ready"`
		Fix       string             `json:"fix,omitempty"`
		Endpoints []catalog.Endpoint `json:"endpoints"`
	}
	type edge struct {
		Providers  []provider `json:"providers"`
		Allowed    []string   `json:"allowed,omitempty"`
		Disallowed []string   `json:"disallowed,omitempty"`
		Routes     bool       `json:"routes,omitempty"`
	}
	type settings struct {
		Edge        edge            `json:"edge"`
		Policy      json.RawMessage `json:"policy,omitempty"`
		HoldHeaders bool            `json:"hold_headers"`
	}
	e := edge{Providers: []provider{}, Allowed: in.Config.General.AllowedModels, Disallowed: in.Config.General.DisallowedModels, Routes: chooses}
	for _, p := range in.Config.Providers {
		e.Providers = append(e.Providers, provider{p.ID, p.State == config.Ready, p.Fix(), p.Endpoints()})
	}
	out, err := json.Marshal(settings{Edge: e, Policy: in.Config.Policy.JSON, HoldHeaders: true})
	if err != nil {
		panic(err) // strings always marshal, and the policy was parsed before
	}
	return string(out)
}
