//go:build !wasip1

package providers

import (
	"net/url"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// proxiedPath gives the provider's own path of a :path under /proxy/{provider}/, as a lenient provider may read it.
func proxiedPath(path string) (string, *apierror.Error) {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.SplitN(path, "/", 4) // "", proxy, the provider, the rest
	if len(parts) < 4 {
		return "/", nil
	}
	if _, err := url.PathUnescape(parts[3]); err != nil {
		return "", apierror.New(apierror.InvalidRequest, "the path has an escape that cannot be read")
	}
	return routing.CleanPath("/" + parts[3]), nil
}

// pathModels gives the model that some APIs have in the path: /run/{model} (Cloudflare), /models/{model}:{verb} (Google),
// /deployments/{model}/ (Azure) and /engines/{model}/ (OpenAI's first).
func pathModels(path string) ([]string, *apierror.Error) {
	path, refusal := proxiedPath(path)
	if refusal != nil {
		return nil, refusal
	}
	segments := strings.Split(path, "/")
	for i, s := range segments[:len(segments)-1] {
		rest := segments[i+1:]
		switch strings.ToLower(s) {
		case "run":
			return []string{strings.Join(rest, "/")}, nil
		case "models":
			model, _, _ := strings.Cut(strings.Join(rest, "/"), ":")
			return []string{model}, nil
		case "deployments", "engines":
			return rest[:1], nil
		}
	}
	return nil, nil
}

// queriedModels are the models that the query of a path names: a GET may have nothing else to name one by. What the provider
// might read in another way is refused.
func queriedModels(path string) (models []string, _ *apierror.Error) {
	_, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, apierror.New(apierror.InvalidRequest, "this gateway restricts models, and the query cannot be read: escape what is special in it")
	}
	for name, given := range values {
		if strings.EqualFold(name, "model") {
			models = append(models, given...)
		}
	}
	return models, nil
}

// noBatch refuses many requests at once, whose models are in another place.
func noBatch(r ProxyRequest) *apierror.Error {
	path, refusal := proxiedPath(r.Path)
	if refusal == nil && len(r.Body) > 0 && isBatch(path) {
		refusal = apierror.New(apierror.PermissionDenied, "you may not start a batch: models or the length of your answers are restricted, and what a batch holds cannot be checked")
	}
	return refusal
}

// modelBefore refuses a WebSocket whose model is only said by its messages, as those of the responses API do.
func modelBefore(r ProxyRequest, models []string) *apierror.Error {
	path, refusal := proxiedPath(r.Path)
	if r.Upgrade && refusal == nil && (len(models) == 0 || strings.HasSuffix(path, "/responses")) {
		refusal = apierror.New(apierror.PermissionDenied, "models are restricted here, and what a WebSocket's messages ask for cannot be checked: open one whose query names the model (?model=)")
	}
	return refusal
}

// wordless are the endpoints whose answers have no length in tokens that somebody could ask for.
var wordless = []string{
	"/embeddings", "/moderations", "/rerank", "/tokenize", "/files", "/images/generations", "/images/edits", "/images/variations",
	"/audio/speech", "/audio/transcriptions", "/audio/translations",
}

// heldProxy holds a caller's rights over a proxied request. Where they cannot be held, it may not pass.
func heldProxy(r ProxyRequest, models []string, rights Rights) ([]byte, *apierror.Error) {
	for _, m := range models {
		if !rights.AllowsModel(r.Provider, m) {
			return nil, notYours(r.Provider, m)
		}
	}
	path, refusal := proxiedPath(r.Path)
	if refusal == nil && rights.RestrictsModels() {
		refusal = oneModel(r.Body)
	}
	if refusal == nil {
		refusal = noBatch(r)
	}
	if refusal != nil {
		return nil, refusal
	}
	most := rights.MaxTokens()
	if most == 0 || len(r.Body) == 0 || hasSuffix(path, wordless) {
		return r.Body, nil
	}
	for _, e := range catalog.Endpoints() {
		if strings.HasSuffix(path, "/"+string(e)) && len(lengthFields[e]) > 0 {
			return cappedBody(r, e, most)
		}
	}
	return nil, apierror.New(apierror.PermissionDenied, "you may not use this path: the length of your answers is limited, and cannot be limited here")
}

// oneModel refuses a JSON body with models to fall back on. What is no object has been read as what it is.
func oneModel(body []byte) *apierror.Error {
	if doc, err := jsonedit.Parse(body); err == nil {
		if member := routing.MoreModelsIn(doc); member != "" {
			return moreModels(member)
		}
	}
	return nil
}

func cappedBody(r ProxyRequest, e catalog.Endpoint, most int64) ([]byte, *apierror.Error) {
	doc, err := jsonedit.Parse(r.Body)
	if err != nil {
		return nil, BodyError(err)
	}
	edits, refusal := capTokens(doc, e, r.Provider, most)
	if refusal != nil || len(edits) == 0 {
		return r.Body, refusal
	}
	return doc.Apply(nil, edits...), nil
}

func hasSuffix(path string, list []string) bool {
	return slices.ContainsFunc(list, func(suffix string) bool { return strings.HasSuffix(path, suffix) })
}
