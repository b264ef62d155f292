package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// wasmModule is the file of the filter in Envoy, "" when it is off.
func wasmModule(c *config.Config) string {
	if !c.Wasm.Enabled && !c.Policy.On() {
		return ""
	}
	path := c.Wasm.Path
	if path == "" {
		binary, err := os.Executable()
		if err != nil {
			binary = os.Args[0]
		}
		path = filepath.Join(filepath.Dir(binary), "inference-gateway.wasm")
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path
}

// checkModule makes sure that an Envoy on this machine finds the filter: Envoy itself would only refuse the
// configuration, in words of its own.
func checkModule(c *config.Config) error {
	path := wasmModule(c)
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("WASM_ENABLED or POLICY_FILE: there is no filter at %s: build it with make wasm, or set WASM_PATH", path)
	}
	return nil
}
