package mcp

import (
	"encoding/json"
	"time"
)

// ToolList is the answer of /v1/mcp/tools.
type ToolList struct {
	Object string     `json:"object"` // "list"
	Data   []ToolInfo `json:"data"`
}

// ToolInfo is one tool as people see it.
type ToolInfo struct {
	Name        string          `json:"name"`     // as models see it
	Original    string          `json:"original"` // as its server calls it
	Server      string          `json:"server"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// ServerList is the answer of /v1/mcp/servers.
type ServerList struct {
	Object string         `json:"object"` // "list"
	Data   []ServerStatus `json:"data"`
}

// ServerStatus says how a server is doing, without its address.
type ServerStatus struct {
	Name            string     `json:"name"`
	Status          string     `json:"status"` // connecting, connected, unavailable or stopped
	Error           string     `json:"error,omitempty"`
	Tools           int        `json:"tools"`
	ToolsLeftOut    int        `json:"tools_left_out,omitempty"` // for being malformed, too large or too many
	Transport       string     `json:"transport,omitempty"`      // streamable-http or sse
	ProtocolVersion string     `json:"protocol_version,omitempty"`
	LastSeen        *time.Time `json:"last_seen,omitempty"`
}

// ToolList describes the tools of the moment.
func (m *Manager) ToolList() ToolList {
	list := ToolList{Object: "list", Data: []ToolInfo{}}
	for _, t := range m.snapshot.Load().tools {
		list.Data = append(list.Data, ToolInfo{Name: t.Name, Original: t.Original, Server: t.Server, Description: t.Description, InputSchema: t.Schema})
	}
	return list
}

// Servers describes every configured server, in the order of the configuration.
func (m *Manager) Servers() ServerList {
	list := ServerList{Object: "list", Data: []ServerStatus{}}
	for _, s := range m.servers {
		st := s.current()
		info := ServerStatus{
			Name: s.name, Status: st.status, Error: st.problem, Tools: len(st.tools), ToolsLeftOut: st.left,
			Transport: st.kind, ProtocolVersion: st.version,
		}
		if seen := st.lastSeen.UTC(); !st.lastSeen.IsZero() {
			info.LastSeen = &seen
		}
		list.Data = append(list.Data, info)
	}
	return list
}
