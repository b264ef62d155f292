package providers

import (
	"errors"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// tell puts a refusal into the client's words: what is wrong, and what to write or set instead.
func (d *Directory) tell(r Request, f *routing.Refusal) *apierror.Error {
	param := "model"
	if r.Provider != "" {
		param = "provider"
	}
	switch f.Reason {
	case routing.BadBody:
		return BodyError(f.Body)
	case routing.NoModel:
		return apierror.Field(apierror.InvalidRequest, "model",
			`the request body names no model: add "model": "provider/model", for example "openai/gpt-4o"`)
	case routing.ModelNotString:
		return apierror.Field(apierror.InvalidRequest, "model", "model must be a string")
	case routing.EmptyModel:
		return apierror.Field(apierror.InvalidRequest, "model", "model is empty: write provider/model, for example openai/gpt-4o")
	case routing.NoPrefix:
		return apierror.Field(apierror.UnknownProvider, "model",
			"cannot tell the provider of model %q: write provider/model, for example %s, or add ?provider= to the URL. %s",
			clip(f.Model), d.example(r.Endpoint, f.Model), d.offer(r.Endpoint))
	case routing.OnlyPrefix:
		return apierror.Field(apierror.InvalidRequest, "model", "model %q names a provider but no model", clip(f.Model))
	case routing.Unknown:
		if r.Provider != "" {
			return apierror.Field(apierror.UnknownProvider, "provider",
				"unknown provider %q in ?provider=. %s", clip(f.Provider), d.offer(r.Endpoint))
		}
		return apierror.Field(apierror.UnknownProvider, "model",
			"unknown provider %q in model %q: write provider/model, for example %s, or add ?provider= to the URL. %s",
			clip(f.Provider), clip(f.Provider+"/"+f.Model), d.example(r.Endpoint, f.Model), d.offer(r.Endpoint))
	case routing.NotReady:
		return apierror.Field(apierror.ProviderNotReady, param, "provider %s is not configured: %s", f.Entry.ID, f.Entry.Fix)
	case routing.NotOffered:
		return apierror.Field(apierror.UnsupportedRoute, param,
			"provider %s does not offer %s. %s", f.Entry.ID, r.Endpoint.Path(), d.offer(r.Endpoint))
	case routing.OtherCase:
		return otherCase(f.Member)
	case routing.MoreModels:
		return moreModels(f.Member)
	case routing.InQuery:
		return inQuery()
	case routing.NotAllowed:
		return notAllowed(f.Provider, f.Model)
	}
	return apierror.New(apierror.InvalidRequest, "the request cannot be routed") // every reason has its case above
}

// offer names the providers that would have done.
func (d *Directory) offer(endpoint catalog.Endpoint) string {
	ids := d.table.Offering(endpoint)
	if len(ids) == 0 {
		return "No configured provider offers " + endpoint.Path() + "."
	}
	return "Configured for " + endpoint.Path() + ": " + strings.Join(ids, ", ") + "."
}

func (d *Directory) example(endpoint catalog.Endpoint, model string) string {
	id := "openai"
	if endpoint == catalog.Messages {
		id = "anthropic"
	}
	if ids := d.table.Offering(endpoint); len(ids) > 0 && !slices.Contains(ids, id) {
		id = ids[0]
	}
	return id + "/" + clip(model)
}

func otherCase(member string) *apierror.Error {
	return apierror.Field(apierror.InvalidRequest, member,
		"write model in lower case: this gateway restricts models, and some providers would read %s as one", member)
}

func moreModels(member string) *apierror.Error {
	return apierror.Field(apierror.InvalidRequest, member,
		"name one model, in model: models are restricted here, and %s may hold others", member)
}

func inQuery() *apierror.Error {
	return apierror.Field(apierror.InvalidRequest, "model",
		"name the model in the body and not in the query: models are restricted here, and some providers would take the one of the query")
}

// BodyError turns a refusal of jsonedit into the client's error, with the key at fault as param.
func BodyError(err error) *apierror.Error {
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
