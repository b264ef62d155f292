package main

import (
	"encoding/binary"
	"strings"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
)

// hostFacts asks the host, by the attributes of
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes.
type hostFacts struct{}

func (hostFacts) Header(name string) (string, bool) {
	value, err := proxywasm.GetHttpRequestHeader(name)
	return value, err == nil
}

func (hostFacts) Principal() string { return property("connection", "uri_san_peer_certificate") }

// PeerNamespace is what Istio's metadata exchange has found out about the peer.
func (hostFacts) PeerNamespace() string {
	return property("filter_state", "downstream_peer", "namespace")
}

func (hostFacts) NodeNamespace() string { return property("node", "metadata", "NAMESPACE") }

func (hostFacts) NodeLabel(name string) (string, bool) {
	value, err := proxywasm.GetProperty([]string{"node", "metadata", "LABELS", name})
	return string(value), err == nil
}

// AppendClaims reads the payload that jwt_authn has verified and keeps as metadata under the name of that filter.
func (hostFacts) AppendClaims(dst []string, name string) []string {
	path := []string{"metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "claims", name}
	if values, ok := claim(path); ok {
		return append(dst, values...)
	}
	if !strings.Contains(name, ".") {
		return dst
	}
	values, _ := claim(append(path[:4:4], strings.Split(name, ".")...))
	return append(dst, values...)
}

// claim gives a text, the members of a list, or a number or truth value as its JSON spelling.
func claim(path []string) ([]string, bool) {
	raw, err := proxywasm.GetProperty(path)
	if err != nil {
		return nil, false
	}
	return []string{string(raw)}, true
}

func property(path ...string) string {
	value, err := proxywasm.GetProperty(path)
	if err != nil {
		return ""
	}
	return string(value)
}

// upstreamHost is the host in the name of the cluster that the route leads to: Istio names them
// outbound|443||api.openai.com.
func upstreamHost() string {
	name := property("cluster_name")
	if i := strings.LastIndexByte(name, '|'); i >= 0 {
		name = name[i+1:]
	}
	return name
}

// usageNamespace is where Envoy's ai_protocol_manager puts what an answer says of its tokens (control-plane/snapshot).
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
	return 0, false
}
