package envoy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
)

// logFormat is what follow reads: level, component, message (docs: operations/cli, --log-format).
const logFormat = "[%l][%n] %v"

// maxLine bounds one line of Envoy's log in bytes; what is longer comes in pieces.
const maxLine = 64 << 10

// unfinished is what Envoy says of the filter that counts tokens, many times: it was chosen knowing that (RATIONALE.md).
const unfinished = "marked as work-in-progress"

// follow copies Envoy's log into ours, line by line, until it ends.
func follow(r io.Reader, log *slog.Logger, stopping func() bool) {
	lines := bufio.NewReaderSize(r, maxLine)
	var level slog.Level
	var component string
	for begins := true; ; {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			message := strings.TrimRight(string(line), "\r\n")
			if begins { // a piece of a long line has the level of its beginning
				level, component, message = parseLine(message)
			}
			if level == slog.LevelWarn && stopping() { // that its peers go away is no news to an Envoy on its way out
				level = slog.LevelDebug
			}
			if strings.Contains(message, unfinished) { // for each message of the configuration anew
				level = slog.LevelDebug
			}
			if message != "" {
				log.Log(context.Background(), level, "envoy: "+message, "component", component)
			}
		}
		begins = err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// parseLine reads a line in logFormat. Anything else, such as a stack trace, is an error's text.
func parseLine(line string) (level slog.Level, component, message string) {
	name, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "][")
	component, message, found := strings.Cut(rest, "] ")
	if !ok || !found || !strings.HasPrefix(line, "[") {
		return slog.LevelError, "process", line
	}
	switch name {
	case "trace", "debug":
		return slog.LevelDebug, component, message
	case "info":
		// Envoy's info is a start-up diary, of interest only to those who debug.
		return slog.LevelDebug, component, message
	case "warning":
		return slog.LevelWarn, component, message
	}
	return slog.LevelError, component, message
}

// logLevel is Envoy's level for ours. Debug gives Envoy's info: its own debug writes several lines for each request,
// headers included.
func logLevel(l slog.Level) string {
	switch {
	case l <= slog.LevelDebug:
		return "info"
	case l <= slog.LevelWarn:
		return "warning"
	}
	return "error"
}
