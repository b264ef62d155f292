package main

import (
	"strconv"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// exchange is one request. Strings and bytes that the host gives live until the callback returns: nothing of them is
// kept here.
type exchange struct {
	types.DefaultHttpContext
	plugin *plugin
	size   int  // bytes of body so far
	done   bool // decided
}

// OnHttpRequestHeaders holds the headers back until the body was read, which is what lets the body choose the route.
func (x *exchange) OnHttpRequestHeaders(_ int, end bool) types.Action {
	if end {
		return x.decide()
	}
	return types.ActionPause
}

// OnHttpRequestBody decides once the body is whole: size counts all of it so far.
func (x *exchange) OnHttpRequestBody(size int, end bool) types.Action {
	x.size = size
	switch {
	case x.done:
		return types.ActionContinue
	case !end:
		return types.ActionPause
	}
	return x.decide()
}

// OnHttpRequestTrailers decides for a body that did not say that it was the end.
func (x *exchange) OnHttpRequestTrailers(int) types.Action {
	if x.done {
		return types.ActionContinue
	}
	return x.decide()
}

// decide routes the request by the provider that its body or its path names, or answers it.
func (x *exchange) decide() types.Action {
	x.done = true
	path, err := proxywasm.GetHttpRequestHeader(":path")
	if err != nil {
		return fail("path", err)
	}
	target, refusal := providers.ParseTarget(path)
	if refusal != nil {
		return refuse(refusal)
	}
	var body []byte
	if x.size > 0 {
		if body, err = proxywasm.GetHttpRequestBody(0, x.size); err != nil {
			return fail("body", err)
		}
	}
	plan, refusal := x.plugin.settings.directory.Decide(providers.Request{Endpoint: target.Endpoint, Provider: target.Provider, Body: body})
	if refusal != nil {
		return refuse(refusal)
	}
	if plan.Renamed {
		scratch = plan.Body(scratch[:0])
		if err := proxywasm.ReplaceHttpRequestBody(scratch); err != nil {
			return fail("body", err)
		}
		if err := proxywasm.ReplaceHttpRequestHeader("content-length", strconv.Itoa(len(scratch))); err != nil {
			return fail("content-length", err)
		}
	}
	if target.Path != path {
		if err := proxywasm.ReplaceHttpRequestHeader(":path", target.Path); err != nil {
			return fail("path", err)
		}
	}
	if err := proxywasm.ReplaceHttpRequestHeader(catalog.ProviderHeader, plan.Provider); err != nil {
		return fail("provider", err)
	}
	return types.ActionContinue
}

// scratch is where edited bodies are made: the host copies them before the call returns, and there is one thread.
var scratch []byte

// refuse answers the client with an error of the table.
func refuse(e *apierror.Error) types.Action {
	headers := [][2]string{{"content-type", "application/json"}}
	if err := proxywasm.SendHttpResponse(uint32(e.Status()), headers, e.Body(), -1); err != nil {
		proxywasm.LogError("cannot answer a request: " + err.Error())
	}
	return types.ActionPause
}

// fail answers when the host does not do what it is asked for: never by letting the request pass unread.
func fail(what string, err error) types.Action {
	proxywasm.LogError("the host refused the request's " + what + ": " + err.Error())
	return refuse(apierror.New(apierror.Internal, "internal error"))
}
