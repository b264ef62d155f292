package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	streamChunks = 20
	benchModel   = "gpt-bench"
	doneEvent    = "data: [DONE]\n\n"
)

// mockAnswer is a fixed answer: its body as a client must see it, and the writes that carry it.
type mockAnswer struct {
	body   []byte
	writes [][]byte
}

var (
	mockChat   = plainAnswer("200 OK", chatBody)
	mockModels = plainAnswer("200 OK", `{"object":"list","data":[{"id":"`+benchModel+`","object":"model","created":1700000000,"owned_by":"bench"}]}`)
	mockUnsure = plainAnswer("404 Not Found", `{"error":{"message":"the mock has no such path","type":"invalid_request_error","param":null,"code":null}}`)
	mockStream = streamAnswer("")
	mockUsage  = streamAnswer(`"choices":[],"usage":{"prompt_tokens":61,"completion_tokens":20,"total_tokens":81}`)
)

const chatBody = `{"id":"chatcmpl-BenchBenchBenchBenchBench01","object":"chat.completion","created":1700000000,"model":"` + benchModel + `",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"A closed loop sends its next request only when the last answer ` +
	`is whole, so a slow server is offered less load and its queue stays short.","refusal":null,"annotations":[]},"logprobs":null,` +
	`"finish_reason":"stop"}],"usage":{"prompt_tokens":61,"completion_tokens":27,"total_tokens":88,"prompt_tokens_details":{"cached_tokens":0,` +
	`"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}`

func plainAnswer(status, body string) mockAnswer {
	head := fmt.Sprintf("HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: %d\r\n\r\n", status, len(body))
	return mockAnswer{body: []byte(body), writes: [][]byte{[]byte(head + body)}}
}

// streamAnswer writes the head with the first event, each later event by itself, and the end with [DONE].
func streamAnswer(usage string) mockAnswer {
	const prefix = `data: {"id":"chatcmpl-BenchBenchBench01","object":"chat.completion.chunk","created":1700000000,"model":"` + benchModel + `",`
	var events []string
	for i := range streamChunks {
		delta, finish := `{"content":" token"}`, "null"
		switch i {
		case 0:
			delta = `{"role":"assistant","content":""}`
		case streamChunks - 1:
			delta, finish = `{}`, `"stop"`
		}
		events = append(events, prefix+`"choices":[{"index":0,"delta":`+delta+`,"finish_reason":`+finish+"}]}\n\n")
	}
	if usage != "" {
		events = append(events, prefix+usage+"}\n\n")
	}
	events = append(events, doneEvent)

	a := mockAnswer{body: []byte(strings.Join(events, ""))}
	for i, e := range events {
		w := fmt.Sprintf("%x\r\n%s\r\n", len(e), e)
		if i == 0 {
			w = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n" + w
		}
		if i == len(events)-1 {
			w += "0\r\n\r\n"
		}
		a.writes = append(a.writes, []byte(w))
	}
	return a
}

// mockMain is the mock provider's process: an address, and the kind of mock. A bare one is never the slowest part. It ends
// with its standard input, so that no mock outlives the run that started it.
func mockMain(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if slices.Contains(args[1:], httpMock) {
		return serveMockHTTP(l)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveMock(c)
	}
}

func serveMock(c net.Conn) {
	defer c.Close()
	var body []byte
	p := newRequestParser(func(b []byte) { body = append(body, b...) })
	buf := make([]byte, 64<<10) // a request with the definitions of many tools in one piece
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		for data := buf[:n]; len(data) > 0; {
			used, done, err := p.feed(data)
			if err != nil {
				fmt.Fprintln(os.Stderr, "mock: bad request:", err)
				return
			}
			data = data[used:]
			if !done {
				continue
			}
			answer, pause := mockReply(p.start, body)
			if err := answer.send(c, pause); err != nil || p.close {
				return
			}
			p.reset()
			body = body[:0]
		}
	}
}

func (a mockAnswer) send(w io.Writer, pause time.Duration) error {
	for i, b := range a.writes {
		if i > 0 && pause > 0 {
			time.Sleep(pause)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func mockReply(start, body []byte) (mockAnswer, time.Duration) {
	switch {
	case bytes.HasPrefix(start, []byte("GET ")) && bytes.Contains(start, []byte("/models ")):
		return mockModels, 0
	case !bytes.HasPrefix(start, []byte("POST ")) || !bytes.Contains(start, []byte("/chat/completions")):
		return mockUnsure, 0
	case callsTool(body):
		return mockCall(body), 0
	case !bytes.HasPrefix(member(body, "stream"), []byte("true")):
		return mockChat, 0
	case bytes.HasPrefix(member(body, "include_usage"), []byte("true")):
		return mockUsage, pauseOf(body)
	}
	return mockStream, pauseOf(body)
}

// pausedModel asks the mock for a pause between chunks. It rides in the model's name because that reaches the provider
// through any gateway, while an invented body member might not.
func pausedModel(model string, pause time.Duration) string { return model + "-pause-" + pause.String() }

func pauseOf(body []byte) time.Duration {
	name, _, _ := bytes.Cut(bytes.TrimPrefix(member(body, "model"), []byte(`"`)), []byte(`"`))
	_, text, ok := bytes.Cut(name, []byte("-pause-"))
	if !ok {
		return 0
	}
	pause, err := time.ParseDuration(string(text))
	if err != nil {
		return 0
	}
	return pause
}

// member returns what follows the first `"name":` of a JSON text. No real decoding: the bodies are the bench's own, and
// none of their strings holds these names in quotes.
func member(body []byte, name string) []byte {
	_, after, ok := bytes.Cut(body, []byte(`"`+name+`"`))
	if !ok {
		return nil
	}
	after = bytes.TrimLeft(after, " \t\r\n")
	if len(after) == 0 || after[0] != ':' {
		return nil
	}
	return bytes.TrimLeft(after[1:], " \t\r\n")
}
