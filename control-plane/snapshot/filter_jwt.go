package snapshot

import (
	"strconv"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	jwtName = "envoy.filters.http.jwt_authn"
	// claimsKey is where the verified token's claims are in the filter's dynamic metadata.
	claimsKey = "claims"
	// headerKey is where its header is.
	headerKey = "header"
	// failureKey, and the issuer's place in the configuration, is where the filter says why a token is not good.
	failureKey = "failure/"
)

// jwtFilter verifies bearer tokens: signature, issuer, audience and times. A good one is taken out of the request, so
// that nobody behind can use it. Its requirement is bound to the path alone: this filter runs on the route that was
// chosen before ext_proc, which is not yet a provider's.
func jwtFilter(in Input) *hcmv3.HttpFilter {
	c := &jwtv3.JwtAuthentication{
		Providers: map[string]*jwtv3.JwtProvider{},
		// Envoy's own answer would name the requested URI, query and all; localReplies makes a better one.
		StripFailureResponse: true,
	}
	var either []*jwtv3.JwtRequirement
	for n, issuer := range in.Config.Auth.Issuers() {
		c.Providers[issuer.Name] = jwtProvider(in, n, issuer)
		either = append(either, &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_ProviderName{ProviderName: issuer.Name}})
	}
	for _, path := range openPaths {
		c.Rules = append(c.Rules, &jwtv3.RequirementRule{Match: exactPath(path)})
	}
	requirement := either[0]
	if len(either) > 1 {
		requirement = &jwtv3.JwtRequirement{RequiresType: &jwtv3.JwtRequirement_RequiresAny{
			RequiresAny: &jwtv3.JwtRequirementOrList{Requirements: either},
		}}
	}
	for _, match := range tokenMatches(in) {
		c.Rules = append(c.Rules, &jwtv3.RequirementRule{
			Match:           match,
			RequirementType: &jwtv3.RequirementRule_Requires{Requires: requirement},
		})
	}
	return filter(jwtName, c)
}

// tokenMatches are the requests that need a token: all of them, or, where API keys are an identity as well, those that come
// with one. What then comes with none is for ext_authz to judge, which lets nobody in without one of the two
// (config.CallersRequired). A token is told by its beginning, which is that of {" in base64; no key begins so.
func tokenMatches(in Input) []*routev3.RouteMatch {
	const anywhere = "" // not "/": what matches no rule is let through
	if !in.Config.Access.Keys() {
		return []*routev3.RouteMatch{prefixPath(anywhere)}
	}
	return []*routev3.RouteMatch{
		prefixPath(anywhere, headerPresent(catalog.SessionHeader)),
		prefixPath(anywhere, headerRegex("authorization", `(?i)\s*bearer\s+eyJ.*`), headerAbsent("x-api-key")),
	}
}

// bearerPrefixes are how clients write the scheme; Envoy minds the case, unlike RFC 9110, 11.1.
var bearerPrefixes = []string{"Bearer ", "bearer "}

// openPaths need no caller.
var openPaths = []string{"/health", "/ready"}

func jwtProvider(in Input, n int, issuer config.Issuer) *jwtv3.JwtProvider {
	auth := in.Config.Auth
	p := &jwtv3.JwtProvider{
		Issuer:                 issuer.URL,
		Audiences:              auth.Audiences(),
		RequireExpiration:      true,
		ClockSkewSeconds:       uint32(auth.ClockSkew / time.Second),
		Forward:                false,
		PayloadInMetadata:      claimsKey,
		HeaderInMetadata:       headerKey,
		FailedStatusInMetadata: failureKey + strconv.Itoa(n),
		// No JwtCacheConfig: what is in that cache is not verified again, also when its key is withdrawn.
	}
	for _, prefix := range bearerPrefixes { // and from no query, which ends up in logs
		p.FromHeaders = append(p.FromHeaders, &jwtv3.JwtHeader{Name: "authorization", ValuePrefix: prefix})
	}
	if auth.Login() && issuer.URL == auth.OIDCIssuer {
		p.FromHeaders = append(p.FromHeaders, &jwtv3.JwtHeader{Name: catalog.SessionHeader})
	}
	found, ok := in.Issuers[issuer.URL]
	if !ok {
		// Keys that nobody has: tokens of this issuer are answered 503 until it has said where its own are.
		p.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{HttpUri: httpURI("http://nobody/", pendingCluster)}}
		return p
	}
	p.JwksSourceSpecifier = &jwtv3.JwtProvider_RemoteJwks{RemoteJwks: &jwtv3.RemoteJwks{
		HttpUri:       httpURI(found.KeysURL, issuerCluster(found.KeysURL)),
		CacheDuration: duration(auth.KeyRefresh + refetchedBefore),
		// Fetched ahead of time and never forgotten: keys that come this way do not expire when the issuer is down.
		AsyncFetch: &jwtv3.JwksAsyncFetch{FailedRefetchDuration: duration(time.Second)},
	}}
	return p
}

