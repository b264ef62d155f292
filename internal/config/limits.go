package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
)

// Limits is how much callers may use, and who counts it.
type Limits struct {
	File       string      // "" when there is none
	Set        *limits.Set // what it says, and what stands beside API keys; nil when nothing is limited
	file       *limits.Set // what it says by itself; nil when it says nothing
	ServiceURL string      // of the shared rate limit service; "": each gateway counts alone
	Domain     string      // of this gateway's counters in the service
	ConfigDir  string      // where the service reads its configuration; "": somebody else brings it there
	Timeout    time.Duration
	FailOpen   bool // let requests through when the service does not answer
}

// Shared says that the rate limit service counts.
func (l Limits) Shared() bool { return l.ServiceURL != "" }

// MayLimit says that there is a place for limits, be there any in it or not.
func (c *Config) MayLimit() bool { return c.Limits.File != "" || c.Access.Keys() }

// Service gives the service's host and port, and whether it speaks TLS.
func (l Limits) Service() (address string, secure bool) {
	u, err := url.Parse(l.ServiceURL)
	if err != nil { // it was checked when it was loaded
		return "", false
	}
	return u.Host, u.Scheme == "grpcs"
}

func limitsRows() []variable {
	return []variable{
		row("LIMITS_FILE", "", path, func(c *Config) *string { return &c.Limits.File },
			"YAML file of limits, watched; unset: nobody is limited."),
		row("RATELIMIT_URL", "", grpcURL, func(c *Config) *string { return &c.Limits.ServiceURL },
			"The rate limit service (`envoyproxy/ratelimit`) that counts for all gateways; unset: each gateway counts alone."),
		row("RATELIMIT_DOMAIN", "inference-gateway", word, func(c *Config) *string { return &c.Limits.Domain },
			"Domain of the counters in the rate limit service: gateways with the same one share them."),
		row("RATELIMIT_CONFIG_DIR", "", path, func(c *Config) *string { return &c.Limits.ConfigDir },
			"Directory that the rate limit service reads its configuration from: the gateway writes it there. Unset: `inference-gateway config --ratelimit` prints it."),
		row("RATELIMIT_TIMEOUT", "250ms", period, func(c *Config) *time.Duration { return &c.Limits.Timeout },
			"Time for one question to the rate limit service."),
		row("RATELIMIT_FAIL_OPEN", "false", toggle, func(c *Config) *bool { return &c.Limits.FailOpen },
			"What happens while nobody can count: true lets requests through without limits, false answers 503."),
	}
}

var (
	grpcURL = plain("URL of gRPC", func(s string) (string, error) { return s, parseGRPC(s) })
	word    = plain("word", func(s string) (string, error) {
		if !validName(s) {
			return "", errors.New("up to 63 lower-case letters, digits, - and _")
		}
		return s, nil
	})
)

func parseGRPC(s string) error {
	const form = "grpc://host:port, or grpcs://host:port for TLS"
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "grpc" && u.Scheme != "grpcs" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return errors.New(form)
	}
	host, port, err := net.SplitHostPort(u.Host)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || n < 1 || n > math.MaxUint16 || !validHost(host) {
		return errors.New(form)
	}
	return nil
}

// readLimits reads the file and checks it.
func (l *loader) readLimits() {
	l.readLimitsFile()
	set, problems := l.cfg.withOwnLimits()
	l.problems = append(l.problems, problems...)
	l.cfg.Limits.Set = set
	if set == nil && l.cfg.Limits.Shared() {
		l.warn("RATELIMIT_URL", "has no effect: neither LIMITS_FILE nor a key in API_KEYS_FILE has limits")
	}
}

// withOwnLimits adds what stands beside API keys to what the file says.
func (c *Config) withOwnLimits() (*limits.Set, Problems) {
	set, err := c.Limits.file.With(c.Access.Table.Limits())
	var wrong yamlfile.Problems
	var problems Problems
	if errors.As(err, &wrong) {
		for _, p := range wrong {
			problems = append(problems, Problem{Variable: keysVariable, Value: shown(c.Access.KeysFile), Expected: inFile(p), line: p.Line})
		}
	}
	if set == nil || len(set.Rules) == 0 {
		set = nil
	}
	return set, problems
}

func (l *loader) readLimitsFile() {
	c := &l.cfg.Limits
	if c.File == "" {
		return
	}
	content, err := l.read(c.File)
	if err != nil {
		l.add("LIMITS_FILE", shown(c.File), "a file that can be read")
		return
	}
	set, err := limits.Parse(content)
	var wrong yamlfile.Problems
	if errors.As(err, &wrong) {
		for _, p := range wrong {
			l.problems = append(l.problems, Problem{Variable: "LIMITS_FILE", Value: shown(c.File), Expected: inFile(p), line: p.Line})
		}
		return
	}
	c.file = set
	l.warnOfStrangers(set)
}

// warnOfStrangers tells of limits that fit nobody, because nothing says who calls.
func (l *loader) warnOfStrangers(set *limits.Set) {
	if l.cfg.CallersRequired() || l.cfg.Server.TLS.ClientCAPath != "" {
		return
	}
	for _, r := range set.Rules {
		if r.Per == limits.PerCaller || r.Per == limits.PerClaim || len(r.Callers)+len(r.Groups)+len(r.Claims) > 0 {
			l.warn("LIMITS_FILE", "limit "+r.Name+" fits nobody: without API keys, tokens or client certificates no caller is known; limit per: address")
		}
	}
}

// inFile says where in a file something else was expected.
func inFile(p yamlfile.Problem) string {
	switch {
	case p.Line == 0:
		return p.Expected
	case p.Field == "":
		return fmt.Sprintf("%s at line %d", p.Expected, p.Line)
	}
	return fmt.Sprintf("%s at line %d, %s", p.Expected, p.Line, p.Field)
}
