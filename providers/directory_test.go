package providers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// answer is the refusal's kind for a chat or embeddings request to a provider, or "" when it would be sent.
func answer(d *providers.Directory, endpoint catalog.Endpoint, provider string) apierror.Kind {
	_, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: endpoint, Body: []byte(`{"model":"` + provider + `/m"}`)})
	if refusal != nil {
		return refusal.Kind
	}
	return ""
}

// While Envoy moves from one configuration to the next, a provider is chosen only when both have its route.
func TestBetweenSendsOnlyWhatBothSidesHave(t *testing.T) {
	const chat, embed = catalog.ChatCompletions, catalog.Embeddings
	ready := func(id string, e ...catalog.Endpoint) providers.Entry {
		return providers.Entry{ID: id, Ready: true, Endpoints: e}
	}
	unready := func(id string, e ...catalog.Endpoint) providers.Entry {
		return providers.Entry{ID: id, Fix: "set " + id, Endpoints: e}
	}
	old := providers.NewDirectory([]providers.Entry{
		ready("stays", chat, embed), ready("goes", chat), ready("is-switched-off", chat), unready("is-switched-on", chat),
		ready("gains-embeddings", chat), ready("loses-embeddings", chat, embed), unready("never", chat),
	}, catalog.NewModelFilter(nil, nil), 10)
	next := providers.NewDirectory([]providers.Entry{
		ready("stays", chat, embed), ready("comes", chat), unready("is-switched-off", chat), ready("is-switched-on", chat),
		ready("gains-embeddings", chat, embed), ready("loses-embeddings", chat), unready("never", chat),
	}, catalog.NewModelFilter(nil, []string{"denied"}), 20)

	between := old.Between(next)
	for _, c := range []struct {
		provider string
		endpoint catalog.Endpoint
		want     apierror.Kind
	}{
		{"stays", chat, ""},
		{"stays", embed, ""},
		{"goes", chat, apierror.UnknownProvider},
		{"comes", chat, apierror.ProviderNotReady},
		{"is-switched-off", chat, apierror.ProviderNotReady},
		{"is-switched-on", chat, apierror.ProviderNotReady},
		{"gains-embeddings", chat, ""},
		{"gains-embeddings", embed, apierror.UnsupportedRoute},
		{"loses-embeddings", chat, ""},
		{"loses-embeddings", embed, apierror.UnsupportedRoute},
		{"never", chat, apierror.ProviderNotReady},
	} {
		assert.Equal(t, c.want, answer(between, c.endpoint, c.provider), "%s %s", c.provider, c.endpoint)
		if c.want == "" {
			assert.Empty(t, answer(old, c.endpoint, c.provider), "the old one lacks %s %s", c.provider, c.endpoint)
			assert.Empty(t, answer(next, c.endpoint, c.provider), "the next one lacks %s %s", c.provider, c.endpoint)
		}
	}
	assert.EqualValues(t, 20, between.MaxBody())
	_, refusal := between.Plan(providers.Caller{}, providers.Request{Endpoint: chat, Body: []byte(`{"model":"stays/denied"}`)})
	require.NotNil(t, refusal)
	assert.Equal(t, apierror.ModelNotAllowed, refusal.Kind, "the next filter holds at once")
	_, refusal = between.Plan(providers.Caller{}, providers.Request{Endpoint: chat, Body: []byte(`{"model":"comes/m"}`)})
	assert.Contains(t, refusal.Message, "try again")
	_, refusal = between.Plan(providers.Caller{}, providers.Request{Endpoint: chat, Body: []byte(`{"model":"is-switched-off/m"}`)})
	assert.Contains(t, refusal.Message, "set is-switched-off")
	assert.Empty(t, answer(next, embed, "gains-embeddings"), "Between must not change what it reads")
	assert.Empty(t, answer(old, embed, "loses-embeddings"), "Between must not change what it reads")
}

func TestBetweenTheSameIsTheSame(t *testing.T) {
	d := directory([]string{"openai/*"}, []string{"*-pro"})
	assert.Equal(t, d, d.Between(d))
}
