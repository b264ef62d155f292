package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// mostLines wait for a reader who is slow.
	mostLines = 1024
	// readerTime is how long one line waits when there is no more room: then the reader counts as stuck, until it reads on.
	readerTime = time.Second
)

// lines pass what is logged on to a writer that may stand still: a pipe whose reader has hung takes no more when it is full.
// Nobody who logs may stand still with it, neither a request nor the drain. Lines that find no room are lost, and counted.
type lines struct {
	to    io.Writer
	log   *slog.Logger // writes there itself, of those that were lost
	queue chan []byte
	stuck atomic.Bool
	lost  atomic.Int64
	done  chan struct{}
}

// newLines begins to pass lines on to w, until close. Log writes to w too.
func newLines(w io.Writer, log *slog.Logger) *lines {
	l := &lines{to: w, log: log, queue: make(chan []byte, mostLines), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes one line.
func (l *lines) Write(line []byte) (int, error) {
	if !l.take(bytes.Clone(line)) {
		l.lost.Add(1)
	}
	return len(line), nil
}

func (l *lines) take(line []byte) bool {
	select {
	case l.queue <- line:
		return true
	default:
	}
	if l.stuck.Load() {
		return false
	}
	select {
	case l.queue <- line:
		return true
	case <-time.After(readerTime):
		l.stuck.Store(true)
		return false
	}
}

// run ends with close, or with the process when the writer stands still.
func (l *lines) run() {
	defer close(l.done)
	for line := range l.queue {
		if line == nil {
			return
		}
		_, _ = l.to.Write(line) // there is nobody to tell
		l.stuck.Store(false)
		if n := l.lost.Swap(0); n > 0 {
			l.log.Warn("lines are missing here: the log was not read for a while", "lines", n)
		}
	}
}

// close waits until the lines have arrived, for a moment at most. What is logged later is lost.
func (l *lines) close() {
	enough := time.After(readerTime)
	select {
	case l.queue <- nil:
	case <-enough:
		return
	}
	select {
	case <-l.done:
	case <-enough:
	}
}
