package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

var (
	capitals  = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)
	ownNames  = regexp.MustCompile(`(?m)^PROVIDERS=(\S+)$`)
	reference = regexp.MustCompile("(?m)^\\| `([A-Z][A-Z0-9_]*)` \\|")
)

// foreign are words in capitals with an underscore that are no variables of the gateway.
var foreign = []string{
	"FULL_DUPLEX_STREAMED", "SO_REUSEPORT", "RST_STREAM", "MAX_TOKENS",
	"HTTPS_PROXY",        // which Envoy does not read
	"ANTHROPIC_BASE_URL", // of Claude Code
	// of Istio and Envoy
	"REGISTRY_ONLY", "FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD", "FILTER_STATE", "STRICT_DNS", "LOGICAL_DNS",
	"START_TIME", "RESPONSE_CODE", "UPSTREAM_CLUSTER", "DYNAMIC_METADATA", // in formats of access logs
	// of the rate limit service
	"RUNTIME_ROOT", "RUNTIME_SUBDIRECTORY", "RUNTIME_APPDIRECTORY", "RUNTIME_WATCH_ROOT", "RUNTIME_IGNOREDOTFILES",
	"REDIS_SOCKET_TYPE", "REDIS_URL", "USE_STATSD",
}

// Every variable that an example or a page names is one that docs/configuration.md explains.
func TestVariablesExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range reference.FindAllStringSubmatch(read(t, "docs/configuration.md"), -1) {
		known[m[1]] = true
	}
	if len(known) < 50 {
		t.Fatalf("docs/configuration.md explains only %d variables", len(known))
	}
	for _, p := range append(catalog.All(), catalog.Demo()) {
		for _, suffix := range []string{"_API_URL", "_API_KEY", "_ENABLED"} {
			known[upper(p.ID)+suffix] = true
		}
	}
	names := append(files(t, ".", ".md"), files(t, "examples", ".yaml", ".env", ".sh", ".http")...)
	for _, name := range names {
		if name == "docs/configuration.md" {
			continue
		}
		text := read(t, name)
		var own []string
		for _, m := range ownNames.FindAllStringSubmatch(text, -1) {
			own = append(own, strings.Split(m[1], ",")...)
		}
		for _, v := range capitals.FindAllString(text, -1) {
			bare := strings.TrimSuffix(v, "_FILE")
			if !known[v] && !known[bare] && !slices.Contains(foreign, v) && !isOwn(own, v) && !isHeaders(text, v) {
				t.Errorf("%s: there is no variable %s", name, v)
			}
		}
	}
}

func isOwn(names []string, variable string) bool {
	for _, n := range names {
		for _, suffix := range []string{"_API_URL", "_API_KEY", "_ENABLED", "_DIALECT", "_AUTH"} {
			if variable == upper(n)+suffix {
				return true
			}
		}
	}
	return false
}

var serverLists = regexp.MustCompile(`(?:MCP_SERVERS|A2A_AGENTS)=(\S+)`)

// isHeaders says whether a variable has the headers of a server or agent that the text names.
func isHeaders(text, variable string) bool {
	for _, m := range serverLists.FindAllStringSubmatch(text, -1) {
		for _, server := range strings.Split(m[1], ",") {
			name, _, _ := strings.Cut(server, "=")
			if variable == m[0][:len("MCP_")]+upper(name)+"_HEADERS" {
				return true
			}
		}
	}
	return false
}

func upper(id string) string { return strings.ToUpper(strings.ReplaceAll(id, "-", "_")) }

// Every dotenv file in the documentation is one that the gateway takes without a warning.
func TestDotenvBlocks(t *testing.T) {
	run := 0
	for _, name := range files(t, ".", ".md") {
		found, _ := blocks(read(t, name))
		for _, b := range found {
			if b.info == "env" {
				run++
				t.Run(fmt.Sprintf("%s:%d", name, b.line), func(t *testing.T) { validate(t, b.text) })
			}
		}
	}
	if run < 5 {
		t.Errorf("only %d were found", run)
	}
}

// validate has the gateway judge a dotenv file.
func validate(t *testing.T, dotenv string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gateway.env")
	if err := os.WriteFile(file, []byte(dotenv), 0o600); err != nil {
		t.Fatal(err)
	}
	r := harness.Run(t, harness.Env{"GATEWAY_ENV_FILE": file}, "validate")
	if r.Code != 0 || r.Stderr != "" {
		t.Errorf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}
