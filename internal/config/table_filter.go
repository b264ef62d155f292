package config

func wasmRows() []variable {
	return []variable{
		row("WASM_ENABLED", "false", toggle, func(c *Config) *bool { return &c.Wasm.Enabled },
			"Decide plain model requests by the wasm filter within Envoy, without a call of ext_proc."),
		row("WASM_PATH", "", path, func(c *Config) *string { return &c.Wasm.Path },
			"The filter, a file on Envoy's machine; unset: `inference-gateway.wasm` beside the gateway's own binary."),
		row(policyVariable, "", path, func(c *Config) *string { return &c.Policy.File },
			"YAML file of the policy that the filter holds model requests to ([policy.md](policy.md)); watched. It loads the filter, also with `WASM_ENABLED=false`."),
	}
}
