package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// loopbackURL names the listener for logs; the transport reaches it by its socket.
const loopbackURL = "http://loopback"

// model asks one request's provider through the loopback listener, where the provider's header chooses the route.
type model struct {
	transport http.RoundTripper
	provider  string
	path      string // of the client's request, the query included
	addressed bool   // the header that all turns share names the provider
}

// Do sends one turn (tools.Model).
func (m *model) Do(ctx context.Context, body [][]byte, header http.Header) (*http.Response, error) {
	return m.transport.RoundTrip(m.request(ctx, body, header))
}

// request makes a model request, with the header as its own: the provider's route removes the caller's credentials.
func (m *model) request(ctx context.Context, body [][]byte, header http.Header) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, loopbackURL+m.path, nil)
	if err != nil { // a path that Envoy has routed and Go cannot parse: ask without its query
		r, _ = http.NewRequestWithContext(ctx, http.MethodPost, loopbackURL+catalog.ChatCompletions.Path(), nil)
	}
	if !m.addressed {
		m.addressed = true
		header.Del("Content-Length")
		header.Set(catalog.ProviderHeader, m.provider)
		if _, known := header["User-Agent"]; !known {
			header["User-Agent"] = nil // or net/http would make one up
		}
	}
	r.Header = header
	for _, piece := range body {
		r.ContentLength += int64(len(piece))
	}
	r.GetBody = func() (io.ReadCloser, error) {
		unread := net.Buffers(slices.Clone(body)) // reading takes from it
		return io.NopCloser(&unread), nil
	}
	r.Body, _ = r.GetBody()
	return r
}

// drainFactor bounds how much of a too large body is read, as a multiple of the limit, so that the client is there to
// read the answer.
const drainFactor = 8

// read takes a body of at most most bytes.
func read(from io.Reader, declared, most int64) ([]byte, *apierror.Error) {
	body, err := tools.ReadAll(io.LimitReader(from, most+1), declared)
	if err == nil && int64(len(body)) <= most {
		return body, nil
	}
	var full *apierror.Error
	if errors.As(err, &full) {
		return nil, full
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, apierror.New(apierror.InvalidRequest, "the request body did not arrive whole")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(from, (drainFactor-1)*most)) // what fails here fails for the client too
	return nil, apierror.New(apierror.BodyTooLarge, "the request body is larger than %d bytes (SERVER_MAX_REQUEST_BODY_SIZE)", most)
}
