// Package tools lets any model use tools that the gateway calls: it adds them to a chat request, runs the calls that the
// model makes and goes on until the model answers, streamed or not. What a turn means and what the next request looks
// like is decided by pure code (Session, stream: no clock, no network); Runner acts on it. A catalogue (tools/mcp,
// tools/a2a) says which tools there are and calls one.
//
// It must not know where models or tools live: no providers, no Envoy, no gRPC, no configuration. Models are reached
// through Model and the client through an http.ResponseWriter, so that any HTTP server can serve a loop.
//
// The way of a request: Open with the body and a joined snapshot of the catalogues says whether there is a loop at all;
// Runner.Serve then answers the client. What a client may see of a loop besides the answer:
//
//   - X-Tool-Loop: limit, when a bound has ended the loop. A stream's headers have gone out by then, so there it is a
//     comment (": X-Tool-Loop: limit"), and with X-Tool-Events also an event named tool_loop.
//   - With X-Tool-Events: true, an event named tool for each call that has ended: its name, status and duration_ms. The
//     data is a chunk without choices, so that clients which do not look at the names of events find nothing in it.
//   - A comment every ten seconds while tools run.
package tools
