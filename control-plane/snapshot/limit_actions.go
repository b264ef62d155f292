package snapshot

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

type action = routev3.RateLimit_Action

// fitting describes a request that a rule fits: the rule's name, what it demands, and whose budget it is. A request that
// lacks one of these has no descriptor, and so no limit by this rule.
func fitting(r limits.Rule, name string) []*action {
	out := []*action{word(limits.RuleEntry, name)}
	if r.Own {
		out = append(out, headerFits("own", catalog.LimitsHeader, regexp.QuoteMeta(r.Name), true))
	}
	if len(r.Callers) > 0 {
		out = append(out, headerFits("callers", catalog.CallerHeader, onePattern(r.Callers), true))
	}
	if len(r.Groups) > 0 {
		out = append(out, headerFits("groups", catalog.GroupsHeader, oneName(r.Groups), true))
	}
	if len(r.Except.Callers) > 0 {
		out = append(out, headerFits("except callers", catalog.CallerHeader, onePattern(r.Except.Callers), false))
	}
	if len(r.Except.Groups) > 0 {
		out = append(out, headerFits("except groups", catalog.GroupsHeader, oneName(r.Except.Groups), false))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		out = append(out, claim(limits.ClaimEntry+name, name))
	}
	switch r.Per {
	case limits.PerCaller:
		out = append(out, &action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
			RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{HeaderName: catalog.CallerHeader, DescriptorKey: limits.WhoEntry},
		}})
	case limits.PerAddress:
		// Whoever has one IPv6 address has its /64.
		out = append(out, &action{ActionSpecifier: &routev3.RateLimit_Action_MaskedRemoteAddress_{
			MaskedRemoteAddress: &routev3.RateLimit_Action_MaskedRemoteAddress{V4PrefixMaskLen: u32(32), V6PrefixMaskLen: u32(64)},
		}})
	case limits.PerClaim:
		out = append(out, claim(limits.WhoEntry, r.Claim))
	}
	return out
}

// entries are what fitting's actions make, for Envoy's own counter: an entry without a value stands for any.
func entries(r limits.Rule, name string) []*limitv3.RateLimitDescriptor_Entry {
	var out []*limitv3.RateLimitDescriptor_Entry
	for _, a := range fitting(r, name) {
		e := &limitv3.RateLimitDescriptor_Entry{}
		switch s := a.GetActionSpecifier().(type) {
		case *routev3.RateLimit_Action_GenericKey_:
			e.Key, e.Value = s.GenericKey.GetDescriptorKey(), s.GenericKey.GetDescriptorValue()
		case *routev3.RateLimit_Action_HeaderValueMatch_:
			e.Key, e.Value = s.HeaderValueMatch.GetDescriptorKey(), s.HeaderValueMatch.GetDescriptorValue()
		case *routev3.RateLimit_Action_RequestHeaders_:
			e.Key = s.RequestHeaders.GetDescriptorKey()
		case *routev3.RateLimit_Action_MaskedRemoteAddress_:
			e.Key = limits.AddressEntry
		case *routev3.RateLimit_Action_Metadata:
			e.Key = s.Metadata.GetDescriptorKey()
			if name, ok := strings.CutPrefix(e.Key, limits.ClaimEntry); ok {
				e.Value = r.Claims[name]
			}
		}
		out = append(out, e)
	}
	return out
}

// word is an entry that every request has.
func word(key, value string) *action {
	return &action{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
		GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorKey: key, DescriptorValue: value},
	}}
}

// headerFits is an entry of requests whose header matches, or of those whose does not.
func headerFits(key, header, pattern string, expected bool) *action {
	m := &routev3.RateLimit_Action_HeaderValueMatch{
		DescriptorKey: key, DescriptorValue: "yes", Headers: []*routev3.HeaderMatcher{headerRegex(header, pattern)},
	}
	if !expected {
		m.ExpectMatch = no()
	}
	return &action{ActionSpecifier: &routev3.RateLimit_Action_HeaderValueMatch_{HeaderValueMatch: m}}
}

// claim is an entry with a claim of the verified token.
func claim(key, name string) *action {
	path := []*metadatav3.MetadataKey_PathSegment{segment(claimsKey)}
	for part := range strings.SplitSeq(name, ".") {
		path = append(path, segment(part))
	}
	return metadataEntry(key, jwtName, path)
}

func metadataEntry(key, namespace string, path []*metadatav3.MetadataKey_PathSegment) *action {
	return &action{ActionSpecifier: &routev3.RateLimit_Action_Metadata{Metadata: &routev3.RateLimit_Action_MetaData{
		DescriptorKey: key,
		MetadataKey:   &metadatav3.MetadataKey{Key: namespace, Path: path},
		Source:        routev3.RateLimit_Action_MetaData_DYNAMIC,
	}}}
}

func segment(key string) *metadatav3.MetadataKey_PathSegment {
	return &metadatav3.MetadataKey_PathSegment{Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: key}}
}

// onePattern matches one of the patterns, in which * stands for any characters.
func onePattern(patterns []string) string {
	var out []string
	for _, p := range patterns {
		out = append(out, strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*"))
	}
	return "(" + strings.Join(out, "|") + ")"
}

// oneName matches a list with commas that has one of the names.
func oneName(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, regexp.QuoteMeta(n))
	}
	return `(.*,)?(` + strings.Join(out, "|") + `)(,.*)?`
}
