package a2a

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	sdklog "github.com/a2aproject/a2a-go/v2/log"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// arguments are what schema asks for.
type arguments struct {
	Message   string `json:"message"`
	ContextID string `json:"context_id"`
	TaskID    string `json:"task_id"`
}

func (c *connection) arguments(raw json.RawMessage) (arguments, error) {
	var a arguments
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, errors.New("the arguments are not an object of strings: message, and if need be context_id and task_id")
	}
	switch {
	case strings.TrimSpace(a.Message) == "":
		return a, errors.New("the argument message is missing")
	case a.TaskID != "" && !c.validID(a.TaskID):
		return a, errors.New("the task_id is not one that the agent gave")
	case len(a.ContextID) > maxID:
		return a, errors.New("the context_id is not one that the agent gave")
	}
	return a, nil
}

const maxID = 256

// validID bounds task ids. Over REST they become part of a path, where a model must not choose the path.
func (c *connection) validID(id string) bool {
	if len(id) > maxID || id == "." || id == ".." {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		if c.binding == sdk.TransportProtocolHTTPJSON {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.~", r)
		}
		return r < ' ' || r == 0x7f
	})
}

// call tells the agent something and waits for what comes of it. The exchange runs beside the caller, in a context of its
// own: when the caller has gone it may still be needed to learn which task is to be cancelled.
func (c *connection) call(ctx context.Context, skill string, raw json.RawMessage) tools.Result {
	args, err := c.arguments(raw)
	if err != nil {
		return tools.Failure(tools.StatusBadArguments, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, c.agent.o.callTimeout())
	defer cancel()
	if ctx.Err() != nil {
		return c.interrupted(ctx)
	}
	t := newTask(c, sdk.TaskID(args.TaskID))
	work, stop := context.WithCancel(quiet(context.WithoutCancel(ctx)))
	work, status := withStatus(work)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = t.follow(work, message(skill, args)) // read below only once done is closed
	}()
	select {
	case <-done:
		stop()
	case <-ctx.Done():
		c.agent.manager.later(func() { t.abandon(stop, done) })
		return c.interrupted(ctx)
	}
	if err != nil {
		if t.running() { // it would work for nobody
			c.agent.manager.later(t.cancel)
		}
		f := c.agent.explain(err, int(status.Load()))
		if f.unreachable {
			c.agent.poke()
		}
		c.agent.log.Warn("agent call failed", "skill", skill, "problem", f.text)
		return tools.Failure(f.status, "agent "+c.agent.Name+": "+f.text)
	}
	return t.result()
}

func (c *connection) interrupted(ctx context.Context) tools.Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		c.agent.log.Warn("agent call timed out")
		return tools.Failure(tools.StatusTimeout, "agent "+c.agent.Name+": no answer in time; its task is cancelled")
	}
	return tools.Failure(tools.StatusCancelled, "agent "+c.agent.Name+": the call was cancelled")
}

// message puts the skill where agents look for hints: in the message's metadata and in the request's.
func message(skill string, args arguments) *sdk.SendMessageRequest {
	m := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart(args.Message))
	m.ContextID, m.TaskID = args.ContextID, sdk.TaskID(args.TaskID)
	m.Metadata = map[string]any{"skillId": skill}
	return &sdk.SendMessageRequest{Message: m, Metadata: map[string]any{"skillId": skill}}
}

// abandon ends an exchange whose caller has gone, and the task behind it. When the id of the task is not known yet it waits
// a moment for it, since without it the agent would go on working.
func (t *task) abandon(stop context.CancelFunc, done <-chan struct{}) {
	grace := time.NewTimer(graceForID)
	defer grace.Stop()
	select {
	case <-t.known:
	case <-done:
	case <-grace.C:
	}
	stop()
	<-done
	if !t.over() {
		t.cancel()
	}
}

// cancel asks the agent to give the task up, and once more if that did not arrive.
func (t *task) cancel() {
	id := t.id()
	if id == "" || !t.c.validID(string(id)) {
		return
	}
	ctx, stop := context.WithTimeout(quiet(context.Background()), cancelTime)
	defer stop()
	var err error
	for range 2 {
		if err = t.askToCancel(ctx, id); err == nil || errors.Is(err, sdk.ErrTaskNotCancelable) || errors.Is(err, sdk.ErrTaskNotFound) {
			return
		}
	}
	t.c.agent.log.Warn("a task could not be cancelled", "problem", t.c.agent.explain(err, 0).text)
}

func (t *task) askToCancel(ctx context.Context, id sdk.TaskID) (err error) {
	defer recovered(&err)
	_, err = t.c.client.CancelTask(ctx, &sdk.CancelTaskRequest{ID: id})
	return err
}

// recovered turns a panic of the SDK, which reads what strangers send, into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errAnswer, p)
	}
}

// quiet keeps the SDK from writing to the process's log, addresses and all.
func quiet(ctx context.Context) context.Context {
	return sdklog.AttachLogger(ctx, slog.New(slog.DiscardHandler))
}
