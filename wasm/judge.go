package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// errSent is why a rule that replaces the model of a path fails where the body was needed to decide on it.
var errSent = errors.New("the headers have gone on while the body was read: this policy needs hold_headers")

// ruleHeader names the rule on a refusal.
const ruleHeader = "x-policy-rule"

// judgeHeaders applies the policy to what the headers tell. What needs the body waits for it: at the edge with the
// headers held back, in a mesh behind headers that have gone on (settings.holdHeaders).
func (x *exchange) judgeHeaders(end bool) types.Action {
	r, path, err := x.request()
	if err != nil {
		return x.fail("headers", err)
	}
	r.Body = x.announced(r.Method, end)
	d := x.plugin.settings.policy.Decide(r)
	switch d.Verdict {
	case policy.Undecided:
		return x.await(r)
	case policy.Refuse:
		return x.refuseBy(&d)
	case policy.Pass:
	}
	x.note(&d)
	if d.Path != "" {
		if err := proxywasm.ReplaceHttpRequestHeader(":path", path.outer(d.Path)); err != nil {
			return x.fail("path", err)
		}
	}
	if end && x.routes() {
		return x.route()
	}
	return x.pass()
}

// await waits for the body.
func (x *exchange) await(r *policy.Request) types.Action {
	if x.plugin.settings.holdHeaders {
		return types.ActionPause
	}
	x.sent = keepHeaders(r, x.plugin.settings.policy.Headers())
	if r.Body.Size >= 0 { // the headers go ahead, and the body may be changed
		if err := proxywasm.RemoveHttpRequestHeader("content-length"); err != nil {
			return x.fail("content-length", err)
		}
	}
	return types.ActionContinue
}

// judgeBody applies the policy to a request that has arrived whole.
func (x *exchange) judgeBody() types.Action {
	r, path, err := x.request()
	if err != nil {
		return x.fail("headers", err)
	}
	body, err := x.body()
	if err != nil {
		return x.fail("body", err)
	}
	r.Body = policy.Body{State: policy.Whole, Bytes: body, Size: int64(len(body))}
	switch {
	case len(body) == 0:
		r.Body.State = policy.NoBody
	case r.Body.Size > x.plugin.settings.policy.MaxBody():
		r.Body.State, r.Body.Bytes = policy.CutOff, nil
	case x.encoded: // and its size was waited for
		r.Body.State, r.Body.Bytes = policy.Encoded, nil
	}
	d := x.plugin.settings.policy.Decide(r)
	if d.Verdict != policy.Pass {
		return x.refuseBy(&d)
	}
	if d.Path != "" && x.sent != nil {
		return x.fail("path", errSent)
	}
	x.note(&d)
	if d.Path != "" {
		if err := proxywasm.ReplaceHttpRequestHeader(":path", path.outer(d.Path)); err != nil {
			return x.fail("path", err)
		}
	}
	if path.refusal != nil && x.routes() {
		return x.refuse(path.refusal)
	}
	if !d.Changed() {
		if !x.routes() {
			return x.pass()
		}
		if doc, read := r.Doc(); read {
			return x.routeDoc(path.whole, path.target, doc, false)
		}
		return x.routeBody(path.whole, path.target, body)
	}
	x.plugin.scratch = d.AppendBody(x.plugin.scratch[:0], r)
	if x.routes() {
		doc, err := jsonedit.Parse(slices.Clone(x.plugin.scratch)) // routeDoc writes to scratch
		if err != nil {
			return x.fail("changed body", err)
		}
		return x.routeDoc(path.whole, path.target, doc, true)
	}
	if x.plugin.settings.holdHeaders {
		err = replaceBody(x.plugin.scratch)
	} else {
		err = proxywasm.ReplaceHttpRequestBody(x.plugin.scratch)
	}
	if err != nil {
		return x.fail("body", err)
	}
	return x.pass()
}

// tooLong says that what has arrived of the body is more than the policy reads.
func (x *exchange) tooLong() bool {
	p := x.plugin.settings.policy
	return p != nil && int64(x.size) > p.MaxBody()
}

// judgeCutOff decides without the body, which is not held any longer.
func (x *exchange) judgeCutOff() types.Action {
	r, _, err := x.request()
	if err != nil {
		return x.fail("headers", err)
	}
	r.Body = policy.Body{State: policy.CutOff, Size: int64(x.size), Open: true}
	d := x.plugin.settings.policy.Decide(r)
	if d.Verdict != policy.Pass {
		return x.refuseBy(&d)
	}
	x.note(&d)
	return x.pass()
}

