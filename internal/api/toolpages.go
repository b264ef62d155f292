package api

import (
	"encoding/json"
	"net/http"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// ToolPages serves /v1/mcp/tools and /v1/mcp/servers. What the functions give is encoded as JSON.
func ToolPages(tools, servers func(Caller) any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/mcp/tools", func(w http.ResponseWriter, r *http.Request) { writePage(w, tools(callerOf(r))) })
	mux.HandleFunc("GET /v1/mcp/servers", func(w http.ResponseWriter, r *http.Request) { writePage(w, servers(callerOf(r))) })
	return mux
}

// AgentPages serves /v1/a2a/agents, /v1/a2a/agents/{id} (the agent's card) and /v1/a2a/agents/{id}/status.
func AgentPages(list func(Caller) any, card, status func(c Caller, id string) (any, bool)) http.Handler {
	one := func(find func(Caller, string) (any, bool)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			found, ok := find(callerOf(r), r.PathValue("id"))
			if !ok {
				apierror.New(apierror.NotFound, "there is no such agent: GET /v1/a2a/agents lists them").Write(w)
				return
			}
			writePage(w, found)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/a2a/agents", func(w http.ResponseWriter, r *http.Request) { writePage(w, list(callerOf(r))) })
	mux.HandleFunc("GET /v1/a2a/agents/{id}", one(card))
	mux.HandleFunc("GET /v1/a2a/agents/{id}/status", one(status))
	return mux
}

// writePage encodes what a manager tells. What it holds of strangers' words is theirs and was bounded when it came in.
func writePage(w http.ResponseWriter, page any) {
	out, err := json.Marshal(page)
	if err != nil {
		apierror.New(apierror.Internal, "internal error").Write(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, out)
}
