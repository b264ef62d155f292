// Package tools lets any model use tools that the gateway calls: it adds them to a chat request, runs the calls that the
// model makes and goes on until the model answers, streamed or not. What a turn means and what the next request looks
// like is decided by pure code (no clock, no network); Runner acts on it. A catalogue (tools/mcp, tools/a2a) says which
// tools there are and calls one.
//
// It must not know where models or tools live: no providers, no Envoy, no gRPC, no configuration. Models are reached
// through Model and the client through Client, so that any HTTP server can serve a loop.
package tools
