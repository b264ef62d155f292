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

	ended := make(chan outcome, len(t.calls)) // nobody has to wait for a loop that has given up
	slots := make(chan struct{}, l.Parallel)
	for i, c := range t.calls {
		go func() { ended <- l.runSoon(ctx, slots, i, c) }()
	}
	ticks, stop := l.Ticks(l.KeepAlive)
	defer stop()
	results := make([]Result, len(t.calls))
	for left := len(t.calls); left > 0; {
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
	name := l.session.injected[c.Name]
	switch resolved, _, failure := l.session.resolve(c.Name, c.Arguments); {
	case name == toGet, failure != nil && name == toExecute:
		name = c.Name
	case name == "":
		name = cut(c.Name, maxName)
	default:
		name = resolved
	}
	o := outcome{index: index, report: Report{Tool: name}}
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
