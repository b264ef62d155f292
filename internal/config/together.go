package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkTogether finds what is wrong only in the light of another variable or of a file.
func (l *loader) checkTogether() {
	l.checkServerTLS()
	l.checkControl()
	l.cfg.Client.TLSCA = l.authorities("CLIENT_TLS_CA_PATH", l.cfg.Client.TLSCAPath)
	l.checkAuth()
	l.readAccess()
	l.readLimits()
	l.checkCORS()
	c := l.cfg
	if s := c.Server; s.MaxRequestBodiesSize < s.MaxRequestBodySize {
		l.add("SERVER_MAX_REQUEST_BODIES_SIZE", strconv.FormatInt(s.MaxRequestBodiesSize, 10), "SERVER_MAX_REQUEST_BODY_SIZE or more, since one body may have that")
	}
	t := c.Telemetry
	if t.Enabled && t.MetricsPort != 0 && t.MetricsPort == c.Server.Port && overlap(t.MetricsHost, c.Server.Host) {
		l.add("TELEMETRY_METRICS_PORT", strconv.Itoa(t.MetricsPort), "another port than SERVER_PORT")
	}
	for _, s := range []struct {
		name string
		on   bool
	}{{"TELEMETRY_ENABLED", t.Enabled}, {"TELEMETRY_TRACING_ENABLED", t.TracingEnabled}} {
		if s.on {
			l.warn(s.name, "has no effect in this version")
		}
	}
	if c.MCP.Enabled && len(c.MCP.Servers) == 0 && l.get("MCP_SERVERS") == "" {
		l.warn("MCP_ENABLED", "has no effect: MCP_SERVERS names no server")
	}
	if c.A2A.Enabled && len(c.A2A.Agents) == 0 && l.get("A2A_AGENTS") == "" {
		l.warn("A2A_ENABLED", "has no effect: A2A_AGENTS names no agent")
	}
	for _, p := range c.Ready() {
		if len(l.problems) == 0 && l.isItself(p.URL) {
			l.warn(p.URLVariable, "is the gateway's own address: requests would run in a circle")
		}
		if end := endpointOf(p.URL); end != "" {
			l.warn(p.URLVariable, "ends in "+end+": the gateway adds that itself, set the URL without it")
		}
	}
}

// isItself says whether a provider's URL leads back to the public listener: the default of llama.cpp's server is the
// gateway's too.
func (l *loader) isItself(u *url.URL) bool {
	if u == nil || l.cfg.Server.Port == 0 || u.Port() != strconv.Itoa(l.cfg.Server.Port) {
		return false
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() && overlap(host, l.cfg.Server.Host)
}

// endpointOf is the endpoint at the end of a URL that was copied whole out of a provider's manual.
func endpointOf(u *url.URL) string {
	for _, end := range []string{"/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/models"} {
		if u != nil && strings.HasSuffix(u.Path, end) {
			return end
		}
	}
	return ""
}

// overlap says whether two listening addresses cannot share a port.
func overlap(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && (x == y || x.IsUnspecified() || y.IsUnspecified())
}
