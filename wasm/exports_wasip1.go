package main

import "unsafe"

//go:linkname sdkOnVMStart github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnVMStart
func sdkOnVMStart(context uint32, size int) bool

//go:linkname sdkOnConfigure github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnConfigure
func sdkOnConfigure(context uint32, size int) bool

//go:linkname sdkOnContextCreate github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnContextCreate
func sdkOnContextCreate(context, plugin uint32)

//go:linkname sdkOnRequestHeaders github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnRequestHeaders
func sdkOnRequestHeaders(context uint32, count int, end bool) uint32

//go:linkname sdkOnRequestBody github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnRequestBody
func sdkOnRequestBody(context uint32, size int, end bool) uint32

//go:linkname sdkOnRequestTrailers github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnRequestTrailers
func sdkOnRequestTrailers(context uint32, count int) uint32

//go:linkname sdkOnLog github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnLog
func sdkOnLog(context uint32)

//go:linkname sdkOnDelete github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnDelete
func sdkOnDelete(context uint32)

//go:linkname sdkOnTick github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/internal.proxyOnTick
func sdkOnTick(plugin uint32)

//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) bool {
	arena.reset()
	return sdkOnVMStart(context, int(size))
}

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) bool {
	arena.reset()
	return sdkOnConfigure(context, int(size))
}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, plugin uint32) { sdkOnContextCreate(context, plugin) }

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count uint32, end bool) uint32 {
	arena.reset()
	return sdkOnRequestHeaders(context, int(count), end)
}

//go:wasmexport proxy_on_request_body
func onRequestBody(context, size uint32, end bool) uint32 {
	arena.reset()
	return sdkOnRequestBody(context, int(size), end)
}

//go:wasmexport proxy_on_request_trailers
func onRequestTrailers(context, count uint32) uint32 {
	arena.reset()
	return sdkOnRequestTrailers(context, int(count))
}

// onDelete ends a request. The host has another callback before this one, proxy_on_log, which would be one more way into
// the VM and back for each request (4 us): what is to be settled at the end can be read here just as well.
//
//go:wasmexport proxy_on_delete
func onDelete(context uint32) {
	arena.reset()
	sdkOnLog(context)
	sdkOnDelete(context)
}

//go:wasmexport proxy_on_tick
func onTick(plugin uint32) {
	arena.reset()
	sdkOnTick(plugin)
}

//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) unsafe.Pointer { return arena.allocate(int(size)) }

// arena holds what the host hands over during one callback: header values, properties and the body. The next callback
// overwrites it, so nothing of the host may be kept without a copy, and requests leave no garbage.
var arena hostMemory

// hostMemory is one reused slab, and the pieces that were too large for it.
type hostMemory struct {
	slab  []byte
	used  int
	large [][]byte
}

const slabSize = 64 << 10

func (m *hostMemory) reset() {
	m.used = 0
	m.large = m.large[:0]
	clear(m.large[:cap(m.large)])
}

func (m *hostMemory) allocate(size int) unsafe.Pointer {
	if m.slab == nil {
		m.slab = make([]byte, slabSize)
	}
	size = max(size, 1)
	if size > len(m.slab)-m.used {
		piece := make([]byte, size)
		m.large = append(m.large, piece)
		return unsafe.Pointer(unsafe.SliceData(piece))
	}
	p := unsafe.Pointer(&m.slab[m.used])
	m.used += (size + 7) &^ 7
	m.used = min(m.used, len(m.slab))
	return p
}

// keepAlive is never called. The linker keeps a method only when it sees a call of it through an interface of the same
// signature, and the SDK's calls are through one of its own.
//
//go:wasmexport inference_gateway_unused
func keepAlive() {
	h := theHost
	var p *byte
	var pp **byte
	var n *int
	var u *uint32
	var l *uint64
	h.ProxyLog(0, p, 0)
	h.ProxySendLocalResponse(0, p, 0, p, 0, p, 0, 0)
	h.ProxyGetHeaderMapValue(0, p, 0, pp, n)
	h.ProxyReplaceHeaderMapValue(0, p, 0, p, 0)
	h.ProxyAddHeaderMapValue(0, p, 0, p, 0)
	h.ProxyRemoveHeaderMapValue(0, p, 0)
	h.ProxyGetHeaderMapPairs(0, pp, n)
	h.ProxySetHeaderMapPairs(0, p, 0)
	h.ProxyGetBufferBytes(0, 0, 0, pp, n)
	h.ProxySetBufferBytes(0, 0, 0, p, 0)
	h.ProxyContinueStream(0)
	h.ProxyCloseStream(0)
	h.ProxyGetProperty(p, 0, pp, n)
	h.ProxySetProperty(p, 0, p, 0)
	h.ProxyGetSharedData(p, 0, pp, n, u)
	h.ProxySetSharedData(p, 0, p, 0, 0)
	h.ProxyDefineMetric(0, p, 0, u)
	h.ProxyIncrementMetric(0, 0)
	h.ProxyRecordMetric(0, 0)
	h.ProxyGetMetric(0, l)
	h.ProxySetTickPeriodMilliseconds(0)
	h.ProxySetEffectiveContext(0)
	h.ProxyDone()
	h.ProxyCallForeignFunction(p, 0, p, 0, pp, n)
	h.ProxyRegisterSharedQueue(p, 0, u)
	h.ProxyResolveSharedQueue(p, 0, p, 0, u)
	h.ProxyDequeueSharedQueue(0, pp, n)
	h.ProxyEnqueueSharedQueue(0, p, 0)
	h.ProxyHttpCall(p, 0, p, 0, p, 0, p, 0, 0, u)
}
