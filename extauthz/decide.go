package extauthz

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// question is what a request says about its caller.
type question struct {
	id            string   // the request's
	path          string   // :path
	authorization []string // every value of the header
	apiKeys       []string // every value of x-api-key
	upgrade       bool     // the client asks for another protocol
	caller        string   // what the filters before this one have verified
	groups        string
	claims        map[string]any // of the verified token
}

// answer is who calls, or why the request is refused.
type answer struct {
	caller  string
	groups  string
	limits  string
	strip   bool // the credential has done its work
	refusal *apierror.Error
	retry   bool // another credential would help: a 401, not a 403
	wrong   bool // there was a credential, and it is not good
}

// decide answers a question at a time.
func (p *Policy) decide(q question, now time.Time) answer {
	a := p.identify(q, now)
	if a.refusal == nil {
		a.refusal = p.mayEnter(q, a)
	}
	return a
}

// identify finds the caller. A key is more particular than a client certificate, which may be that of a proxy; beside a
// token or a login it would be a second identity, and a request has one.
func (p *Policy) identify(q question, now time.Time) answer {
	if !p.Keys {
		return p.known(q)
	}
	credentials, readable := q.credentials()
	token := strings.HasPrefix(q.caller, access.OIDCCaller)
	switch {
	case len(credentials) > 1 || len(credentials) == 1 && (token || !readable):
		return refused(apierror.InvalidAPIKey, true, "the request has two different credentials: send one")
	case !readable && q.caller == "":
		return refused(apierror.InvalidAPIKey, true, "the Authorization header is not a bearer token: send Authorization: Bearer <API key>, or x-api-key: <API key>")
	case len(credentials) == 0:
		return p.known(q)
	}
	key, err := p.Table.Find(credentials[0], now)
	switch {
	case errors.Is(err, access.ErrExpired):
		return refused(apierror.InvalidAPIKey, true, "this API key has expired: ask this gateway's operator for a new one")
	case errors.Is(err, access.ErrRevoked):
		return refused(apierror.InvalidAPIKey, true, "this API key has been revoked: ask this gateway's operator for a new one")
	case err != nil:
		return refused(apierror.InvalidAPIKey, true, "incorrect API key: it is not one of this gateway's")
	}
	return answer{caller: key.Caller(), groups: catalog.JoinGroups(key.Groups), limits: key.LimitsRule(), strip: true}
}

// known is the answer for a request without a key: what the filters before have verified, or nobody. A certificate alone
// is no key and no token: it may be that of a proxy, with which everybody behind it would get in.
func (p *Policy) known(q question) answer {
	if p.Required && !strings.HasPrefix(q.caller, access.OIDCCaller) {
		if p.Keys {
			return refused(apierror.InvalidAPIKey, false, "you did not provide an API key: send it as Authorization: Bearer <API key>, or as x-api-key: <API key>")
		}
		return refused(apierror.Unauthorized, false, "the request has no token: send it as Authorization: Bearer <token>")
	}
	groups := catalog.SplitGroups(q.groups)
	if q.caller != "" {
		groups = append(groups, p.Table.GroupsOf(q.claims)...)
	}
	return answer{caller: q.caller, groups: catalog.JoinGroups(groups), strip: p.Required}
}

func refused(kind apierror.Kind, wrong bool, message string) answer {
	return answer{refusal: apierror.New(kind, "%s", message), retry: true, wrong: wrong}
}

// credentials are the different keys in a request. It is not readable when Authorization holds something else.
func (q question) credentials() (out []string, readable bool) {
	readable = true
	add := func(credential string) {
		if credential = strings.TrimSpace(credential); credential != "" && !slices.Contains(out, credential) {
			out = append(out, credential)
		}
	}
	for _, v := range q.authorization {
		scheme, credential, _ := strings.Cut(strings.TrimSpace(v), " ")
		if !strings.EqualFold(scheme, "bearer") && scheme != "" {
			readable = false
			continue
		}
		add(credential)
	}
	for _, v := range q.apiKeys {
		add(v)
	}
	return out, readable
}

// mayEnter holds the rights that can be held without a body, and refuses what could not be held later: a WebSocket has no
// body that names a model.
func (p *Policy) mayEnter(q question, a answer) *apierror.Error {
	provider, proxied := proxiedProvider(q.path)
	if !proxied || !p.Table.Restricts() {
		return nil
	}
	rights := p.Table.Rights(a.caller, catalog.SplitGroups(a.groups))
	switch {
	case !rights.AllowsProvider(provider):
		return apierror.Field(apierror.PermissionDenied, "provider", "you may not use provider %s", clip(provider))
	case q.upgrade && (rights.RestrictsModels() || rights.MaxTokens() > 0):
		return apierror.New(apierror.PermissionDenied, "you may not open a WebSocket to a provider: your models or the length of your answers are restricted, and neither could be checked there")
	}
	models, ok := queriedModels(q.path)
	if !ok && rights.RestrictsModels() {
		return apierror.New(apierror.PermissionDenied, "the query cannot be read, and your models are restricted: escape what is special in it")
	}
	for _, model := range models {
		if !rights.AllowsModel(provider, model) {
			return apierror.Field(apierror.ModelNotAllowed, "model", "you may not use model %s/%s: GET /v1/models lists those that you may", clip(provider), clip(model))
		}
	}
	return nil
}

// queriedModels are the models that the query of a path names: a GET may have nothing else to name one by. It is not ok
// when the provider might read the query in another way.
func queriedModels(path string) (models []string, ok bool) {
	_, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	for name, given := range values {
		if strings.EqualFold(name, "model") {
			models = append(models, given...)
		}
	}
	return models, err == nil
}

// proxiedProvider reads the provider of a path under /proxy the way routes match it: in any case.
func proxiedProvider(path string) (string, bool) {
	const prefix = "/proxy/"
	if len(path) < len(prefix) || !strings.EqualFold(path[:len(prefix)], prefix) {
		return "", false
	}
	rest, _, _ := strings.Cut(path[len(prefix):], "?")
	id, _, _ := strings.Cut(rest, "/")
	return strings.ToLower(id), true
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}
