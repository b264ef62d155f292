package providers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// Caller is who asks, as Envoy's filters have written it into the request's headers. The zero Caller is nobody known.
type Caller struct{ Name, Groups string }

// Rights are what a caller may do with models.
type Rights interface {
	AllowsProvider(id string) bool
	AllowsModel(provider, model string) bool
	RestrictsModels() bool
	MaxTokens() int64 // of one answer; 0 is no limit
}

// WithRights is the directory with callers' rights. Without it every caller may do what the gateway offers.
func (d *Directory) WithRights(of func(Caller) Rights) *Directory {
	out := *d
	out.rights = of
	return &out
}

// rightsOf is nil for a caller with all rights.
func (d *Directory) rightsOf(c Caller) Rights {
	if d.rights == nil {
		return nil
	}
	return d.rights(c)
}

// held is the body for the provider when the caller's rights let the request pass.
func held(p routing.Plan, r Request, rights Rights) ([]byte, *apierror.Error) {
	if rights == nil {
		return p.Body(nil), nil
	}
	if rights.RestrictsModels() {
		if r.Queried {
			return nil, inQuery()
		}
		if member := routing.SecondModel(p.Doc); member != "" {
			return nil, otherCase(member)
		}
		if member := routing.MoreModelsIn(p.Doc); member != "" {
			return nil, moreModels(member)
		}
	}
	if !rights.AllowsModel(p.Provider, p.Model) {
		return nil, notYours(p.Provider, p.Model)
	}
	var edits []jsonedit.Edit
	if most := rights.MaxTokens(); most > 0 {
		var refusal *apierror.Error
		if edits, refusal = capTokens(p.Doc, r.Endpoint, p.Provider, most); refusal != nil {
			return nil, refusal
		}
	}
	if len(edits) == 0 {
		return p.Body(nil), nil
	}
	if p.Renamed {
		edits = append(edits, jsonedit.Edit{Name: "model", Raw: jsonedit.AppendQuote(nil, p.Model)})
	}
	return p.Doc.Apply(nil, edits...), nil
}

func notYours(provider, model string) *apierror.Error {
	return apierror.Field(apierror.ModelNotAllowed, "model",
		"you may not use model %s/%s: GET /v1/models lists those that you may", provider, clip(model))
}

// lengthFields are the members that bound the answer of an endpoint; the first is the one to add where none is.
var lengthFields = map[catalog.Endpoint][]string{
	catalog.ChatCompletions: {"max_tokens", "max_completion_tokens"},
	catalog.Completions:     {"max_tokens"},
	catalog.Responses:       {"max_output_tokens"},
	catalog.Messages:        {"max_tokens"},
}

// lengths are all the names that servers know for it, whatever the endpoint: llama.cpp turns the body of one endpoint into
// that of another, with what is left over, and lets its own n_predict win over all others.
var lengths = []string{"max_tokens", "max_completion_tokens", "max_output_tokens", ownLength}

// ownLength is llama.cpp's name, which elsewhere means nothing.
const ownLength = "n_predict"

// capTokens gives the edits that hold an answer to a length. What is absent, null, longer, or not positive (which means
// without an end to some servers) becomes the length.
func capTokens(doc jsonedit.Doc, e catalog.Endpoint, provider string, most int64) ([]jsonedit.Edit, *apierror.Error) {
	names := lengthFields[e]
	if len(names) == 0 {
		return nil, nil
	}
	raw := strconv.AppendInt(nil, most, 10)
	var edits []jsonedit.Edit
	given := false
	for name, v := range doc.All() {
		i := slices.IndexFunc(lengths, func(known string) bool { return sameName(known, name) })
		switch {
		case i < 0:
			continue
		case name != lengths[i]: // servers that ignore case, or Google's, would read this one, unseen by the limit
			return nil, apierror.Field(apierror.InvalidRequest, name, "write %s exactly so: the length of your answers is limited", lengths[i])
		case v.Kind == jsonedit.Null:
			continue
		case v.Kind != jsonedit.Number:
			return nil, apierror.Field(apierror.InvalidRequest, name, "%s must be a number", name)
		}
		given = given || slices.Contains(names, name)
		if n, err := strconv.ParseFloat(string(v.Raw()), 64); err != nil || n < 1 || n > float64(most) {
			edits = append(edits, jsonedit.Edit{Name: name, Raw: raw})
		}
	}
	if !given {
		edits = append(edits, jsonedit.Edit{Name: addedField(names, e, provider), Raw: raw})
	}
	return edits, nil
}

// sameName says that some server reads two names of a member as one: those written in Go ignore case, and Google's take
// maxTokens for max_tokens.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, "_", ""), strings.ReplaceAll(b, "_", ""))
}

// addedField is the member to add. OpenAI's reasoning models know only the newer name, others only the older one.
func addedField(names []string, e catalog.Endpoint, provider string) string {
	if e == catalog.ChatCompletions && provider == "openai" {
		return "max_completion_tokens"
	}
	return names[0]
}
