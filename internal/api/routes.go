package api

import (
	"net/http"
	"path"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", s.listModels)
	// One wildcard for the whole id: SDKs escape its slashes (openai%2Fgpt-4o), people do not.
	mux.HandleFunc("GET /v1/models/{id...}", s.getModel)
	mux.HandleFunc("GET /v1/mcp/tools", s.tools)
	mux.HandleFunc("GET /v1/mcp/servers", s.tools)
	mux.HandleFunc("GET /v1/a2a/agents", s.agents)
	mux.HandleFunc("GET /v1/a2a/agents/{id}", s.agents)
	mux.HandleFunc("GET /v1/a2a/agents/{id}/status", s.agents)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /ready", s.ready)
	return mux
}

// shaped answers in OpenAI's shape where ServeMux would answer in plain text or with a redirect.
func (s *Server) shaped(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !canonical(r.URL.EscapedPath()) {
			notFound(w, r)
			return
		}
		fallback, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := probe{header: http.Header{}}
		fallback.ServeHTTP(&probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			allow := probe.header.Get("Allow")
			w.Header().Set("Allow", allow)
			apierror.New(apierror.MethodNotAllowed, "%s is not allowed for %s; allowed: %s",
				shortened(r.Method), shortened(r.URL.Path), allow).Write(w)
			return
		}
		notFound(w, r)
	})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	apierror.New(apierror.NotFound, "no such endpoint: %s %s", shortened(r.Method), shortened(r.URL.Path)).Write(w)
}

// canonical says whether a path is free of what ServeMux redirects away: empty segments, dots.
func canonical(p string) bool {
	if p == "/" {
		return true
	}
	return strings.HasPrefix(p, "/") && path.Clean(p) == strings.TrimSuffix(p, "/")
}

// probe takes ServeMux's own answer apart without sending it.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }
