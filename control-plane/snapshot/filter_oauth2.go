package snapshot

import (
	"net/url"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	oauth2v3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/oauth2/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The paths that the login has to itself.
const (
	loginPaths   = "/oauth2/"
	callbackPath = loginPaths + "callback"
	logoutPath   = loginPaths + "logout"
)

// placeholder stands for the secret of the cookies in a configuration that is only printed or checked: Envoy's rules
// want one, and one that runs has a random one (Input.CookieSecret).
const placeholder = "-"

const (
	clientSecretSecret = "login-client-secret"
	cookieSecretSecret = "login-cookie-secret"
)

// login gives the issuer at which browsers log in, once it has said where.
func login(in Input) (Issuer, bool) {
	if !in.Config.Auth.Login() {
		return Issuer{}, false
	}
	found, ok := in.Issuers[in.Config.Auth.OIDCIssuer]
	return found, ok && found.AuthorizeURL != "" && found.TokenURL != ""
}

// loginFilter sends browsers that open a page to the issuer, and keeps what comes back in cookies that only Envoy can
// read. Each later request gets the ID token in a header of its own, which jwtFilter verifies as it verifies any other
// token: a cookie is worth no more than what is in it.
func loginFilter(in Input, issuer Issuer) *hcmv3.HttpFilter {
	auth := in.Config.Auth
	base, names := "%REQ(:scheme)%://%REQ(:authority)%", cookieNames(in.Config)
	c := &oauth2v3.OAuth2Config{
		TokenEndpoint:         httpURI(issuer.TokenURL, issuerCluster(issuer.TokenURL)),
		AuthorizationEndpoint: issuer.AuthorizeURL,
		EndSessionEndpoint:    issuer.EndSessionURL,
		Credentials: &oauth2v3.OAuth2Credentials{
			ClientId:       auth.OIDCClientID,
			TokenSecret:    &tlsv3.SdsSecretConfig{Name: clientSecretSecret, SdsConfig: ads()},
			TokenFormation: &oauth2v3.OAuth2Credentials_HmacSecret{HmacSecret: &tlsv3.SdsSecretConfig{Name: cookieSecretSecret, SdsConfig: ads()}},
			CookieNames:    names,
		},
		RedirectPathMatcher: onlyPath(callbackPath),
		SignoutPath:         onlyPath(logoutPath),
		ForwardIdToken:      &oauth2v3.OAuth2TokenForwarding{Header: catalog.SessionHeader},
		// Nobody needs the access token: it is for asking the issuer, and may not be a JWT at all.
		DisableAccessTokenSetCookie: true,
		AuthScopes:                  auth.Scopes,
		AuthType:                    oauth2v3.OAuth2Config_BASIC_AUTH,
		PassThroughMatcher:          append(openPathHeaders(), headerPresent("authorization"), headerPresent("x-api-key")),
		AllowFailedMatcher:          notNavigating(),
		CookieConfigs:               laxCookies(),
		TokenCookieChunking:         &oauth2v3.TokenCookieChunking{}, // an ID token with many groups is larger than a cookie may be
	}
	if issuer.TokenAuthByBody {
		c.AuthType = oauth2v3.OAuth2Config_URL_ENCODED_BODY
	}
	if auth.PublicURL != "" {
		base = strings.ReplaceAll(auth.PublicURL, "%", "%%")
		c.OriginalRequestUri = base
		if u, err := url.Parse(auth.PublicURL); err == nil {
			c.AllowedRedirectDomains = []string{u.Hostname()}
		}
		c.PostLogoutRedirectUri = &oauth2v3.PostLogoutRedirectUri{Config: &oauth2v3.PostLogoutRedirectUri_Uri{Uri: base + "/"}}
	}
	c.RedirectUri = base + callbackPath
	return filter("envoy.filters.http.oauth2", &oauth2v3.OAuth2{Config: c})
}

// openPathHeaders match the paths that need no caller.
func openPathHeaders() []*routev3.HeaderMatcher {
	return []*routev3.HeaderMatcher{headerRegex(":path", "("+strings.Join(openPaths, "|")+`)(\?.*)?`)}
}

// notNavigating matches requests that no person waits for in front of a page: for them a redirect to a login page would
// be an answer that they cannot read. They go on without a token, and jwtFilter refuses them. They are not refused by
// the filter itself, because it writes the query into the access log.
func notNavigating() []*routev3.HeaderMatcher {
	html := headerRegex("accept", "(?i).*text/html.*")
	html.InvertMatch, html.TreatMissingHeaderAsEmpty = true, true
	get := method("GET|HEAD")
	get.InvertMatch = true
	return []*routev3.HeaderMatcher{html, get, headerRegex("sec-fetch-mode", "(cors|no-cors|same-origin|websocket)")}
}

func headerPresent(name string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}
}

func onlyPath(path string) *matcherv3.PathMatcher {
	return &matcherv3.PathMatcher{Rule: &matcherv3.PathMatcher_Path{Path: &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_Exact{Exact: path},
	}}}
}

// cookieNames have the prefix that makes browsers keep a cookie to this host alone and to HTTPS (RFC 6265bis, 4.1.3.2),
// where there is HTTPS.
func cookieNames(c *config.Config) *oauth2v3.OAuth2Credentials_CookieNames {
	prefix := "igw-"
	if c.Server.TLS.Enabled() || strings.HasPrefix(c.Auth.PublicURL, "https:") {
		prefix = "__Host-igw-"
	}
	return &oauth2v3.OAuth2Credentials_CookieNames{
		BearerToken: prefix + "access", OauthHmac: prefix + "hmac", OauthExpires: prefix + "expires", IdToken: prefix + "id",
		RefreshToken: prefix + "refresh", OauthNonce: prefix + "nonce", CodeVerifier: prefix + "verifier",
	}
}

// laxCookies come along when a person follows a link to a page, and with no request that another site makes by itself.
// They cannot be strict: the issuer's redirect is such a link. Envoy makes all of them Secure and HttpOnly.
func laxCookies() *oauth2v3.CookieConfigs {
	lax := &oauth2v3.CookieConfig{SameSite: oauth2v3.CookieConfig_LAX, Path: "/"}
	return &oauth2v3.CookieConfigs{
		BearerTokenCookieConfig: lax, OauthHmacCookieConfig: lax, OauthExpiresCookieConfig: lax, IdTokenCookieConfig: lax,
		RefreshTokenCookieConfig: lax, OauthNonceCookieConfig: lax, CodeVerifierCookieConfig: lax,
	}
}

// loginSecrets are the client's secret and the one that cookies are sealed with.
func loginSecrets(in Input) []cachetypes.Resource {
	if !in.Config.Auth.Login() {
		return nil
	}
	cookies := in.Config.Auth.CookieSecret
	if cookies == "" {
		cookies = in.CookieSecret
	}
	if cookies == "" {
		cookies = config.Secret(placeholder)
	}
	secret := func(name string, value config.Secret) *tlsv3.Secret {
		return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
			Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: value.Reveal()}},
		}}}
	}
	return []cachetypes.Resource{secret(clientSecretSecret, in.Config.Auth.ClientSecret), secret(cookieSecretSecret, cookies)}
}
