// Package bodies bounds how many bytes of request bodies this process holds at once, over all requests and lanes. Bodies that
// come slowly would fill its memory otherwise, each of them within its own limit. It must not know what a body is for.
package bodies

import (
	"io"
	"sync/atomic"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// Limit is how much may be held. It is safe for concurrent use; the zero value admits nothing.
type Limit struct{ most, held atomic.Int64 }

// NewLimit makes a Limit of most bytes.
func NewLimit(most int64) *Limit {
	l := new(Limit)
	l.Set(most)
	return l
}

// Set changes the limit. What is held already stays.
func (l *Limit) Set(most int64) { l.most.Store(most) }

// Share is what one request holds. It belongs to one goroutine, and is released when the request's body is no longer needed.
type Share struct {
	limit *Limit
	held  int64
}

// Share begins one.
func (l *Limit) Share() Share { return Share{limit: l} }

// Grow takes n bytes more, or says why there is no room for them: nothing is taken then.
func (s *Share) Grow(n int) *apierror.Error {
	if n == 0 {
		return nil
	}
	if s.limit.held.Add(int64(n)) > s.limit.most.Load() {
		s.limit.held.Add(-int64(n))
		return apierror.New(apierror.Overloaded, "the gateway holds as many request bodies as it may (SERVER_MAX_REQUEST_BODIES_SIZE): try again in a moment")
	}
	s.held += int64(n)
	return nil
}

// Release gives all of it back.
func (s *Share) Release() {
	s.limit.held.Add(-s.held)
	s.held = 0
}

// Reader counts what is read from a body. An error of it is an *apierror.Error when there was no room.
func (s *Share) Reader(body io.Reader) io.Reader { return &reader{body, s} }

type reader struct {
	body  io.Reader
	share *Share
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if full := r.share.Grow(n); full != nil {
		return n, full
	}
	return n, err
}
