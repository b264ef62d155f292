package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// endings are what the operator's signals mean. Both contexts end with the program at the latest.
type endings struct {
	stop  context.Context // begin the drain: SIGINT, SIGTERM, or the terminal has gone
	hurry context.Context // end it, whatever is open: SIGINT once more, by somebody who sits there and waits
}

// heed gives what signals say until release is called. A second SIGTERM hurries nothing: supervisors and wrappers
// send it twice, and follow with SIGKILL when they mean it.
func heed(log *slog.Logger) (e endings, release func()) {
	var stop, hurry context.CancelFunc
	e.stop, stop = context.WithCancel(context.Background())
	e.hurry, hurry = context.WithCancel(context.Background())
	// Go ends a program whose standard output or error has lost its reader. Streams are worth more than lines of a log.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() { // ends with release
		defer close(done)
		for s := range signals {
			switch {
			case s == syscall.SIGHUP && !hasTerminal():
				log.Info("SIGHUP changes nothing: GATEWAY_ENV_FILE and the files that variables name are watched, the environment is read at the start")
			case s == syscall.SIGINT && e.stop.Err() != nil:
				log.Warn("interrupted again: ending now, open requests break")
				hurry()
			default:
				stop()
			}
		}
	}()
	return e, func() {
		signal.Stop(signals)
		close(signals)
		<-done
		stop()
		hurry()
	}
}

// hasTerminal says whether SIGHUP means that the terminal has gone, and not that a daemon is to read its files again.
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}
