package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

// vm makes a plugin for each configuration; Envoy has one VM for each of its worker threads.
type vm struct{ types.DefaultVMContext }

func (*vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

// plugin is one configuration of the filter.
type plugin struct {
	types.DefaultPluginContext
	settings *settings
}

// OnPluginStart refuses a configuration that it cannot read: Envoy then keeps the filter it has.
func (p *plugin) OnPluginStart(size int) types.OnPluginStartStatus {
	if size == 0 {
		proxywasm.LogCritical("the plugin needs a configuration")
		return types.OnPluginStartStatusFailed
	}
	raw, err := proxywasm.GetPluginConfiguration()
	if err != nil {
		proxywasm.LogCritical("cannot get the plugin's configuration: " + err.Error())
		return types.OnPluginStartStatusFailed
	}
	if p.settings, err = readSettings(raw); err != nil {
		proxywasm.LogCritical("the plugin's configuration is refused: " + err.Error())
		return types.OnPluginStartStatusFailed
	}
	if p.settings.directory == nil {
		proxywasm.LogCritical("the plugin's configuration has neither providers nor a policy")
		return types.OnPluginStartStatusFailed
	}
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &exchange{plugin: p} }
