package mcp

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
)

var errTooLarge = errors.New("an answer that is too large")

// boundedBody ends an answer that grows over its limit. In an event stream the limit holds for one event: a stream that
// is listened to may live for days, and only an event is ever held in memory.
type boundedBody struct {
	io.ReadCloser
	limit, used int64
	work        int64 // bytes that mcp-go copies to join the lines of the event, anew for each line
	events      bool
	blank       bool // the line being read has no bytes so far
	ex          *exchange
	closed      func()
}

// maxWork bounds, in multiples of the limit, what an event made of very many lines can cost.
const maxWork = 256

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.fits(p[:n]) {
		return 0, b.ex.refuse(tooLarge(b.limit))
	}
	return n, err
}

func (b *boundedBody) fits(p []byte) bool {
	if !b.events {
		b.used += int64(len(p))
		return b.used <= b.limit
	}
	for _, c := range p {
		switch b.used++; {
		case c == '\r':
			continue
		case c == '\n' && b.blank:
			b.used, b.work = 0, 0
		case c == '\n':
			b.work += b.used
		}
		b.blank = c == '\n'
		if b.used > b.limit || b.work > maxWork*b.limit {
			return false
		}
	}
	return true
}

func (b *boundedBody) Close() error {
	err := b.ReadCloser.Close()
	b.closed()
	return err
}

// exchange is what one request and its answer leave behind for whoever made it: mcp-go reports a status as text, loses
// the cause when a stream breaks, and forgets what it cannot decode.
type exchange struct {
	status  atomic.Int32
	refusal atomic.Pointer[error]

	answer answer // written before SendRequest returns, read after
}

func (e *exchange) refuse(err error) error {
	e.refusal.CompareAndSwap(nil, &err)
	return err
}

// cause is the reason that was found on the wire, or else err.
func (e *exchange) cause(err error) error {
	if p := e.refusal.Load(); p != nil {
		return *p
	}
	return err
}

type exchangeKey struct{}

func withExchange(ctx context.Context) (context.Context, *exchange) {
	ex := &exchange{}
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

// exchangeOf never gives nil: what mcp-go sends by itself, such as the end of a session, has nobody to tell.
func exchangeOf(ctx context.Context) *exchange {
	if ex, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return ex
	}
	return &exchange{}
}
