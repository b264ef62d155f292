package mcp

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// The tests in this file use real servers from npm and PyPI, which are installed into .cache/mcp. They are slow, so they
// run only when asked for:
//
//	MCP_TEST_REAL=1 go test -race -run TestReal ./tools/mcp/
//
// Where the packages cannot be had, MCP_TEST_OFFLINE=1 skips them.
var installOnce sync.Once

var installed error

func realServers(t *testing.T) (cache string) {
	t.Helper()
	if os.Getenv("MCP_TEST_REAL") == "" {
		t.Skip("set MCP_TEST_REAL=1 to test with real servers from npm and PyPI")
	}
	cache, err := filepath.Abs("../../.cache/mcp")
	require.NoError(t, err)
	installOnce.Do(func() {
		out, err := exec.CommandContext(context.Background(), "testdata/install.sh", cache).CombinedOutput()
		if err != nil {
			installed = fmt.Errorf("%w: %s", err, out)
		}
	})
	if installed != nil && os.Getenv("MCP_TEST_OFFLINE") != "" {
		t.Skip("MCP_TEST_OFFLINE is set and the servers cannot be installed: ", installed)
	}
	require.NoError(t, installed, "testdata/install.sh needs npm, python3 and their registries; MCP_TEST_OFFLINE=1 skips this test")
	return cache
}

// process is a server in a process of its own.
type process struct {
	*exec.Cmd
	lines chan string
	once  sync.Once
}

// spawn gives the process no environment of the caller's: the everything server shows its own to whoever asks.
func spawn(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(context.Background(), name, args...), lines: make(chan string, 1000)}
	p.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.Stderr = t.Output()
	require.NoError(t, p.Start())
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case p.lines <- s.Text():
			default: // nobody wants that many
			}
		}
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	p.once.Do(func() {
		_ = p.Process.Kill()
		for range p.lines { // until the pipe ends
		}
		_ = p.Wait()
	})
}

func (p *process) expect(t *testing.T, line string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case got, ok := <-p.lines:
			require.True(t, ok, "the server ended before it said %q", line)
			if strings.Contains(got, line) {
				return
			}
		case <-deadline:
			t.Fatalf("the server never said %q", line)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// everything starts the npm server at a port that is free, or was a moment ago: another program may be faster.
func everything(t *testing.T) (p *process, port string) {
	t.Helper()
	for range 3 {
		port = freePort(t)
		if p = everythingAt(t, port); p != nil {
			return p, port
		}
	}
	t.Fatal("the server does not start: what it says is above")
	return nil, ""
}

// everythingAt gives nil when the server ends instead of listening.
func everythingAt(t *testing.T, port string) *process {
	t.Helper()
	p := spawn(t, []string{"PORT=" + port}, "node",
		filepath.Join(realServers(t), "everything/node_modules/@modelcontextprotocol/server-everything/dist/index.js"), "streamableHttp")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second); err == nil {
			c.Close()
			return p
		}
		select {
		case _, running := <-p.lines:
			if !running {
				return nil
			}
		default:
		}
	}
	t.Log("the server does not listen")
	return nil
}

func python(t *testing.T, args ...string) (p *process, address string) {
	t.Helper()
	p = spawn(t, nil, filepath.Join(realServers(t), "stateless/bin/python"), append([]string{"testdata/stateless/server.py"}, args...)...)
	select {
	case port := <-p.lines:
		return p, "http://127.0.0.1:" + port
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not start")
		return nil, ""
	}
}

