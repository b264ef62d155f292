package policyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// facts answers for an example request what Envoy answers for a real one.
type facts struct {
	request *Request
	headers map[string]string // lower-case names
}

func newFacts(r *Request) facts {
	f := facts{request: r, headers: map[string]string{}}
	for name, value := range r.Headers {
		f.headers[strings.ToLower(name)] = value
	}
	return f
}

func (f facts) Header(name string) (string, bool) {
	value, ok := f.headers[name]
	return value, ok
}

func (f facts) Principal() string     { return f.request.Peer.Principal }
func (f facts) PeerNamespace() string { return f.request.Peer.Namespace }
func (f facts) NodeNamespace() string { return f.request.Node.Namespace }

func (f facts) NodeLabel(name string) (string, bool) {
	value, ok := f.request.Node.Labels[name]
	return value, ok
}

// AppendClaims finds a claim by its whole name first, since names such as https://example.com/roles hold dots.
func (f facts) AppendClaims(dst []string, name string) []string {
	return appendClaim(dst, f.request.Claims, name)
}

func appendClaim(dst []string, claims map[string]any, name string) []string {
	value, ok := claims[name]
	if !ok {
		first, rest, nested := strings.Cut(name, ".")
		inner, isMap := claims[first].(map[string]any)
		if !nested || !isMap {
			return dst
		}
		return appendClaim(dst, inner, rest)
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			dst = append(dst, claimText(item))
		}
		return dst
	case map[string]any, nil:
		return dst
	}
	return append(dst, claimText(value))
}

// claimText writes a value as the filter does: numbers without an exponent.
func claimText(value any) string {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// cells keeps the counters of one case.
type cells map[int][]byte

// Load has no other writers to tell of.
func (c cells) Load(cell int) ([]byte, uint32) { return c[cell], 0 }

// Store always succeeds.
func (c cells) Store(cell int, data []byte, _ uint32) bool {
	c[cell] = slices.Clone(data)
	return true
}

// newBudgets gives the counters of one case, for which time stands still.
func newBudgets() *policy.Table {
	return &policy.Table{Cells: cells{}, Size: 1024, Clock: func() int64 { return 1_800_000_000 }}
}
