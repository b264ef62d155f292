// Package telemetry is what the gateway says about itself: its log. It must not know what is being logged.
package telemetry

import (
	"io"
	"log/slog"
	"os"
)

// NewLogger writes to w at the level that level holds at each moment, and waits for nobody who reads there (lines). Format
// is "json", "text", or "" for text when w is a terminal and JSON otherwise. Call end when there is nothing more to log: it
// waits until the lines have arrived, for a moment at most.
func NewLogger(w io.Writer, format string, level *slog.LevelVar) (log *slog.Logger, end func()) {
	text := format == "text" || (format == "" && isTerminal(w))
	l := newLines(w, logger(w, text, level))
	return logger(l, text, level), l.close
}

func logger(w io.Writer, text bool, level *slog.LevelVar) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if text {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
