package mcp

import (
	"log/slog"
	"net/http"
	"time"
)

// Options is what a Manager is made of. A zero duration or limit takes the default named beside it.
type Options struct {
	Servers          []Server
	Include, Exclude []string // tools by their own or injected names, in any case; Include empty: all

	CallTimeout   time.Duration // one tool call; 30s
	ClientTimeout time.Duration // one other exchange with a server: connecting, a page of tools; 30s

	MaxRetries        int           // further attempts to connect before the long pause
	InitialBackoff    time.Duration // first pause between attempts, doubling; 1s
	RetryInterval     time.Duration // longest of these pauses; 5s
	Reconnect         bool          // go on after MaxRetries, and connect again to a server that was lost
	ReconnectInterval time.Duration // the long pause; 30s

	Polling         bool // ask for the tools again and again, which is also the health check
	PollingInterval time.Duration
	PollingTimeout  time.Duration
	QuietTime       time.Duration // least pause between two lists that a server asks for: it cannot keep the gateway busy; 1s

	Limits  Limits
	Logger  *slog.Logger
	Version string // of the gateway, told to servers
}

// Server is one tool server. Headers go with every request to it and nowhere else.
type Server struct {
	Name    string
	URL     string
	Headers http.Header
}

// Limits bound what a server can make the gateway hold.
type Limits struct {
	Body        int64 // bytes of an answer, or of one event of a stream; 8 MiB
	Pages       int   // of one tool list; 50
	Tools       int   // of one server; 512
	Schema      int   // bytes of a tool's schema, above which the tool is left out; 64 KiB
	Description int   // bytes of a tool's description, which is cut; 4 KiB
	Result      int   // bytes of a result's text, which is cut; 128 KiB
}

func (o Options) withDefaults() Options {
	fill(&o.CallTimeout, 30*time.Second)
	fill(&o.ClientTimeout, 30*time.Second)
	fill(&o.InitialBackoff, time.Second)
	fill(&o.RetryInterval, 5*time.Second)
	fill(&o.ReconnectInterval, 30*time.Second)
	fill(&o.PollingInterval, 30*time.Second)
	fill(&o.PollingTimeout, 5*time.Second)
	fill(&o.QuietTime, time.Second)
	fill(&o.Limits.Body, 8<<20)
	fill(&o.Limits.Pages, 50)
	fill(&o.Limits.Tools, 512)
	fill(&o.Limits.Schema, 64<<10)
	fill(&o.Limits.Description, 4<<10)
	fill(&o.Limits.Result, 128<<10)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return o
}

func fill[T int | int64 | time.Duration](at *T, value T) {
	if *at <= 0 {
		*at = value
	}
}
