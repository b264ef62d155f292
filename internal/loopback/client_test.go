package loopback

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// listen opens a Unix socket; its path is short, as they must be.
func listen(t testing.TB) net.Listener {
	t.Helper()
	dir, err := os.MkdirTemp("", "igw")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// client reaches the listener, and counts its connections.
func client(t testing.TB, l net.Listener) (*Client, *atomic.Int32) {
	dials := new(atomic.Int32)
	c := &Client{Dial: func(ctx context.Context) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, "unix", l.Addr().String())
	}}
	t.Cleanup(c.CloseIdleConnections)
	return c, dials
}

// serve runs net/http's server behind a Client.
func serve(t *testing.T, h http.HandlerFunc) (*Client, *atomic.Int32) {
	l := listen(t)
	var served sync.WaitGroup // connections too: the server keeps one for a moment that it has closed in the middle of a request
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ConnState: func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			served.Add(1)
		case http.StateClosed:
			served.Done()
		default:
		}
	}}
	served.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); served.Wait() })
	return client(t, l)
}

// script serves each connection by hand.
func script(t testing.TB, each func(c net.Conn, r *bufio.Reader)) (*Client, *atomic.Int32) {
	l := listen(t)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer func() { _ = c.Close() }()
				each(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); served.Wait() })
	return client(t, l)
}

func post(ctx context.Context, pieces ...string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://loopback/v1/x?a=b%20c", strings.NewReader(strings.Join(pieces, "")))
	if err != nil {
		panic(err)
	}
	return r
}

// ask sends a request and reads the answer to its end.
func ask(t *testing.T, c http.RoundTripper, r *http.Request) (status int, body string) {
	t.Helper()
	resp, err := c.RoundTrip(r)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(raw)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %s %s %v %d:%s", r.Method, r.Host, r.RequestURI, r.Header["X-A"], r.ContentLength, body)
}

func TestARequestArrivesAsItIsAndItsConnectionServesTheNext(t *testing.T) {
	c, dials := serve(t, echo)
	for i := range 20 {
		r := post(t.Context(), "one,", "two,", fmt.Sprint(i))
		r.Header["X-A"] = []string{"1", "2"}
		status, body := ask(t, c, r)
		assert.Equal(t, http.StatusOK, status)
		want := fmt.Sprintf("one,two,%d", i)
		assert.Equal(t, fmt.Sprintf("POST loopback /v1/x?a=b%%20c [1 2] %d:%s", len(want), want), body)
	}
	assert.EqualValues(t, 1, dials.Load())
}

func TestBodiesOfEveryKind(t *testing.T) {
	c, _ := serve(t, echo)
	r := post(t.Context())
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("plain")), 5
	_, body := ask(t, c, r)
	assert.Contains(t, body, "5:plain")

	r = post(t.Context())
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("plain")), -1
	_, body = ask(t, c, r)
	assert.Contains(t, body, "-1:plain")

	r = post(t.Context())
	r.Body = nil
	_, body = ask(t, c, r)
	assert.Contains(t, body, " 0:")
}

func TestALargeBodyGoesOutWhileTheAnswerIsRead(t *testing.T) {
	c, dials := serve(t, echo)
	large := strings.Repeat("x", 5<<20)
	for range 2 {
		_, body := ask(t, c, post(t.Context(), large, "end"))
		assert.Len(t, body, len("POST loopback /v1/x?a=b%20c [] 5242883:")+len(large)+3)
	}
	assert.EqualValues(t, 1, dials.Load())
}

func TestAServerThatRefusesALargeBodyIsHeard(t *testing.T) {
	heard := make(chan struct{})
	c, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		<-heard // and read no more
	})
	defer close(heard)
	for range 2 {
		status, body := ask(t, c, post(t.Context(), strings.Repeat("x", 5<<20)))
		assert.Equal(t, http.StatusRequestEntityTooLarge, status)
		assert.Equal(t, "no", body)
	}
	assert.EqualValues(t, 2, dials.Load(), "half a request is on the first connection")
}

func TestAStreamIsReadAsItComes(t *testing.T) {
	more := make(chan string)
	c, dials := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for s := range more {
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
	})
	resp, err := c.RoundTrip(post(t.Context(), "x"))
	require.NoError(t, err)
	p := make([]byte, 100)
	for _, s := range []string{"one", "two"} {
		more <- s
		n, err := io.ReadAtLeast(resp.Body, p, len(s))
		require.NoError(t, err)
		assert.Equal(t, s, string(p[:n]))
	}
	close(more)
	_, err = resp.Body.Read(p)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, 1, dials.Load())
}

// hanging begins an answer that never ends, and tells when it has and when its client has gone.
func hanging(t *testing.T) (c *Client, began, gone chan struct{}) {
	began, gone = make(chan struct{}, 1), make(chan struct{}, 1)
	c, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-A") != "silent" {
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	return c, began, gone
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("it has not happened")
	}
}

