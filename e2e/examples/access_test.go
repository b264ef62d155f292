package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Every YAML of the page on keys and rights, and of its example, is a file that the gateway takes.
func TestKeysAndRules(t *testing.T) {
	texts := map[string]string{}
	for _, name := range files(t, "examples/access", ".yaml") {
		texts[name] = read(t, name)
	}
	found, _ := blocks(read(t, "docs/access.md"))
	for _, b := range found {
		if b.info == "yaml" {
			texts["docs/access.md: "+strings.SplitN(b.text, "\n", 2)[0]] = b.text
		}
	}
	if len(texts) != 4 {
		t.Errorf("%d files and blocks of YAML, not 4", len(texts))
	}
	for name, text := range texts {
		path := filepath.Join(t.TempDir(), "file.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		variable, keys := "ACCESS_FILE", strings.Contains("\n"+text, "\nkeys:")
		if keys {
			variable = "API_KEYS_FILE"
		}
		if r := harness.Run(t, harness.Env{variable: path}, "validate"); r.Code != 0 {
			t.Errorf("%s: %s", name, r.Stderr)
		}
	}
}

// The commands of the page make, show and revoke a key, in an empty directory.
func TestKeysCommands(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(harness.Binary(t), filepath.Join(dir, "inference-gateway")); err != nil {
		t.Fatal(err)
	}
	found, _ := blocks(read(t, "docs/access.md"))
	for _, b := range found {
		if !strings.Contains(b.text, "inference-gateway keys create") {
			continue
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", b.text+"\ninference-gateway keys list")
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, part := range []string{"\nigw-", "good", "revoked", "build farm", "developers"} {
			if !strings.Contains("\n"+string(out), part) {
				t.Errorf("%q is not in\n%s", part, out)
			}
		}
		return
	}
	t.Error("docs/access.md has no command that makes a key")
}
