package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// shelf keeps one provider's models. It outlives reloads that leave the provider's row as it is.
type shelf struct {
	provider Provider

	mu      sync.Mutex
	models  []model       // never changed in place: readers hold it without the lock
	fetched time.Time     // when models came; zero when there are none to serve
	failure error         // why the last refresh failed; nil after a success
	failed  time.Time     // when it did
	flight  chan struct{} // closed at the end of the one running refresh; nil when none runs
}

// stock is what a request gets from a shelf.
type stock struct {
	models  []model
	held    bool            // models are an answer, if perhaps an old one
	failure *apierror.Error // the provider is failing now
}

// take reads several shelves. Refreshes that are due start all at once; only shelves with nothing to serve are waited
// for, until ctx ends. A refresh goes on after ctx: the next request profits from it.
func (s *Server) take(ctx context.Context, shelves map[string]*shelf) map[string]stock {
	out := make(map[string]stock, len(shelves))
	flights := make(map[string]<-chan struct{})
	for id, sh := range shelves {
		st, flight := s.look(sh)
		if flight != nil {
			flights[id] = flight
			continue
		}
		out[id] = st
	}
	for id, flight := range flights {
		select {
		case <-flight:
			sh := shelves[id]
			sh.mu.Lock()
			out[id] = sh.stock()
			sh.mu.Unlock()
		case <-ctx.Done():
			out[id] = stock{failure: apierror.New(apierror.Unavailable, "the request ended before provider %q answered", id)}
		}
	}
	return out
}

// look gives what the shelf can serve at once, or the refresh to wait for.
func (s *Server) look(sh *shelf) (stock, <-chan struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	age := time.Since(sh.fetched)
	if !sh.fetched.IsZero() && age >= s.opts.StaleFor {
		sh.models, sh.fetched = nil, time.Time{}
	}
	held := !sh.fetched.IsZero()
	fresh := held && age < s.opts.FreshFor
	resting := sh.failure != nil && time.Since(sh.failed) < s.opts.RetryAfter
	if sh.flight == nil && !fresh && !resting {
		if !s.refresh(sh) && !held {
			return stock{failure: apierror.New(apierror.Unavailable, "the gateway is shutting down")}, nil
		}
	}
	if held || sh.flight == nil {
		return sh.stock(), nil
	}
	return stock{}, sh.flight
}

// stock is called with the lock held.
func (sh *shelf) stock() stock {
	out := stock{models: sh.models, held: !sh.fetched.IsZero()}
	if sh.failure != nil {
		out.failure = refusal(sh.provider.ID, sh.failure)
	}
	return out
}

// refresh starts the shelf's one refresh, with the shelf's lock held; false when the server is closed.
func (s *Server) refresh(sh *shelf) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	flight := make(chan struct{})
	sh.flight = flight
	s.flights.Go(func() {
		defer close(flight)
		models, err := s.fetchSafely(sh.provider)
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.flight = nil
		if err != nil {
			s.report(sh, err)
			sh.failure, sh.failed = err, time.Now()
			return
		}
		sh.models, sh.fetched, sh.failure = models, time.Now(), nil
	})
	return true
}

// report logs a failure once as a warning, and its repetitions as details.
func (s *Server) report(sh *shelf, err error) {
	switch {
	case s.ctx.Err() != nil: // our own end, not the provider's fault
	case sh.failure == nil:
		s.opts.Log.Warn("a provider does not list its models", "provider", sh.provider.ID, "error", err)
	default:
		s.opts.Log.Debug("a provider still does not list its models", "provider", sh.provider.ID, "error", err)
	}
}

// refusal tells the client about a failure, without the text of errors that may name inner addresses.
func refusal(provider string, failure error) *apierror.Error {
	var told answerError
	switch {
	case errors.As(failure, &told):
		return apierror.New(apierror.UpstreamError, "provider %q did not list its models: %s", provider, string(told))
	case errors.Is(failure, context.DeadlineExceeded):
		return apierror.New(apierror.UpstreamTimeout, "provider %q did not list its models in time", provider)
	case errors.Is(failure, context.Canceled):
		return apierror.New(apierror.Unavailable, "the gateway is shutting down")
	default:
		return apierror.New(apierror.UpstreamError, "provider %q did not list its models: it could not be reached", provider)
	}
}
