package snapshot

import (
	"maps"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	// wasmBody is the largest body in bytes that the wasm lane reads: it is held in Envoy's buffer, of connectionBuffer
	// bytes, while the filter waits for its end. ext_proc reads larger ones, as they come.
	wasmBody = connectionBuffer / 2
	// wasmSuffix ends the names of the routes on which the filter chooses the provider.
	wasmSuffix = ": wasm"
)

// wasmLane says whether the filter chooses providers. What single callers may do is known to ext_proc alone, and
// so is what a request may take where tokens are limited.
func wasmLane(in Input) bool {
	return in.WasmPath != "" && in.Config.Wasm.Enabled && !in.Config.Access.Restricts() && !in.Config.Limits.Set.Limits(limits.Tokens)
}

// wasmRoutes are where the wasm filter decides. They stand before those of modelRoutes: a request leaves them by the
// provider that the filter has found, or with its error. What the filter does not read takes the way past it: bodies
// that are large, encoded or of a length that is not told.
func wasmRoutes(in Input) []*routev3.Route {
	if !wasmLane(in) {
		return nil
	}
	most := min(wasmBody, in.Config.Server.MaxRequestBodySize)
	var out []*routev3.Route
	for _, e := range catalog.Endpoints() {
		r := undecidedRoute(e)
		r.Name = string(e) + wasmSuffix
		r.Match = exactPath(e.Path(), method("POST"), headerAbsent(catalog.ProviderHeader), lengthUpTo(most), headerAbsent("content-encoding"))
		r.TypedPerFilterConfig = withWasm()
		if in.Config.Policy.Open {
			maps.Copy(r.TypedPerFilterConfig, withExtProc()) // decides when the filter has failed
		}
		out = append(out, r)
	}
	return out
}
