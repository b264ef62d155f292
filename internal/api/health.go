package api

import (
	"encoding/json"
	"net/http"
)

// health says that the process lives. Envoy normally answers this itself.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusOK, status{Status: "ok"})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if reasons := s.opts.Ready(); len(reasons) > 0 {
		writeStatus(w, http.StatusServiceUnavailable, status{Status: "not ready", Reasons: reasons})
		return
	}
	writeStatus(w, http.StatusOK, status{Status: "ready"})
}

type status struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

func writeStatus(w http.ResponseWriter, code int, body status) {
	out, err := json.Marshal(body)
	if err != nil { // strings always marshal
		panic(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, code, out)
}

func writeJSON(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone when this fails: nobody is left to tell
}
