package harness

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 60 * time.Second
	stopTime  = 40 * time.Second // more than the default SERVER_DRAIN_TIMEOUT
)

// Env is the whole environment of a process, but for PATH, HOME and TMPDIR. TMPDIR is an own directory unless given.
type Env map[string]string

// With gives a copy with further variables, in pairs of name and value.
func (e Env) With(pairs ...string) Env {
	out := Env{}
	for k, v := range e {
		out[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func (e Env) list() []string {
	out := make([]string, 0, len(e)+2)
	for _, name := range []string{"PATH", "HOME"} {
		if _, given := e[name]; !given {
			out = append(out, name+"="+os.Getenv(name))
		}
	}
	for k, v := range e {
		out = append(out, k+"="+v)
	}
	// A program with the race detector sleeps for a second before it ends, unless it is told otherwise.
	return append(out, "GORACE=atexit_sleep_ms=0")
}

// Process is a program that the harness started.
type Process struct {
	Stdout, Stderr *Output
	TempDir        string // its TMPDIR

	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	mu     sync.Mutex
	family map[int]string // children seen: process id, and the time that tells it from a later process of that id
	mayBe  []string       // what it may print although it tells of a defect
}

// MayPrint allows what would fail the test otherwise: for a test that breaks something inside on purpose.
func (p *Process) MayPrint(texts ...string) { p.mayBe = append(p.mayBe, texts...) }

// tempDir has a short name: the paths of Unix sockets are short.
func tempDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "igw")
	if err != nil {
		t.Fatalf("temporary directory: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// StartProcess runs a program until the end of the test. Its output is shown when the test fails.
func StartProcess(t T, env Env, path string, args ...string) *Process {
	t.Helper()
	p := &Process{
		Stdout: &Output{}, Stderr: &Output{}, TempDir: env["TMPDIR"],
		name: filepath.Base(path), exited: make(chan struct{}), family: map[int]string{},
	}
	if p.TempDir == "" {
		p.TempDir = tempDir(t)
		env = env.With("TMPDIR", p.TempDir)
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env, p.cmd.Dir = env.list(), p.TempDir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as a service: whose tests run in a terminal has none there
	p.cmd.WaitDelay = 5 * time.Second                      // for a child that holds the output open
	p.cmd.Stdout, p.cmd.Stderr = p.Stdout, p.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	if s, shared := t.(*suite); shared {
		s.add(p)
	} else {
		p.Watch(t)
	}
	t.Cleanup(func() { p.end(t) })
	return p
}

// Watch shows what the process prints from here on, if the test fails.
func (p *Process) Watch(t T) {
	out, err := p.Stdout.Len(), p.Stderr.Len()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s %s printed on stdout:\n%s\nand on stderr:\n%s", p.name, strings.Join(p.cmd.Args[1:], " "),
				tail(p.Stdout.Since(out)), tail(p.Stderr.Since(err)))
		}
	})
}

func tail(s string) string {
	const most = 8 << 10
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; one that comes too late is no error.
func (p *Process) Signal(t T, s os.Signal) {
	t.Helper()
	p.remember()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("%s: %v: %v", p.name, s, err)
	}
}

// Wait waits until it has ended and gives its exit code, -1 when a signal ended it.
func (p *Process) Wait(t T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%s did not end within %v", p.name, within)
		return -1
	}
}

// Running says whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Stop asks it to end (SIGTERM), waits, and gives the exit code.
func (p *Process) Stop(t T) int {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	return p.Wait(t, stopTime)
}

// Kill ends it at once (SIGKILL). Its Envoy is told by the kernel.
func (p *Process) Kill(t T) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	p.Wait(t, stopTime)
}

// end leaves nothing of the process behind, and tells what it must not have printed.
func (p *Process) end(t T) {
	t.Helper()
	p.remember()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTime):
		t.Errorf("%s had to be killed: it did not end within %v of SIGTERM", p.name, stopTime)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	for deadline := time.Now().Add(5 * time.Second); len(p.left()) > 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range p.left() {
		t.Errorf("%s left its child %d behind", p.name, pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, bad := range []string{"DATA RACE", "panic", "goroutine 1 ["} {
		if p.Stderr.Contains(bad) && !slices.Contains(p.mayBe, bad) {
			t.Errorf("%s printed %q:\n%s", p.name, bad, tail(p.Stderr.String()))
		}
	}
}

// EnvoyPID is the process id of the Envoy that the gateway runs now, 0 when there is none.
func (p *Process) EnvoyPID() int {
	for pid, s := range children(p.PID()) {
		if s.name == "envoy" {
			return pid
		}
	}
	return 0
}

// remember notes the children, which nobody could find by their parent once it is gone.
func (p *Process) remember() {
	for pid, s := range children(p.PID()) {
		p.mu.Lock()
		p.family[pid] = s.began
		p.mu.Unlock()
	}
}

// left are the children that still run.
func (p *Process) left() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int
	for pid, began := range p.family {
		if s, ok := stat(pid); ok && s.began == began && s.state != "Z" {
			out = append(out, pid)
		}
	}
	return out
}

type procStat struct {
	name, state, began string
	parent             int
}

// children are the processes whose parent is pid. Where there is no /proc there are none.
func children(pid int) map[int]procStat {
	out := map[int]procStat{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return out
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, ok := stat(child); ok && s.parent == pid {
			out[child] = s
		}
	}
	return out
}

// stat reads /proc/PID/stat (proc_pid_stat(5)).
func stat(pid int) (procStat, bool) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, false
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	_, rest, open := strings.Cut(string(text), "(")
	end := strings.LastIndexByte(rest, ')')
	if err != nil || !open || end < 0 {
		return procStat{}, false
	}
	fields := strings.Fields(rest[end+1:])
	if len(fields) < 20 {
		return procStat{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	return procStat{name: rest[:end], state: fields[0], parent: parent, began: fields[19]}, true
}
