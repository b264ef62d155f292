package loop

import (
	"context"
	"sync"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// moments are points in the middle of work, each with a key, at which a tool or a model waits for the test.
type moments struct {
	mu    sync.Mutex
	known map[string]*moment
}

type moment struct {
	began, left bool // left: the caller went away instead
	goOn        chan struct{}
}

func newMoments() *moments { return &moments{known: map[string]*moment{}} }

func (m *moments) at(key string) *moment {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[key] == nil {
		m.known[key] = &moment{goOn: make(chan struct{})}
	}
	return m.known[key]
}

// wait is at the moment until the test lets go, or it is false when ctx ends first.
func (m *moments) wait(ctx context.Context, key string) bool {
	at := m.at(key)
	m.set(&at.began)
	select {
	case <-at.goOn:
		return true
	case <-ctx.Done():
		m.set(&at.left)
		return false
	}
}

func (m *moments) set(flag *bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*flag = true
}

func (m *moments) is(flag *bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *flag
}

func (m *moments) letGo(key string) { close(m.at(key).goOn) }

func (m *moments) awaitBegun(t testing.TB, key string) {
	t.Helper()
	harness.Eventually(t, patience, key+" has begun", func() bool { return m.is(&m.at(key).began) })
}

func (m *moments) awaitLeft(t testing.TB, key string) {
	t.Helper()
	harness.Eventually(t, patience, key+" is cancelled", func() bool { return m.is(&m.at(key).left) })
}
