package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"golang.org/x/sync/errgroup"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/control-plane/xds"
	"github.com/inference-gateway/envoy-inference-gateway/envoy"
	"github.com/inference-gateway/envoy-inference-gateway/extauthz"
	"github.com/inference-gateway/envoy-inference-gateway/extproc"
	"github.com/inference-gateway/envoy-inference-gateway/internal/api"
	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/loopback"
	"github.com/inference-gateway/envoy-inference-gateway/internal/oidc"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// decidedTime is more than a request takes from ext_proc's decision to its route.
const decidedTime = 100 * time.Millisecond

// settleTime is how long Envoy may take to run a new configuration before the gateway goes on without knowing.
const settleTime = 15 * time.Second

// gateway is the parts that a configuration is applied to. Only apply changes them, and only one apply runs at a time.
type gateway struct {
	layout  layout
	link    *link.Identity // nil without a link to other machines
	xds     *xds.Server
	extproc *extproc.Server
	bodies  *bodies.Limit // of ext_proc and of loops
	authz   *extauthz.Server
	api     *api.Server
	lane    *lane
	counts  *counting
	log     *slog.Logger
	level   *slog.LevelVar
	issuers *oidc.Finder
	cookies config.Secret

	loopback http.RoundTripper // for the models of loops
	group    *errgroup.Group   // of everything that runs as long as the gateway

	applying sync.Mutex // held by whoever changes what runs
	draining atomic.Bool
	current  *config.Config    // what runs
	running  *cachev3.Snapshot // what Envoy was given for it
}

func newGateway(c *config.Config, l layout, log *slog.Logger, level *slog.LevelVar) (*gateway, error) {
	t, err := newToolset(c, log)
	if err != nil {
		return nil, err
	}
	counts, err := newCounting(c, log)
	if err != nil {
		return nil, err
	}
	g := &gateway{layout: l, lane: newLane(), counts: counts, log: log, level: level, issuers: oidc.NewFinder(log), cookies: newCookieSecret()}
	if l.remote != nil {
		if g.link, err = link.NewIdentity(material(c)); err != nil {
			return nil, err
		}
	}
	dial := g.dialer(c)
	g.loopback = loopTransport(dial, g.link != nil)
	g.xds = xds.NewServer(log)
	g.bodies = bodies.NewLimit(c.Server.MaxRequestBodiesSize)
	g.extproc = extproc.NewServer(directory(c), g.bodies, log)
	g.authz = extauthz.NewServer(callerPolicy(c), log)
	g.api = api.New(api.Options{Client: loopbackClient(dial), Ready: g.notReady, Log: log})
	g.use(t, c)
	return g, nil
}

// first gives the first configuration to everyone, before Envoy is there.
func (g *gateway) first(ctx context.Context, c *config.Config) error {
	s, err := snapshot.Build(g.input(c))
	if err != nil {
		return err
	}
	if err := g.counts.begin(ctx, c, c); err != nil {
		return err
	}
	g.api.Update(g.apiState(c))
	g.current, g.running = c, s
	return g.xds.Push(ctx, s)
}

// apply makes c the running configuration without failing a request: what disappears is not chosen any more before
// its route goes, and what is new is not chosen before its route is there. When Envoy refuses, everything stays.
func (g *gateway) apply(ctx context.Context, c *config.Config) error {
	s, err := snapshot.Build(g.input(c))
	if err != nil {
		return err
	}
	if g.link != nil { // whatever Envoy says to the rest: these files were good
		if err := g.link.Update(material(c)); err != nil {
			return err
		}
	}
	g.authz.Update(callerPolicy(c)) // before anything that can take long: a key that is revoked must be so at once
	var t *toolset
	discard := func() {}
	err = g.counts.begin(ctx, g.current, c)
	if err == nil {
		t, discard, err = g.toolsFor(ctx, c)
	}
	if err != nil {
		g.authz.Update(callerPolicy(g.current))
		g.counts.settle(g.current)
		return err
	}
	old, next := g.extproc.Directory(), directory(c)
	back := func() {
		g.authz.Update(callerPolicy(g.current))
		g.extproc.Update(old)
		g.counts.settle(g.current)
		discard()
	}
	g.extproc.Update(old.Between(next))
	if !g.atRest(ctx) {
		back()
		return ctx.Err()
	}
	if err := g.xds.Push(ctx, s); err != nil {
		back()
		return err
	}
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := g.xds.Settled(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		back()
		return errors.Join(err, g.revert(ctx))
	} else if err != nil {
		g.log.Warn("the new configuration is set, but no Envoy has confirmed it yet", "error", err)
	}
	g.extproc.Update(next)
	g.bodies.Set(c.Server.MaxRequestBodiesSize)
	g.use(t, c)
	g.counts.settle(c)
	g.api.Update(g.apiState(c))
	g.level.Set(c.General.LogLevel)
	g.current, g.running = c, s
	g.follow(c)
	return nil
}

// atRest waits until what was decided before has come to its route, which may be about to go. It is false when ctx ends.
func (g *gateway) atRest(ctx context.Context) bool {
	select {
	case <-time.After(decidedTime):
		return true
	case <-ctx.Done():
		return false
	}
}

