// Package telemetry is what the gateway says about itself: its log. It must not know what is being logged.
package telemetry

import (
	"io"
	"log/slog"
	"os"
)

// NewLogger writes to w at the level that level holds at each moment. Format is "json", "text", or "" for text when w
// is a terminal and JSON otherwise.
func NewLogger(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	if l, ok := w.(*Lines); ok {
		l.log = NewLogger(l.to, format, level)
	}
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" || (format == "" && isTerminal(w)) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	if l, ok := w.(*Lines); ok {
		w = l.to
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
