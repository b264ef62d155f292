package mcp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkCall is a call of a tool that does nothing, over HTTP on this machine.
func BenchmarkCall(b *testing.B) {
	f := &fake{modern: true, tools: []string{tool("echo")}, sessions: map[string]bool{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.ServeHTTP(w, r) }))
	defer f.stop()
	m, err := New(quick(Server{Name: "one", URL: f.url()}))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	m.Settled(ctx)
	c := m.Catalogue()
	for b.Loop() {
		if r := c.Call(ctx, "mcp_one_echo", nil); r.Failed {
			b.Fatal(r.Text)
		}
	}
	cancel()
	<-done
}
