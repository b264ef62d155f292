// Package envoy is the Envoy process: it finds the binary, writes its bootstrap, starts it, waits until it is ready,
// follows its log, starts it again when it dies, and drains it. It must not know what Envoy's listeners do.
package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Version is the Envoy that the configuration is written for and tested with.
const Version = "1.40.0"

var versionPattern = regexp.MustCompile(`version: [0-9a-f]*/([0-9]+)\.([0-9]+)\.([0-9]+)[^/]*/`)

// Find gives the absolute path of an Envoy binary: explicit (ENVOY_PATH) when it is given, then "envoy" on PATH when
// its version fits, then the copy that `make envoy` installs. The error says what was tried and what to do.
func Find(ctx context.Context, explicit string) (string, error) {
	if explicit != "" {
		path, err := filepath.Abs(explicit)
		if err == nil {
			err = check(ctx, path)
		}
		if err != nil {
			return "", fmt.Errorf("ENVOY_PATH: %w", err)
		}
		return path, nil
	}
	var tried []error
	for _, path := range candidates() {
		err := check(ctx, path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			tried = append(tried, err)
		}
	}
	return "", fmt.Errorf("no Envoy %s found: run `make envoy`, or set ENVOY_PATH%s", Version, list(tried))
}

func candidates() []string {
	var out []string
	if onPath, err := exec.LookPath("envoy"); err == nil {
		if abs, err := filepath.Abs(onPath); err == nil {
			out = append(out, abs)
		}
	}
	installed := filepath.Join(".cache", "envoy", Version, "envoy")
	if exe, err := os.Executable(); err == nil {
		out = append(out, filepath.Join(filepath.Dir(filepath.Dir(exe)), installed))
	}
	if here, err := filepath.Abs(installed); err == nil {
		out = append(out, here)
	}
	return out
}

// check runs the binary for its version. Another minor version is refused: fields of the configuration would be
// unknown to it, or mean something else.
func check(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil { //nolint:gosec // the operator chooses the binary
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // the operator chooses the binary
	cmd.WaitDelay = time.Second                        // a script's child may hold the output open
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", path, err)
	}
	m := versionPattern.FindStringSubmatch(string(out))
	if m == nil {
		return fmt.Errorf("%s does not tell an Envoy version", path)
	}
	if got := m[1] + "." + m[2]; got != Version[:strings.LastIndexByte(Version, '.')] {
		return fmt.Errorf("%s is Envoy %s.%s, and %s.x is needed", path, got, m[3], Version[:strings.LastIndexByte(Version, '.')])
	}
	return nil
}

func list(errs []error) string {
	var b strings.Builder
	for _, err := range errs {
		b.WriteString("; " + err.Error())
	}
	return b.String()
}
