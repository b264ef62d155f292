package loop

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// joint remembers the last two snapshots that were joined: they change seldom, and requests come often.
type joint struct{ last atomic.Pointer[joined] }

type joined struct{ mcp, a2a, both tools.Catalogue }

// catalogue is the tools that a request may use: those of each source that it does not bypass.
func (h *Handler) catalogue(header http.Header) tools.Catalogue {
	var mcp, a2a tools.Catalogue = none{}, none{}
	if h.opts.MCP != nil && !bypassed(header, tools.BypassMCPHeader) {
		mcp = h.opts.MCP.Catalogue()
	}
	if h.opts.A2A != nil && !bypassed(header, tools.BypassA2AHeader) {
		a2a = h.opts.A2A.Catalogue()
	}
	if j := h.both.last.Load(); j != nil && j.mcp == mcp && j.a2a == a2a {
		return j.both
	}
	j := &joined{mcp: mcp, a2a: a2a, both: tools.Join(mcp, a2a)}
	h.both.last.Store(j)
	return j.both
}

// offered is the tools that a request may use and its caller too.
func (h *Handler) offered(header http.Header) tools.Catalogue {
	all := h.catalogue(header)
	if h.opts.MayUse == nil {
		return all
	}
	if may := h.opts.MayUse(caller(header)); may != nil {
		return tools.Only(all, may)
	}
	return all
}

// bypassed reads a bypass header: any value but nothing and false.
func bypassed(header http.Header, name string) bool {
	v := header.Get(name)
	return v != "" && !strings.EqualFold(v, "false")
}

// none is a source without tools.
type none struct{}

func (none) Tools() []tools.Tool { return nil }

func (none) Call(context.Context, string, json.RawMessage) tools.Result {
	return tools.Failure(tools.StatusUnknownTool, "there is no such tool")
}
