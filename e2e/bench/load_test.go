package main

import (
	"bytes"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// listen hands every connection to serve until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

func jobFor(addr string, streamed, usage bool, pause time.Duration) job {
	want := mockChat
	switch {
	case streamed && usage:
		want = mockUsage
	case streamed:
		want = mockStream
	}
	t := &target{Addr: addr, Model: "mock/" + benchModel}
	return job{
		Addr: addr, Request: t.request(streamed, usage, pause), WantLen: len(want.body), WantSum: crc32.ChecksumIEEE(want.body),
		Streamed: streamed, Conns: 4, Grace: 2 * time.Second,
	}
}

func TestMockAnswersAreRight(t *testing.T) {
	served, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = served.Close() })
	go func() { _ = serveMockHTTP(served) }()
	for kind, addr := range map[string]string{bareMock: listen(t, serveMock), httpMock: served.Addr().String()} {
		for _, c := range []struct{ streamed, usage bool }{{false, false}, {true, false}, {true, true}} {
			g := newGenerator(jobFor(addr, c.streamed, c.usage, 0))
			began := time.Now()
			g.loop(50 * time.Millisecond)
			if r := g.result(time.Since(began), 0); r.Requests < 4 || r.Errors > 0 || r.Differs > 0 || r.P99 < r.P50 || r.P50 <= 0 {
				t.Errorf("%s %+v: %+v", kind, c, r)
			}
		}
	}
}

// The sizes are part of what the figures mean.
func TestSizesAreAsAnnounced(t *testing.T) {
	request := (&target{Addr: "127.0.0.1:8080", Model: "mock/" + benchModel}).request(false, false, 0)
	_, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	near := func(what string, n, want int) {
		if n < want*8/10 || n > want*12/10 {
			t.Errorf("%s has %d bytes, want about %d", what, n, want)
		}
	}
	near("a request's body", len(body), 450)
	near("an answer", len(mockChat.body), 600)
	near("a chunk", len(mockStream.body)/streamChunks, 180)
	if n := bytes.Count(mockStream.body, []byte("data: {")); n != streamChunks {
		t.Errorf("%d chunks", n)
	}
	if got := mockReplyPause(t, 250*time.Millisecond); got != 250*time.Millisecond {
		t.Errorf("the mock would pause %v", got)
	}
}

func mockReplyPause(t *testing.T, pause time.Duration) time.Duration {
	t.Helper()
	request := (&target{Model: "mock/" + benchModel}).request(true, false, pause)
	head, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	start, _, _ := bytes.Cut(head, []byte("\r\n"))
	_, got := mockReply(start, body)
	return got
}

func TestOpenStreamsAreOpenTogether(t *testing.T) {
	j := jobFor(listen(t, serveMock), true, false, 10*time.Millisecond)
	j.OneShot, j.Conns, j.Duration, j.Ramp = true, 20, 200*time.Millisecond, 50*time.Millisecond
	g := newGenerator(j)
	allOpen := 0
	g.oneShot(func() { allOpen++ })
	if r := g.result(time.Second, 0); r.Requests != 20 || r.Errors != 0 || r.MaxOpen != 20 || allOpen != 1 {
		t.Errorf("%+v, all open was said %d times", r, allOpen)
	}
}

func TestWrongAnswersAreErrors(t *testing.T) {
	stream := string(bytes.Join(mockStream.writes, nil))
	whole := string(bytes.Join(mockChat.writes, nil))
	withoutDone := strings.Replace(stream, doneEvent, "data: [NONE]\n\n", 1)
	for name, c := range map[string]struct {
		streamed bool
		answer   string
		want     string
	}{
		"status":           {false, strings.Replace(whole, "200 OK", "503 Busy", 1), "status 503"},
		"short body":       {false, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "short body"},
		"cut body":         {false, whole[:len(whole)-1], "unexpected EOF"},
		"cut head":         {false, whole[:20], "unexpected EOF"},
		"nothing":          {false, "", "EOF"},
		"not HTTP":         {false, "SSH-2.0-x\r\n", "status line"},
		"two answers":      {false, whole + whole, "after the end"},
		"no [DONE]":        {true, withoutDone, "without [DONE]"},
		"cut stream":       {true, stream[:len(stream)-5], "unexpected EOF"},
		"half a stream":    {true, stream[:len(stream)/2], "unexpected EOF"},
		"[DONE] too early": {true, "HTTP/1.1 200 OK\r\n\r\ndata: {}\n\n" + doneEvent, "short body"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, func(conn net.Conn) {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4<<10))
				_, _ = io.WriteString(conn, c.answer)
			})
			g := newGenerator(jobFor(addr, c.streamed, false, 0))
			for _, client := range g.clients {
				client.once(time.Now().Add(time.Second))
			}
			r := g.result(time.Second, 0)
			if r.Errors != 4 || r.Requests != 0 || !strings.Contains(r.Samples[0], c.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestOtherBytesOfFullLengthAreCounted(t *testing.T) {
	addr := listen(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4<<10))
		_, _ = conn.Write(bytes.Replace(mockChat.writes[0], []byte("closed loop"), []byte("closed soup"), 1))
	})
	g := newGenerator(jobFor(addr, false, false, 0))
	g.clients[0].once(time.Now().Add(time.Second))
	if r := g.result(time.Second, 0); r.Requests != 1 || r.Differs != 1 || r.Errors != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAServerThatHangsIsAnErrorInTime(t *testing.T) {
	addr := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	j := jobFor(addr, false, false, 0)
	j.Grace = 100 * time.Millisecond
	g := newGenerator(j)
	began := time.Now()
	g.loop(50 * time.Millisecond)
	if r := g.result(time.Since(began), 0); r.Errors != j.Conns {
		t.Errorf("%+v", r)
	}
}