func TestRealEverything(t *testing.T) {
	realServers(t)
	server, port := everything(t)
	opts := quick(Server{Name: "every", URL: "http://127.0.0.1:" + port + "/mcp"})
	opts.ClientTimeout, opts.CallTimeout, opts.Exclude = 10*time.Second, 10*time.Second, []string{"get-env"}
	m := start(t, opts)
	t.Log(m.Servers().Data, names(m.Catalogue()))
	assert.Equal(t, "2025-11-25", m.Servers().Data[0].ProtocolVersion)
	assert.GreaterOrEqual(t, len(m.Catalogue().Tools()), 10)
	assert.NotContains(t, names(m.Catalogue()), "mcp_every_get-env")
	assert.Contains(t, string(m.Catalogue().Tools()[0].Schema), `"$schema"`)

	assert.Equal(t, tools.Result{Text: "Echo: häl", Status: tools.StatusOK}, call(t, m, "mcp_every_echo", `{"message":"häl"}`))
	assert.Contains(t, call(t, m, "mcp_every_get-sum", `{"a":2,"b":3}`).Text, "5")
	assert.Contains(t, call(t, m, "mcp_every_get-tiny-image", ``).Text, "[image, image/png, ")
	assert.Contains(t, call(t, m, "mcp_every_get-structured-content", `{"location":"New York"}`).Text, "temperature")
	assert.Contains(t, call(t, m, "mcp_every_get-resource-links", `{"count":2}`).Text, "[resource ")
	wrong := call(t, m, "mcp_every_get-sum", `{"a":"x"}`)
	assert.True(t, wrong.Failed)
	assert.Contains(t, wrong.Text, "Error")
	assert.Equal(t, tools.StatusNeedsInput, call(t, m, "mcp_every_simulate-research-query", `{"topic":"x"}`).Status)

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	assert.Equal(t, tools.StatusTimeout, m.Catalogue().Call(ctx, "mcp_every_trigger-long-running-operation", []byte(`{"duration":20,"steps":5}`)).Status)
	assert.Contains(t, call(t, m, "mcp_every_trigger-long-running-operation", `{"duration":1,"steps":3}`).Text, "completed")

	before := m.Catalogue() // the server starts anew and knows no session
	server.kill()
	require.NotNil(t, everythingAt(t, port))
	assert.Equal(t, "Echo: again", before.Call(t.Context(), "mcp_every_echo", []byte(`{"message":"again"}`)).Text)
}

func TestRealStateless(t *testing.T) {
	realServers(t)
	server, address := python(t)
	opts := quick(Server{Name: "py", URL: address + "/mcp"})
	opts.ClientTimeout = 10 * time.Second
	m := start(t, opts)
	t.Log(m.Servers().Data, names(m.Catalogue()))
	assert.Equal(t, "2026-07-28", m.Servers().Data[0].ProtocolVersion)
	pythonTools(t, m, server)
}

func TestRealLegacySSE(t *testing.T) {
	realServers(t)
	server, address := python(t, "sse")
	opts := quick(Server{Name: "py", URL: address + "/sse"})
	opts.ClientTimeout = 10 * time.Second
	m := start(t, opts)
	t.Log(m.Servers().Data, names(m.Catalogue()))
	assert.Equal(t, kindSSE, m.Servers().Data[0].Transport)
	pythonTools(t, m, server)
}

func pythonTools(t *testing.T, m *Manager, server *process) {
	t.Helper()
	assert.Equal(t, tools.Result{Text: "7", Status: tools.StatusOK}, call(t, m, "mcp_py_add", `{"a":5}`))
	failed := call(t, m, "mcp_py_fail", "")
	assert.True(t, failed.Failed)
	assert.Contains(t, failed.Text, "Error")
	assert.True(t, call(t, m, "mcp_py_add", `{"a":"x"}`).Failed)

	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan tools.Result, 1)
	go func() { result <- m.Catalogue().Call(ctx, "mcp_py_hang", nil) }()
	server.expect(t, "hanging")
	cancel()
	assert.Equal(t, tools.StatusCancelled, (<-result).Status)
	server.expect(t, "cancelled")

	count := len(m.Catalogue().Tools())
	time.Sleep(300 * time.Millisecond) // the stream of notifications opens in the background
	assert.Equal(t, "done", call(t, m, "mcp_py_grow", "").Text)
	eventually(t, "the new tool is heard of", func() bool { return len(m.Catalogue().Tools()) == count+1 })
	assert.Equal(t, "grown", call(t, m, "mcp_py_grown", "").Text)
}