// refetchedBefore is how long before the end of the cache's time Envoy fetches again
// (source/extensions/filters/http/jwt_authn/jwks_async_fetcher.cc).
const refetchedBefore = 5 * time.Second

// tokenReplies say why a token is not good, as far as its sender may know. The words are those of
// source/common/jwt/status.cc.
func tokenReplies(c *config.Config) []*hcmv3.ResponseMapper {
	if !c.Auth.Enabled {
		return nil
	}
	challenge := setHeader("www-authenticate", "Bearer")
	invalid := setHeader("www-authenticate", `Bearer error="invalid_token"`)
	refused := func(f *accesslogv3.AccessLogFilter, header *corev3.HeaderValueOption, kind apierror.Kind, message string) *hcmv3.ResponseMapper {
		m := reply(f, kind, message)
		m.HeadersToAdd = append(m.HeadersToAdd, header)
		return m
	}
	var list []*hcmv3.ResponseMapper
	if c.Auth.Login() {
		list = append(list, reply(allOf(status(401), matches(headerRegex(":path", callbackPath+`(\?.*)?`))), apierror.Unauthorized,
			"the login did not succeed, or took too long: open the page again"))
	}
	return append(list,
		reply(tokenFailure(c, "Jwks remote fetch is failed"), apierror.Unavailable,
			"the identity provider's keys are not there yet: try again in a moment"),
		refused(tokenFailure(c, "Jwt is expired"), invalid, apierror.InvalidAPIKey, "the token has expired: get a new one"),
		refused(tokenFailure(c, "Jwt not yet valid"), invalid, apierror.InvalidAPIKey, "the token is not valid yet: is a clock wrong?"),
		refused(tokenFailure(c, "Audiences in Jwt are not allowed"), invalid, apierror.InvalidAPIKey, "the token is not meant for this gateway: its audience is another"),
		refused(tokenMissing(), challenge, apierror.Unauthorized, "this needs a token: send it as Authorization: Bearer"),
		refused(anyTokenFailure(c), invalid, apierror.InvalidAPIKey, "the token is not accepted"),
	)
}

// tokenMissing goes by the request: with several issuers, Envoy leaves no reason when there is no token.
func tokenMissing() *accesslogv3.AccessLogFilter {
	bearer := headerRegex("authorization", "(?i).*bearer .*")
	bearer.InvertMatch, bearer.TreatMissingHeaderAsEmpty = true, true
	return allOf(status(401), notVerified(), matches(bearer))
}

// tokenFailure matches when the check of an issuer ended with the message.
func tokenFailure(c *config.Config, message string) *accesslogv3.AccessLogFilter {
	var either []*accesslogv3.AccessLogFilter
	for n := range c.Auth.Issuers() {
		either = append(either, failureIs(n, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: message}}))
	}
	return refusal(either)
}

func anyTokenFailure(c *config.Config) *accesslogv3.AccessLogFilter {
	var either []*accesslogv3.AccessLogFilter
	for n := range c.Auth.Issuers() {
		either = append(either, failureIs(n, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "J"}}))
	}
	return refusal(either)
}

// refusal keeps to replies of the filter: with several issuers, the check of a good token has failed for all but one.
func refusal(either []*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return allOf(oneOf(status(401), status(403)), notVerified(), oneOf(either...))
}

// notVerified matches when no token has been found good: no issuer is called so, and one that is not there matches.
func notVerified() *accesslogv3.AccessLogFilter {
	return metadata(true, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "nobody"}}, claimsKey, "iss")
}

func failureIs(n int, message *matcherv3.StringMatcher) *accesslogv3.AccessLogFilter {
	return metadata(false, message, failureKey+strconv.Itoa(n), "message")
}

// metadata looks at a text that the filter has left; absent is what holds when there is none.
func metadata(absent bool, text *matcherv3.StringMatcher, path ...string) *accesslogv3.AccessLogFilter {
	m := &matcherv3.MetadataMatcher{
		Filter: jwtName,
		Value:  &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: text}},
	}
	for _, key := range path {
		m.Path = append(m.Path, &matcherv3.MetadataMatcher_PathSegment{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key}})
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_MetadataFilter{
		MetadataFilter: &accesslogv3.MetadataFilter{Matcher: m, MatchIfKeyNotFound: wrapperspb.Bool(absent)},
	}}
}
