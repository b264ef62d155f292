package tools

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"runtime"
	"sync"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

func (l *loop) faceFor(stream bool) face {
	if stream {
		return &streamed{loop: l, stream: newStream(l.session)}
	}
	return &whole{loop: l}
}

func isStream(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/event-stream"
}

// whole is the face of a loop whose client waits for one JSON body: the last turn's.
type whole struct {
	*loop
	status int
	header http.Header
	body   []byte
}

func (f *whole) read(_ context.Context, resp *http.Response) (*turn, error) {
	body, err := ReadAll(io.LimitReader(resp.Body, f.MaxAnswer+1), resp.ContentLength)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > f.MaxAnswer {
		return nil, errTooLarge
	}
	f.status, f.header = resp.StatusCode, resp.Header
	t, body, err := f.session.readWhole(body)
	f.body = body
	return t, err
}

func (f *whole) keepAlive() error    { return nil }
func (f *whole) called(Report) error { return nil }

func (f *whole) finish(t *turn, v verdict) error {
	if v == limited {
		f.out.w.Header().Set(LoopHeader, LoopLimit)
	}
	return f.out.whole(f.status, f.header, f.session.finishWhole(f.body, t, v))
}

func (f *whole) fail(e *apierror.Error) { e.Write(f.out.w) }

// pieceSize is how much of a stream is taken in and passed on at a time.
const pieceSize = 16 << 10

// mostOut is how large a buffer may be that is kept for what goes out.
const mostOut = 4 * pieceSize

// buffers are for reading into, and for what goes out of that: what is kept of either is copied.
type buffers struct {
	in  [pieceSize]byte
	out []byte
}

var allBuffers = sync.Pool{New: func() any { return new(buffers) }}

func (b *buffers) release() {
	if cap(b.out) <= mostOut {
		allBuffers.Put(b)
	}
}

// streamed is the face of a loop whose client reads events. Its headers are those of the first turn.
type streamed struct {
	*loop
	stream *stream
}

func (f *streamed) read(ctx context.Context, resp *http.Response) (*turn, error) {
	if !isStream(resp) {
		return nil, apierror.New(apierror.UpstreamError, "the model did not answer with a stream")
	}
	if !f.out.started {
		f.out.start(resp.StatusCode, resp.Header)
	}
	b := allBuffers.Get().(*buffers)
	defer b.release()
	left, over := f.MaxAnswer, false
	for !f.stream.done && !over {
		runtime.Gosched() // others first: what comes meanwhile is passed on together
		n, readErr := resp.Body.Read(b.in[:])
		if left -= int64(n); left < 0 {
			return nil, errTooLarge
		}
		over = errors.Is(readErr, io.EOF)
		var err error
		b.out, err = f.stream.feed(b.out[:0], b.in[:n])
		if err := errors.Join(f.pass(b.out, over), err); err != nil {
			return nil, err
		}
		if readErr != nil && !over {
			return nil, readErr
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	var t *turn
	var err error
	b.out, t, err = f.stream.endTurn(b.out[:0])
	return t, errors.Join(f.pass(b.out, over), err)
}

// pass sends what the client may see. When the answer is over, what comes next is there at once and goes out with it.
func (f *streamed) pass(p []byte, over bool) error {
	if over {
		return f.out.add(p)
	}
	return f.out.write(p)
}

// keepAlive tells proxies and clients that the answer is still on its way.
func (f *streamed) keepAlive() error {
	return f.out.write(sse.AppendComment(nil, "tools are running"))
}

// called tells a client that asked. The event is also a chunk of no choices, because clients exist that look at nothing
// but the data of an event.
func (f *streamed) called(r Report) error {
	if !f.out.events {
		return nil
	}
	data, err := compactJSON(struct {
		Name     string `json:"name"`
		Status   string `json:"status"`
		Duration int64  `json:"duration_ms"`
	}{r.Tool, r.Status, r.Duration.Milliseconds()})
	if err != nil {
		return err
	}
	return f.out.write(sse.AppendEvent(nil, "tool", f.stream.envelope("tool", []byte(data))))
}

// finish ends the stream. The header that says why a loop was cut has gone out already, so a comment says it, and an
// event to clients that asked for events.
func (f *streamed) finish(t *turn, v verdict) error {
	var out []byte
	if v == limited {
		out = sse.AppendComment(out, LoopHeader+": "+LoopLimit)
		if f.out.events {
			out = sse.AppendEvent(out, "tool_loop", f.stream.envelope("tool_loop", jsonedit.AppendQuote(nil, LoopLimit)))
		}
	}
	return f.out.end(f.stream.finish(out, t.reason(v)))
}

// fail is one error event where the stream has begun, and an ordinary error before.
func (f *streamed) fail(e *apierror.Error) {
	if !f.out.started {
		e.Write(f.out.w)
		return
	}
	_ = f.out.end(sse.AppendData(nil, e.Body())) // when it fails there is nobody to tell
}
