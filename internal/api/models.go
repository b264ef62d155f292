package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// unavailableHeader names the providers that did not answer, sorted, separated by commas.
const unavailableHeader = "X-Unavailable-Providers"

// listModels answers GET /v1/models[?provider=].
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	now := s.current.Load()
	view := now.view(r)
	asked := now.shelves
	name := r.URL.Query().Get("provider")
	if name != "" {
		sh, refusal := now.shelf(name)
		if refusal != nil {
			refusal.Write(w)
			return
		}
		asked = map[string]*shelf{sh.provider.ID: sh}
	}

	// A provider that the caller may not use is not even asked.
	if view.rights != nil {
		asked = maps.Clone(asked)
		maps.DeleteFunc(asked, func(id string, _ *shelf) bool { return !view.allowsProvider(id) })
	}
	stocks := s.take(r.Context(), asked)
	var models []model
	var unavailable []string
	for id, st := range stocks {
		if st.failure != nil {
			unavailable = append(unavailable, id)
		}
		if st.failure != nil && !st.held && name != "" {
			st.failure.Write(w)
			return
		}
		for _, m := range st.models {
			if view.allows(id, m.name) {
				models = append(models, m)
			}
		}
	}
	if len(unavailable) > 0 {
		slices.Sort(unavailable)
		w.Header().Set(unavailableHeader, strings.Join(unavailable, ","))
	}
	writeJSON(w, http.StatusOK, list(models))
}

// list is OpenAI's list object, sorted by id.
func list(models []model) []byte {
	slices.SortFunc(models, func(a, b model) int { return strings.Compare(a.id, b.id) })
	size := 0
	for _, m := range models {
		size += len(m.raw) + 1
	}
	out := make([]byte, 0, size+32)
	out = append(out, `{"object":"list","data":[`...)
	for i, m := range models {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, m.raw...)
	}
	return append(out, "]}"...)
}

// getModel answers GET /v1/models/{provider}/{model}; ?provider= takes the path as the bare model, as chat does.
func (s *Server) getModel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "" { // a slash too many
		s.listModels(w, r)
		return
	}
	provider, name := r.URL.Query().Get("provider"), id
	if provider == "" {
		var both bool
		if provider, name, both = strings.Cut(id, "/"); !both {
			modelNotFound(id, "; name it as provider/model").Write(w)
			return
		}
	}
	now := s.current.Load()
	sh, refusal := now.shelf(provider)
	if refusal != nil {
		if refusal.Kind == apierror.UnknownProvider {
			refusal = modelNotFound(id, ": "+refusal.Message)
		}
		refusal.Write(w)
		return
	}
	view := now.view(r)
	if !view.allowsProvider(sh.provider.ID) {
		modelNotFound(id, "").Write(w)
		return
	}
	st := s.take(r.Context(), map[string]*shelf{sh.provider.ID: sh})[sh.provider.ID]
	i := slices.IndexFunc(st.models, func(m model) bool { return m.name == name })
	switch {
	case i >= 0 && view.allows(sh.provider.ID, name):
		if st.failure != nil {
			w.Header().Set(unavailableHeader, sh.provider.ID)
		}
		writeJSON(w, http.StatusOK, st.models[i].raw)
	case st.failure != nil && !st.held:
		st.failure.Write(w)
	default:
		modelNotFound(id, "").Write(w)
	}
}

func modelNotFound(id, more string) *apierror.Error {
	return apierror.Field(apierror.ModelNotFound, "model", "model %q does not exist or is not allowed here%s", shortened(id), more)
}
