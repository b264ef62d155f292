package mcp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// Manager keeps the connections to all servers and the snapshot of their tools.
type Manager struct {
	servers  []*server
	mu       sync.Mutex // orders the making of snapshots, so that an older one never follows a newer one
	snapshot atomic.Pointer[snapshot]
}

// New checks the options. Nothing is asked of any server before Run.
func New(opts Options) (*Manager, error) {
	opts = opts.withDefaults()
	m := &Manager{}
	m.snapshot.Store(&snapshot{})
	names := map[string]bool{}
	var problems []error
	for _, target := range opts.Servers {
		s, err := newServer(target, opts, m.publish)
		switch {
		case err != nil:
			problems = append(problems, err)
		case names[target.Name]:
			problems = append(problems, errors.New("mcp: two servers are named "+target.Name))
		default:
			names[target.Name] = true
			m.servers = append(m.servers, s)
		}
	}
	return m, errors.Join(problems...)
}

// Run works until ctx ends and every connection is closed. It is called once. Calls that are under way when ctx ends end
// too, so end it after the loops.
func (m *Manager) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for _, s := range m.servers {
		group.Go(func() { s.run(ctx) })
	}
	group.Wait()
	return nil
}

// Catalogue is the tools of all servers that are there at this moment. It never changes; ask again for a newer one.
func (m *Manager) Catalogue() tools.Catalogue { return m.snapshot.Load() }

// Settled waits until each server has been tried once, or ctx ends: what there is then is what a start can promise.
func (m *Manager) Settled(ctx context.Context) {
	for _, s := range m.servers {
		select {
		case <-s.first:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Manager) publish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshot.Store(newSnapshot(m.servers))
}
