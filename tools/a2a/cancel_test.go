package a2a

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// hanging works for ever: it says "working" when asked, and keeps its streams open until told to cancel.
func hanging(w http.ResponseWriter, r *http.Request, c rpcCall) {
	switch c.Method {
	case "SendStreamingMessage":
		startStream(w)
		say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
		for r.Context().Err() == nil { // endless, and never silent
			say(w, c, updateJSON("t1", "WORKING", "still at it"))
			time.Sleep(time.Millisecond)
		}
	case "SendMessage":
		say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
	case "CancelTask":
		say(w, c, taskJSON("t1", "CANCELED", ""))
	default:
		say(w, c, taskJSON("t1", "WORKING", ""))
	}
}

func TestATaskThatHangsIsCancelledAtTheAgent(t *testing.T) {
	call := func(ctx context.Context, m *Manager) tools.Result {
		return m.Catalogue().Call(ctx, "a2a_a_x", json.RawMessage(`{"message":"hi"}`))
	}
	for name, streaming := range map[string]bool{"streaming": true, "polling": false} {
		t.Run(name+", own limit", func(t *testing.T) {
			f := newFake(t, cardOf(streaming, "x"), hanging)
			m := up(t, f, func(o *Options) { o.ClientTimeout, o.PollTimeout = time.Second, time.Second })
			expect(t, call(t.Context(), m), tools.StatusTimeout, "in time")
			f.cancelled("t1")
		})
		t.Run(name+", the caller's deadline", func(t *testing.T) {
			f := newFake(t, cardOf(streaming, "x"), hanging)
			m := up(t, f, nil)
			expect(t, call(f.whenAsked(context.DeadlineExceeded), m), tools.StatusTimeout, "no answer in time")
			f.cancelled("t1")
		})
		t.Run(name+", the caller has gone", func(t *testing.T) {
			f := newFake(t, cardOf(streaming, "x"), hanging)
			m := up(t, f, nil)
			expect(t, call(f.whenAsked(context.Canceled), m), tools.StatusCancelled, "cancelled")
			f.cancelled("t1")
		})
	}
	t.Run("attempts", func(t *testing.T) {
		f := newFake(t, cardOf(false, "x"), hanging)
		m := up(t, f, func(o *Options) { o.MaxPollAttempts = 3 })
		expect(t, call(t.Context(), m), tools.StatusTimeout, "did not end in time")
		f.cancelled("t1")
		asked := 0
		for _, method := range f.methods() {
			if method == "GetTask" {
				asked++
			}
		}
		if asked != 3 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// A caller that goes before the agent has named the task: the name is waited for, behind the caller's back.
func TestATaskWithoutANameYetIsCancelledToo(t *testing.T) {
	for name, streaming := range map[string]bool{"streaming": true, "polling": false} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			f := newFake(t, cardOf(streaming, "x"), func(w http.ResponseWriter, r *http.Request, c rpcCall) {
				if c.Method == "SendMessage" || c.Method == "SendStreamingMessage" {
					<-gone
				}
				hanging(w, r, c)
			})
			m := up(t, f, nil)
			ctx := f.whenAsked(context.DeadlineExceeded)
			expect(t, m.Catalogue().Call(ctx, "a2a_a_x", json.RawMessage(`{"message":"hi"}`)), tools.StatusTimeout, "")
			close(gone) // the caller has not waited for this
			f.cancelled("t1")
		})
	}
}

// over is a context that ends for a reason of the test's.
type over struct {
	context.Context
	done chan struct{}
	err  error
}

func (o *over) Done() <-chan struct{} { return o.done }

func (o *over) Err() error {
	select {
	case <-o.done:
		return o.err
	default:
		return nil
	}
}

// whenAsked is a context that ends when the agent has been asked once more.
func (f *fake) whenAsked(err error) context.Context {
	o := &over{Context: f.t.Context(), done: make(chan struct{}), err: err}
	asked := func() (n int) {
		for _, method := range f.methods() {
			if method == "SendMessage" || method == "SendStreamingMessage" {
				n++
			}
		}
		return n
	}
	before := asked()
	go func() {
		defer close(o.done)
		for end := time.Now().Add(10 * time.Second); asked() == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}()
	return o
}

func TestWhatHasEndedIsNotCancelled(t *testing.T) {
	for _, state := range []string{"COMPLETED", "FAILED", "INPUT_REQUIRED"} {
		f := newFake(t, cardOf(false, "x"), states("w", "WORKING", state))
		tell(t, up(t, f, nil), "a2a_a_x", "hi")
		time.Sleep(20 * time.Millisecond)
		for _, method := range f.methods() {
			if method == "CancelTask" {
				t.Errorf("%s: was cancelled", state)
			}
		}
	}
}

// Run ends only when what calls left behind is done.
func TestStoppingWaitsForCancels(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), hanging)
	m, err := New(quick(Endpoint{Name: "a", URL: f.srv.URL}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(ctx)
	}()
	waitState(t, m, "a", StateAvailable)
	m.Catalogue().Call(f.whenAsked(context.DeadlineExceeded), "a2a_a_x", json.RawMessage(`{"message":"hi"}`))
	stop()
	<-done
	f.cancelled("t1")

	// A call that is still made afterwards cancels by itself.
	m.Catalogue().Call(f.whenAsked(context.DeadlineExceeded), "a2a_a_x", json.RawMessage(`{"message":"hi"}`))
	if got := f.methods(); got[len(got)-1] != "CancelTask" {
		t.Errorf("got %v", got)
	}
	m.agents[0].http.CloseIdleConnections()
}
