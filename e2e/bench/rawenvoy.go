package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// rawBootstrap is the least an Envoy can do for this traffic, and so the yardstick: one route, no filter but the router.
// Only limits are raised, as the gateway's must be: the default of 1,024 connections would fail the open streams.
const rawBootstrap = `
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 0}}
static_resources:
  listeners:
  - name: raw
    address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: raw
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: mock, timeout: 0s}
          http_filters:%s
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: mock
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}]
    load_assignment:
      cluster_name: mock
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
%s`

// rawExtra is what a raw Envoy has besides (floors.go), as YAML at the places where it belongs.
type rawExtra struct {
	filters, clusters string
	onlyChat          bool // its filter answers what is no chat by itself
}

func startRawEnvoy(ctx context.Context, f *fleet, name, envoy string, concurrency, mockPort int, extra rawExtra) (*target, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(f.dir, name+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, rawBootstrap, port, extra.filters, mockPort, extra.clusters), 0o600); err != nil {
		return nil, err
	}
	began := time.Now()
	p, err := f.start(name, plainEnv(), envoy, "-c", config, "--disable-hot-restart", "--concurrency", strconv.Itoa(concurrency),
		"--log-level", "warn", "--admin-address-path", filepath.Join(f.dir, name+".admin"))
	if err != nil {
		return nil, err
	}
	t := &target{Name: name, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Model: benchModel, proc: p}
	// A model list through the listener proves listener, route and cluster at once.
	ready := t.answers("/v1/models")
	if extra.onlyChat {
		ready = t.listens
	}
	if err := waitFor(ctx, p, 30*time.Second, ready); err != nil {
		return nil, err
	}
	t.StartSeconds = time.Since(began).Seconds()
	return t, nil
}

// findEnvoy: the flag, ENVOY_PATH, then the copy in the checkout.
func findEnvoy(flagged string) (string, error) {
	for _, path := range []string{flagged, os.Getenv("ENVOY_PATH"), ".cache/envoy/envoy"} {
		if path == "" {
			continue
		}
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("envoy: %w", err)
		}
		return filepath.Abs(found)
	}
	return "", errors.New("envoy: no path")
}

// freePort asks the kernel. Another process could take the port before it is used; then the start fails and says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// plainEnv is the environment of the started programs: a developer's own provider keys must not change what is measured.
func plainEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
