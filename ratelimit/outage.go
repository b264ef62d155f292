package ratelimit

import (
	"errors"
	"log/slog"
	"sync"

	"google.golang.org/grpc/status"
)

// outage tells of the time in which the service does not answer: once when it begins and once when it ends.
type outage struct {
	log *slog.Logger

	mu    sync.Mutex
	began bool
	calls int // calls
}

func (o *outage) failed(err error, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.began {
		return
	}
	o.began = true
	effect := "requests with limits are refused (RATELIMIT_FAIL_OPEN)"
	if open {
		effect = "requests pass without limits (RATELIMIT_FAIL_OPEN)"
	}
	o.log.Error("the rate limit service does not answer", "effect", effect, "error", reason(err))
}

func (o *outage) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began {
		o.log.Info("the rate limit service answers again", "failed_calls", o.calls)
	}
	o.began, o.calls = false, 0
}

func (o *outage) on() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.began
}

// reason is gRPC's code alone: its message has addresses.
func reason(err error) string {
	if errors.Is(err, errUnknown) {
		return err.Error()
	}
	return status.Code(err).String()
}
