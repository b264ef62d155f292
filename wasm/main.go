// Command wasm is the gateway's filter inside Envoy: a proxy-wasm plugin that finds the provider of a model request and
// holds a policy over it, without leaving Envoy's worker thread. It decides with providers/routing and wasm/policy,
// which ext_proc and the command line use as well, and leaves to ext_proc what it cannot decide. It must not know
// sockets, files or the environment: what it needs comes as plugin configuration.
//
// The Go toolchain compiles it for wasip1; natively it is the same plugin, run by the SDK's emulator in tests.
package main

import "github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"

// main is not called in Envoy: the module is a library there, whose init functions are the start.
func main() {}

func init() { proxywasm.SetVMContext(&vm{}) }
