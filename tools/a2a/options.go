package a2a

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Endpoint is one configured agent.
type Endpoint struct {
	Name    string      // distinct; the agent's id, and part of its tools' names
	URL     string      // where the well-known paths begin, or the card itself when it ends in .json
	Headers http.Header // go with every request to this agent and to nobody else
}

// Options say which agents there are and how long and how much. A zero duration or size gets a default; the other zero
// values mean what they say.
type Options struct {
	Agents []Endpoint

	ClientTimeout time.Duration // for one exchange, streams aside

	MaxRetries        int           // further attempts before an agent counts as unavailable
	InitialBackoff    time.Duration // before the first of them; it doubles
	RetryInterval     time.Duration // the longest pause between them
	Reconnect         bool          // try unavailable agents again
	ReconnectInterval time.Duration
	RefreshInterval   time.Duration // between two looks at the card of an agent that is up

	Poll            bool          // ask for the state of tasks; false waits for the agent's one answer
	PollInterval    time.Duration // the longest pause between two questions
	PollTimeout     time.Duration // the longest wait for a task to end
	MaxPollAttempts int           // of one task

	MaxBody int64 // bytes of one answer or stream
	MaxText int   // bytes of one result

	Logger *slog.Logger // nil logs nothing
}

const (
	maxCard      = 1 << 20
	maxSkills    = 64 // of one agent
	maxDetail    = 500
	cardTimeout  = 10 * time.Second
	cancelTime   = 5 * time.Second
	graceForID   = 2 * time.Second // to learn the id of a task that is to be cancelled
	firstPause   = 100 * time.Millisecond
	keptMessages = 0 // of a task's history: never shown, so not asked for
)

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	set(&o.ClientTimeout, 30*time.Second)
	set(&o.InitialBackoff, time.Second)
	set(&o.RetryInterval, 5*time.Second)
	set(&o.ReconnectInterval, 30*time.Second)
	set(&o.RefreshInterval, 30*time.Second)
	set(&o.PollInterval, time.Second)
	set(&o.PollTimeout, 30*time.Second)
	if o.MaxPollAttempts <= 0 {
		o.MaxPollAttempts = 30
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 4 << 20
	}
	if o.MaxText <= 0 {
		o.MaxText = 64 << 10
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// callTimeout bounds a whole call: its exchanges, or the waiting for a task, whichever may take longer.
func (o Options) callTimeout() time.Duration { return max(o.ClientTimeout, o.PollTimeout) }

// parseBase reads an agent's address. Its error does not repeat it.
func parseBase(e Endpoint) (*url.URL, error) {
	u, err := url.Parse(e.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("agent %s: %w", e.Name, errors.New("its address is no http or https URL"))
	}
	if u.User != nil {
		return nil, fmt.Errorf("agent %s: %w", e.Name, errors.New("its address holds credentials: use headers"))
	}
	return u, nil
}
