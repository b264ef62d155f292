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
		"SERVER_READ_TIMEOUT": "4s", "SERVER_MAX_HEADERS": "50", "SERVER_MAX_HEADER_SIZE": "16", "SERVER_MAX_REQUEST_BODY_SIZE": "1000000",
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
	e.provider.Reset()
	head := "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\n"
	second := "GET /proxy/own/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	connections := map[string]*harness.Conn{}
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
		connections[name] = e.Dial(t)
		connections[name].Send(request)
	}
	for name, got := range together(connections, func(_ string, c *harness.Conn) [2]*harness.Response {
		return [2]*harness.Response{c.Receive("POST"), c.Receive("GET")}
	}) {
		if got[0] != nil {
			assert.GreaterOrEqual(t, got[0].Status, 400, "%s: %s", name, got[0])
			assert.Nil(t, got[1], "%s: what follows was answered", name)
		}
	}
	for _, r := range e.provider.Requests() {
		assert.NotContains(t, r.URI, "smuggled")
		assert.NotContains(t, string(r.Body), "smuggled")
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

func TestRequestsOfHTTP2ThatAreNotValid(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	e.provider.Reset()
	with := func(more ...string) []string { return append(append([]string{}, request...), more...) }
	connections := map[string]*h2{}
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
		c := e.h2(t, false)
		require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(fields...), EndHeaders: true, EndStream: true}))
		connections[name] = c
	}
	for name, status := range together(connections, func(_ string, c *h2) string { return c.status() }) {
		assert.True(t, status == "" || status[0] == '4', "%s: %s", name, status)
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
	t.Parallel() // it waits for ten seconds
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
