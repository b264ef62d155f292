package main

import (
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

// exchange is one request. Strings and bytes that the host gives live until the callback returns: nothing of them is
// kept here.
type exchange struct {
	types.DefaultHttpContext
	plugin *plugin
	phase  phase
	size   int           // bytes of body so far
	sent   *sentHeaders  // what the headers said, where they have gone on before the decision
	holds  []policy.Hold // of budgets, to be settled when the usage is known

	encoded bool // the body is compressed
}

// phase is where an exchange is.
type phase uint8

const (
	reading phase = iota // the request has not arrived whole
	passed               // decided: it goes on
	refused              // answered
)

// OnHttpRequestHeaders decides what needs no body, and holds the others back until the body was read.
func (x *exchange) OnHttpRequestHeaders(_ int, end bool) types.Action {
	if p := x.plugin.settings.policy; p != nil {
		if !end && x.routes() {
			// The body has to be read in any case, and the route lets only plain ones of a known, small size come here.
			return types.ActionPause
		}
		return x.guarded(func() types.Action { return x.judgeHeaders(end) })
	}
	if end { // a request without a body: what is wrong with it is said as of any other
		return x.guarded(x.route)
	}
	return types.ActionPause
}

// OnHttpRequestBody decides once the body is whole: size counts all of it so far.
func (x *exchange) OnHttpRequestBody(size int, end bool) types.Action {
	x.size = size
	switch {
	case x.phase == passed:
		return types.ActionContinue
	case x.phase == refused:
		return types.ActionPause
	case end:
		return x.guarded(x.whole)
	case x.tooLong() && !x.routes(): // routing needs the whole of it; its routes let only short ones come here
		return x.guarded(x.judgeCutOff)
	}
	return types.ActionPause
}

// OnHttpRequestTrailers decides for a body that did not say that it was the end.
func (x *exchange) OnHttpRequestTrailers(int) types.Action {
	switch x.phase {
	case passed:
		return types.ActionContinue
	case refused:
		return types.ActionPause
	}
	return x.guarded(x.whole)
}

// whole decides on a request that has arrived whole.
func (x *exchange) whole() types.Action {
	if x.plugin.settings.policy != nil {
		return x.judgeBody()
	}
	return x.route()
}

// route sends the request to the provider that its body or its path names, or answers it.
func (x *exchange) route() types.Action {
	path, err := proxywasm.GetHttpRequestHeader(":path")
	if err != nil {
		return x.fail("path", err)
	}
	target, refusal := providers.ParseTarget(path)
	if refusal != nil {
		return x.refuse(refusal)
	}
	body, err := x.body()
	if err != nil {
		return x.fail("body", err)
	}
	return x.routeBody(path, target, body)
}

// routeBody routes a body that was not read yet.
func (x *exchange) routeBody(path string, target providers.Target, body []byte) types.Action {
	doc, err := jsonedit.Parse(body)
	if err != nil {
		return x.refuse(providers.BodyError(err))
	}
	return x.routeDoc(path, target, doc, false)
}

// routeDoc routes a body that was read. written says that the body is not the one that the host has, but was changed.
func (x *exchange) routeDoc(path string, target providers.Target, doc jsonedit.Doc, written bool) types.Action {
	plan, refusal := x.plugin.settings.edge.directory.DecideDoc(providers.Request{Endpoint: target.Endpoint, Provider: target.Provider, Queried: target.Queried}, doc)
	if refusal != nil {
		return x.refuse(refusal)
	}
	if plan.Renamed || written {
		edited := plan.Body(x.plugin.scratch[:0])
		if plan.Renamed {
			x.plugin.scratch = edited
		}
		if err := replaceBody(edited); err != nil {
			return x.fail("body", err)
		}
	}
	if target.Path != path {
		if err := proxywasm.ReplaceHttpRequestHeader(":path", target.Path); err != nil {
			return x.fail("path", err)
		}
	}
	if err := proxywasm.ReplaceHttpRequestHeader(catalog.ProviderHeader, plan.Provider); err != nil {
		return x.fail("provider", err)
	}
	return x.pass()
}

// body is what the host holds of the body: all of it, when the request has arrived whole.
func (x *exchange) body() ([]byte, error) {
	if x.size == 0 {
		return nil, nil
	}
	return proxywasm.GetHttpRequestBody(0, x.size)
}

// replaceBody gives the host another body, of another length.
func replaceBody(body []byte) error {
	if err := proxywasm.ReplaceHttpRequestBody(body); err != nil {
		return err
	}
	return proxywasm.ReplaceHttpRequestHeader("content-length", strconv.Itoa(len(body)))
}

func (x *exchange) pass() types.Action {
	x.phase = passed
	return types.ActionContinue
}

// replyDetails goes to the host with the next reply: the SDK has no parameter for it (bridge_wasip1.go).
var replyDetails string

// refuse answers the client with an error of the table.
func (x *exchange) refuse(e *apierror.Error) types.Action {
	return x.reply(e.Status(), string(e.Kind), [][2]string{{"content-type", "application/json"}}, e.Body())
}

// reply answers the client; code is what the access log has of it.
func (x *exchange) reply(status int, code string, headers [][2]string, body []byte) types.Action {
	x.phase = refused
	replyDetails = apierror.DetailsPrefix + code
	if err := proxywasm.SendHttpResponse(uint32(status), headers, body, -1); err != nil {
		proxywasm.LogError("cannot answer a request: " + err.Error())
	}
	return types.ActionPause
}

// fail answers when the host does not do what it is asked for: never by letting the request pass unread, unless the
// policy says so.
func (x *exchange) fail(what string, err error) types.Action {
	proxywasm.LogError("the host refused the request's " + what + ": " + err.Error())
	return x.broken()
}

// broken ends an exchange for a fault of the filter itself, by the policy's setting.
func (x *exchange) broken() types.Action {
	if p := x.plugin.settings.policy; p != nil && p.FailOpen() {
		return x.pass()
	}
	return x.refuse(apierror.New(apierror.Unavailable, "the gateway's filter could not decide on the request: try again"))
}

// guarded runs a decision, and turns a panic into the answer that the settings want. Without it, one request that finds
// a defect would end the VM, and with it the counters and what other requests are waiting for.
func (x *exchange) guarded(decide func() types.Action) (action types.Action) {
	defer func() {
		if fault := recover(); fault != nil {
			proxywasm.LogError("panic in the filter: " + faultText(fault))
			action = x.broken()
		}
	}()
	return decide()
}

// faultText tells a runtime error by its words, which never hold what a client has sent.
func faultText(fault any) string {
	if err, ok := fault.(error); ok && strings.HasPrefix(err.Error(), "runtime error") {
		return err.Error()
	}
	return "of an unknown kind"
}
