package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

var (
	wantedStatus = regexp.MustCompile(`status=(\d{3})`)
	shell        = regexp.MustCompile(`^(sh|bash)\b`)
)

// Every block of shell with a curl in it is run as it stands, but for the gateway's address. The block's info string
// says which status it answers with: ```sh status=404; without one it must be a success.
func TestCurlCommandsOfTheDocumentation(t *testing.T) {
	g := gateway(t)
	path := curlInFront(t)
	run := 0
	for _, name := range files(t, ".", ".md") {
		found, _ := blocks(read(t, name))
		for _, b := range found {
			if !shell.MatchString(b.info) || !strings.Contains("\n"+b.text, "\ncurl ") {
				continue
			}
			run++
			t.Run(fmt.Sprintf("%s:%d", name, b.line), func(t *testing.T) {
				out, statuses := runShell(t, g, path, b.text)
				want := "2"
				if m := wantedStatus.FindStringSubmatch(b.info); m != nil {
					want = m[1]
				}
				if len(statuses) == 0 {
					t.Errorf("no answer came")
				}
				for _, got := range statuses {
					if !strings.HasPrefix(got, want) {
						t.Errorf("status %s, wanted %s:\n%s", got, want, out)
					}
				}
				if want != "2" && !strings.Contains(out, `{"error":{"message":`) {
					t.Errorf("no error object came:\n%s", out)
				}
			})
		}
	}
	if run < 25 {
		t.Errorf("only %d commands were found", run)
	}
}

// curlInFront gives a PATH whose curl also tells the status, on standard error.
func curlInFront(t *testing.T) string {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl on this machine")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\nexec '" + curl + "' -q -sS --max-time 60 -w '%{stderr}\\nstatus=%{http_code}\\n' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

// runShell runs commands, and gives what they print and the statuses of the answers.
func runShell(t *testing.T, g running, path, commands string) (out string, statuses []string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(commands, documented, g.URL))
	cmd.Env = g.environ(path)
	cmd.Dir = harness.Root()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s%s", err, &stdout, &stderr)
	}
	for _, m := range wantedStatus.FindAllStringSubmatch(stderr.String(), -1) {
		statuses = append(statuses, m[1])
	}
	return stdout.String(), statuses
}

// The Python of the README is run when the official client is there: `make test-sdk` installs it.
func TestPythonOfTheReadme(t *testing.T) {
	python := filepath.Join(harness.Root(), ".cache", "sdk", "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("the Python client is not installed: make test-sdk does that")
	}
	g := gateway(t)
	found, _ := blocks(read(t, "README.md"))
	run := 0
	for _, b := range found {
		if b.info != "python" {
			continue
		}
		run++
		cmd := exec.Command(python, "-c", strings.ReplaceAll(b.text, documented, g.URL))
		cmd.Env = g.environ()
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "demo provider") {
			t.Errorf("README.md:%d: %v\n%s", b.line, err, out)
		}
	}
	if run == 0 {
		t.Error("the README has no Python")
	}
}
