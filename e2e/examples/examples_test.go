// Package examples keeps the examples and the documentation true: their curl commands are run against a real gateway,
// their files are checked against the program, their tables against the code, and their links against the tree.
package examples

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// documented is where the documentation's examples are for.
const documented = "http://localhost:8080"

// running is a gateway and the directory of its sockets.
type running struct {
	*harness.Gateway
	sockets string
}

// gateway is the one that the examples are run against: the demo provider, and two with a key.
var gateway = harness.Shared(func(t harness.T) running {
	dir, err := os.MkdirTemp("", "igw-docs-") // short, because a Unix socket's path is
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	provider := harness.NewProvider(t, answer).URL + "/v1"
	return running{sockets: dir, Gateway: harness.Start(t, harness.Env{
		"CONTROL_SOCKET_DIR": dir,
		"DEMO_ENABLED":       "true",
		"OPENAI_API_URL":     provider, "OPENAI_API_KEY": "sk-example",
		"ANTHROPIC_API_URL": provider, "ANTHROPIC_API_KEY": "sk-example",
	})}
})

// answer is a provider that has every endpoint and one model.
func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body := `{"object":"example"}`
	if r.URL.Path == "/v1/models" {
		body = `{"object":"list","data":[{"id":"example","object":"model","created":1,"owned_by":"example"}]}`
	}
	_, _ = io.WriteString(w, body)
}

// environ is that of a command which a reader would type; of a variable that is given twice the last one counts.
func (g running) environ(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.TempDir, "LANG=C.UTF-8", "NO_PROXY=*", "CONTROL_SOCKET_DIR=" + g.sockets,
	}, extra...)
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// files lists the files of the tree with one of the endings, as slash paths from the root, hidden directories, test
// data and what package managers bring left out.
func files(t *testing.T, below string, endings ...string) []string {
	t.Helper()
	root := harness.Root()
	var out []string
	err := filepath.WalkDir(filepath.Join(root, below), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		for _, e := range endings {
			if strings.HasSuffix(name, e) {
				rel, err := filepath.Rel(root, path)
				if err != nil {
					return err
				}
				out = append(out, filepath.ToSlash(rel))
				break
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
