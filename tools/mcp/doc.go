// Package mcp is the tools of Model Context Protocol servers as a catalogue that models call through. A Manager keeps one
// connection to each server, in a goroutine of that server's own, so that a slow or dead one delays nobody; what it
// learns is published as immutable snapshots, swapped whole. Both eras of the protocol are spoken: the stateless one
// (2026-07-28) and those with sessions before it, over streamable HTTP and over legacy SSE.
//
// A server is a stranger: what it sends is bounded (wire.go), checked before mcp-go believes it (strict.go) and handed to
// models as text, never obeyed. It must not know who calls: no requests, models, loops, Envoy or configuration, and nothing
// of a caller but a tool's arguments goes out.
package mcp
