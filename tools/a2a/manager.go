package a2a

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// Manager looks after the agents. Its methods may be called at any time by anyone; without Run there are no tools.
type Manager struct {
	agents   []*agent
	snapshot atomic.Pointer[catalogue]
	views    sync.Mutex // held while the agents' views and the snapshot do not fit each other

	leaving sync.Mutex
	left    bool // Run waits or has ended: nothing more may be started
	after   sync.WaitGroup
}

// New checks the options and starts nothing.
func New(o Options) (*Manager, error) {
	o = o.withDefaults()
	m := &Manager{}
	m.snapshot.Store(newCatalogue(nil))
	seen := map[string]bool{}
	for _, e := range o.Agents {
		base, err := parseBase(e)
		if err != nil {
			return nil, err
		}
		if e.Name == "" || seen[e.Name] {
			return nil, fmt.Errorf("agent %q: a name of its own is needed", e.Name)
		}
		seen[e.Name] = true
		e.Headers = e.Headers.Clone()
		a := &agent{
			Endpoint: e, o: o, manager: m, base: base, log: o.Logger.With("agent", e.Name),
			http: newClient(e, originOf(base), o.MaxBody), wake: make(chan struct{}, 1), first: make(chan struct{}),
		}
		a.view.Store(&view{state: StateConnecting, since: time.Now()})
		m.agents = append(m.agents, a)
	}
	return m, nil
}

// Run keeps every agent's tools up to date until ctx ends; then it waits for what calls left behind: tasks that are still
// to be cancelled. An agent never makes it fail.
func (m *Manager) Run(ctx context.Context) error {
	var each sync.WaitGroup
	for _, a := range m.agents {
		each.Go(func() { a.run(ctx) })
	}
	each.Wait()
	m.leaving.Lock()
	m.left = true
	m.leaving.Unlock()
	m.after.Wait()
	for _, a := range m.agents {
		a.http.CloseIdleConnections()
	}
	return nil
}

// Catalogue is the tools of this moment. A request takes it once and keeps it.
func (m *Manager) Catalogue() tools.Catalogue { return m.snapshot.Load() }

// Settled waits until each agent has been asked once, or ctx ends: what there is then is what a start can promise.
func (m *Manager) Settled(ctx context.Context) {
	for _, a := range m.agents {
		select {
		case <-a.first:
		case <-ctx.Done():
			return
		}
	}
}

// publish shows what is now known of an agent, with a new snapshot if that changes the tools.
func (m *Manager) publish(a *agent, next *view) {
	m.views.Lock()
	defer m.views.Unlock()
	old := a.view.Swap(next)
	if old.state == next.state && old.last == next.last {
		return
	}
	var up []*connection
	for _, a := range m.agents {
		if v := a.view.Load(); v.state == StateAvailable {
			up = append(up, v.last)
		}
	}
	m.snapshot.Store(newCatalogue(up))
}

// later runs what a call has left to do when its caller does not wait any more. Run waits for it; after Run the caller has to.
func (m *Manager) later(f func()) {
	m.leaving.Lock()
	if m.left {
		m.leaving.Unlock()
		f()
		return
	}
	m.after.Add(1)
	m.leaving.Unlock()
	go func() {
		defer m.after.Done()
		f()
	}()
}
