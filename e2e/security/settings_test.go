package security

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A path is made plain before anything is decided by it.
func TestPathsAreNormalised(t *testing.T) {
	e := theExposed(t)
	e.provider.Reset()
	for path, status := range map[string]string{
		"/v1/x/../models":            "200",
		"/v1/./models":               "200",
		"/v1/%2e%2e/v1/models":       "200",
		"/proxy/own/a/../b/./c?d=..": "200",
	} {
		c := e.h2(t, false)
		fields := []string{":method", "GET", ":scheme", "http", ":authority", "x", ":path", path}
		require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(fields...), EndHeaders: true, EndStream: true}))
		assert.Equal(t, status, c.status(), path)
	}
	var got []string // the gateway asks for the provider's models too
	for _, r := range e.provider.Requests() {
		got = append(got, r.URI)
	}
	assert.Contains(t, got, "/v1/b/c?d=..")
}

// Who asks nothing for SERVER_IDLE_TIMEOUT is shown out, and an answer that takes longer than SERVER_WRITE_TIMEOUT ends.
func TestConnectionsAndAnswersHaveAnEnd(t *testing.T) {
	provider := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "own", "OWN_API_URL": provider.URL + "/v1", "SERVER_IDLE_TIMEOUT": "1s", "SERVER_WRITE_TIMEOUT": "2s",
	})
	ended := func(c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, c)
		assert.NoError(t, err, "it is closed, and nobody had to wait for that too long")
	}
	for name, begin := range map[string]string{
		"nothing":        "",
		"a request":      "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"HTTP/2":         http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"endless answer": "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", g.Addr)
			require.NoError(t, err)
			defer c.Close()
			_, err = io.WriteString(c, begin)
			require.NoError(t, err)
			ended(c)
		})
	}
}

// No session can be taken up again whose client was asked for a certificate: not by a ticket, and not by an id, which
// TLS 1.2 gives in its hello.
func TestSessionsOfClientCertificatesHaveNoID(t *testing.T) {
	t.Parallel()
	clients := harness.NewCA(t)
	g := mutual(t, clients)
	conn, err := net.Dial("tcp", g.Addr)
	require.NoError(t, err)
	defer conn.Close()
	heard := &listener{Conn: conn}
	c := tls.Client(heard, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{clients.Issue(t, "app", nil)}})
	require.NoError(t, c.Handshake())
	const before = 5 + 4 + 2 + 32 // a record's head, a message's, the version and the random bytes
	require.Greater(t, len(heard.first), before)
	require.EqualValues(t, 2, heard.first[5], "it is a ServerHello")
	assert.Zero(t, heard.first[before], "the length of the session's id")
}

// listener keeps what it has heard.
type listener struct {
	net.Conn
	first []byte
}

func (l *listener) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.first = append(l.first, b[:n]...)
	return n, err
}
