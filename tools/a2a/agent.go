package a2a

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// agent is one configured agent. Only its own goroutine (run) changes its view.
type agent struct {
	Endpoint
	o       Options
	manager *Manager
	base    *url.URL
	http    *http.Client
	log     *slog.Logger
	view    atomic.Pointer[view]
	wake    chan struct{} // a call could not reach the agent: look now

	first     chan struct{} // closed when the card has been asked for once, or never will be
	firstOnce sync.Once
}

// view is what is known of an agent. It never changes.
type view struct {
	state   string
	problem string
	last    *connection // nil until the first card
	since   time.Time
	seen    time.Time
}

// run looks at the card again and again: that is discovery, health and refresh in one.
func (a *agent) run(ctx context.Context) {
	defer a.asked()
	for {
		pause := a.o.RefreshInterval
		if err := a.look(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			a.lost(err)
			if !a.o.Reconnect {
				return
			}
			pause = a.o.ReconnectInterval
		}
		if !a.sleep(ctx, pause) {
			return
		}
	}
}

func (a *agent) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	wake := a.wake
	if a.view.Load().state != StateAvailable {
		wake = nil // it is known to be down: a call with an old snapshot changes nothing
	}
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// look reads the card, trying again while a failure may pass by itself. Tools stay while it tries.
func (a *agent) look(ctx context.Context) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval, pauses.Multiplier = a.o.InitialBackoff, a.o.RetryInterval, 2
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := a.readOnce(ctx)
		a.asked()
		if err != nil && !passing(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(uint(a.o.MaxRetries)+1), backoff.WithMaxElapsedTime(0))
	return err
}

func (a *agent) asked() { a.firstOnce.Do(func() { close(a.first) }) }

// passing tells failures worth another attempt at once from those that somebody has to mend.
func passing(err error) bool {
	if status := httpStatus(0); errors.As(err, &status) {
		return status >= 500 || status == http.StatusTooManyRequests
	}
	for _, lasting := range []error{errCard, errNoTransport, errOtherOrigin, errForeign, errTooLarge} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	return true
}

func (a *agent) readOnce(ctx context.Context) (err error) {
	defer func() { // the card is read by a library, from a stranger
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errCard, p)
		}
	}()
	ctx, cancel := context.WithTimeout(quiet(ctx), min(a.o.ClientTimeout, cardTimeout))
	defer cancel()
	raw, err := fetchCard(ctx, a.http, a.base)
	if err != nil {
		return err
	}
	old := a.view.Load()
	if old.last != nil && old.last.hash == hashOf(raw) {
		a.found(old, old.last)
		return nil
	}
	conn, err := connect(ctx, a, a.base, raw)
	if err != nil {
		return err
	}
	a.found(old, conn)
	return nil
}

// found publishes a connection, and says so in the log if that is news: a card that changes under a running gateway is.
func (a *agent) found(old *view, conn *connection) {
	now := time.Now()
	next := &view{state: StateAvailable, last: conn, since: old.since, seen: now}
	if old.state != StateAvailable {
		next.since = now
	}
	a.manager.publish(a, next)
	if old.state == StateAvailable && old.last == conn {
		return
	}
	if old.last != nil && old.last != conn {
		a.log.Warn("the agent's card changed", "from", old.last.hash, "to", conn.hash, "tools_before", len(old.last.tools), "tools", len(conn.tools))
	}
	if old.state != StateAvailable {
		a.log.Info("agent available", "protocol", conn.version, "transport", conn.binding, "streaming", conn.streaming, "tools", len(conn.tools))
	}
}

func (a *agent) lost(err error) {
	old := a.view.Load()
	problem := a.explain(err, 0).text
	next := &view{state: StateUnavailable, problem: problem, last: old.last, since: old.since, seen: old.seen}
	if old.state != StateUnavailable {
		next.since = time.Now()
	}
	a.manager.publish(a, next)
	if old.state != StateUnavailable || old.problem != problem {
		a.log.Warn("agent unavailable", "problem", problem)
	}
}

// poke has the agent looked at soon, because a call could not reach it.
func (a *agent) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}
