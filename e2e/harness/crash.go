package harness

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
)

// CrashingModule is the filter with e2e/wasm/testdata/crash.go.txt laid over it: the header X-Crash makes it fail as nothing in
// it can catch. Nothing of that is in the filter that is shipped. It is built anew for each call, so share it.
func CrashingModule(t T) string {
	t.Helper()
	dir := tempDir(t)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(Root(), "wasm", "zz_crash.go"): filepath.Join(Root(), "e2e", "wasm", "testdata", "crash.go.txt"),
	}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	file := filepath.Join(dir, "crash.wasm")
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", file, "./wasm")
	cmd.Dir, cmd.Env = Root(), append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}
