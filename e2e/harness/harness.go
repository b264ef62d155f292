// Package harness runs the whole program for tests: the gateway's binary with a real Envoy, and providers on real
// sockets. It knows the program only from outside, as a user does: commands, environment, output, sockets and processes.
// Everything that it starts it ends, by process id.
package harness

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// T is what the harness needs of a test. A *testing.T is one; what Shared makes gets another, which ends with Main.
type T interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Main runs a package's tests, then ends what they shared and looks for leaked goroutines. Every package that uses the
// harness has `func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }`.
func Main(m *testing.M) int {
	code := m.Run()
	theSuite.end()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	if theSuite.Failed() && code == 0 {
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines leaked:", err)
		code = 1
	}
	return code
}

// Shared makes something once, when the first test asks for it, for all tests of the package. It ends with Main. While
// a test that has asked for it runs, what the gateways in it print belongs to that test, and is shown when it fails.
func Shared[V any](start func(T) V) func(testing.TB) V {
	var once sync.Once
	var made V
	var gateways []*Process
	var failure string
	return func(t testing.TB) V {
		t.Helper()
		once.Do(func() {
			defer func() {
				if r := recover(); r != nil {
					stop, ours := r.(fatal)
					if !ours {
						panic(r)
					}
					failure = string(stop)
				}
			}()
			before := theSuite.started()
			made = start(theSuite)
			gateways = theSuite.started()[len(before):]
		})
		if failure != "" {
			t.Fatalf("what the tests share did not start: %s", failure)
		}
		for _, g := range gateways {
			g.Watch(t)
		}
		return made
	}
}

// suite is the T of everything that is shared.
type suite struct {
	mu        sync.Mutex
	failed    bool
	cleanups  []func()
	processes []*Process
}

var theSuite = &suite{}

// fatal is how Fatalf leaves Shared's function.
type fatal string

func (s *suite) Helper() {}

func (s *suite) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

func (s *suite) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *suite) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (s *suite) Errorf(format string, args ...any) {
	s.Logf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
}

func (s *suite) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	panic(fatal(fmt.Sprintf(format, args...)))
}

func (s *suite) add(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
}

func (s *suite) started() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Process(nil), s.processes...)
}

func (s *suite) end() {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		last := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		last()
	}
}

// Eventually waits until a condition holds, and fails the test when it does not within the time.
func Eventually(t T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
