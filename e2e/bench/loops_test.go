package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// The mock calls the tool that its model's name says, once, and then answers as always.
func TestTheMockCallsATool(t *testing.T) {
	ask := func(more string) []byte {
		return []byte(`{"model":"` + toolModel + `","messages":[{"role":"user","content":"x"}` + more + `]}`)
	}
	start := []byte("POST /v1/chat/completions HTTP/1.1")
	call, _ := mockReply(start, ask(""))
	var body struct {
		Choices []struct {
			FinishReason string `json:"finish_reason"`
			Message      struct {
				ToolCalls []struct {
					Function struct{ Name, Arguments string }
				} `json:"tool_calls"`
			}
		}
	}
	if err := json.Unmarshal(call.body, &body); err != nil {
		t.Fatal(err)
	}
	f := body.Choices[0].Message.ToolCalls[0].Function
	if body.Choices[0].FinishReason != "tool_calls" || f.Name != "mcp_bench_t0" || !json.Valid([]byte(f.Arguments)) {
		t.Errorf("got %s", call.body)
	}
	if again, _ := mockReply(start, ask(`,{"role":"tool","content":"y"}`)); !bytes.Equal(again.body, mockChat.body) {
		t.Errorf("got %s", again.body)
	}
}

// By hand is one request after the other, and a wrong answer of any is a wrong answer.
func TestAChainAsksEachInTurn(t *testing.T) {
	addr := listen(t, serveMock)
	right := jobFor(addr, false, false, 0)
	wrong := right
	wrong.Request = bytes.Replace(right.Request, []byte("/chat/completions"), []byte("/nothing/like/it"), 1)
	for name, c := range map[string]struct {
		steps []job
		wrong bool
	}{"right": {[]job{right, right, right}, false}, "wrong": {[]job{right, wrong, right}, true}} {
		g := newChain(job{Steps: c.steps, Grace: 2 * time.Second})
		if err := g.connect(); err != nil {
			t.Fatal(err)
		}
		g.loop(50 * time.Millisecond)
		r := g.result(time.Second, 0)
		if c.wrong != (r.Errors > 0) || c.wrong == (r.Requests > 0) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Requests for tools are as long as they say.
func TestRequestsOfLoops(t *testing.T) {
	target := &target{Addr: "127.0.0.1:1", Model: "mock/" + benchModel}
	plain := target.request(false, false, 0)
	for name, request := range map[string][]byte{
		"bypassed": withHeader(plain, "X-MCP-Bypass: true"), "renamed": rename(target, plain, napModel),
	} {
		head, body, _ := strings.Cut(string(request), "\r\n\r\n")
		if !json.Valid([]byte(body)) || !strings.Contains(head, "Content-Length: ") {
			t.Errorf("%s: %s", name, request)
		}
		p := newRequestParser(func([]byte) {})
		if used, done, err := p.feed(request); err != nil || !done || used != len(request) {
			t.Errorf("%s: %d of %d bytes, done %v, %v", name, used, len(request), done, err)
		}
	}
}
