package security

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// listening are the TCP addresses on which processes of these ids listen, as the kernel tells.
func listening(t *testing.T, pids ...int) (out []string) {
	t.Helper()
	inodes := map[string]bool{}
	for _, pid := range pids {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Skip("what others listen on is read from /proc")
		}
		for _, f := range files {
			target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, f.Name()))
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(table)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			const listen = "0A"
			if len(f) < 10 || !inodes[f[9]] || strings.Contains(table, "tcp") && f[3] != listen {
				continue
			}
			host, port, _ := strings.Cut(f[1], ":")
			raw, err := hex.DecodeString(host)
			require.NoError(t, err)
			for i := 0; i < len(raw); i += 4 {
				slices.Reverse(raw[i : i+4])
			}
			n, err := strconv.ParseUint(port, 16, 16)
			require.NoError(t, err)
			out = append(out, net.JoinHostPort(net.IP(raw).String(), strconv.FormatUint(n, 10)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Envoy's admin interface, the control plane, ext_proc, the loopback listener and all else between the processes have
// no port at all.
func TestOnlyThePublicPortsListen(t *testing.T) {
	t.Parallel()
	cert, key := harness.NewCA(t).Files(t, "localhost")
	plain, probes := harness.FreePort(t), harness.FreePort(t)
	g := harness.Start(t, harness.Env{
		"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key, "SERVER_HTTP_REDIRECT_PORT": plain, "SERVER_PROBE_PORT": probes, "SERVER_PORT": harness.FreePort(t),
		"MCP_ENABLED": "true", "MCP_SERVERS": "none=http://127.0.0.1:1/mcp", "LOG_LEVEL": "debug",
	})
	want := []string{g.Addr, "127.0.0.1:" + plain, "127.0.0.1:" + probes}
	slices.Sort(want)
	assert.Equal(t, want, listening(t, g.PID(), g.EnvoyPID()))
	for _, path := range []string{"/config_dump", "/clusters", "/stats", "/quitquitquit", "/server_info", "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"} {
		for _, host := range []string{"x", "admin", "gateway-control-plane"} {
			r := g.Do(t, http.MethodPost, path, "", "Host: "+host)
			assert.Equal(t, http.StatusNotFound, r.Status, "%s at %s: %s", path, host, r)
		}
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	const most = 5
	g := harness.Start(t, harness.Env{"SERVER_MAX_CONNECTIONS": strconv.Itoa(most)})
	served := func(c *harness.Conn) bool {
		c.Send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		r := c.Receive("GET")
		return r != nil && r.Status == http.StatusOK
	}
	var open []*harness.Conn
	for range most {
		c := g.Dial(t)
		require.True(t, served(c))
		open = append(open, c)
	}
	for range 3 {
		assert.False(t, served(g.Dial(t)), "one more than there may be")
	}
	for _, c := range open {
		assert.True(t, served(c), "who is there stays")
	}
	_ = open[0].Close()
	harness.Eventually(t, patience, "the next one is served", func() bool { return served(g.Dial(t)) })
}

// Who never comes to an end is shown out, however lively: SERVER_READ_TIMEOUT is for the whole request, and what arrives
// too fast is too much.
func TestBodiesThatNeverEnd(t *testing.T) {
	t.Parallel()
	e := theExposed(t)
	const chat, proxy = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", "POST /proxy/own/never HTTP/1.1\r\nHost: x\r\n"
	connections, next := map[string]*harness.Conn{}, map[string]string{}
	for name, tt := range map[string][2]string{
		"chat, of a length":          {chat + "Content-Length: 100000\r\n\r\n{\"a\":\"", "b"},
		"chat, in chunks":            {chat + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
		"chat, chunk extensions":     {chat + "Transfer-Encoding: chunked\r\n\r\n1", ";a=b"},
		"chat, trailers":             {chat + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "a: b\r\n"},
		"proxy, of a length":         {proxy + "Content-Length: 100000\r\n\r\n", "b"},
		"proxy, in chunks":           {proxy + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n"},
		"a head":                     {"GET /health HTTP/1.1\r\nHost: x\r\n", "A: b\r\n"},
		"a header":                   {"GET /health HTTP/1.1\r\nHost: x\r\nA: ", "b"},
		"a path":                     {"GET /", "b"},
		"a method":                   {"", "G"},
		"empty lines before it":      {"", "\r\n"},
		"a large body, very quickly": {chat + "Transfer-Encoding: chunked\r\n\r\n", "10000\r\n" + strings.Repeat(" ", 1<<16) + "\r\n"},
	} {
		c := e.Dial(t)
		c.Send(tt[0])
		connections[name], next[name] = c, tt[1]
	}
	for name, r := range together(connections, func(name string, c *harness.Conn) *harness.Response {
		pause := 200 * time.Millisecond
		if len(next[name]) > 1000 {
			pause = 0
		}
		answered := make(chan *harness.Response, 1)
		go func() { answered <- c.Receive("POST") }()
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(pause) {
			select {
			case r := <-answered:
				return r // nil: the connection was closed, which is an end too
			default:
				c.Send(next[name])
			}
		}
		return &harness.Response{Status: -1}
	}) {
		if r != nil {
			assert.Contains(t, []int{http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}, r.Status, "%s: %s", name, r)
		}
		if name == "a large body, very quickly" && assert.NotNil(t, r) {
			assert.Equal(t, http.StatusRequestEntityTooLarge, r.Status)
		}
	}
}