// announced is what the headers say of the body.
func (x *exchange) announced(method string, end bool) policy.Body {
	if end {
		return policy.Body{State: policy.NoBody}
	}
	if upgrade, err := proxywasm.GetHttpRequestHeader("upgrade"); err == nil && upgrade != "" {
		b := policy.Body{State: policy.NoBody} // what follows is no body but another protocol
		if method != "GET" {                   // or a body for a server that does not know the protocol: nobody knows how long
			b.Size = math.MaxInt64
		}
		return b
	}
	b := policy.Body{State: policy.Pending, Size: -1}
	if length, err := proxywasm.GetHttpRequestHeader("content-length"); err == nil {
		if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
			b.Size = n
		}
	}
	encoding, err := proxywasm.GetHttpRequestHeader("content-encoding")
	x.encoded = err == nil && encoding != "" && !strings.EqualFold(encoding, "identity")
	switch {
	case b.Size > x.plugin.settings.policy.MaxBody():
		b.State = policy.CutOff
	case x.encoded:
		b.State = policy.Encoded
	}
	return b
}

// pathParts is a request's path as the gateway and as the policy see it.
type pathParts struct {
	whole  string
	target providers.Target
	prefix string // /proxy/{provider} at the edge, else empty

	refusal *apierror.Error // of a ?provider= that cannot be read; target is empty then
}

// outer puts the prefix back.
func (p pathParts) outer(path string) string { return p.prefix + path }

// request fills the plugin's request with what the headers tell.
func (x *exchange) request() (*policy.Request, pathParts, error) {
	r := &x.plugin.request
	r.Reset()
	if x.sent != nil {
		x.sent.fill(r)
		return r, pathParts{whole: r.Path}, nil
	}
	path, err := proxywasm.GetHttpRequestHeader(":path")
	if err != nil {
		return nil, pathParts{}, err
	}
	if r.Method = "POST"; !x.routes() { // the routes of the own lane have no other
		if r.Method, err = proxywasm.GetHttpRequestHeader(":method"); err != nil {
			return nil, pathParts{}, err
		}
	}
	r.Path, r.Facts, r.Budgets = path, hostFacts{}, budgets
	parts := pathParts{whole: path}
	if x.plugin.settings.edge == nil {
		if authority, err := proxywasm.GetHttpRequestHeader(":authority"); err == nil {
			r.Authority = authority
		}
		r.Upstream = upstreamHost()
		return r, parts, nil
	}
	target, refusal := providers.ParseTarget(path)
	if parts.refusal = refusal; refusal == nil {
		parts.target = target
	}
	r.SentAsJSON = target.Proxy == "" // by the routes of the model endpoints
	switch {
	case target.Proxy != "":
		parts.prefix = path[:len("/proxy/")+len(target.Proxy)]
		r.Path, r.Provider = path[len(parts.prefix):], strings.ToLower(target.Proxy)
	case target.Provider != "":
		r.Provider = strings.ToLower(target.Provider)
	}
	return r, parts, nil
}

// routes says whether the provider is chosen here.
func (x *exchange) routes() bool {
	e := x.plugin.settings.edge
	return e != nil && e.routes
}

// refuseBy answers as a decision says.
func (x *exchange) refuseBy(d *policy.Decision) types.Action {
	x.note(d)
	name := d.Name
	if name == "" {
		name = d.Outcome.String()
	}
	headers := [][2]string{{"content-type", "application/json"}, {ruleHeader, name}}
	if d.RetryAfter > 0 {
		headers = append(headers, [2]string{"retry-after", strconv.FormatInt(d.RetryAfter, 10)})
	}
	// Envoy words some statuses itself; this one is the policy's.
	_ = proxywasm.ReplaceHttpRequestHeader(catalog.PolicyHeader, name)
	return x.reply(d.Status, d.Code, headers, d.AppendReply(nil))
}

// note counts what the rules did, tells the access log, and keeps what is to be settled at the end.
func (x *exchange) note(d *policy.Decision) {
	x.plugin.counts.add(d)
	if d.Rule != policy.NoRule || d.Verdict == policy.Refuse {
		name := d.Name
		if name == "" {
			name = "none"
		}
		_ = proxywasm.SetProperty([]string{"igw_policy"}, []byte(name+" "+d.Outcome.String()))
	}
	x.holds = append(x.holds, d.Holds...)
}

// OnHttpStreamDone settles the budgets, with the usage that stock filters have read off the answer into metadata.
func (x *exchange) OnHttpStreamDone() {
	if len(x.holds) == 0 {
		return
	}
	defer func() {
		if fault := recover(); fault != nil { // a budget that is not charged is less than the end of the VM
			proxywasm.LogError("panic in the filter: " + faultText(fault))
		}
	}()
	if tokens, known := usage(); known || failed() {
		policy.Charge(budgets, x.holds, tokens)
	}
	x.holds = nil
}
