package a2a

import (
	"encoding/json"
	"time"
)

// The states of an agent.
const (
	StateConnecting  = "connecting"
	StateAvailable   = "available"
	StateUnavailable = "unavailable"
)

// Status is what can be told about an agent. Error holds no address.
type Status struct {
	ID              string          `json:"id"`
	Status          string          `json:"status"`
	Error           string          `json:"error,omitempty"`
	Name            string          `json:"name,omitempty"` // as the card has it
	Description     string          `json:"description,omitempty"`
	Version         string          `json:"version,omitempty"`
	ProtocolVersion string          `json:"protocol_version,omitempty"`
	Transport       string          `json:"transport,omitempty"`
	Streaming       bool            `json:"streaming"`
	Tools           []string        `json:"tools"`               // as injected
	Since           time.Time       `json:"since,omitzero"`      // of this status
	LastSeen        time.Time       `json:"last_seen,omitzero"`  // when the card was last read
	Card            json.RawMessage `json:"card,omitempty"`      // the last one, as the agent sent it
	CardHash        string          `json:"card_hash,omitempty"` // changes with the card
}

// Agents tells about every agent, in the configured order.
func (m *Manager) Agents() []Status {
	m.views.Lock()
	defer m.views.Unlock()
	names := map[*connection][]string{}
	c := m.snapshot.Load()
	for _, t := range c.tools {
		conn := c.at[t.Name].connection
		names[conn] = append(names[conn], t.Name)
	}
	list := make([]Status, 0, len(m.agents))
	for _, a := range m.agents {
		v := a.view.Load()
		s := Status{ID: a.Name, Status: v.state, Error: v.problem, Since: v.since, LastSeen: v.seen, Tools: []string{}}
		if conn := v.last; conn != nil {
			s.Name, s.Description, s.Version = conn.card.Name, conn.card.Description, conn.card.Version
			s.ProtocolVersion, s.Transport, s.Streaming = string(conn.version), string(conn.binding), conn.streaming
			s.Card, s.CardHash = conn.raw, conn.hash
			s.Tools = append(s.Tools, names[conn]...)
		}
		list = append(list, s)
	}
	return list
}

// Agent tells about one agent.
func (m *Manager) Agent(id string) (Status, bool) {
	for _, s := range m.Agents() {
		if s.ID == id {
			return s, true
		}
	}
	return Status{}, false
}
