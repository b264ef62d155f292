package main

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
)

// hostFacts asks the host, by the attributes of
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes.
type hostFacts struct {
	sent *sentHeaders // what is known of headers that have gone on; nil while the host has them
}

// Header gives all values of a header. The ABI's call gives the first alone, and a second one would be a way around rules.
func (f hostFacts) Header(name string) (string, bool) {
	if f.sent != nil {
		value, ok := f.sent.values[name]
		return value, ok
	}
	value, err := proxywasm.GetHttpRequestHeader(name)
	if err != nil {
		return "", false
	}
	if all, err := proxywasm.GetProperty([]string{"request", "headers", name}); err == nil {
		return string(all), true
	}
	return value, true
}

// Principal is the peer's certificate's; behind a waypoint's own listener, what the one that has ended HBONE says of it.
func (hostFacts) Principal() string {
	if uri := property("connection", "uri_san_peer_certificate"); uri != "" {
		return uri
	}
	return property("filter_state", "io.istio.peer_principal")
}

// PeerNamespace is what Istio's metadata exchange has found out about the peer (from Istio 1.24 on).
func (hostFacts) PeerNamespace() string {
	return property("filter_state", "downstream_peer", "namespace")
}

func (hostFacts) NodeNamespace() string { return property("xds", "node", "metadata", "NAMESPACE") }

func (hostFacts) NodeLabel(name string) (string, bool) {
	value, err := proxywasm.GetProperty([]string{"xds", "node", "metadata", "LABELS", name})
	return string(value), err == nil
}

// AppendClaims reads the payload that jwt_authn has verified and keeps as metadata under the name of that filter.
func (hostFacts) AppendClaims(dst []string, name string) []string { return appendClaims(dst, name) }

func property(path ...string) string {
	value, err := proxywasm.GetProperty(path)
	if err != nil {
		return ""
	}
	return string(value)
}

// upstreamHost is the host in the name of the cluster that the route leads to, as Istio names them:
// outbound|443||api.openai.com. Other names, such as PassthroughCluster, tell none.
func upstreamHost() string {
	name := property("xds", "cluster_name")
	if strings.Count(name, "|") != 3 {
		return ""
	}
	return name[strings.LastIndexByte(name, '|')+1:]
}

// failed says that the answer was an error, which takes no tokens.
func failed() bool {
	raw, err := proxywasm.GetProperty([]string{"response", "code"})
	return err == nil && len(raw) == 8 && binary.LittleEndian.Uint64(raw) >= 400
}

// usageNamespace is where other filters put what an answer says of its tokens: Envoy's ai_protocol_manager as typed
// metadata (control-plane/snapshot), a script as a number (deploy/istio/options).
const usageNamespace = "igw.usage"

// usage is the number of tokens that the answer says it took. Some answers have no total of input and output, only the
// provider's own: those of embeddings.
func usage() (int64, bool) {
	for _, name := range []string{"total_tokens", "provider_total_tokens"} {
		raw, err := proxywasm.GetProperty([]string{"metadata", "typed_filter_metadata", usageNamespace, name})
		if err != nil || len(raw) != 8 {
			continue
		}
		if n := binary.LittleEndian.Uint64(raw); n > 0 && n < 1<<53 {
			return int64(n), true
		}
	}
	raw, err := proxywasm.GetProperty([]string{"metadata", "filter_metadata", usageNamespace, "total_tokens"})
	if err != nil || len(raw) != 8 {
		return 0, false
	}
	n := math.Float64frombits(binary.LittleEndian.Uint64(raw))
	return int64(n), n > 0 && n < 1<<53
}
