package providers

import (
	"errors"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Request is a model request whose body has arrived whole.
type Request struct {
	Endpoint catalog.Endpoint
	Provider string // the value of ?provider=, or empty
	Body     []byte // owned by the caller; a Plan may refer to it
}

// Plan is what to do with a request: where it goes and with which body.
type Plan struct {
	Provider string // the ID that the route is chosen by
	Model    string // as the provider gets it
	Body     []byte // the request's own bytes when nothing had to change
}

// Plan decides a model request. A refusal is an *apierror.Error, fit for the client.
func (d *Directory) Plan(r Request) (Plan, *apierror.Error) {
	doc, err := jsonedit.Parse(r.Body)
	if err != nil {
		return Plan{}, bodyError(err)
	}
	model, err := doc.String("model")
	switch {
	case errors.Is(err, jsonedit.Missing):
		return Plan{}, apierror.Field(apierror.InvalidRequest, "model",
			`the request body names no model: add "model": "provider/model", for example "openai/gpt-4o"`)
	case err != nil:
		return Plan{}, apierror.Field(apierror.InvalidRequest, "model", "model must be a string")
	case model == "":
		return Plan{}, apierror.Field(apierror.InvalidRequest, "model", "model is empty: write provider/model, for example openai/gpt-4o")
	}
	entry, bare, refusal := d.route(r, model)
	if refusal != nil {
		return Plan{}, refusal
	}
	if !d.filter.Empty() {
		if refusal := secondModel(doc); refusal != nil {
			return Plan{}, refusal
		}
		if !d.filter.Allows(entry.ID, bare) {
			return Plan{}, notAllowed(entry.ID, bare)
		}
	}
	p := Plan{Provider: entry.ID, Model: bare, Body: r.Body}
	if bare != model {
		p.Body = doc.SetString(make([]byte, 0, len(r.Body)), "model", bare)
	}
	return p, nil
}

// route finds the provider of a model, and the model's name there.
func (d *Directory) route(r Request, model string) (Entry, string, *apierror.Error) {
	name, bare, param := r.Provider, model, "provider"
	if name == "" {
		param = "model"
		prefix, rest, found := strings.Cut(model, "/")
		if !found {
			return Entry{}, "", apierror.Field(apierror.UnknownProvider, "model",
				"cannot tell the provider of model %q: write provider/model, for example %s, or add ?provider= to the URL. %s",
				clip(model), d.example(r.Endpoint, model), d.offer(r.Endpoint))
		}
		if rest == "" {
			return Entry{}, "", apierror.Field(apierror.InvalidRequest, "model", "model %q names a provider but no model", clip(model))
		}
		name, bare = prefix, rest
	}
	entry, known := d.find(name)
	switch {
	case !known && r.Provider != "":
		return Entry{}, "", apierror.Field(apierror.UnknownProvider, "provider",
			"unknown provider %q in ?provider=. %s", clip(name), d.offer(r.Endpoint))
	case !known:
		return Entry{}, "", apierror.Field(apierror.UnknownProvider, "model",
			"unknown provider %q in model %q: write provider/model, for example %s, or add ?provider= to the URL. %s",
			clip(name), clip(model), d.example(r.Endpoint, bare), d.offer(r.Endpoint))
	case !entry.Ready:
		return Entry{}, "", apierror.Field(apierror.ProviderNotReady, param, "provider %s is not configured: %s", entry.ID, entry.Fix)
	case !slices.Contains(entry.Endpoints, r.Endpoint):
		return Entry{}, "", apierror.Field(apierror.UnsupportedRoute, param,
			"provider %s does not offer %s. %s", entry.ID, r.Endpoint.Path(), d.offer(r.Endpoint))
	}
	return entry, bare, nil
}

// offer names the providers that would have done.
func (d *Directory) offer(endpoint catalog.Endpoint) string {
	ids := d.ready(endpoint)
	if len(ids) == 0 {
		return "No configured provider offers " + endpoint.Path() + "."
	}
	return "Configured for " + endpoint.Path() + ": " + strings.Join(ids, ", ") + "."
}

func (d *Directory) example(endpoint catalog.Endpoint, model string) string {
	id := "openai"
	if ids := d.ready(endpoint); len(ids) > 0 && !slices.Contains(ids, id) {
		id = ids[0]
	}
	return id + "/" + clip(model)
}

// secondModel refuses a member that a server which reads names in any case (every one that uses Go's encoding/json,
// Ollama among them) takes for the model: the last one would win there, unseen by the allow-list.
func secondModel(doc jsonedit.Doc) *apierror.Error {
	for name := range doc.All() {
		if name != "model" && strings.EqualFold(name, "model") {
			return apierror.Field(apierror.InvalidRequest, name, "write model in lower case: this gateway restricts models, and some providers would read %s as one", name)
		}
	}
	return nil
}

// bodyError turns a refusal of the body reader into the client's error, with the key at fault as param.
func bodyError(err error) *apierror.Error {
	var e *jsonedit.Error
	if errors.As(err, &e) {
		return &apierror.Error{Kind: apierror.InvalidRequest, Param: e.Key, Message: e.Error()}
	}
	return apierror.New(apierror.InvalidRequest, "the request body cannot be read")
}

func notAllowed(provider, model string) *apierror.Error {
	return apierror.Field(apierror.ModelNotAllowed, "model",
		"model %s/%s is not allowed by this gateway: GET /v1/models lists those that are", provider, clip(model))
}

// clip bounds what a client sent before it is repeated to it.
func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
