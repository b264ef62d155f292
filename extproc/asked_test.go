package extproc_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// A request that goes to the tool loop is only reckoned: it is not decided here, nor refused.
func TestARouteThatOnlyWantsToKnowWhatARequestMayTake(t *testing.T) {
	e := start(t, directory("openai").Metered(providers.Metering{Reserve: 1000, AskUsage: true}))
	for body, want := range map[string]string{
		`{"model":"openai/m","max_tokens":50,"stream":true}`: "60",
		`{"model":"openai/m"}`:                               "1003",
		`{"model":"nobody/m"}`:                               "", // the loop says what is wrong
		`no JSON`:                                            "",
		``:                                                   "",
	} {
		r := request{path: chat, asked: catalog.TokensHeader}
		if body != "" {
			r.pieces = bytewise(body)
		}
		a := e.send(t, r)
		require.Nil(t, a.refusal, body)
		assert.Equal(t, body, a.body, "nothing is changed")
		assert.Equal(t, want, a.set[catalog.TokensHeader], body)
		assert.NotContains(t, a.set, catalog.ProviderHeader)
	}
}

// What follows an upgrade is no body: the decision is made by the headers.
func TestARouteOfUpgrades(t *testing.T) {
	e := start(t, restricted(maxBody, []string{"cheap"}, "openai"))
	a := e.send(t, request{path: "/proxy/openai/realtime?model=cheap", asked: catalog.CheckedHeader, open: true})
	require.Nil(t, a.refusal)
	assert.Equal(t, "true", a.set[catalog.CheckedHeader])
	assert.Zero(t, a.pieces)
	for _, path := range []string{"/proxy/openai/realtime?model=dear", "/proxy/openai/models/dear", "/proxy/openai/realtime?%zz", "/proxy/openai/realtime", "/proxy/openai/responses?model=cheap"} {
		require.NotNil(t, e.send(t, request{path: path, asked: catalog.CheckedHeader, open: true}).refusal, path)
	}
}