// revert gives Envoy what it ran before, for the parts that it has taken of what it refused on the whole, and waits for
// it: whoever reads that a configuration was refused may rely on nothing of it being in use.
func (g *gateway) revert(ctx context.Context) error {
	if err := g.xds.Push(ctx, g.running); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := g.xds.Settled(wait); err != nil {
		g.log.Warn("the old configuration is set again, but no Envoy has confirmed it yet", "error", err)
	}
	return nil
}

// notReady gives clients of /ready the reasons, without inner details: those stand in the log.
func (g *gateway) notReady() []string {
	var out []string
	if g.draining.Load() {
		out = append(out, "the gateway is shutting down")
	}
	if len(g.xds.Problems()) > 0 {
		out = append(out, "Envoy does not run the current configuration yet")
	}
	if p := g.counts.server.Problem(); p != "" {
		out = append(out, p)
	}
	return out
}

func input(c *config.Config, l layout) snapshot.Input {
	return snapshot.Input{Config: c, Sockets: l.snapshot, Remote: l.remote, RootsPath: envoy.SystemRoots(), WasmPath: wasmModule(c)}
}

// material is the configuration as the link to other machines sees it.
func material(c *config.Config) link.Material {
	t := c.Control.TLS
	return link.Material{Chain: t.Pair.Cert, Key: t.Pair.Key.Reveal(), Authorities: t.CA, Peers: t.Peers}
}

// directory is the configuration as requests are decided by it.
func directory(c *config.Config) *providers.Directory {
	entries := make([]providers.Entry, 0, len(c.Providers))
	for _, p := range c.Providers {
		entries = append(entries, providers.Entry{ID: p.ID, Ready: p.State == config.Ready, Fix: p.Fix(), Endpoints: p.Endpoints()})
	}
	d := providers.NewDirectory(entries, filter(c), c.Server.MaxRequestBodySize).Metered(metering(c))
	if !c.Access.Restricts() {
		return d
	}
	return d.WithRights(func(caller providers.Caller) providers.Rights { return rightsOf(c, caller.Name, caller.Groups) })
}

func filter(c *config.Config) catalog.ModelFilter {
	return catalog.NewModelFilter(c.General.AllowedModels, c.General.DisallowedModels)
}

// apiState is the configuration as the API sees it.
func (g *gateway) apiState(c *config.Config) api.State {
	s := api.State{Filter: filter(c)}
	s.Tools, s.Agents = g.lane.current.Load().tools.pages(g, c)
	if c.Access.Restricts() {
		s.Rights = func(caller api.Caller) api.Rights { return rightsOf(c, caller.Name, caller.Groups) }
	}
	for _, p := range c.Providers {
		key := sha256.Sum256([]byte(p.Key.Reveal()))
		s.Providers = append(s.Providers, api.Provider{
			ID: p.ID, ModelsPath: p.ModelsPath, ModelsFormat: p.ModelsFormat,
			Ready: p.State == config.Ready, Fix: p.Fix(),
			Fingerprint: p.BaseURL + " " + hex.EncodeToString(key[:8]),
		})
	}
	return s
}

// dialer opens a connection to Envoy's loopback listener.
type dialer func(context.Context) (net.Conn, error)

func (g *gateway) dialer(c *config.Config) dialer {
	if g.link != nil {
		return link.Dialer{Address: c.Control.Loopback.String(), Identity: g.link}.Dial
	}
	return socketDialer(g.layout.snapshot.Loopback)
}

func socketDialer(path string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// loopTransport takes loops to their models: over a link as net/http does it, over a socket at less cost.
func loopTransport(dial dialer, link bool) http.RoundTripper {
	if link {
		return loopbackTransport(dial, true)
	}
	return &loopback.Client{Dial: dial}
}

// loopbackClient reaches Envoy's loopback listener, whatever host a URL names.
func loopbackClient(dial dialer) *http.Client {
	return &http.Client{Transport: loopbackTransport(dial, false)}
}

// loopbackBuffer takes a request with the definitions of many tools, so that it goes out in one piece. (net/http's own
// 4 KiB would cost a system call, and Envoy a read, for each 4 KiB.) The other way, it lets the events of a fast model be
// read, and passed on, several at a time.
const loopbackBuffer = 32 << 10

// loopbackTransport keeps enough connections for as many loops as there may be. raw leaves compressed answers as they
// are, for callers that pass them on.
func loopbackTransport(dial dialer, raw bool) *http.Transport {
	return &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  raw,
		WriteBufferSize:     loopbackBuffer,
		ReadBufferSize:      loopbackBuffer,
	}
}

// announcement is the one line that says that the gateway is there.
func announcement(c *config.Config, address string) string {
	scheme := "http"
	if c.Server.TLS.Enabled() {
		scheme = "https"
	}
	ids := ""
	for _, p := range c.Ready() {
		ids += " " + p.ID
	}
	line := fmt.Sprintf("inference-gateway %s is ready: %s://%s/v1 · providers:%s", version, scheme, address, ids)
	if c.MCP.InUse() {
		line += " · tool servers:" + names(c.MCP.Servers)
	}
	if c.A2A.InUse() {
		line += " · agents:" + names(c.A2A.Agents)
	}
	return line
}

func names(list []config.NamedURL) string {
	out := ""
	for _, s := range list {
		out += " " + s.Name
	}
	return out
}
