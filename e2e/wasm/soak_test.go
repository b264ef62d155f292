package wasm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// soakGrowth is how many MB Envoy may have grown by from the middle to the end: what its allocator moves by itself.
const soakGrowth = 8

const soakPolicy = `
rules:
  - {name: watched, match: {images: true}, shadow: true}
  - {name: secrets, act: {secrets: all}, continue: true}
  - {name: dear, match: {model: "*/dear*"}, act: {deny: {status: 402}}}
  - {name: users, act: {budget: {tokens: 1000000000, per: 30d, key: ["header:x-user"]}}, continue: true}
  - {name: short, act: {cap: {tokens: 100, insert: max_tokens}}}
`

// TestSoak sends SOAK_REQUESTS requests (a million in make soak-wasm), of about a kilobyte in the mean, and looks at the memory
// of Envoy with its VMs: after a twentieth of them, when buffers and budgets have their size, in the middle and at the end.
func TestSoak(t *testing.T) {
	total, err := strconv.Atoi(os.Getenv("SOAK_REQUESTS"))
	if err != nil {
		t.Skip("it takes minutes: make soak-wasm")
	}
	const answer = `{"id":"1","object":"chat.completion","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`
	one := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(one.Close)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL + "/v1", "WASM_ENABLED": "true", "WASM_PATH": harness.Module(t),
		"POLICY_FILE": policyFile(t, soakPolicy), "LOG_LEVEL": "error",
	})
	s := &soak{addr: g.Addr}
	envoy := g.EnvoyPID()
	sizes := map[string]int{}
	look := func(when string) {
		time.Sleep(time.Second) // what is deleted later is deleted then
		sizes[when] = resident(t, envoy)
		t.Logf("%-6s %9d requests, %7.1f MB of bodies, Envoy %d MB resident", when, s.sent.Load(), float64(s.bytes.Load())/1e6, sizes[when])
	}
	began := time.Now()
	s.run(t, total/20)
	look("start")
	s.run(t, total/2-total/20)
	look("middle")
	s.run(t, total-total/2)
	look("end")
	t.Logf("%v by status, %d broken off, in %v", s.statuses(), s.broken.Load(), time.Since(began).Round(time.Second))
	assert.LessOrEqual(t, sizes["end"], sizes["middle"]+soakGrowth, "MB resident")
	assert.Equal(t, envoy, g.EnvoyPID())
	assert.Contains(t, g.Admin(t, http.MethodGet, "/stats?filter=wasm"), "vm_reload_success: 0\n", "no VM has died")
	for _, status := range []int{200, 400, 402, 403} {
		assert.Positive(t, s.status[status].Load(), status)
	}
	assert.Zero(t, s.status[503].Load())
}

type soak struct {
	addr                string
	sent, bytes, broken atomic.Int64
	status              [600]atomic.Int64
}

func (s *soak) statuses() map[int]int64 {
	out := map[int]int64{}
	for i := range s.status {
		if n := s.status[i].Load(); n > 0 {
			out[i] = n
		}
	}
	return out
}

// run sends n requests on connections of both workers.
func (s *soak) run(t *testing.T, n int) {
	t.Helper()
	const connections = 16
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() {
			for left := n / connections; left > 0; {
				c, err := net.Dial("tcp", s.addr)
				if !assert.NoError(t, err) {
					return
				}
				left -= s.talk(t, c, left, i)
				_ = c.Close()
			}
		})
	}
	group.Wait()
	require.False(t, t.Failed())
}

// talk sends up to most requests on one connection, until one of them is broken off in its middle.
func (s *soak) talk(t *testing.T, c net.Conn, most, seed int) int {
	r := bufio.NewReader(c)
	for i := range most {
		n := int(s.sent.Add(1))
		body := soakBody(n)
		head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-User: %d\r\nContent-Type: application/json\r\n", n%200_000)
		text := head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		if n%500 == 250 {
			text = head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		s.bytes.Add(int64(len(body)))
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if n%1000 == 7 {
			_, _ = io.WriteString(c, text[:len(text)-10])
			s.broken.Add(1)
			return i + 1
		}
		_, err := io.WriteString(c, text)
		if err != nil {
			t.Errorf("connection %d: %v", seed, err)
			return most
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("connection %d: %v", seed, err)
			return most
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		s.status[resp.StatusCode].Add(1)
		if resp.Close {
			return i + 1
		}
	}
	return most
}

// soakBody is one of a kilobyte in the mean: most are short, some as long as the wasm lane takes them, and some are refused.
func soakBody(n int) string {
	words := 66
	switch {
	case n%1000 == 1:
		words = 24_000
	case n%100 == 3:
		words = 6_000
	case n%50 == 5:
		words = 2_000
	}
	text := soakText[:words*5]
	switch n % 40 {
	case 11:
		return `{"model":"one/dear","messages":[{"role":"user","content":"` + text + `"}]}`
	case 21:
		return `{"model":"one/a","messages":[{"role":"user","content":"AKIAIOSFODNN7EXAMPLE"}]}`
	case 31:
		return `{"model":"one/a","model":"` + text + `"}`
	}
	return `{"model":"one/a","max_tokens":5000,"messages":[{"role":"user","content":"` + text + `"}]}`
}

var soakText = strings.Repeat("word ", 24_000)

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident is the memory of a process in MB (proc_pid_status(5)).
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(t, err)
	m := residentLine.FindSubmatch(text)
	require.NotNil(t, m)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return n / 1000
}
