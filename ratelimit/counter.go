package ratelimit

import (
	"context"
	"errors"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
)

// counter is one budget: a quota of a rule for somebody.
type counter struct {
	rule  limits.Rule
	kind  limits.Kind
	quota limits.Quota
	who   string
}

// key names a counter. It stays the same when a reload changes how much the quota allows.
type key struct {
	rule   string
	kind   limits.Kind
	period limits.Period
	who    string
}

func (c counter) key() key { return key{c.rule.Name, c.kind, c.quota.Period, c.who} }

// level is how full a counter is after a take.
type level struct {
	counter counter
	left    int64     // never negative
	end     time.Time // of its period
	over    bool      // it had not enough
}

// store counts.
type store interface {
	// take counts n against each counter, or against none when one has not enough: then ok is false and its level is
	// over. An error means that nobody knows.
	take(ctx context.Context, counters []counter, n int64) (levels []level, ok bool, err error)
	// settle corrects what take has counted, given its levels, to what was used.
	settle(ctx context.Context, levels []level, n, used int64)
}

// errUnknown is what a rate limit service says that has other rules than the gateway.
var errUnknown = errors.New("the rate limit service does not know a limit of LIMITS_FILE: it must read the file that the gateway writes to RATELIMIT_CONFIG_DIR")
