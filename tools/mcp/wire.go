package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

var (
	errForeign  = errors.New("an address other than the configured one")
	errRedirect = errors.New("redirects are not followed")
	errBusy     = errors.New("the server asks more than it takes answers to")
)

// goodbyeTime is how long a server has to hear that a session ends: nothing depends on it.
const goodbyeTime = time.Second

// wire is the one way to a server. It sends the server's headers to the server's origin only, and bounds what comes back.
type wire struct {
	base    http.RoundTripper
	origin  *url.URL
	headers http.Header
	limit   int64
	gate    *gate          // of the stream that a server of the old era is listened to on; nil for others
	answers chan struct{}  // room for answers to what the server asks, one place each
	asked   func(question) // hears what it asks in a stream, where mcp-go does not
}

// mostAnswers to the server's own requests (pings) are under way at a time. mcp-go has a goroutine for each: a server that
// asks without end and takes no answer must not be able to pile them up.
const mostAnswers = 16

func newWire(base http.RoundTripper, origin *url.URL, headers http.Header, limit int64, g *gate) *wire {
	return &wire{base: base, origin: origin, headers: headers, limit: limit, gate: g, answers: make(chan struct{}, mostAnswers)}
}

// httpClient follows a redirect within the server's origin, as Python's web frameworks send one to add a slash or to take
// one away. It follows none elsewhere: mcp-go would take the headers along, credentials among them.
func (w *wire) httpClient() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if !w.isOrigin(req.URL) || req.Method != via[0].Method || len(via) > mostRedirects {
			return errRedirect
		}
		return nil
	}}
}

const mostRedirects = 3

func (w *wire) isOrigin(u *url.URL) bool {
	return u.Scheme == w.origin.Scheme && u.Host == w.origin.Host
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if !w.isOrigin(req.URL) {
		return nil, errForeign
	}
	if isAnswer(req) {
		select {
		case w.answers <- struct{}{}:
			defer func() { <-w.answers }()
		default:
			return nil, errBusy
		}
	}
	ctx, cancel := req.Context(), context.CancelFunc(func() {})
	if req.Method == http.MethodDelete {
		ctx, cancel = context.WithTimeout(ctx, goodbyeTime)
	}
	req = req.Clone(ctx)
	for name, values := range w.headers {
		name = http.CanonicalHeaderKey(name)
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
	if w.gate.guards(req) {
		if resp, err := w.gate.pass(req); resp != nil || err != nil {
			cancel()
			return resp, err
		}
	}
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		cancel()
		return nil, err
	}
	ex := exchangeOf(ctx)
	ex.status.Store(int32(resp.StatusCode))
	if resp.ContentLength > w.limit && !streams(resp) {
		resp.Body.Close()
		cancel()
		return nil, ex.refuse(tooLarge(w.limit))
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, limit: w.limit, events: streams(resp), ex: ex, closed: cancel}
	if w.asked != nil && req.Method == http.MethodGet && streams(resp) {
		resp.Body = &questions{ReadCloser: resp.Body, events: sse.Parser{Max: int(w.limit)}, asked: w.asked}
	}
	w.gate.saw(req, resp)
	return resp, nil
}

// isAnswer says whether a request carries an answer to one of the server's own. What is asked of a server names its method
// near the beginning; in an answer such quotes would be escaped.
func isAnswer(req *http.Request) bool {
	if req.Method != http.MethodPost || req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	beginning := make([]byte, 512)
	n, err := io.ReadFull(body, beginning)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return !bytes.Contains(beginning[:n], []byte(`"method":`))
}

func streams(resp *http.Response) bool {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return mediaType == "text/event-stream"
}

func tooLarge(limit int64) error { return fmt.Errorf("%w: more than %d bytes", errTooLarge, limit) }

// newBase makes the connection pool of one server: its own, so that no server can use up another's.
func newBase() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64, // loops call in parallel; the default of 2 would dial anew for most of them
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
