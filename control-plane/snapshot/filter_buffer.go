package snapshot

import (
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const bufferName = "envoy.filters.http.buffer"

// bufferFilter holds a request until it has arrived whole, so that a policy can read bodies larger than a connection's
// buffer. It is off unless a route switches it on (withBuffer).
func bufferFilter(in Input) *hcmv3.HttpFilter {
	f := filter(bufferName, &bufferv3.Buffer{MaxRequestBytes: u32(uint32(in.Config.Server.MaxRequestBodySize))})
	f.Disabled = true
	return f
}

// withBuffer switches the filter on for a route. A larger body is answered 413.
func withBuffer(in Input) map[string]*anypb.Any {
	return map[string]*anypb.Any{bufferName: pack(&bufferv3.BufferPerRoute{Override: &bufferv3.BufferPerRoute_Buffer{
		Buffer: &bufferv3.Buffer{MaxRequestBytes: u32(uint32(in.Config.Server.MaxRequestBodySize))},
	}})}
}
