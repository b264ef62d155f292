package mcp

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

var (
	errForeign  = errors.New("an address other than the configured one")
	errRedirect = errors.New("redirects are not followed")
)

// goodbyeTime is how long a server has to hear that a session ends: nothing depends on it.
const goodbyeTime = time.Second

// wire is the one way to a server. It sends the server's headers to the server's origin only, and bounds what comes back.
type wire struct {
	base    http.RoundTripper
	origin  *url.URL
	headers http.Header
	limit   int64
	gate    *gate // of the stream that a server of the old era is listened to on; nil for others
}

// httpClient follows no redirect: mcp-go would take the headers, credentials among them, along to another host.
func (w *wire) httpClient() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != w.origin.Scheme || req.URL.Host != w.origin.Host {
		return nil, errForeign
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
	w.gate.saw(req, resp)
	return resp, nil
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
