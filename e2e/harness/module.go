package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

var module struct {
	once sync.Once
	path string
	err  string
}

// Module is the filter inside Envoy, built from this checkout.
func Module(t T) string {
	t.Helper()
	binary := Binary(t)
	module.once.Do(func() {
		module.path = filepath.Join(filepath.Dir(binary), "inference-gateway.wasm") // Main removes the directory of what it built
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", module.path, "./wasm")
		cmd.Dir = Root()
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := cmd.CombinedOutput(); err != nil {
			module.err = err.Error() + "\n" + string(out)
		}
	})
	if module.err != "" {
		t.Fatalf("the filter does not build: %s", module.err)
	}
	return module.path
}

// withLane takes TEST_LANE into account: "wasm" runs a gateway that says nothing of the filter with it, so that whole
// packages of tests hold the wasm lane to what they hold ext_proc to.
func (e Env) withLane(t T) Env {
	if _, said := e["WASM_ENABLED"]; said || os.Getenv("TEST_LANE") != "wasm" {
		return e
	}
	return e.With("WASM_ENABLED", "true", "WASM_PATH", Module(t))
}
