package resilience

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestAKilledEnvoyIsStartedAgainAndRequestsWork(t *testing.T) {
	t.Parallel()
	g := harness.Start(t, harness.Env{"SERVER_PORT": harness.FreePort(t)})
	for range 2 {
		old := g.EnvoyPID()
		require.NotZero(t, old)
		require.NoError(t, syscall.Kill(old, syscall.SIGKILL))
		client := harness.NewClient(t)
		harness.Eventually(t, patience, "a chat is answered by another Envoy", func() bool {
			r, err := g.Try(t, client, http.MethodPost, "/v1/chat/completions", chat("demo/echo"))
			return err == nil && r.Status == http.StatusBadRequest && g.EnvoyPID() != old // the demo wants messages
		})
		harness.Eventually(t, patience, "it is ready", func() bool {
			r, err := g.Try(t, client, http.MethodGet, "/ready", "")
			return err == nil && r.Status == http.StatusOK
		})
	}
	assert.Zero(t, g.Stop(t))
}

func TestAKilledGatewayTakesItsEnvoyAlong(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux can end Envoy with a killed gateway")
	}
	g := harness.Start(t, harness.Env{"SERVER_PORT": harness.FreePort(t)})
	envoy := g.EnvoyPID()
	require.NotZero(t, envoy)
	g.Kill(t)
	harness.Eventually(t, patience, "nobody listens any more", refuses(g))
	harness.Eventually(t, patience, "Envoy has ended", func() bool { return !runs(envoy) })
}

// runs says whether a process runs; one that has ended and that nobody has asked about does not.
func runs(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, found := strings.Cut(string(text), ") ")
	return err == nil && found && !strings.HasPrefix(rest, "Z")
}

// A collector of logs that ends, or hangs, takes nothing along: answers go on, and the stop is as clean as ever.
func TestAGatewayOutlivesTheReadersOfItsLogs(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, r, w *os.File){
		"they end": func(t *testing.T, r, _ *os.File) { require.NoError(t, r.Close()) },
		"they hang": func(t *testing.T, _, w *os.File) {
			fd := int(w.Fd())
			require.NoError(t, syscall.SetNonblock(fd, true))
			for err := error(nil); err == nil; { // there is no room for one more byte
				_, err = syscall.Write(fd, []byte("x"))
			}
			require.NoError(t, syscall.SetNonblock(fd, false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			require.NoError(t, err)
			t.Cleanup(func() { _, _ = r.Close(), w.Close() })
			cmd := exec.Command(harness.Binary(t), "run")
			cmd.Env = []string{"ENVOY_PATH=" + harness.EnvoyBinary(t), "SERVER_PORT=0", "SERVER_DRAIN_TIMEOUT=1s", "TMPDIR=" + harness.TempDir(t)}
			cmd.Stderr = w
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal: SIGHUP is answered by a line of the log
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			var url string
			for lines := bufio.NewReader(out); url == ""; {
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				_, url, _ = strings.Cut(line, "is ready: ")
			}
			url, _, _ = strings.Cut(url, "/v1")
			lose(t, r, w)

			require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
			for range 3 {
				resp, err := harness.NewClient(t).Get(url + "/ready")
				require.NoError(t, err)
				_ = resp.Body.Close()
				assert.Equal(t, http.StatusOK, resp.StatusCode)
			}
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				assert.NoError(t, err, "exit code 0")
			case <-time.After(patience):
				assert.Fail(t, "it does not end")
			}
		})
	}
}

func TestAPortInUseEndsTheStartAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	g := harness.Launch(t, harness.Env{"SERVER_PORT": port}, "run")
	assert.Equal(t, 2, g.Wait(t, patience))
	assert.Contains(t, strings.ToLower(g.Stderr.String()), "address already in use")
	assert.Contains(t, g.Stderr.String(), port)
}

// Envoy shares its ports with other Envoys of the same user: the second gateway would silently take half the requests.
func TestAPortInUseByAnotherGatewayEndsTheStartAtOnce(t *testing.T) {
	t.Parallel()
	first := harness.Start(t, harness.Env{"SERVER_PORT": harness.FreePort(t)})
	_, port, _ := net.SplitHostPort(first.Addr)
	second := harness.Launch(t, harness.Env{"SERVER_PORT": port}, "run")
	assert.Equal(t, 2, second.Wait(t, patience))
	assert.Contains(t, strings.ToLower(second.Stderr.String()), "address already in use")
	for range 20 {
		client := harness.NewClient(t)
		r, err := first.Try(t, client, http.MethodGet, "/ready", "")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, r.Status)
	}
}

func TestAnAddressThatIsNotThisMachinesIsTold(t *testing.T) {
	t.Parallel()
	g := harness.Launch(t, harness.Env{"SERVER_HOST": "192.0.2.1", "SERVER_PORT": "8080"}, "run")
	assert.Equal(t, 2, g.Wait(t, patience))
	assert.Contains(t, g.Stderr.String(), "SERVER_HOST: 192.0.2.1: this machine has no such address")
	assert.NotContains(t, g.Stderr.String(), "envoy:", "Envoy is not started for it")
}

func TestAnEnvoyThatIsNotThereEndsTheStartAtOnce(t *testing.T) {
	t.Parallel()
	g := harness.Launch(t, harness.Env{"ENVOY_PATH": "/nowhere/envoy"}, "run")
	assert.Equal(t, 2, g.Wait(t, patience))
	assert.Contains(t, g.Stderr.String(), "ENVOY_PATH")
}

func TestABadConfigurationListsEveryProblem(t *testing.T) {
	t.Parallel()
	r := harness.Run(t, harness.Env{
		"SERVER_PORT": "99999", "CLIENT_MAX_RETRIES": "many", "LOG_LEVEL": "loud", "OPENAI_API_URL": "not a url",
		"PROVIDERS": "mine",
	}, "run")
	assert.Equal(t, 1, r.Code)
	for _, name := range []string{"SERVER_PORT", "CLIENT_MAX_RETRIES", "LOG_LEVEL", "OPENAI_API_URL", "MINE_API_URL"} {
		assert.Contains(t, r.Stderr, name)
	}
}

func TestAStopDuringTheStartIsClean(t *testing.T) {
	t.Parallel()
	g := harness.Launch(t, harness.Env{}, "run")
	harness.Eventually(t, patience, "Envoy has been started", func() bool { return g.EnvoyPID() != 0 || !g.Running() })
	g.Signal(t, syscall.SIGTERM)
	assert.Zero(t, g.Wait(t, patience))
}

// The unspecified address of IPv6 stands for both families, as with other servers.
func TestTheUnspecifiedAddressOfIPv6IsEveryAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	_ = l.Close()
	g := harness.Start(t, harness.Env{"SERVER_HOST": "::"})
	_, port, err := net.SplitHostPort(g.Addr)
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "::1"} {
		r, err := http.Get("http://" + net.JoinHostPort(host, port) + "/health") //nolint:noctx // it answers, or there is nobody
		if assert.NoError(t, err, host) {
			_ = r.Body.Close()
			assert.Equal(t, http.StatusOK, r.StatusCode, host)
		}
	}
}
