package tools

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// Defaults of a Runner.
const (
	DefaultParallel    = 8
	DefaultCallTimeout = 30 * time.Second
	DefaultKeepAlive   = 10 * time.Second
	DefaultMaxAnswer   = 32 << 20
	DefaultMaxResult   = 128 << 10
)

// Model is asked for one turn: it sends the pieces of body, in a row, as a chat request with the header, and gives the
// answer whatever its status is. Its answer must not be compressed. The header is the same for all turns of a loop; what
// a model adds to it in the first turn is there in the others.
type Model interface {
	Do(ctx context.Context, body [][]byte, header http.Header) (*http.Response, error)
}

// Runner runs loops, many at a time. It holds nothing of a request. The zero Runner with a Model is ready.
type Runner struct {
	Model       Model
	Parallel    int           // calls of one turn at a time
	CallTimeout time.Duration // of one call
	Timeout     time.Duration // of a whole loop; 0 is none
	KeepAlive   time.Duration // between comments in a stream while tools run
	MaxAnswer   int64         // bytes of the client's answer, and of each answer of a model
	MaxResult   int           // bytes of a tool's result that the model sees

	// Ticks is the clock of KeepAlive; stop ends it. A ticker of time when nil.
	Ticks func(time.Duration) (ticks <-chan time.Time, stop func())
	// Called, when set, hears of every call that has ended. It may be called by several goroutines at once.
	Called func(Report)
}

// Report is one call that has ended.
type Report struct {
	Tool     string // as injected
	Status   string // of the Result
	Duration time.Duration
}

// Outcome is how a loop went, for logs and metrics.
type Outcome struct {
	FollowUps int
	Calls     int   // that were run
	Limit     bool  // the loop was ended by a bound
	Err       error // why the client got an error, or nobody an answer
}

func (r *Runner) withDefaults() Runner {
	out := *r
	out.Parallel = orDefault(out.Parallel, DefaultParallel)
	out.CallTimeout = orDefault(out.CallTimeout, DefaultCallTimeout)
	out.KeepAlive = orDefault(out.KeepAlive, DefaultKeepAlive)
	out.MaxAnswer = orDefault(out.MaxAnswer, DefaultMaxAnswer)
	out.MaxResult = orDefault(out.MaxResult, DefaultMaxResult)
	if out.Ticks == nil {
		out.Ticks = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return out
}

func orDefault[T int | int64 | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

// Serve runs one session and answers its client. The header is what the model's requests carry besides the loop's own
// marks; nothing of it reaches a tool. Serve ends when ctx does, and nothing of the loop goes on after it but calls that
// do not heed their context.
func (r *Runner) Serve(ctx context.Context, w http.ResponseWriter, s *Session, header http.Header) Outcome {
	runner := r.withDefaults()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if runner.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, runner.Timeout)
		defer stop()
	}
	l := &loop{
		Runner: runner, session: s, header: modelHeader(header),
		out: &output{w: w, left: runner.MaxAnswer, events: wanted(header.Get(EventsHeader))},
	}
	l.face = l.faceFor(s.stream)
	err := l.run(ctx)
	return Outcome{FollowUps: s.followUps, Calls: l.calls, Limit: l.limit, Err: err}
}

// loop is one run of a session.
type loop struct {
	Runner
	session *Session
	header  http.Header
	out     *output
	face    face
	calls   int
	limit   bool
}

// face is how a loop looks to its client: streamed or whole.
type face interface {
	read(ctx context.Context, resp *http.Response) (*turn, error) // a turn, passing on what the client may see at once
	keepAlive() error
	called(report Report) error
	finish(t *turn, v verdict) error
	fail(e *apierror.Error)
}

// run goes from turn to turn. It returns nil when the client has its answer, an error of the provider's included.
func (l *loop) run(ctx context.Context) error {
	body := l.session.First()
	for {
		t, err := l.ask(ctx, body)
		if err != nil || t == nil {
			return err
		}
		v := l.session.judge(t)
		l.limit = v == limited
		if v != execute {
			return l.failing(l.face.finish(t, v))
		}
		if err := l.out.flush(); err != nil { // what the model has said must not wait for tools
			return err
		}
		t.settle(l.session.followUps)
		results, err := l.execute(ctx, t)
		if err != nil {
			return l.failing(err)
		}
		body = l.session.next(t, results)
	}
}

// ask has the model take a turn. No turn and no error: the client has got the provider's own refusal.
func (l *loop) ask(ctx context.Context, body [][]byte) (*turn, error) {
	resp, err := l.Model.Do(ctx, body, l.header)
	if err != nil {
		return nil, l.failing(l.turnError(ctx, err))
	}
	defer func() { hangUp(resp.Body) }()
	refused := resp.StatusCode < 200 || resp.StatusCode > 299
	if refused && l.session.followUps == 0 {
		return nil, l.out.pass(resp)
	}
	if err := unzip(resp); err != nil {
		return nil, l.failing(l.turnError(ctx, err))
	}
	if refused {
		return nil, l.failing(refusal(resp))
	}
	if s := isStream(resp); l.session.followUps == 0 && s != l.session.stream {
		l.face = l.faceFor(s) // the client gets what such a provider would send it without tools
	}
	t, err := l.face.read(ctx, resp)
	if err != nil {
		return nil, l.failing(l.turnError(ctx, err))
	}
	return t, nil
}

// failing tells the client of an error that it has not heard of yet.
func (l *loop) failing(err error) error {
	e := clientError(err)
	if e == nil {
		return err
	}
	if !l.out.started {
		var later *laterRefusal
		if errors.As(err, &later) && later.retryAfter != "" {
			l.out.w.Header().Set("Retry-After", later.retryAfter)
		}
		if l.calls > 0 {
			l.out.w.Header().Set(shouldRetryHeader, "false")
		}
	}
	l.face.fail(e)
	return err
}
