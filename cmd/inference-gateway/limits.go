package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/internal/limits"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/ratelimit"
)

const (
	// probeInterval is how often the rate limit service is asked whether it counts.
	probeInterval = 5 * time.Second
	// learnTime is how long the rate limit service may take to read new limits before the gateway goes on without knowing.
	learnTime = 3 * time.Second
)

// counting is who counts limits, with its connections to shared services. Only apply changes it.
type counting struct {
	server *ratelimit.Server
	log    *slog.Logger
	// Connections stay until the end: requests under way settle at the service that they were held at. An unused one
	// closes its socket by itself (grpc.WithIdleTimeout).
	services map[limitService]*grpc.ClientConn
}

// limitService is what a connection is made of.
type limitService struct {
	address string
	secure  bool
	roots   string
}

func newCounting(c *config.Config, log *slog.Logger) (*counting, error) {
	k := &counting{log: log, services: map[limitService]*grpc.ClientConn{}}
	p, err := k.policy(c, c.Limits.Set)
	if err != nil {
		return nil, err
	}
	k.server = ratelimit.NewServer(p, log)
	return k, nil
}

// begin has both the old limits and the new ones counted, while Envoy moves from one to the other.
func (k *counting) begin(ctx context.Context, was, is *config.Config) error {
	both := limits.Union(was.Limits.Set, is.Limits.Set)
	if err := k.write(is, both); err != nil {
		return err
	}
	p, err := k.policy(is, both)
	if err != nil {
		return err
	}
	k.server.Update(p)
	k.learned(ctx, is)
	return nil
}

// learned waits until the service knows the limits that it is about to be asked for.
func (k *counting) learned(ctx context.Context, c *config.Config) {
	if !c.Limits.Shared() || c.Limits.Set == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, learnTime)
	defer cancel()
	if err := k.server.Learned(ctx); err != nil {
		k.log.Warn("the rate limit service does not count by these limits yet")
	}
}

// settle has c's limits counted alone.
func (k *counting) settle(c *config.Config) {
	err := k.write(c, c.Limits.Set)
	p, policyErr := k.policy(c, c.Limits.Set)
	if err = errors.Join(err, policyErr); err != nil {
		k.log.Error("limits", "error", err)
		return
	}
	k.server.Update(p)
}

// policy is a configuration's, with other limits.
func (k *counting) policy(c *config.Config, set *limits.Set) (ratelimit.Policy, error) {
	p := ratelimit.Policy{Set: set, FailOpen: c.Limits.FailOpen}
	if !c.Limits.Shared() {
		return p, nil
	}
	conn, err := k.connect(c)
	if err != nil {
		return p, err
	}
	p.Service = &ratelimit.ServiceOptions{Conn: conn, Domain: c.Limits.Domain, Timeout: c.Limits.Timeout}
	return p, nil
}

// connect gives the connection to the service, a new one when it was not asked before.
func (k *counting) connect(c *config.Config) (*grpc.ClientConn, error) {
	address, secure := c.Limits.Service()
	to := limitService{address: address, secure: secure, roots: c.Client.TLSCA}
	if conn, ok := k.services[to]; ok {
		return conn, nil
	}
	how := insecure.NewCredentials()
	if secure {
		t := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Client.TLSCA != "" {
			t.RootCAs = x509.NewCertPool()
			t.RootCAs.AppendCertsFromPEM([]byte(c.Client.TLSCA)) // it was checked when it was loaded
		}
		how = credentials.NewTLS(t)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(how))
	if err != nil {
		return nil, err
	}
	k.services[to] = conn
	return conn, nil
}

func (k *counting) close() {
	for _, conn := range k.services {
		_ = conn.Close()
	}
}

// write gives the service its configuration, whole or not at all.
func (k *counting) write(c *config.Config, set *limits.Set) error {
	dir := c.Limits.ConfigDir
	if !c.Limits.Shared() || dir == "" {
		return nil
	}
	content := set.ServiceConfig(c.Limits.Domain)
	name := filepath.Join(dir, c.Limits.Domain+".yaml")
	if have, err := os.ReadFile(name); err == nil && bytes.Equal(have, content) {
		return nil // another gateway was faster
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the service is another user, and this is no secret
		return errors.New("RATELIMIT_CONFIG_DIR: the directory cannot be made: " + err.Error())
	}
	part, err := os.CreateTemp(dir, ".*")
	if err != nil {
		return errors.New("RATELIMIT_CONFIG_DIR: " + err.Error())
	}
	_, err = part.Write(content)
	err = errors.Join(err, part.Chmod(0o644), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), name)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return errors.New("RATELIMIT_CONFIG_DIR: " + err.Error())
	}
	return nil
}

// metering is what limits of tokens want of requests.
func metering(c *config.Config) providers.Metering {
	set := c.Limits.Set
	if !set.Limits(limits.Tokens) {
		return providers.Metering{}
	}
	return providers.Metering{Reserve: set.Reserve, AskUsage: set.Usage == limits.AskUsage}
}
