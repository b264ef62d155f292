package tools

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mostCalls of one turn are run; the others are answered with an error, so that one turn cannot start any number.
const mostCalls = 64

// grace is how long a call may take to say how it ended after its context has.
const grace = 500 * time.Millisecond

// outcome is one call that has ended.
type outcome struct {
	index  int
	result Result
	report Report
}

// execute runs the calls of a turn, some at a time, and gives their results in the order of the calls. It fails when ctx
// ends or the client goes; then every call has been cancelled.
func (l *loop) execute(ctx context.Context, t *turn) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.calls += min(len(t.calls), mostCalls)

	ended := make(chan outcome, len(t.calls)) // no call has to wait for the loop to listen
	slots := make(chan struct{}, l.Parallel)
	for i, c := range t.calls {
		go func() { ended <- l.runSoon(ctx, slots, i, c) }()
	}
	ticks, stop := l.Ticks(l.KeepAlive)
	defer stop()
	results := make([]Result, len(t.calls))
	left := len(t.calls)
	for left > 0 {
		var err error
		select {
		case o := <-ended:
			left--
			results[o.index] = o.result
			err = l.face.called(o.report)
		case <-ticks:
			err = l.face.keepAlive()
		case <-ctx.Done():
			err = l.turnError(ctx, ctx.Err())
		}
		if err != nil {
			cancel()
			for ; left > 0; left-- { // each has an end, at the latest a grace from now
				<-ended
			}
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil { // the calls may have ended because it did
		return nil, l.turnError(ctx, err)
	}
	return results, nil
}

// runSoon runs a call when its turn has come.
func (l *loop) runSoon(ctx context.Context, slots chan struct{}, index int, c call) outcome {
	o := outcome{index: index, report: Report{Tool: cut(c.Name, maxName)}}
	if l.session.target(c.Name) == toExecute {
		if name, _, failure := l.session.resolve(c.Name, c.Arguments); failure == nil {
			o.report.Tool = name
		}
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		o.result = Failure(StatusCancelled, "the call was cancelled")
		o.report.Status = o.result.Status
		return o
	}
	began := time.Now()
	if index >= mostCalls {
		o.result = Failure(StatusError, fmt.Sprintf("not run: more than %d calls at once", mostCalls))
	} else {
		o.result = l.runOne(ctx, c)
	}
	o.report.Duration, o.report.Status = time.Since(began), o.result.Status
	if l.Called != nil {
		l.Called(o.report)
	}
	return o
}

// runOne runs one call and always has a result for it. A catalogue that does not heed its context is left behind.
func (l *loop) runOne(parent context.Context, c call) Result {
	ctx, cancel := context.WithTimeout(parent, l.CallTimeout)
	defer cancel()
	done := make(chan Result, 1)
	go func() {
		defer func() {
			if recover() != nil { // one tool's defect must not end the gateway
				done <- Failure(StatusError, "the tool failed")
			}
		}()
		done <- l.session.call(ctx, c.Name, c.Arguments)
	}()
	var r Result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		case <-time.After(grace):
			r = Failure(StatusCancelled, "the call was cancelled")
		}
	}
	if r.Text = cut(r.Text, l.MaxResult); r.Status == "" {
		r.Status = StatusOK
		if r.Failed {
			r.Status = StatusError
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && parent.Err() == nil && (r.Failed || r.Status == StatusCancelled) {
		r = Failure(StatusTimeout, fmt.Sprintf("the tool did not answer within %s", l.CallTimeout))
	}
	return r
}
