package main

import (
	"unsafe"

	_ "github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm" // what is linked to below
)

// This file lets the standard Go toolchain compile the SDK, which was written for TinyGo: it imports the host's
// functions, exports the plugin's, and puts itself where the SDK's tests put their host. ABI: proxy-wasm 0.2.0,
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.0.
//
// Only the callbacks that this plugin needs are exported. Envoy does not enter the VM for the others: above all not for
// any byte of a response.

//go:wasmimport env proxy_log
//go:noescape
func hostLog(level int32, data *byte, size int32) uint32

//go:wasmimport env proxy_send_local_response
//go:noescape
func hostSendLocalResponse(status uint32, details *byte, detailsSize int32, body *byte, bodySize int32, headers *byte, headersSize int32, grpc int32) uint32

//go:wasmimport env proxy_get_header_map_value
//go:noescape
func hostGetHeader(kind int32, key *byte, keySize int32, data, size *uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
//go:noescape
func hostReplaceHeader(kind int32, key *byte, keySize int32, value *byte, valueSize int32) uint32

//go:wasmimport env proxy_add_header_map_value
//go:noescape
func hostAddHeader(kind int32, key *byte, keySize int32, value *byte, valueSize int32) uint32

//go:wasmimport env proxy_remove_header_map_value
//go:noescape
func hostRemoveHeader(kind int32, key *byte, keySize int32) uint32

//go:wasmimport env proxy_get_header_map_pairs
//go:noescape
func hostGetHeaders(kind int32, data, size *uint32) uint32

//go:wasmimport env proxy_set_header_map_pairs
//go:noescape
func hostSetHeaders(kind int32, data *byte, size int32) uint32

//go:wasmimport env proxy_get_buffer_bytes
//go:noescape
func hostGetBuffer(kind, start, most int32, data, size *uint32) uint32

//go:wasmimport env proxy_set_buffer_bytes
//go:noescape
func hostSetBuffer(kind, start, most int32, data *byte, size int32) uint32

//go:wasmimport env proxy_continue_stream
func hostContinue(stream int32) uint32

//go:wasmimport env proxy_close_stream
func hostClose(stream int32) uint32

//go:wasmimport env proxy_get_property
//go:noescape
func hostGetProperty(path *byte, pathSize int32, data, size *uint32) uint32

//go:wasmimport env proxy_set_property
//go:noescape
func hostSetProperty(path *byte, pathSize int32, value *byte, valueSize int32) uint32

//go:wasmimport env proxy_get_shared_data
//go:noescape
func hostGetShared(key *byte, keySize int32, data, size, cas *uint32) uint32

//go:wasmimport env proxy_set_shared_data
//go:noescape
func hostSetShared(key *byte, keySize int32, value *byte, valueSize int32, cas uint32) uint32

//go:wasmimport env proxy_define_metric
//go:noescape
func hostDefineMetric(kind int32, name *byte, nameSize int32, id *uint32) uint32

//go:wasmimport env proxy_increment_metric
func hostIncrementMetric(id uint32, by int64) uint32

//go:wasmimport env proxy_record_metric
func hostRecordMetric(id uint32, value uint64) uint32

//go:wasmimport env proxy_get_metric
//go:noescape
func hostGetMetric(id uint32, value *uint64) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func hostSetTick(period uint32) uint32

//go:wasmimport env proxy_set_effective_context
func hostSetContext(id uint32) uint32

//go:wasmimport env proxy_done
func hostDone() uint32

//go:wasmimport env proxy_call_foreign_function
//go:noescape
func hostCallForeign(name *byte, nameSize int32, param *byte, paramSize int32, data, size *uint32) uint32

// What the SDK calls in place of the host. The method set is that of its internal ProxyWasmHost, with the kinds that
// an internal package names as the integers that they are; an interface value dispatches by the order of method names,
// which is the same.
type sdkHost interface {
	ProxyAddHeaderMapValue(kind uint32, key *byte, keySize int, value *byte, valueSize int) uint32
	ProxyCallForeignFunction(name *byte, nameSize int, param *byte, paramSize int, data **byte, size *int) uint32
	ProxyCloseStream(stream uint32) uint32
	ProxyContinueStream(stream uint32) uint32
	ProxyDefineMetric(kind uint32, name *byte, nameSize int, id *uint32) uint32
	ProxyDequeueSharedQueue(id uint32, data **byte, size *int) uint32
	ProxyDone() uint32
	ProxyEnqueueSharedQueue(id uint32, data *byte, size int) uint32
	ProxyGetBufferBytes(kind uint32, start, most int, data **byte, size *int) uint32
	ProxyGetHeaderMapPairs(kind uint32, data **byte, size *int) uint32
	ProxyGetHeaderMapValue(kind uint32, key *byte, keySize int, data **byte, size *int) uint32
	ProxyGetMetric(id uint32, value *uint64) uint32
	ProxyGetProperty(path *byte, pathSize int, data **byte, size *int) uint32
	ProxyGetSharedData(key *byte, keySize int, data **byte, size *int, cas *uint32) uint32
	ProxyHttpCall(upstream *byte, upstreamSize int, headers *byte, headersSize int, body *byte, bodySize int, trailers *byte, trailersSize int, timeout uint32, id *uint32) uint32
	ProxyIncrementMetric(id uint32, by int64) uint32
	ProxyLog(level uint32, data *byte, size int) uint32
	ProxyRecordMetric(id uint32, value uint64) uint32
	ProxyRegisterSharedQueue(name *byte, nameSize int, id *uint32) uint32
	ProxyRemoveHeaderMapValue(kind uint32, key *byte, keySize int) uint32
	ProxyReplaceHeaderMapValue(kind uint32, key *byte, keySize int, value *byte, valueSize int) uint32
	ProxyResolveSharedQueue(vm *byte, vmSize int, name *byte, nameSize int, id *uint32) uint32
	ProxySendLocalResponse(status uint32, details *byte, detailsSize int, body *byte, bodySize int, headers *byte, headersSize int, grpc int32) uint32
	ProxySetBufferBytes(kind uint32, start, most int, data *byte, size int) uint32
	ProxySetEffectiveContext(id uint32) uint32
	ProxySetHeaderMapPairs(kind uint32, data *byte, size int) uint32
	ProxySetProperty(path *byte, pathSize int, value *byte, valueSize int) uint32
	ProxySetSharedData(key *byte, keySize int, value *byte, valueSize int, cas uint32) uint32
	ProxySetTickPeriodMilliseconds(period uint32) uint32
}

//go:linkname registerHost github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.RegisterMockWasmHost
func registerHost(sdkHost) func()

// theHost is a variable so that the compiler cannot know what is in it (keepAlive).
var theHost sdkHost = host{}

func init() { registerHost(theHost) }

// unimplemented is the ABI's status of a function that is not there.
const unimplemented = 12

// host passes the SDK's calls on. The results of the host come through these two words: there is one thread, and the
// host has written both when the call returns.
type host struct{}

var outData, outSize uint32

func give(status uint32, data **byte, size *int) uint32 {
	if status == 0 {
		*data = (*byte)(unsafe.Pointer(uintptr(outData))) //nolint:govet // memory of proxy_on_memory_allocate, below
		*size = int(outSize)
	}
	return status
}

func (host) ProxyLog(level uint32, data *byte, size int) uint32 {
	return hostLog(int32(level), data, int32(size))
}

func (host) ProxySendLocalResponse(status uint32, _ *byte, _ int, body *byte, bodySize int, headers *byte, headersSize int, grpc int32) uint32 {
	return hostSendLocalResponse(status, unsafe.StringData(replyDetails), int32(len(replyDetails)), body, int32(bodySize), headers, int32(headersSize), grpc)
}

func (host) ProxyGetHeaderMapValue(kind uint32, key *byte, keySize int, data **byte, size *int) uint32 {
	return give(hostGetHeader(int32(kind), key, int32(keySize), &outData, &outSize), data, size)
}

func (host) ProxyReplaceHeaderMapValue(kind uint32, key *byte, keySize int, value *byte, valueSize int) uint32 {
	return hostReplaceHeader(int32(kind), key, int32(keySize), value, int32(valueSize))
}

func (host) ProxyAddHeaderMapValue(kind uint32, key *byte, keySize int, value *byte, valueSize int) uint32 {
	return hostAddHeader(int32(kind), key, int32(keySize), value, int32(valueSize))
}

func (host) ProxyRemoveHeaderMapValue(kind uint32, key *byte, keySize int) uint32 {
	return hostRemoveHeader(int32(kind), key, int32(keySize))
}

func (host) ProxyGetHeaderMapPairs(kind uint32, data **byte, size *int) uint32 {
	return give(hostGetHeaders(int32(kind), &outData, &outSize), data, size)
}

func (host) ProxySetHeaderMapPairs(kind uint32, data *byte, size int) uint32 {
	return hostSetHeaders(int32(kind), data, int32(size))
}

func (host) ProxyGetBufferBytes(kind uint32, start, most int, data **byte, size *int) uint32 {
	return give(hostGetBuffer(int32(kind), int32(start), clamp(most), &outData, &outSize), data, size)
}

func (host) ProxySetBufferBytes(kind uint32, start, most int, data *byte, size int) uint32 {
	return hostSetBuffer(int32(kind), int32(start), clamp(most), data, int32(size))
}

func (host) ProxyContinueStream(stream uint32) uint32 { return hostContinue(int32(stream)) }
func (host) ProxyCloseStream(stream uint32) uint32    { return hostClose(int32(stream)) }

func (host) ProxyGetProperty(path *byte, pathSize int, data **byte, size *int) uint32 {
	return give(hostGetProperty(path, int32(pathSize), &outData, &outSize), data, size)
}

func (host) ProxySetProperty(path *byte, pathSize int, value *byte, valueSize int) uint32 {
	return hostSetProperty(path, int32(pathSize), value, int32(valueSize))
}

func (host) ProxyGetSharedData(key *byte, keySize int, data **byte, size *int, cas *uint32) uint32 {
	return give(hostGetShared(key, int32(keySize), &outData, &outSize, cas), data, size)
}

func (host) ProxySetSharedData(key *byte, keySize int, value *byte, valueSize int, cas uint32) uint32 {
	return hostSetShared(key, int32(keySize), value, int32(valueSize), cas)
}

func (host) ProxyDefineMetric(kind uint32, name *byte, nameSize int, id *uint32) uint32 {
	return hostDefineMetric(int32(kind), name, int32(nameSize), id)
}

func (host) ProxyIncrementMetric(id uint32, by int64) uint32 { return hostIncrementMetric(id, by) }

func (host) ProxyRecordMetric(id uint32, value uint64) uint32    { return hostRecordMetric(id, value) }
func (host) ProxyGetMetric(id uint32, value *uint64) uint32      { return hostGetMetric(id, value) }
func (host) ProxySetTickPeriodMilliseconds(period uint32) uint32 { return hostSetTick(period) }
func (host) ProxySetEffectiveContext(id uint32) uint32           { return hostSetContext(id) }
func (host) ProxyDone() uint32                                   { return hostDone() }

func (host) ProxyCallForeignFunction(name *byte, nameSize int, param *byte, paramSize int, data **byte, size *int) uint32 {
	return give(hostCallForeign(name, int32(nameSize), param, int32(paramSize), &outData, &outSize), data, size)
}

// What this plugin does not use is not imported either, so that a host without it loads the module all the same.

func (host) ProxyRegisterSharedQueue(*byte, int, *uint32) uint32 { return unimplemented }

func (host) ProxyResolveSharedQueue(*byte, int, *byte, int, *uint32) uint32 { return unimplemented }

func (host) ProxyDequeueSharedQueue(uint32, **byte, *int) uint32 { return unimplemented }

func (host) ProxyEnqueueSharedQueue(uint32, *byte, int) uint32 { return unimplemented }

func (host) ProxyHttpCall(*byte, int, *byte, int, *byte, int, *byte, int, uint32, *uint32) uint32 {
	return unimplemented
}

// clamp narrows the SDK's "as much as there is".
func clamp(n int) int32 { return int32(min(n, 1<<31-1)) }
