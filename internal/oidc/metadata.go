package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Metadata is what an issuer says of itself (OpenID Connect Discovery 1.0, section 3), as far as the gateway uses it.
type Metadata struct {
	Issuer        string   `json:"issuer"`
	KeysURL       string   `json:"jwks_uri"`
	AuthorizeURL  string   `json:"authorization_endpoint"`
	TokenURL      string   `json:"token_endpoint"`
	EndSessionURL string   `json:"end_session_endpoint"` // OpenID Connect RP-Initiated Logout 1.0, section 2.1
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
}

// TokenAuthByBody says that the client's secret goes into the body of a token request: only when the issuer takes no
// Basic authentication, which is the default (Discovery, section 3).
func (m Metadata) TokenAuthByBody() bool {
	return len(m.TokenAuth) > 0 && !slices.Contains(m.TokenAuth, "client_secret_basic")
}

// wellKnown is appended to an issuer, after its last slash is taken away (Discovery, section 4.1).
const wellKnown = "/.well-known/openid-configuration"

// maxDocument bounds a discovery document, in bytes.
const maxDocument = 1 << 20

// ask fetches and checks an issuer's document.
func ask(ctx context.Context, client *http.Client, issuer string) (Metadata, error) {
	var m Metadata
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+wellKnown, nil)
	if err != nil {
		return m, err
	}
	r.Header.Set("Accept", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return m, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return m, fmt.Errorf("the issuer answered its discovery document with %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return m, fmt.Errorf("the issuer's discovery document broke off: %w", err)
	}
	if len(body) > maxDocument {
		return m, errors.New("the issuer's discovery document is too large")
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, errors.New("the issuer's discovery document is not JSON of the right form")
	}
	return m, m.check(issuer)
}

// check holds a document to what the issuer may say. A document of another issuer would let that one's keys sign for
// this one (Discovery, section 4.3).
func (m Metadata) check(issuer string) error {
	if m.Issuer != issuer {
		return fmt.Errorf("the discovery document is of the issuer %q: AUTH_OIDC_ISSUER must be spelled exactly so", m.Issuer)
	}
	if m.KeysURL == "" {
		return errors.New("the discovery document has no jwks_uri")
	}
	for _, e := range []struct{ name, address string }{
		{"jwks_uri", m.KeysURL},
		{"authorization_endpoint", m.AuthorizeURL},
		{"token_endpoint", m.TokenURL},
		{"end_session_endpoint", m.EndSessionURL},
	} {
		if e.address != "" && !usable(e.address, strings.HasPrefix(issuer, "https:")) {
			return fmt.Errorf("the discovery document has a %s that is no URL which can be used", e.name)
		}
	}
	return nil
}

// usable says whether an endpoint is an absolute URL that is no less protected than its issuer.
func usable(address string, https bool) bool {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, u.Fragment != "":
		return false
	case strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && !https
}
