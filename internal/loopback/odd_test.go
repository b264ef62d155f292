package loopback

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// says answers every request with these bytes.
func says(t testing.TB, answer string) (*Client, *atomic.Int32) {
	return script(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(conn, answer)
		}
	})
}

func TestAnswersEndWhereTheySay(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	for _, c := range []struct {
		name, method, answer string
		status               int
		body                 string
	}{
		{"no content", http.MethodPost, "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"not modified, with the length of what is not there", http.MethodPost, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, ""},
		{"a head", http.MethodHead, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 200, ""},
		{"nothing, said so", http.MethodPost, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""},
		{"chunks with extensions", http.MethodPost, chunked + "\r\n4;a=b;c=\"d\"\r\nfine\r\n0;e\r\n\r\n", 200, "fine"},
		{"a trailer", http.MethodPost, chunked + "Trailer: X-Sum\r\n\r\n4\r\nfine\r\n0\r\nX-Sum: 1\r\n\r\n", 200, "fine"},
		{"two lengths that agree", http.MethodPost, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfine", 200, "fine"},
		{"chunks, whatever the length says", http.MethodPost, chunked + "Content-Length: 2\r\n\r\n4\r\nfine\r\n0\r\n\r\n", 200, "fine"},
		{"processing, and then an answer", http.MethodPost, "HTTP/1.1 102 Processing\r\n\r\n" + fine, 200, "fine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, dials := says(t, c.answer)
			for range 3 {
				r := post(t.Context(), "x")
				r.Method = c.method
				status, body := ask(t, client, r)
				assert.Equal(t, c.status, status)
				assert.Equal(t, c.body, body)
			}
			assert.EqualValues(t, 1, dials.Load(), "the connection serves the next request")
		})
	}
}

func TestAnswersThatEndWithTheConnection(t *testing.T) {
	for _, head := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"} {
		client, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(conn, head+"all of it")
		})
		for range 2 {
			_, body := ask(t, client, post(t.Context()))
			assert.Equal(t, "all of it", body)
		}
		assert.EqualValues(t, 2, dials.Load())
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"two lengths":             "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine!",
		"a negative length":       "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nfine",
		"an unknown coding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nfine",
		"a chunk without a size":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfine\r\n",
		"a chunk that runs over":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfine\r\n0\r\n\r\n",
		"a protocol of its own":   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"a header without a name": "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 4\r\n\r\nfine",
		"a head without an end":   "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 2*mostHead) + "\r\n\r\n",
		"headers without an end":  "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: a\r\n", mostHead/4) + "\r\n",
		"always told to wait":     strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", mostHead/13),
	} {
		t.Run(name, func(t *testing.T) {
			client, dials := says(t, answer)
			for range 2 {
				resp, err := client.RoundTrip(post(t.Context(), "x"))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				require.Error(t, err)
			}
			assert.EqualValues(t, 2, dials.Load(), "such a connection is not used again")
		})
	}
}

// broken is a body that ends too early.
type broken struct{ left int }

var errBody = errors.New("the body failed")

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errBody
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

// Half a request must not make its server wait for the rest, nor its client for the answer.
func TestABodyThatFailsEndsItsRequest(t *testing.T) {
	for _, size := range []int{100, 5 << 20} {
		c, _ := serve(t, echo)
		r := post(t.Context())
		r.Body, r.ContentLength = io.NopCloser(&broken{left: size / 2}), int64(size)
		_, err := c.RoundTrip(r)
		require.Error(t, err)
		_, body := ask(t, c, post(t.Context(), "next"))
		assert.Contains(t, body, "4:next")
	}
}

// opaque hides that a connection is a socket, so that nobody can see that it is dead before it is written to.
type opaque struct{ net.Conn }

// A request of which nothing has gone out is sent again, if its body can be.
func TestARequestThatDidNotGoOutIsSentOnANewConnection(t *testing.T) {
	gone := make(chan struct{}, 1)
	c, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(conn, fine)
		_ = conn.Close()
		gone <- struct{}{}
	})
	dial := c.Dial
	c.Dial = func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		return opaque{conn}, err
	}
	for range 3 {
		_, body := ask(t, c, post(t.Context(), "x"))
		assert.Equal(t, "fine", body)
		await(t, gone)
	}
	assert.EqualValues(t, 3, dials.Load())

	r := post(t.Context(), "x")
	r.GetBody = nil
	_, err := c.RoundTrip(r)
	require.Error(t, err, "its body has been read")
	assert.EqualValues(t, 3, dials.Load())
}
