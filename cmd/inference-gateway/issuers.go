package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// issuersTime is how long the start waits for OpenID Connect issuers, so that the first requests are not refused for
// nothing. It goes on without those that are down.
const issuersTime = 3 * time.Second

// follow tells the finder which issuers there are.
func (g *gateway) follow(c *config.Config) {
	var urls []string
	if c.Auth.Enabled {
		for _, i := range c.Auth.Issuers() {
			urls = append(urls, i.URL)
		}
	}
	g.issuers.Follow(issuerClient(c), urls)
}

// askIssuers begins to ask the issuers, until ctx ends, and gives them a moment to answer, so that what they say is
// part of the first configuration.
func (g *gateway) askIssuers(ctx, stop context.Context, group *errgroup.Group, c *config.Config) {
	group.Go(func() error { g.issuers.Run(ctx); return nil })
	g.follow(c)
	moment, cancel := context.WithTimeout(stop, issuersTime)
	defer cancel()
	g.issuers.Asked(moment)
	select {
	case <-g.issuers.Changed(): // the first configuration has it
	default:
	}
}

// newCookieSecret makes up what the browser login's cookies are sealed with, for as long as this process runs.
func newCookieSecret() config.Secret {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: https://pkg.go.dev/crypto/rand#Read
	return config.Secret(hex.EncodeToString(secret))
}

// learnIssuers applies the running configuration again whenever an issuer has answered.
func (g *gateway) learnIssuers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.issuers.Changed():
		}
		g.applying.Lock()
		if err := g.apply(ctx, g.current); err != nil && ctx.Err() == nil {
			g.log.Error("Envoy does not take what an OpenID Connect issuer says of itself", "error", err)
		}
		g.applying.Unlock()
	}
}

// input is what Envoy's configuration is made of, with what is known of issuers now.
func (g *gateway) input(c *config.Config) snapshot.Input {
	in := input(c, g.layout)
	in.Issuers, in.CookieSecret = map[string]snapshot.Issuer{}, g.cookies
	for url, m := range g.issuers.Found() {
		in.Issuers[url] = snapshot.Issuer{
			KeysURL: m.KeysURL, AuthorizeURL: m.AuthorizeURL, TokenURL: m.TokenURL, EndSessionURL: m.EndSessionURL,
			TokenAuthByBody: m.TokenAuthByBody(),
		}
	}
	return in
}

// issuerClient asks issuers directly, with the authorities that Envoy trusts for them too. It follows no redirect: an
// issuer answers under its own name.
func issuerClient(c *config.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: issuerRoots(c), MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: c.Client.ConnectTimeout,
			ForceAttemptHTTP2:   true,
			DisableKeepAlives:   true, // a question every ten minutes
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// issuerRoots is nil for the system's authorities.
func issuerRoots(c *config.Config) *x509.CertPool {
	bundle := cmp.Or(c.Auth.CA, c.Client.TLSCA)
	if bundle == "" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(bundle))
	return pool
}
