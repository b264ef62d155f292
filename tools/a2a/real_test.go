package a2a

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// TestRealAgent talks to an agent made with the official Python SDK, in every combination of protocol, binding and
// streaming. testdata/README.md says how to install it; A2A_AGENT_PYTHON names its Python.
func TestRealAgent(t *testing.T) {
	python := os.Getenv("A2A_AGENT_PYTHON")
	if python == "" {
		t.Skip("A2A_AGENT_PYTHON is not set: see testdata/README.md")
	}
	for _, era := range []string{"1.0", "0.3"} {
		for _, binding := range []string{"jsonrpc", "rest"} {
			for _, streaming := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s %s streaming=%v", era, binding, streaming), func(t *testing.T) {
					address, log := runAgent(t, python, era, binding, streaming)
					o := quick(Endpoint{Name: "py", URL: address})
					o.RefreshInterval, o.ReconnectInterval = time.Second, 100*time.Millisecond
					o.ClientTimeout, o.PollTimeout, o.MaxPollAttempts = 20*time.Second, 20*time.Second, 1000
					m := start(t, o)
					talk(t, m, log, era, streaming)
				})
			}
		}
	}
}

func talk(t *testing.T, m *Manager, log, era string, streaming bool) {
	eventually(t, "the agent", func() bool { s, _ := m.Agent("py"); return s.Status == StateAvailable })
	s, _ := m.Agent("py")
	if len(s.Tools) != 7 || s.Streaming != streaming || !strings.HasPrefix(s.ProtocolVersion, era) {
		t.Fatalf("got %+v", s)
	}
	expect(t, tell(t, m, "a2a_py_echo", "hello"), tools.StatusOK, "echo: hello")
	expect(t, tell(t, m, "a2a_py_report", "cats"), tools.StatusOK, "Report on cats: all is well.")
	expect(t, tell(t, m, "a2a_py_fail", "x"), tools.StatusError, "its task failed: the printer at (address) is on fire")
	expect(t, tell(t, m, "a2a_py_locked", "x"), tools.StatusError, "sign-in")
	if story := tell(t, m, "a2a_py_story", "a cat"); streaming {
		expect(t, story, tools.StatusOK, "Once upon a time there was a cat.")
	} else {
		expect(t, story, tools.StatusOK, "there was a cat.")
	}

	question := tell(t, m, "a2a_py_book", "a table")
	expect(t, question, tools.StatusNeedsInput, "At what time?")
	ids := regexp.MustCompile(`task_id "([^"]+)" and context_id "([^"]+)"`).FindStringSubmatch(question.Text)
	if ids == nil {
		t.Fatalf("no ids in %q", question.Text)
	}
	answer, _ := json.Marshal(map[string]string{"message": "at eight", "task_id": ids[1], "context_id": ids[2]})
	expect(t, m.Catalogue().Call(t.Context(), "a2a_py_book", answer), tools.StatusOK, "Booked: at eight")

	ctx, hangUp := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer hangUp()
	expect(t, m.Catalogue().Call(ctx, "a2a_py_slow", json.RawMessage(`{"message":"go"}`)), tools.StatusTimeout, "no answer in time")
	eventually(t, "the cancel at the agent", func() bool {
		lines, _ := os.ReadFile(log)
		return strings.Count(string(lines), "cancelled") == 1
	})
}

func runAgent(t *testing.T, python, era, binding string, streaming bool) (address, log string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	log = filepath.Join(t.TempDir(), "cancelled")
	args := []string{"testdata/agent.py", "--port", fmt.Sprint(port), "--era", era, "--binding", binding, "--log", log}
	if !streaming {
		args = append(args, "--no-streaming")
	}
	cmd := exec.Command(python, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return fmt.Sprintf("http://127.0.0.1:%d", port), log
}