func TestWhoStopsReadingHangsUp(t *testing.T) {
	c, _, gone := hanging(t)
	resp, err := c.RoundTrip(post(t.Context(), "x"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	await(t, gone)
	_, err = resp.Body.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	c, began, gone := hanging(t)
	resp, err := c.RoundTrip(post(t.Context(), "x"))
	require.NoError(t, err)
	go func() { <-began; _ = resp.Body.Close() }()
	_, err = io.ReadAll(resp.Body)
	require.Error(t, err)
	await(t, gone)
}

func TestACancelledRequestHangsUp(t *testing.T) {
	c, began, gone := hanging(t)
	for _, head := range []string{"", "silent"} { // after the head of the answer, and before
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-began; cancel() }()
		r := post(ctx, "x")
		r.Header.Set("X-A", head)
		resp, err := c.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, resp.Body.Close())
		}
		require.ErrorIs(t, err, context.Canceled)
		await(t, gone)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.RoundTrip(post(ctx, "x"))
	require.ErrorIs(t, err, context.Canceled)
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

func TestAConnectionThatTheServerHasClosedIsNotUsed(t *testing.T) {
	closed, requests := make(chan struct{}, 1), new(atomic.Int32)
	c, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		requests.Add(1)
		_, _ = io.WriteString(conn, fine)
		_ = conn.Close()
		closed <- struct{}{}
	})
	for range 3 {
		_, body := ask(t, c, post(t.Context()))
		assert.Equal(t, "fine", body)
		await(t, closed)
	}
	assert.EqualValues(t, 3, dials.Load())
	assert.EqualValues(t, 3, requests.Load())
}

func TestARequestIsNotSentTwice(t *testing.T) {
	requests := new(atomic.Int32)
	c, _ := script(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if requests.Add(1) == 2 {
				return // it has been taken, and is not answered
			}
			_, _ = io.WriteString(conn, fine)
		}
	})
	ask(t, c, post(t.Context()))
	_, err := c.RoundTrip(post(t.Context()))
	require.Error(t, err)
	assert.EqualValues(t, 2, requests.Load())
}

func TestWhatComesUnaskedIsNobodysAnswer(t *testing.T) {
	said := make(chan struct{}, 1)
	c, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(conn, fine)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
		said <- struct{}{}
		_, _ = io.Copy(io.Discard, r)
	})
	for range 3 {
		_, body := ask(t, c, post(t.Context()))
		assert.Equal(t, "fine", body)
		await(t, said)
	}
	assert.EqualValues(t, 3, dials.Load())
}

func TestAnswersThatOnlySayToWaitAndThoseThatAreTheLast(t *testing.T) {
	c, dials := script(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"+
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast")
		_, _ = io.Copy(io.Discard, r)
	})
	for range 2 {
		_, body := ask(t, c, post(t.Context()))
		assert.Equal(t, "last", body)
	}
	assert.EqualValues(t, 2, dials.Load())
}

func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	for _, answer := range []string{
		"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfine", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfi",
		"nonsense\r\n\r\n",
	} {
		c, _ := script(t, func(conn net.Conn, r *bufio.Reader) {
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(conn, answer)
		})
		resp, err := c.RoundTrip(post(t.Context(), "x"))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		require.Error(t, err, answer)
		assert.NotErrorIs(t, err, io.EOF, answer)
	}
}

func TestARequestCannotBeTwo(t *testing.T) {
	var got atomic.Pointer[http.Header]
	c, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(&r.Header) })
	for name, spoil := range map[string]func(*http.Request){
		"value":  func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: b"} },
		"header": func(r *http.Request) { r.Header["X-A\r\nX-B"] = []string{"a"} },
		"host":   func(r *http.Request) { r.Host = "a\r\nX-B: b" },
		"path":   func(r *http.Request) { r.URL.Opaque = "/a HTTP/1.1\r\nX-B: b" },
		"length": func(r *http.Request) { r.Header["Content-Length"] = []string{"0"} },
		"coding": func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
	} {
		r := post(t.Context(), "x")
		spoil(r)
		if resp, err := c.RoundTrip(r); err == nil {
			require.NoError(t, resp.Body.Close())
			assert.NotContains(t, *got.Load(), "X-B", name)
		}
	}
}

func TestNobodyToReach(t *testing.T) {
	l := listen(t)
	c, _ := client(t, l)
	require.NoError(t, l.Close())
	_, err := c.RoundTrip(post(t.Context(), "x"))
	require.Error(t, err)
}

func TestIdleConnectionsAreNotKeptForEver(t *testing.T) {
	c, dials := serve(t, echo)
	var open []*http.Response
	for range 3 {
		resp, err := c.RoundTrip(post(t.Context(), "x"))
		require.NoError(t, err)
		open = append(open, resp)
	}
	for _, resp := range open {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	require.EqualValues(t, 3, dials.Load())
	require.Len(t, c.idle, 3)
	c.idle[0].since, c.idle[1].since = time.Now().Add(-idleTime), time.Now().Add(-idleTime)
	c.sweepIdle()
	assert.Len(t, c.idle, 1)
	assert.NotNil(t, c.sweep)
	c.CloseIdleConnections()
	assert.Empty(t, c.idle)
	_, body := ask(t, c, post(t.Context(), "x"))
	assert.Contains(t, body, "1:x")
}

func TestManyAtOnceAreNotMixed(t *testing.T) {
	c, _ := serve(t, echo)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for j := range 10 {
				mine := fmt.Sprintf("%d/%d ", i, j)
				mine += string(bytes.Repeat([]byte{'x'}, (i*j)<<10))
				resp, err := c.RoundTrip(post(t.Context(), mine))
				if !assert.NoError(t, err) {
					return
				}
				body, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.True(t, bytes.HasSuffix(body, []byte(":"+mine)), "%d/%d", i, j)
				_ = resp.Body.Close()
			}
		})
	}
	all.Wait()
}
