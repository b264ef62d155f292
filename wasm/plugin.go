package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// vm makes a plugin for each configuration; Envoy has one VM for each of its worker threads.
type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

// plugin is one configuration of the filter in one VM.
type plugin struct {
	types.DefaultPluginContext
	settings *settings
	counts   *counts // of the policy's rules; nil without a policy

	// What each request uses in turn. Decisions are made within one callback and there is one thread, so nothing is
	// shared; no string or slice of it outlives the callback.
	request policy.Request
	scratch []byte
}

// OnPluginStart refuses a configuration that it cannot read: Envoy then keeps the filter it has.
func (p *plugin) OnPluginStart(size int) types.OnPluginStartStatus {
	if size == 0 {
		proxywasm.LogCritical("the plugin needs a configuration: providers, a policy, or both")
		return types.OnPluginStartStatusFailed
	}
	raw, err := proxywasm.GetPluginConfiguration()
	if err == nil {
		p.settings, err = readSettings(raw)
	}
	if err != nil {
		proxywasm.LogCritical("the plugin's configuration is refused: " + err.Error())
		return types.OnPluginStartStatusFailed
	}
	if p.settings.policy != nil {
		p.counts = newCounts(p.settings.policy)
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &exchange{plugin: p} }
