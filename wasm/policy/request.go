package policy

import "github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"

// Facts is what the host can tell of a request beyond its path and body. Every answer may cost a call to the host, so
// each is asked for only when a rule wants it. A nil Facts knows nothing.
type Facts interface {
	// Header gives a request header by its lower-case name, several of one name joined by commas.
	Header(name string) (string, bool)
	// Principal is the identity in the client certificate of the peer, such as spiffe://cluster.local/ns/shop/sa/cart.
	Principal() string
	// PeerNamespace is the peer's namespace where something other than its principal tells it.
	PeerNamespace() string
	// NodeNamespace is the namespace of the proxy itself.
	NodeNamespace() string
	// NodeLabel is a label of the proxy itself.
	NodeLabel(name string) (string, bool)
	// AppendClaims appends the values of a verified token's claim: none, one, or several for a list. Dots lead into
	// nested claims.
	AppendClaims(dst []string, name string) []string
}

// BodyState says how much of the body there is.
type BodyState uint8

// The states of a body.
const (
	NoBody  BodyState = iota // the request has none
	Pending                  // it has not arrived whole: a Decision may ask for it
	Whole                    // Bytes is all of it
	CutOff                   // it is longer than MaxBody and was not kept
	Encoded                  // it is compressed
)

// Body is a request's body.
type Body struct {
	State BodyState
	Bytes []byte // owned by the caller, and unchanged as long as the Request and its Decision are in use
	Size  int64  // in bytes; -1 when it is not known before the body is there
	Open  bool   // of one that is CutOff: it has so many bytes at least, and its end was not seen
}

// Request is what is decided on. The fields are the caller's; what follows from them is kept in the Request too, so that
// it is found once. Reset it before it is used for another request; it keeps its memory.
type Request struct {
	Method    string
	Path      string // :path, with the query
	Authority string // :authority, where it says which upstream is meant. At the edge it does not, and is left empty
	Upstream  string // host of the upstream that the route leads to, where it is known
	Provider  string // ID of the provider, where routing has decided it; else it is found by upstream or by model
	Model     string // as the provider gets it, where routing has decided it; else it is found in body or path
	Body      Body
	Facts     Facts

	// SentAsJSON says that the host sends the body as JSON, whatever content-type the client gave.
	SentAsJSON bool

	Budgets Budgets

	seen  seen
	memos memos // of earlier requests
}

// Reset makes r fit for another request.
func (r *Request) Reset() {
	s := &r.seen
	clear(s.values)
	clear(s.edits)
	clear(s.holds) // so that nothing of the last request is kept alive
	*r = Request{memos: r.memos, seen: seen{
		facts: s.facts[:0], values: s.values[:0], scratch: s.scratch[:0], inner: s.inner[:0],
		edits: s.edits[:0], steps: s.steps[:0], holds: s.holds[:0], set: s.set[:0], kept: s.kept[:0],
	}}
}

// Doc gives the body as it was read for the decision; false when no rule needed it.
func (r *Request) Doc() (jsonedit.Doc, bool) {
	return r.seen.doc, r.seen.docDone && !r.seen.docBad
}

// Named gives the provider and the model of a request in lower case, as far as path, host and what is there of the body
// tell them: for logs and metadata.
func (p *Policy) Named(r *Request) (provider, model string) {
	was := r.seen.halt
	r.model(p)
	r.findProvider(p)
	r.seen.halt = was
	return r.seen.provider, r.seen.bare
}
