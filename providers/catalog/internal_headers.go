package catalog

// The internal headers by which a decision becomes a route. Clients' copies are stripped by the listener before any
// route is chosen, and routes remove them before a provider sees the request.
const (
	InternalHeaderPrefix = "x-igw-"
	ProviderHeader       = InternalHeaderPrefix + "provider"  // the ID that a model request goes to
	CheckedHeader        = InternalHeaderPrefix + "checked"   // a proxied body passed the check
	PolicyHeader         = InternalHeaderPrefix + "policy"    // a policy has answered this request
	CallerHeader         = InternalHeaderPrefix + "caller"    // who calls: key:<id>, oidc:<issuer>/<sub> or cert:<name>
	SessionHeader        = InternalHeaderPrefix + "session"   // the ID token of a browser's login, until it has been verified
	GroupsHeader         = InternalHeaderPrefix + "groups"    // the caller's groups, separated by commas
	LimitsHeader         = InternalHeaderPrefix + "limits"    // the limits that stand beside the caller's key, by their rule's name
	TokensHeader         = InternalHeaderPrefix + "tokens"    // how many tokens a model request may take, roughly
	UncountedHeader      = InternalHeaderPrefix + "uncounted" // no answer will say what the request took
)
