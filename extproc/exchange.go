package extproc

import (
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// drainFactor bounds how much of a too large body is read, as a multiple of the limit, so that the 413 reaches the
// client on a connection that stays usable. A client that goes on beyond that is answered at once, and Envoy closes.
const drainFactor = 8

// exchange is the state of one request. It belongs to the goroutine of its gRPC stream and to no other. Each phase
// takes what Envoy sent and returns what to send back; done says that Envoy needs nothing more.
type exchange struct {
	dir *providers.Directory
	// What the route says (control-plane/snapshot):
	reckons     bool // the request goes its way anyhow: say only what it may take
	headersOnly bool // nothing else will come

	path     string // as it came
	target   providers.Target
	caller   providers.Caller
	kind     string // content-type
	encoding string // content-encoding
	body     []byte
	held     bodies.Share // of the body
	read     int64        // bytes of body seen, also those that were dropped
	ended    bool         // the end of the request has been seen
}

func newExchange(dir *providers.Directory, held bodies.Share) *exchange {
	return &exchange{dir: dir, held: held}
}

type replies = []*extprocv3.ProcessingResponse

// onHeaders keeps what the decision needs and answers nothing yet: Envoy holds the headers until the body was read,
// which is what lets the decision change them. Only a request that is over already is answered here.
func (x *exchange) onHeaders(h *extprocv3.HttpHeaders) (out replies, done bool) {
	var path, length string
	for _, v := range h.GetHeaders().GetHeaders() {
		switch v.GetKey() {
		case ":path":
			path = headerValue(v)
		case "content-type":
			x.kind = join(x.kind, headerValue(v))
		case "content-encoding":
			x.encoding = join(x.encoding, headerValue(v))
		case "content-length":
			length = headerValue(v)
		case catalog.CallerHeader:
			x.caller.Name = headerValue(v)
		case catalog.GroupsHeader:
			x.caller.Groups = headerValue(v)
		}
	}
	target, refusal := providers.ParseTarget(path)
	if refusal != nil {
		return refuse(refusal), true
	}
	x.target, x.path = target, path
	if n, err := strconv.ParseInt(length, 10, 64); err == nil && n > drainFactor*x.dir.MaxBody() {
		return refuse(x.tooLarge()), true
	}
	switch {
	case x.headersOnly:
		out, done = x.finish()
		return out[:1], done
	case h.GetEndOfStream():
		return x.finish()
	}
	return nil, false
}

// onBody collects the body and decides at its end. An end after the end is ignored: Envoy has been seen to send two.
func (x *exchange) onBody(b *extprocv3.HttpBody) (out replies, done bool) {
	if x.ended {
		return nil, true
	}
	x.read += int64(len(b.GetBody()))
	switch {
	case x.read > drainFactor*x.dir.MaxBody():
		return refuse(x.tooLarge()), true
	case x.read > x.dir.MaxBody():
		x.body = nil // dropped while the rest is read
		x.held.Release()
	default:
		if refusal := x.keep(b.GetBody()); refusal != nil {
			return refuse(refusal), true
		}
	}
	if !b.GetEndOfStream() {
		return nil, false
	}
	return x.finish()
}

// keep adds a piece to the body.
func (x *exchange) keep(piece []byte) *apierror.Error {
	if refusal := x.held.Grow(len(piece)); refusal != nil {
		return refusal
	}
	if len(x.body) == 0 {
		x.body = piece // the usual case: the whole body in one piece, not copied
	} else {
		x.body = append(x.body, piece...)
	}
	return nil
}

// onTrailers refuses a request that ends with trailers, which nobody needs here and HTTP/2 allows. Envoy sends such a body
// to the provider, and once more when it goes on with the trailers: behind the declared length, where the next request on
// that connection, a stranger's, is expected. Seen with 1.40: e2e/security, TestTrailersSmuggleNothing.
func (x *exchange) onTrailers() (out replies, done bool) {
	if x.ended {
		return nil, true
	}
	x.ended = true
	if x.read > x.dir.MaxBody() {
		return refuse(x.tooLarge()), true
	}
	return refuse(apierror.New(apierror.InvalidRequest, "send the request without trailers")), true
}

// finish decides: the request has arrived whole.
func (x *exchange) finish() (replies, bool) {
	x.ended = true
	if x.read > x.dir.MaxBody() {
		return refuse(x.tooLarge()), true
	}
	if x.target.Proxy != "" {
		return x.finishProxy(), true
	}
	if x.target.Endpoint == "" {
		return refuse(apierror.New(apierror.NotFound, "no such endpoint")), true
	}
	if x.encoding != "" && !strings.EqualFold(x.encoding, "identity") {
		return refuse(apierror.New(apierror.InvalidRequest, "send the request body without content-encoding: it must be readable JSON")), true
	}
	plan, refusal := x.dir.Plan(x.caller, providers.Request{Endpoint: x.target.Endpoint, Provider: x.target.Provider, Queried: x.target.Queried, Body: x.body})
	if x.reckons {
		return x.reckoned(plan.Take), true // what is wrong with it is for the next to say
	}
	if refusal != nil {
		return refuse(refusal), true
	}
	set := []*corev3.HeaderValueOption{
		header(catalog.ProviderHeader, plan.Provider),
		header("content-length", strconv.Itoa(len(plan.Body))),
	}
	set = append(set, takes(plan.Take)...)
	if x.target.Path != x.path {
		set = append(set, header(":path", x.target.Path))
	}
	return forward(set, plan.Body), true
}

// finishProxy lets a proxied request pass as it came, when the allow-list and the caller's rights let it; only the length
// of its answer may be limited.
func (x *exchange) finishProxy() replies {
	body, refusal := x.dir.CheckProxy(x.caller, providers.ProxyRequest{
		Provider: x.target.Proxy, Path: x.path, ContentType: x.kind, ContentEncoding: x.encoding, Body: x.body, Upgrade: x.headersOnly,
	})
	if refusal != nil {
		return refuse(refusal)
	}
	set := append(takes(x.dir.ProxyTakes(x.path, body)), header(catalog.CheckedHeader, "true"))
	if len(body) > 0 {
		set = append(set, header("content-length", strconv.Itoa(len(body))))
	}
	return forward(set, body)
}

// reckoned lets a request pass as it came.
func (x *exchange) reckoned(t providers.Take) replies {
	set := takes(t)
	if len(x.body) > 0 {
		set = append(set, header("content-length", strconv.Itoa(len(x.body))))
	}
	return forward(set, x.body)
}

// takes are the headers that tell what a request may take, for those who count it.
func takes(t providers.Take) (set []*corev3.HeaderValueOption) {
	if t.Tokens > 0 {
		set = append(set, header(catalog.TokensHeader, strconv.FormatInt(t.Tokens, 10)))
	}
	if t.Untold {
		set = append(set, header(catalog.UncountedHeader, "true"))
	}
	return set
}

func (x *exchange) tooLarge() *apierror.Error {
	return apierror.New(apierror.BodyTooLarge, "the request body is larger than %d bytes (SERVER_MAX_REQUEST_BODY_SIZE)", x.dir.MaxBody())
}

// join keeps every value of a header that may come several times: none may hide another (RFC 9110, 5.2).
func join(have, more string) string {
	if have == "" {
		return more
	}
	return have + ", " + more
}

// headerValue reads either of the two fields that Envoy may use; raw_value is what current versions send.
func headerValue(v *corev3.HeaderValue) string {
	if len(v.GetRawValue()) > 0 {
		return string(v.GetRawValue())
	}
	return v.GetValue()
}
