package mcp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

func (s *server) current() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// replace changes the state for everyone at once.
func (s *server) replace(change func(*state)) {
	s.mu.Lock()
	before := s.state.changed
	change(&s.state)
	s.state.changed = make(chan struct{})
	s.mu.Unlock()
	close(before)
	s.publish()
}

// fail takes the tools away of a server that cannot be reached, and says so once for each new reason.
func (s *server) fail(err error) {
	problem := describe(err)
	if before := s.current(); before.status != statusUnavailable || before.problem != problem {
		s.log.Warn("tool server is unavailable", "problem", problem)
	}
	s.replace(func(st *state) {
		st.status, st.problem, st.conn, st.tools, st.left = statusUnavailable, problem, nil, nil, 0
	})
}

// adopt makes a list of tools the server's own. The pins outlive a connection: a definition that is not what it was is
// told whenever it comes.
func (s *server) adopt(conn *connection, found []definition, left []omission) {
	allowed := found[:0:0]
	pins := map[string]string{}
	for _, d := range found {
		if s.filter.allows(s.name, d.original) {
			allowed = append(allowed, d)
			pins[d.original] = d.pin
		}
	}
	before := s.current()
	for name, pin := range pins {
		if old, ok := before.pins[name]; ok && old != pin {
			s.log.Warn("a tool's definition changed", "tool", cut(name, maxToolName), "before", old[:12], "now", pin[:12])
		}
	}
	if before.status != statusConnected {
		s.log.Info("tool server is connected", "tools", len(allowed), "protocol", conn.version, "transport", conn.kind)
	}
	if before.left != len(left) {
		for _, o := range left[:min(len(left), 10)] {
			s.log.Warn("a tool is not offered", "tool", cut(o.tool, maxToolName), "why", o.why)
		}
	}
	now := time.Now()
	if before.conn == conn && before.left == len(left) && slices.EqualFunc(before.tools, allowed, sameDefinition) {
		s.mu.Lock() // the same again: nobody needs another snapshot
		s.state.lastSeen = now
		s.mu.Unlock()
		return
	}
	s.replace(func(st *state) {
		*st = state{
			status: statusConnected, conn: conn, tools: allowed, pins: pins, left: len(left), kind: conn.kind, version: conn.version, lastSeen: now,
		}
	})
}

func sameDefinition(a, b definition) bool {
	return a.pin == b.pin && a.original == b.original && a.needsTask == b.needsTask
}

// after gives the state with a connection other than old. Who comes first reports the loss; the server's goroutine makes
// one new connection for all of them.
func (s *server) after(ctx context.Context, old *connection) (state, error) {
	if old != nil {
		old.lose()
	}
	for {
		st := s.current()
		switch {
		case st.conn != nil && st.conn != old:
			return st, nil
		case st.status == statusUnavailable || st.status == statusStopped:
			return st, errDown
		}
		select {
		case <-st.changed:
		case <-ctx.Done():
			return st, context.Cause(ctx)
		}
	}
}

// listen keeps the stream open on which a server of the stateless era says that its tools changed. Those with sessions
// say so on a stream that mcp-go keeps (gate.go).
func (s *server) listen(ctx context.Context, conn *connection) {
	if !conn.listens || !mcp.IsModernProtocol(conn.version) {
		return
	}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, longestPause) {
		began := time.Now()
		err := conn.client.Listen(ctx, mcp.SubscriptionFilter{ToolsListChanged: true})
		if errors.Is(err, mcp.ErrMethodNotFound) || errors.Is(err, transport.ErrSessionTerminated) {
			return // polling remains
		}
		if time.Since(began) > livelyStream {
			wait = time.Second
		}
		pause(ctx, wait)
		conn.poke() // for what went unheard
	}
}
