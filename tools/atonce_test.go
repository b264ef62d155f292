package tools

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// chunked is a whole stream of these deltas.
func chunked(finish string, deltas ...string) string {
	var b strings.Builder
	for _, d := range append(deltas, "{}") {
		reason := "null"
		if d == "{}" {
			reason = `"` + finish + `"`
		}
		b.WriteString(`data: {"id":"s","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + d + `,"finish_reason":` + reason + "}]}\n\n")
	}
	return b.String() + "data: [DONE]\n\n"
}

// begin sends a streamed request and reads no further than to the words; the answer's end is left to rest.
func (s *setup) begin(words string) (rest func() string) {
	s.t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Post(s.url, "application/json", strings.NewReader(ask("x", streaming)))
	if err != nil {
		s.t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	var read strings.Builder
	for !strings.Contains(read.String(), words) {
		line, err := r.ReadString('\n')
		if err != nil {
			s.t.Fatalf("%v after %q", err, read.String())
		}
		read.WriteString(line)
	}
	return func() string {
		s.t.Helper()
		defer resp.Body.Close()
		left, err := io.ReadAll(r)
		if err != nil {
			s.t.Fatal(err)
		}
		return read.String() + string(left)
	}
}

// What a model says before a call is there before the call has run, though all of the turn came at once.
func TestWordsDoNotWaitForWhatComesNext(t *testing.T) {
	call := chunked("tool_calls", `{"content":"I look it up."}`, `{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"mcp_calc_add","arguments":"{}"}}]}`)
	heard := make(chan struct{})
	tools := new(shelf).add("mcp", "calc", "add", func(ctx context.Context, _ string) Result {
		select {
		case <-heard:
			return Result{Text: "x", Status: StatusOK}
		case <-ctx.Done():
			return Failure(StatusCancelled, "nobody has heard")
		}
	})
	s := start(t, tools, inPieces(1<<20, call, chunked("stop", `{"content":"It is x."}`)))
	s.runner.Model = complete{s.runner.Model}
	s.runner.KeepAlive = time.Hour
	rest := s.begin("I look it up.")
	close(heard)
	if all := rest(); !strings.Contains(all, "It is x.") {
		t.Error(all)
	}
}

// complete is a model whose words and their end come together.
type complete struct{ Model }

func (m complete) Do(ctx context.Context, body [][]byte, header http.Header) (*http.Response, error) {
	resp, err := m.Model.Do(ctx, body, header)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(atOnce(all))
	return resp, err
}

type atOnce []byte

func (a atOnce) Read(p []byte) (int, error) { return copy(p, a), io.EOF }
