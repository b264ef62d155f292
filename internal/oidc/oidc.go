// Package oidc finds out about OpenID Connect issuers: it asks each one for its discovery document, in the background
// and for as long as it takes, and says when it has learned something. What is done with that is not its business: it
// must not know Envoy, tokens or configuration. Tokens are checked by Envoy, which also fetches the issuers' keys.
package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The pauses between questions: growing ones to an issuer that does not answer, a long one to one that has answered.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 15 * time.Second
	secondLook   = 10 * time.Minute
	patience     = 10 * time.Second // for one answer
)

// Finder keeps the metadata of the issuers that it is told to follow. It is safe for concurrent use.
type Finder struct {
	log     *slog.Logger
	follow  chan struct{} // one element: the issuers to follow have changed
	changed chan struct{} // one element: what is found has changed

	mu      sync.Mutex
	client  *http.Client
	issuers map[string]*issuer // by URL
}

// issuer is one of them. Its fields belong to the Finder's lock.
type issuer struct {
	asked    chan struct{} // closed after the first answer or failure
	stop     context.CancelFunc
	metadata *Metadata // nil until it has answered
}

// NewFinder makes a Finder that follows nobody.
func NewFinder(log *slog.Logger) *Finder {
	return &Finder{log: log, follow: make(chan struct{}, 1), changed: make(chan struct{}, 1), issuers: map[string]*issuer{}}
}

// Follow makes the given issuers, and no others, those to be known. What is known of them already stays. The client
// stays the caller's; the Finder's own timeouts hold.
func (f *Finder) Follow(client *http.Client, urls []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client = client
	next := make(map[string]*issuer, len(urls))
	for _, url := range urls {
		if i, ok := f.issuers[url]; ok {
			next[url] = i
			delete(f.issuers, url)
		} else {
			next[url] = &issuer{asked: make(chan struct{})}
		}
	}
	for _, gone := range f.issuers {
		if gone.stop != nil {
			gone.stop()
		}
	}
	f.issuers = next
	signal(f.follow)
}

// Found is what is known at the moment, by the issuer's URL.
func (f *Finder) Found() map[string]Metadata {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]Metadata{}
	for url, i := range f.issuers {
		if i.metadata != nil {
			out[url] = *i.metadata
		}
	}
	return out
}

// Asked waits until every issuer has answered or failed to once, or until ctx ends.
func (f *Finder) Asked(ctx context.Context) {
	f.mu.Lock()
	var waiting []chan struct{}
	for _, i := range f.issuers {
		waiting = append(waiting, i.asked)
	}
	f.mu.Unlock()
	for _, asked := range waiting {
		select {
		case <-asked:
		case <-ctx.Done():
			return
		}
	}
}

// Changed has an element when Found gives something else than before.
func (f *Finder) Changed() <-chan struct{} { return f.changed }

// Run asks the issuers until ctx ends.
func (f *Finder) Run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		f.mu.Lock()
		for url, i := range f.issuers {
			if i.stop != nil {
				continue
			}
			var one context.Context
			one, i.stop = context.WithCancel(ctx)
			asking.Go(func() { f.watch(one, url, i) })
		}
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-f.follow:
		}
	}
}

// watch asks one issuer until ctx ends.
func (f *Finder) watch(ctx context.Context, url string, i *issuer) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstPause, MaxInterval: longestPause, Multiplier: 2, RandomizationFactor: 0.2,
	}
	pauses.Reset()
	told := ""
	for first := true; ctx.Err() == nil; first = false {
		f.mu.Lock()
		client := f.client
		f.mu.Unlock()
		limited, cancel := context.WithTimeout(ctx, patience)
		m, err := ask(limited, client, url)
		cancel()
		pause := secondLook
		if err == nil {
			pauses.Reset()
			told = ""
			f.learn(url, i, m)
		} else {
			pause = pauses.NextBackOff()
			if ctx.Err() == nil && err.Error() != told {
				told = err.Error() // the same again is no news
				f.log.Warn("the OpenID Connect issuer cannot be asked, and will be asked again", "issuer", url, "error", told)
			}
		}
		if first {
			close(i.asked)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// learn keeps an answer, unless it is the one that is known or nobody follows the issuer any more.
func (f *Finder) learn(url string, i *issuer, m Metadata) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.issuers[url] != i || i.metadata != nil && reflect.DeepEqual(*i.metadata, m) {
		return
	}
	i.metadata = &m
	f.log.Info("found the OpenID Connect issuer's endpoints", "issuer", url)
	signal(f.changed)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
