package api

import (
	"net/http"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

func (s *Server) tools(w http.ResponseWriter, r *http.Request) {
	exposed(w, r, s.current.Load().Tools, "MCP")
}

func (s *Server) agents(w http.ResponseWriter, r *http.Request) {
	exposed(w, r, s.current.Load().Agents, "A2A")
}

// exposed hands over to the handler of a feature, or says which of its variables to set.
func exposed(w http.ResponseWriter, r *http.Request, handler http.Handler, feature string) {
	if handler == nil {
		apierror.New(apierror.NotEnabled, "%[1]s is not exposed here: set %[1]s_ENABLED=true and %[1]s_EXPOSE=true", feature).Write(w)
		return
	}
	handler.ServeHTTP(w, r)
}
