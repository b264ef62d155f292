package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
)

// Floors are what a technique costs before a gateway is built of it: raw Envoy with one filter more, which cuts the
// provider's prefix out of the model's name and says the provider in a header, and does nothing else that a gateway has to
// do. It reads no JSON, knows no errors and trusts everybody. What a lane costs above its floor is the gateway's own doing.

// listenerFloor is the other floor: the gateway itself, asked where its configuration alone decides (/proxy), so that a
// request meets its routes, timers, retries, headers and access log, and no filter of ours.
func listenerFloor(gateway *target) *target {
	t := *gateway
	t.Name, t.Path, t.Model = "floor-listener", "/proxy/mock/v1/chat/completions", benchModel
	return &t
}

// luaFloor lets a stock filter of Envoy do it.
const luaFloor = `
          - name: envoy.filters.http.lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
                  function envoy_on_request(handle)
                    local body = handle:body()
                    local text = body:getBytes(0, body:length())
                    local first, last, provider, model = string.find(text, '"model":"([^/"]+)/([^"]+)"')
                    if first == nil then return end
                    local new = string.sub(text, 1, first - 1) .. '"model":"' .. model .. '"' .. string.sub(text, last + 1)
                    body:setBytes(new)
                    handle:headers():replace("x-provider", provider)
                    handle:headers():replace("content-length", tostring(#new))
                  end`

// extProcFloor asks floorMain's process, with the settings that the gateway uses.
const extProcFloor = `
          - name: envoy.filters.http.ext_proc
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
              grpc_service: {envoy_grpc: {cluster_name: floor, skip_envoy_headers: true}}
              processing_mode: {request_header_mode: SEND, request_body_mode: FULL_DUPLEX_STREAMED, request_trailer_mode: SEND, response_header_mode: SKIP}
              forward_rules: {allowed_headers: {patterns: [{exact: ":path"}]}}
              allow_content_length_header: true`

const extProcFloorCluster = `
  - name: floor
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: floor
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {pipe: {path: %s}}}
`

// wasmFloor is the gateway's own filter, which has no smaller form, with one provider.
const wasmFloor = `
          - name: envoy.filters.http.wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: floor
                allow_on_headers_stop_iteration: true
                configuration:
                  "@type": type.googleapis.com/google.protobuf.StringValue
                  value: '{"edge":{"providers":[{"id":"mock","ready":true,"endpoints":["chat/completions"]}],"routes":true},"hold_headers":true}'
                vm_config: {runtime: envoy.wasm.runtime.v8, code: {local: {filename: %s}}}`

// startFloors starts an Envoy for each technique, and the process that one of them asks.
func (b *bench) startFloors(ctx context.Context, mockPort int) ([]*target, error) {
	socket := filepath.Join(b.fleet.dir, "floor.sock")
	server, err := b.fleet.startSelf("floor", socket)
	if err != nil {
		return nil, err
	}
	if _, err := server.out.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("floor: %w: %s", err, server.logTail())
	}
	lua, err := startRawEnvoy(ctx, b.fleet, "floor-lua", b.envoy, b.concurrency, mockPort, rawExtra{filters: luaFloor})
	if err != nil {
		return nil, err
	}
	extProc, err := startRawEnvoy(ctx, b.fleet, "floor-ext_proc", b.envoy, b.concurrency, mockPort,
		rawExtra{filters: extProcFloor, clusters: fmt.Sprintf(extProcFloorCluster, strconv.Quote(socket))})
	if err != nil {
		return nil, err
	}
	extProc.helper = server
	floors := []*target{lua, extProc}
	if b.wasm {
		module, err := filepath.Abs(filepath.Join(filepath.Dir(strings.Fields(b.gatewayCmd)[0]), "inference-gateway.wasm"))
		if err != nil {
			return nil, err
		}
		wasm, err := startRawEnvoy(ctx, b.fleet, "floor-wasm", b.envoy, b.concurrency, mockPort,
			rawExtra{filters: fmt.Sprintf(wasmFloor, strconv.Quote(module)), onlyChat: true})
		if err != nil {
			return nil, err
		}
		floors = append(floors, wasm)
	}
	for _, t := range floors {
		t.Model = "mock/" + benchModel
	}
	return floors, nil
}

// floorMain is the ext_proc server that does the least. It ends with its standard input.
func floorMain(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2)) // as the gateway does, and its workers too: Envoy needs the other half
	s := grpc.NewServer(grpc.NumStreamWorkers(64))
	extprocv3.RegisterExternalProcessorServer(s, floorServer{})
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		s.Stop()
	}()
	return s.Serve(l)
}

type floorServer struct {
	extprocv3.UnimplementedExternalProcessorServer
}

func (floorServer) Process(stream grpc.BidiStreamingServer[extprocv3.ProcessingRequest, extprocv3.ProcessingResponse]) error {
	var body []byte
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		part := m.GetRequestBody()
		body = append(body, part.GetBody()...)
		if m.GetRequestHeaders().GetEndOfStream() {
			return stream.Send(floorHeaders(nil))
		}
		if !part.GetEndOfStream() {
			continue
		}
		name, rest, _ := bytes.Cut(member(body, "model")[1:], []byte("/"))
		provider := bytes.Clone(name) // what stands behind it moves over it
		first := len(body) - len(rest) - len(name) - 1
		body = append(body[:first], rest...)
		if err := stream.Send(floorHeaders(map[string][]byte{"x-provider": provider, "content-length": strconv.AppendInt(nil, int64(len(body)), 10)})); err != nil {
			return err
		}
		return stream.Send(&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{
			Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_StreamedResponse{
				StreamedResponse: &extprocv3.StreamedBodyResponse{Body: body, EndOfStream: true},
			}}},
		}}})
	}
}

func floorHeaders(set map[string][]byte) *extprocv3.ProcessingResponse {
	mutation := &extprocv3.HeaderMutation{}
	for name, value := range set {
		mutation.SetHeaders = append(mutation.SetHeaders, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, RawValue: value}})
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{
		Response: &extprocv3.CommonResponse{HeaderMutation: mutation},
	}}}
}
