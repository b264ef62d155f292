package policy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// What this package cannot import is held together with it here.

func TestTheProvidersOfTheCatalogAreKnownByTheirHosts(t *testing.T) {
	p := parse(t, `{}`)
	for _, provider := range catalog.All() {
		u, err := url.Parse(strings.ReplaceAll(provider.BaseURL, catalog.AccountPlaceholder, "account"))
		require.NoError(t, err)
		assert.True(t, p.isProvider(provider.ID), provider.ID)
		if u.Hostname() != "localhost" {
			assert.Equal(t, provider.ID, p.providerOfHost(hostOnly(u.Host)), u.Host)
		}
	}
}

func TestTheEndpointsOfTheCatalogAreUnderstood(t *testing.T) {
	for _, e := range catalog.Endpoints() {
		assert.NotEqual(t, Other, readTarget("POST", e.Path()).endpoint, e.Path())
	}
	for _, provider := range catalog.All() {
		for _, path := range provider.Paths {
			assert.NotEqual(t, Other, readTarget("POST", path).endpoint, path)
		}
	}
}

func TestRepliesLookLikeThoseOfTheGateway(t *testing.T) {
	for _, kind := range []apierror.Kind{apierror.InvalidRequest, apierror.BodyTooLarge, apierror.RateLimited, apierror.NotEnabled} {
		theirs := apierror.Field(kind, "a", "text with \"quotes\"")
		var d Decision
		var want struct{ Error struct{ Type, Code string } }
		require.NoError(t, json.Unmarshal(theirs.Body(), &want))
		d.refuse(Denied, theirs.Status(), want.Error.Code, theirs.Param, theirs.Message)
		assert.JSONEq(t, string(theirs.Body()), string(d.AppendReply(nil)), kind)
	}
	d := Decision{Status: http.StatusServiceUnavailable, Message: "m", Code: "c"}
	assert.JSONEq(t, `{"error":{"message":"m","type":"server_error","param":null,"code":"c"}}`, string(d.AppendReply(nil)))
	d.Status = http.StatusUnauthorized
	assert.Contains(t, string(d.AppendReply(nil)), "authentication_error")
}

// The architecture test sees this package's own imports; this one sees all that comes with them.
func TestNothingLargeIsCompiledIn(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(cmd.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Skip("there is no go command on this machine")
	}
	deps := strings.Fields(string(out))
	assert.Contains(t, deps, "bytes")
	for _, large := range []string{"fmt", "reflect", "encoding/json", "regexp", "time", "os", "net/http", "log"} {
		assert.False(t, slices.Contains(deps, large), large)
	}
}
