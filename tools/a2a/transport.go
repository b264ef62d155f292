package a2a

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

var (
	errForeign  = errors.New("an address on another origin than the agent's")
	errTooLarge = errors.New("the answer is larger than allowed")
)

// guard is the only way to an agent: it refuses every other origin (whatever a card, a redirect or the SDK may say), adds
// the agent's headers and bounds what comes back, unpacked.
type guard struct {
	base    http.RoundTripper
	origin  origin
	headers http.Header
	limit   int64
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if originOf(req.URL) != g.origin {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, errForeign
	}
	stream := strings.Contains(req.Header.Get("Accept"), "text/event-stream")
	req = req.Clone(req.Context())
	for name, values := range g.headers {
		if http.CanonicalHeaderKey(name) == "Host" && len(values) > 0 {
			req.Host = values[0]
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("Accept") == "" { // the SDK says nothing where it wants no stream, which LangGraph refuses
		req.Header.Set("Accept", "application/json")
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	noteStatus(req.Context(), resp.StatusCode)
	if resp.ContentLength > g.limit {
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &limited{resp.Body, g.limit}
	if !isJSON(resp.Header.Get("Content-Type")) {
		if stream {
			resp.Body = mendedEvents(resp.Body, req.Header.Get("A2A-Version"))
		}
		return resp, nil
	}
	resp.Body, resp.ContentLength = mendedJSON(resp.Body), -1
	resp.Header.Set("Content-Type", "application/json") // the SDK reads no error that is of another type
	if stream && resp.StatusCode == http.StatusOK {
		return asStream(resp)
	}
	return resp, nil
}

// isJSON knows types such as application/a2a+json, which agents have over REST, for what they are.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// asStream makes a stream of one event out of a plain answer. Agents answer a request for a stream that they refuse with
// plain JSON, which the SDK would read as a stream without events: the reason would be lost.
func asStream(resp *http.Response) (*http.Response, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	event := bytes.NewBufferString("data: ")
	if err := json.Compact(event, body); err != nil {
		return nil, err
	}
	event.WriteString("\n\n")
	resp.Body = io.NopCloser(event)
	return resp, nil
}

// limited fails once more than left was read, where io.LimitedReader would make a long answer look like a short one.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n, errTooLarge
	}
	return n, err
}

// newClient gives the HTTP client of one agent. It has no timeout of its own: a stream may last, and every request has a
// context with a deadline.
func newClient(e Endpoint, at origin, limit int64) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &guard{
			base: &http.Transport{
				DialContext:            dialer.DialContext,
				ForceAttemptHTTP2:      true,
				TLSHandshakeTimeout:    5 * time.Second,
				MaxIdleConnsPerHost:    32,
				IdleConnTimeout:        60 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
			},
			origin: at, headers: e.Headers, limit: limit,
		},
		// A server may send a request to another path of its own (a slash at the end), nowhere else.
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || originOf(req.URL) != at {
				return errForeign
			}
			return nil
		},
	}
}

// CloseIdleConnections lets http.Client reach the transport below.
func (g *guard) CloseIdleConnections() {
	if t, ok := g.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// The SDK's errors lose the HTTP status, so the guard leaves it in the context of a call.
type statusKey struct{}

func withStatus(ctx context.Context) (context.Context, *atomic.Int32) {
	status := new(atomic.Int32)
	return context.WithValue(ctx, statusKey{}, status), status
}

func noteStatus(ctx context.Context, code int) {
	if status, ok := ctx.Value(statusKey{}).(*atomic.Int32); ok {
		status.Store(int32(code))
	}
}
