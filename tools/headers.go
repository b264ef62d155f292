package tools

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The headers of a loop.
const (
	EventsHeader    = "X-Tool-Events" // a client's wish to be told of each call in its stream
	LoopHeader      = "X-Tool-Loop"   // in an answer that a bound has ended, with the value LoopLimit
	LoopLimit       = "limit"
	BypassMCPHeader = "X-Mcp-Bypass" // on the model's requests, so that no loop begins inside of a loop
	BypassA2AHeader = "X-A2a-Bypass"
)

// shouldRetryHeader keeps OpenAI's clients from sending a request again by themselves, as they do after a 502: its tools
// have run, and would run once more. (openai-python: _base_client.py, _should_retry.)
const shouldRetryHeader = "X-Should-Retry"

// The names below are spelled as they are in a http.Header.

// hopByHop holds for one connection, or for a body that is not this one.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Content-Length", "Content-Encoding",
}

// ofOneBody is of the client's own body, or makes a provider take two requests for one.
var ofOneBody = []string{"Accept-Encoding", "Expect", "Host", "Idempotency-Key", "Content-Md5", "Digest", "Content-Digest", EventsHeader}

// notForModels are the client's headers that the model's requests do not carry.
var notForModels = slices.Concat(ofOneBody, hopByHop)

// modelHeader is what the model's requests carry. Values are shared with the client's header.
func modelHeader(client http.Header) http.Header {
	h := make(http.Header, len(client)+4)
	maps.Copy(h, client)
	for _, name := range notForModels {
		delete(h, name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Accept-Encoding", "identity") // the loop has to read the answer
	h.Set(BypassMCPHeader, "true")
	h.Set(BypassA2AHeader, "true")
	return h
}

// copyHeader gives the client what the provider said about its answer.
func copyHeader(to, from http.Header) {
	maps.Copy(to, from)
	for _, name := range hopByHop {
		delete(to, name)
	}
}

// wanted reads a switch in a header: any value but nothing and false.
func wanted(value string) bool {
	return value != "" && !strings.EqualFold(value, "false")
}
