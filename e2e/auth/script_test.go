package auth

import (
	"net/http"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/anypb"
)

// edited replaces a part of the script that says who calls.
func edited(t *testing.T, from, to string) func(*hcmv3.HttpConnectionManager) {
	return func(m *hcmv3.HttpConnectionManager) {
		for _, f := range m.GetHttpFilters() {
			script := &luav3.Lua{}
			if f.GetName() != "envoy.filters.http.lua" || f.GetTypedConfig().UnmarshalTo(script) != nil {
				continue
			}
			code := script.GetDefaultSourceCode().GetInlineString()
			require.Equal(t, 1, strings.Count(code, from), from)
			script.DefaultSourceCode = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: strings.Replace(code, from, to, 1)}}
			packed, err := anypb.New(script)
			require.NoError(t, err)
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed}
			return
		}
		require.Fail(t, "no script")
	}
}

// Envoy lets a request go on whose script has failed. A defect in ours must refuse it all the same.
func TestAScriptThatFailsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	env := func() map[string]string {
		return map[string]string{"AUTH_OIDC_ISSUER": i.url, "AUTH_OIDC_CLIENT_ID": audience}
	}
	const entry = "local function identify(request, settings)\n"
	for name, defect := range map[string]string{
		"an error":             `error("SECRETMARKER defect")`,
		"a missing field":      `local x = request.nothing.there`,
		"an error half-way":    `request:headers():replace("x-igw-caller", "oidc:half/way"); error({})`,
		"nothing is returned":  `do return end`,
		"nonsense is returned": `do return {} end`,
	} {
		t.Run(name, func(t *testing.T) {
			g := echoWith(t, edited(t, entry, entry+defect+"\n"), env(), i)
			r := g.Do(t, http.MethodGet, "/", "", bearer(i.token(t)))
			assert.Equal(t, http.StatusUnauthorized, r.Status, r)
			assert.Equal(t, "invalid_api_key", r.Error().Code, r)
			assert.Empty(t, r.Header.Values("Seen-Caller"))
			assert.NotContains(t, r.String(), "SECRETMARKER")
		})
	}
	t.Run("without the catch it would", func(t *testing.T) {
		g := echoWith(t, edited(t, "pcall(identify, request, settings)", `error("defect")`), env(), i)
		r := g.Do(t, http.MethodGet, "/", "", bearer(i.token(t)))
		assert.Equal(t, http.StatusOK, r.Status, "Envoy has changed its mind: is the catch still needed?")
	})
}
