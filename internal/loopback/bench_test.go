package loopback

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The same requests by this client and by net/http's, against a server that costs next to nothing. What counts is the
// processor time, which holds that of the server too.
func BenchmarkClients(b *testing.B) {
	chunk := `data: {"id":"chatcmpl-BenchBenchBench01","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}` + "\n\n"
	for _, answer := range []struct {
		name   string
		writes []string
	}{
		{"whole", []string{"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 800\r\n\r\n" + strings.Repeat("x", 800)}},
		{"streamed", append(
			append([]string{"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"}, repeat(20, "b1\r\n"+chunk+"\r\n")...),
			"0\r\n\r\n")},
	} {
		b.Run(answer.name, func(b *testing.B) {
			ours, _ := script(b, func(c net.Conn, r *bufio.Reader) {
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					for _, w := range answer.writes {
						_, _ = io.WriteString(c, w)
					}
				}
			})
			theirs := &http.Transport{
				DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return ours.Dial(ctx) },
				MaxIdleConnsPerHost: 1024, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10, DisableCompression: true,
			}
			b.Cleanup(theirs.CloseIdleConnections)
			b.Run("loopback", func(b *testing.B) { benchmark(b, ours) })
			b.Run("net-http", func(b *testing.B) { benchmark(b, theirs) })
		})
	}
}

func repeat(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func benchmark(b *testing.B, c http.RoundTripper) {
	body := strings.Repeat("t", 20<<10)
	header := http.Header{}
	for _, name := range []string{"Accept", "User-Agent", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto", "Content-Type", "Accept-Encoding", "X-Igw-Provider", "X-Mcp-Bypass", "X-A2a-Bypass"} {
		header[name] = []string{"some ordinary value"}
	}
	b.ReportAllocs()
	b.SetParallelism(16)
	began := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := post(b.Context(), body)
			r.Header = header
			resp, err := c.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
