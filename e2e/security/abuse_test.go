package security

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// exposed is a gateway as strangers find it, with a provider that tells what has reached it.
type exposed struct {
	*harness.Gateway
	provider *harness.Provider
}

var theExposed = harness.Shared(func(t harness.T) *exposed {
	e := &exposed{provider: harness.NewProvider(t, nil)}
	e.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS": "own", "OWN_API_URL": e.provider.URL + "/v1", "OWN_API_KEY": "sk-own", "DEMO_ENABLED": "true",
		"SERVER_READ_TIMEOUT": "4s", "SERVER_MAX_HEADERS": "50", "SERVER_MAX_HEADER_SIZE": "16",
	})
	return e
})

// stillServes is what every attack must leave true.
func (e *exposed) stillServes(t *testing.T, envoy int) {
	t.Helper()
	r, err := e.Try(t, client(t, nil), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	assert.Equal(t, envoy, e.EnvoyPID(), "Envoy has fallen")
}

// A request that two readers could read differently reaches nobody, and what comes after it on the connection is not
// taken for a request.
func TestSmugglingOverHTTP1(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	head := "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\n"
	second := "GET /proxy/own/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, request := range map[string]string{
		"CL and TE":                  head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"TE and CL":                  head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + second,
		"two lengths":                head + "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + second,
		"a list of lengths":          head + "Content-Length: 0, 50\r\n\r\n" + second,
		"a negative length":          head + "Content-Length: -1\r\n\r\n" + second,
		"a length in hex":            head + "Content-Length: 0x10\r\n\r\n" + second,
		"two encodings":              head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + second,
		"an encoding with a tab":     head + "Transfer-Encoding:\tchunked, gzip\r\n\r\n0\r\n\r\n" + second,
		"an obsolete fold":           head + "X-A: b\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 0\r\nBad\r\n\r\n" + second,
		"NUL in a value":             head + "X-A: a\x00b\r\nContent-Length: 0\r\n\r\n" + second,
		"NUL in a name":              head + "X\x00A: b\r\nContent-Length: 0\r\n\r\n" + second,
		"a space before the colon":   head + "Content-Length : 5\r\n\r\n" + second,
		"no colon":                   head + "Content-Length\r\n\r\n" + second,
		"two hosts":                  "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\nExpect: x\r\nBad\r\n\r\n" + second,
		"a chunk without a size":     head + "Transfer-Encoding: chunked\r\n\r\n\r\n" + second,
		"a negative chunk":           head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + second,
		"a version of its own":       "POST /proxy/own/a HTTP/1.9\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"bare line feeds and a gap":  "POST /proxy/own/a HTTP/1.1\nHost: x\nContent-Length : 3\n\n" + second,
		"a header called as a path":  head + ":path: /proxy/own/b\r\nContent-Length: 0\r\n\r\n" + second,
		"too many headers":           head + strings.Repeat("X-A: b\r\n", 60) + "\r\n" + second,
		"a header that is too large": head + "X-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n" + second,
	} {
		t.Run(name, func(t *testing.T) {
			e.provider.Reset()
			c := e.Dial(t)
			c.Send(request)
			first := c.Receive("POST")
			if first != nil {
				assert.GreaterOrEqual(t, first.Status, 400, "%s", first)
				assert.Nil(t, c.Receive("GET"), "what follows was answered")
			}
			for _, r := range e.provider.Requests() {
				assert.NotContains(t, r.URI, "smuggled")
				assert.NotContains(t, string(r.Body), "smuggled")
			}
		})
	}
	e.stillServes(t, envoy)
}

// What Envoy reads leniently reaches a provider written anew, with one meaning.
func TestWhatIsForgivenIsWrittenAnew(t *testing.T) {
	e := theExposed(t)
	for name, tt := range map[string]struct{ request, body string }{
		"a bare CR in a value":     {"POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nX-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", ""},
		"a chunk longer than said": {"POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", "a"},
	} {
		e.provider.Reset()
		c := e.Dial(t)
		c.Send(tt.request)
		c.Receive("POST")
		for _, r := range e.provider.Requests() {
			assert.Equal(t, tt.body, string(r.Body), name)
			assert.NotContains(t, strings.Join(r.Header.Values("X-A"), ""), "\r", name)
			if tt.body == "" {
				assert.Empty(t, r.Header.Values("Transfer-Encoding"), name)
			}
		}
	}
}

// h2 is a connection of HTTP/2 whose frames are written by hand.
type h2 struct {
	*http2.Framer
	net.Conn
	block strings.Builder
	hpack *hpack.Encoder
}

func (e *exposed) h2(t *testing.T) *h2 {
	t.Helper()
	conn, err := net.Dial("tcp", e.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	c := &h2{Framer: http2.NewFramer(conn, conn), Conn: conn}
	c.hpack = hpack.NewEncoder(&c.block)
	c.AllowIllegalWrites = true
	require.NoError(t, c.WriteSettings())
	return c
}

// head encodes fields, in pairs of name and value.
func (c *h2) head(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return []byte(c.block.String())
}

// ended reads until the gateway closes the connection or says that it will (GOAWAY).
func (c *h2) ended() bool {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			timeout, ok := err.(net.Error)
			return !ok || !timeout.Timeout()
		}
		if _, away := f.(*http2.GoAwayFrame); away {
			return true
		}
	}
}

