package auth

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A page that may call does so with a token of its own. Its visitor's cookies, which come along from a neighbour of the
// gateway's site, are good for nothing that it could do or read.
func TestAPageThatMayCallCannotUseItsVisitorsLogin(t *testing.T) {
	const page = "Origin: https://app.example"
	w := newLoginWorld(t, "SERVER_CORS_ALLOWED_ORIGINS", "https://app.example")
	b := newBrowser(t)
	_, opened := b.logIn(w, "/v1/models")
	require.Equal(t, http.StatusOK, opened.Status)
	w.own.Reset()
	for _, site := range []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Site: cross-site"} {
		r := b.ask(http.MethodPost, w.URL+"/proxy/own/v1/x", url.Values{"a": {"b"}}, page, site, "Accept: */*", "Sec-Fetch-Mode: cors")
		assert.Equal(t, http.StatusForbidden, r.Status, r)
		assert.Empty(t, w.own.Requests(), "nothing was done in the visitor's name")

		r = b.ask(http.MethodGet, w.URL+"/v1/models", nil, page, site, "Accept: */*", "Sec-Fetch-Mode: cors")
		assert.Empty(t, r.Header.Values("Access-Control-Allow-Credentials"), "a browser shows no answer to a request with cookies")

		r = w.chat(t, w.issuer.token(t), page, site)
		assert.Equal(t, http.StatusOK, r.Status, r)
		assert.Equal(t, []string{"https://app.example"}, r.Header.Values("Access-Control-Allow-Origin"))
		w.own.Reset()
	}
	r := w.chat(t, "nonsense", page, "Sec-Fetch-Site: cross-site")
	assert.Equal(t, http.StatusUnauthorized, r.Status)
	assert.Equal(t, []string{"https://app.example"}, r.Header.Values("Access-Control-Allow-Origin"))
}
