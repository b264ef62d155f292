package a2a

import (
	"context"
	"errors"
	"iter"
	"time"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
)

var (
	errAnswer    = errors.New("its answer cannot be understood")
	errNothing   = errors.New("it ended its answer without saying anything")
	errStillOn   = errors.New("its task did not end in time and is cancelled")
	errStrangeID = errors.New("its task has an id that cannot be asked for")
)

// follow sends the message and stays with what it starts until that ends or waits for somebody: by a stream if the card
// offers one, else by asking for the task's state, else by waiting for the one answer. Asking comes before waiting because
// an answer that is waited for brings the task's id only at its end: such a task could not be cancelled.
func (t *task) follow(ctx context.Context, req *sdk.SendMessageRequest) (err error) {
	defer recovered(&err)
	if t.c.streaming {
		err = t.take(t.c.client.SendStreamingMessage(ctx, req))
		switch {
		case t.settled():
			return nil
		case t.started() && !errors.Is(err, errTooLarge):
			return t.poll(ctx) // the stream broke, or ended before the task did
		case !refused(err):
			if err == nil {
				err = errNothing
			}
			return err
		}
	}
	if err := t.send(ctx, req); err != nil || t.settled() {
		return err
	}
	return t.poll(ctx)
}

// refused tells that an agent does not stream after all. Then nothing has been started.
func refused(err error) bool {
	return errors.Is(err, sdk.ErrUnsupportedOperation) || errors.Is(err, sdk.ErrMethodNotFound)
}

// take reads a stream until the task is settled. When the call goes on with a task, agents begin by showing it as it was:
// still waiting for the very answer that it has just been given. That is not the end yet.
func (t *task) take(events iter.Seq2[sdk.Event, error]) error {
	first := true
	for event, err := range events {
		if err != nil {
			return err
		}
		t.add(event)
		_, whole := event.(*sdk.Task)
		asItWas := first && whole && t.given != "" && !t.over()
		if first = false; t.settled() && !asItWas {
			return nil
		}
	}
	return nil
}

func (t *task) send(ctx context.Context, req *sdk.SendMessageRequest) error {
	ctx, cancel := context.WithTimeout(ctx, t.c.agent.o.ClientTimeout)
	defer cancel()
	req.Config = &sdk.SendMessageConfig{ReturnImmediately: t.c.agent.o.Poll && t.given == ""}
	answer, err := t.c.client.SendMessage(ctx, req)
	if err != nil {
		return err
	}
	t.add(answer)
	if !t.settled() && !t.started() {
		return errAnswer
	}
	return nil
}

// poll asks for the task's state until it is settled, soon at first, so that short tasks are not made long. A question
// that fails is only one of the attempts: the task goes on without it.
func (t *task) poll(ctx context.Context) error {
	o := t.c.agent.o
	if !o.Poll {
		return errStillOn
	}
	if !t.c.validID(string(t.id())) {
		return errStrangeID
	}
	ctx, cancel := context.WithTimeout(ctx, o.PollTimeout)
	defer cancel()
	var last error
	pause := min(firstPause, o.PollInterval)
	for range o.MaxPollAttempts {
		if !wait(ctx, pause) {
			return errStillOn
		}
		last = t.ask(ctx)
		switch {
		case t.settled():
			return nil
		case errors.Is(last, sdk.ErrTaskNotFound), errors.Is(last, errTooLarge), errors.Is(last, errForeign):
			return last
		}
		pause = min(pause*3/2, o.PollInterval)
	}
	if last != nil {
		return last
	}
	return errStillOn
}

func (t *task) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.c.agent.o.ClientTimeout)
	defer cancel()
	history := keptMessages
	now, err := t.c.client.GetTask(ctx, &sdk.GetTaskRequest{ID: t.id(), HistoryLength: &history})
	if err != nil {
		return err
	}
	t.add(now)
	return nil
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