var request = []string{":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/proxy/own/a"}

func TestFloodsOfHTTP2(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	const many = 20_000 // bounded: a connection that is still open then has passed
	for name, flood := range map[string]func(*h2, uint32) error{
		"rapid reset": func(c *h2, n uint32) error {
			id := 2*n + 1
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.head(request...), EndHeaders: true})
			return c.WriteRSTStream(id, http2.ErrCodeCancel)
		},
		"PING": func(c *h2, _ uint32) error { return c.WritePing(false, [8]byte{}) },
		"SETTINGS": func(c *h2, _ uint32) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
		},
		"CONTINUATION": func(c *h2, n uint32) error {
			if n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(request...)})
			}
			return c.WriteContinuation(1, false, c.head("x-a", strings.Repeat("b", 100)))
		},
		"empty DATA": func(c *h2, n uint32) error {
			if n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(request...), EndHeaders: true})
			}
			return c.WriteData(1, false, nil)
		},
		"PRIORITY": func(c *h2, _ uint32) error { return c.WritePriority(1, http2.PriorityParam{StreamDep: 3}) },
		"too many streams": func(c *h2, n uint32) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 1, BlockFragment: c.head(request...), EndHeaders: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.h2(t)
			over := make(chan bool, 1)
			go func() {
				if strings.HasPrefix(name, "PING") || strings.HasPrefix(name, "SETTINGS") {
					// A flood of what must be answered, by a client that reads none of the answers.
					time.Sleep(2 * time.Second)
				}
				over <- c.ended()
			}()
			for n := range uint32(many) {
				_ = c.SetWriteDeadline(time.Now().Add(3 * time.Second))
				if err := flood(c, n); err != nil {
					break // it was closed, or nobody reads any more
				}
			}
			_ = c.SetReadDeadline(time.Now().Add(8 * time.Second))
			ended := <-over
			if name == "too many streams" || name == "PING" || name == "SETTINGS" {
				return // held in other ways: refused streams, and answers that stop being made when nobody takes them
			}
			assert.True(t, ended, "the connection goes on")
		})
	}
	e.stillServes(t, envoy)
}

func TestRequestsOfHTTP2ThatAreNotValid(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	e.provider.Reset()
	with := func(more ...string) []string { return append(append([]string{}, request...), more...) }
	for name, fields := range map[string][]string{
		"a transfer-encoding":     with("transfer-encoding", "chunked"),
		"a connection header":     with("connection", "close"),
		"an upper-case name":      with("X-A", "b"),
		"a line break in a value": with("x-a", "b\r\nx-igw-provider: own"),
		"two lengths":             with("content-length", "1", "content-length", "2"),
		"two paths":               with(":path", "/proxy/own/b"),
		"no path":                 {":method", "POST", ":scheme", "http", ":authority", "x"},
		"a path with a break":     {":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/proxy/own/a HTTP/1.1\r\nX: y"},
		"a pseudo header at last": with("x-a", "b", ":authority", "y"),
		"too many headers":        with(strings.Split(strings.Repeat("x-a,b,", 60)+"x-a,b", ",")...),
	} {
		t.Run(name, func(t *testing.T) {
			c := e.h2(t)
			require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(fields...), EndHeaders: true, EndStream: true}))
			decoder := hpack.NewDecoder(4096, nil)
			for {
				f, err := c.ReadFrame()
				if err != nil {
					return
				}
				switch f := f.(type) {
				case *http2.GoAwayFrame, *http2.RSTStreamFrame:
					return
				case *http2.HeadersFrame:
					got, err := decoder.DecodeFull(f.HeaderBlockFragment())
					require.NoError(t, err)
					assert.True(t, strings.HasPrefix(got[0].Value, "4"), "%v", got[0])
					return
				}
			}
		})
	}
	assert.Empty(t, e.provider.Requests())
	e.stillServes(t, envoy)
}

// A thousand clients that never finish what they began, and bodies that never end: who is honest is served meanwhile, and
// the others are shown out.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	var slow []net.Conn
	for i := range 1000 {
		c, err := net.Dial("tcp", e.Addr)
		require.NoError(t, err)
		defer c.Close()
		_, _ = io.WriteString(c, []string{
			"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ",
			"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\n",
			"POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
			http2.ClientPreface,
		}[i%4])
		slow = append(slow, c)
	}
	for range 5 {
		e.stillServes(t, envoy)
	}
	for i, c := range slow {
		if i%4 == 3 {
			continue // an idle connection, which SERVER_IDLE_TIMEOUT ends
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err := c.Read(make([]byte, 1024))
		if err != nil && err != io.EOF {
			assert.NotErrorIs(t, err, error(&net.OpError{}))
			timeout, ok := err.(net.Error)
			assert.False(t, ok && timeout.Timeout(), "connection %d is still waited for", i)
		}
	}
}

func TestATLSHandshakeThatNeverEndsIsGivenUp(t *testing.T) {
	g := theSecure(t)
	c, err := net.Dial("tcp", g.Addr)
	require.NoError(t, err)
	defer c.Close()
	_, _ = c.Write([]byte{0x16, 0x03, 0x01})
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	timeout, ok := err.(net.Error)
	assert.False(t, ok && timeout.Timeout())
	_, err = tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true})
	assert.NoError(t, err)
}
