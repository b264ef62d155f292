// Package config turns the environment, and a dotenv file when one is named, into one immutable Config: every variable
// typed, checked and documented by one table of variables (table.go). It is the only reader of the environment and
// reports every problem at once. It must not know Envoy, HTTP or how a setting is used.
//
// Load is pure: it sees the map that it is given, and files only through the reader that it is given. The edge is
// environ.go (process environment, dotenv file) and watch.go (noticing that the file has changed).
package config

import (
	"log/slog"
	"net"
	"strconv"
	"time"
)

// Config is the whole configuration. It is made by Load, shared by everyone and changed by no one: a reload makes
// another. It may be printed or logged: secrets mask themselves.
type Config struct {
	General   General
	Server    Server
	Client    Client
	Providers []Provider // sorted by ID: every known provider, own ones and demo included, also unconfigured ones
	MCP       MCP
	A2A       A2A
	Auth      Auth
	Access    Access
	Limits    Limits
	Telemetry Telemetry
	Wasm      Wasm
	Policy    Policy
	Envoy     Envoy
	Control   Control

	settings []Setting // what Effective gives, recorded while loading
}

// General is what belongs to no other group.
type General struct {
	Environment                     string
	LogLevel                        slog.Level
	LogFormat                       string   // "json", "text", or "" for text on a terminal and JSON elsewhere
	AllowedModels, DisallowedModels []string // as written; catalog.NewModelFilter compiles them
	EnvFile                         string   // path of the watched dotenv file, or ""
}

// Server is the public listener. A zero timeout means no limit.
type Server struct {
	Host                                                 string // an IP address without brackets
	Port                                                 int    // 0: any free port
	ProbePort                                            int    // for probes alone; 0: none
	ReadTimeout, WriteTimeout, IdleTimeout, DrainTimeout time.Duration
	MaxRequestBodySize, MaxRequestBodiesSize             int64 // bytes, of one and of all that the process holds
	MaxConnections                                       int
	MaxStreams                                           int // HTTP/2 requests at a time on one connection
	MaxHeaders                                           int // lines in one request's head
	MaxHeaderSize                                        int // KiB, all of them together
	TLS                                                  ServerTLS
	CORS                                                 CORS
}

// ServerTLS is what the public listener proves itself with, and whom it asks to do the same. The files' content is part
// of the configuration: it was checked when it was loaded, and what was checked is what is used.
type ServerTLS struct {
	CertPath, KeyPath string // both or neither
	Pair              KeyPair
	ClientCAPath      string // "": clients are not asked for certificates
	ClientCA          string // PEM
	ClientAuth        string // ClientAuthRequire or ClientAuthOptional
	RedirectPort      int    // plain HTTP that answers with redirects only; 0: none
	RedirectToPort    int    // the port that redirects name; 0: Port
}

// Whether a client of the public listener must have a certificate.
const (
	ClientAuthRequire  = "require"
	ClientAuthOptional = "optional"
)

// KeyPair is a certificate chain and its private key, both PEM, which fit each other.
type KeyPair struct {
	Cert string
	Key  Secret
}

// Enabled says whether the listener speaks TLS.
func (t ServerTLS) Enabled() bool { return t.CertPath != "" }

// Client is how providers are called. A zero Timeout, ResponseHeaderTimeout, IdleConnTimeout or StreamIdleTimeout
// means no limit; ConnectTimeout is never zero.
type Client struct {
	Timeout, ResponseHeaderTimeout, IdleConnTimeout, StreamIdleTimeout, ConnectTimeout time.Duration

	TLSMinVersion string // TLS12 or TLS13
	TLSCAPath     string // a PEM bundle in place of the system's, or ""
	TLSCA         string // its content
	MaxRetries    int
}

// MCP is the tool middleware for Model Context Protocol servers.
type MCP struct {
	Enabled, Expose            bool
	Servers                    []NamedURL
	ToolMode                   string // "direct" or "selector"
	IncludeTools, ExcludeTools []string
	MaxIterations              int // model calls in one tool loop
	RequestTimeout             time.Duration
	ClientTimeout              time.Duration
	Connection                 Connection
	Polling                    Polling
}

// InUse says that there are servers whose tools models may be offered.
func (m MCP) InUse() bool { return m.Enabled && len(m.Servers) > 0 }

// A2A is the middleware for Agent2Agent agents.
type A2A struct {
	Enabled, Expose bool
	Agents          []NamedURL
	ClientTimeout   time.Duration
	MaxPollAttempts int // of one task
	Connection      Connection
	Polling         Polling
}

// InUse says that there are agents that models may be offered.
func (a A2A) InUse() bool { return a.Enabled && len(a.Agents) > 0 }

// Connection says how a lost or refused connection to a tool server or agent is tried again.
type Connection struct {
	MaxRetries        int
	RetryInterval     time.Duration
	InitialBackoff    time.Duration
	Reconnect         bool
	ReconnectInterval time.Duration
}

// Polling is a repeated question with a time limit: for MCP the health of servers, for A2A the state of a task.
type Polling struct {
	Enabled           bool
	Interval, Timeout time.Duration
}

// Telemetry is metrics and tracing, of which nothing is built yet.
type Telemetry struct {
	Enabled        bool
	MetricsHost    string // an IP address without brackets
	MetricsPort    int    // 0: any free port
	TracingEnabled bool
	OTLPEndpoint   string // "" leaves it to OTEL_EXPORTER_OTLP_ENDPOINT
}

// Wasm is the filter inside Envoy.
type Wasm struct {
	Enabled bool
	Path    string // on Envoy's machine; "" is beside the gateway's own binary
}

// Policy is what the filter holds every request to.
type Policy struct {
	File string // "" without a policy
	JSON []byte // what is in it, as the filter reads it
	Open bool   // requests pass when the filter itself fails
	// CountsTokens says that the usage of answers has to be observed.
	CountsTokens bool
}

// On says that there is a policy.
func (p Policy) On() bool { return p.File != "" }

// Envoy is the Envoy process that the gateway starts.
type Envoy struct {
	Path    string // of the binary; "" looks for it
	MaxHeap int64  // bytes at which it sheds load; 0: no limit
}

// Control is the link between Envoy and the gateway's process: sockets in a directory, or, when Host is set, a port that
// Envoys on other machines reach with mutual TLS.
type Control struct {
	SocketDir    string   // directory of the Unix sockets; "" makes a temporary one
	Host         string   // an IP address without brackets, where the gateway listens for Envoys; "": nowhere
	Port         int      // there
	Address      HostPort // where Envoys find that; its host is the gateway's name in certificates
	LoopbackHost string   // an IP address without brackets, where each Envoy listens for the gateway
	LoopbackPort int
	Loopback     HostPort // where the gateway finds that
	TLS          ControlTLS
}

// ControlTLS is what one end of that link proves itself with, and whom it takes for the other.
type ControlTLS struct {
	CertPath, KeyPath, CAPath string
	Pair                      KeyPair
	CA                        string   // PEM
	Peers                     []string // names of Envoys' certificates, without duplicates
}

// HostPort is the address of another service. The zero value is none.
type HostPort struct {
	Host string // a name, or an IP address without brackets
	Port int
}

// String gives the form that net.Dial takes.
func (a HostPort) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// MarshalText gives the same form to encoders.
func (a HostPort) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
