package demo

import (
	"net/http"
	"slices"
)

// The models. Their ids reach people as demo/assistant and so on.
const (
	modelAssistant = "assistant" // says what it is and how to set a key
	modelEcho      = "echo"      // repeats the last user message
	modelMirror    = "mirror"    // repeats the request's body, byte for byte
	modelTools     = "tools"     // calls a tool whenever it is offered one
	modelEmbedding = "embedding" // vectors only
)

var models = []string{modelAssistant, modelEcho, modelEmbedding, modelMirror, modelTools}

// born is the models' creation time; it never changes, so that lists compare equal.
const born = 1735689600

type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func newModel(id string) model {
	return model{ID: id, Object: "model", Created: born, OwnedBy: "demo"}
}

func listModels(w http.ResponseWriter) {
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list"}
	for _, id := range models {
		list.Data = append(list.Data, newModel(id))
	}
	writeJSON(w, http.StatusOK, list)
}

func retrieveModel(w http.ResponseWriter, id string) {
	if !slices.Contains(models, id) {
		fail(w, noModel(id))
		return
	}
	writeJSON(w, http.StatusOK, newModel(id))
}
