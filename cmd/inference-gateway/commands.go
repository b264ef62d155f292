package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/envoy"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// load reads the configuration and reports its warnings and problems. It is nil when there is a problem.
func load(stderr io.Writer) *config.Config {
	c, warnings, err := config.Read()
	for _, w := range append(warnings, notYet(c)...) {
		_, _ = fmt.Fprintln(stderr, "warning:", w)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "the configuration is bad:\n%v\n", err)
		return nil
	}
	if c.Auth.Enabled {
		// Running open while the operator believes in a login would be the worst of answers.
		_, _ = fmt.Fprintln(stderr, "the configuration is bad:\nAUTH_ENABLED=true: this version cannot check tokens yet; unset it and protect the listener otherwise")
		return nil
	}
	return c
}

// notYet warns of settings that are understood and have no effect in this version.
func notYet(c *config.Config) []config.Warning {
	var out []config.Warning
	if c == nil {
		return nil
	}
	if c.Telemetry.Enabled {
		out = append(out, config.Warning{Variable: "TELEMETRY_ENABLED", Message: "has no effect in this version yet"})
	}
	return out
}

func validate(stdout, stderr io.Writer) int {
	c := load(stderr)
	if c == nil {
		return exitConfig
	}
	if _, err := snapshot.Build(input(c, sockets("/socket/dir"))); err != nil {
		_, _ = fmt.Fprintf(stderr, "Envoy would refuse the configuration:\n%v\n", err)
		return exitConfig
	}
	_, _ = fmt.Fprintln(stdout, "the configuration is good")
	return exitOK
}

func printBootstrap(stdout, stderr io.Writer) int {
	c := load(stderr)
	if c == nil {
		return exitConfig
	}
	b, err := envoy.Bootstrap(c, sockets(controlDir(c)).envoy)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bootstrap:", err)
		return exitNotStart
	}
	_, _ = fmt.Fprintln(stdout, string(b))
	return exitOK
}

func printConfig(stdout, stderr io.Writer, asEnvoy bool) int {
	c := load(stderr)
	if c == nil {
		return exitConfig
	}
	if !asEnvoy {
		for _, s := range c.Effective() {
			_, _ = fmt.Fprintf(stdout, "%s=%s\n", s.Variable, s.Value)
		}
		return exitOK
	}
	s, err := snapshot.Build(input(c, sockets(controlDir(c))))
	if err == nil {
		err = writeResources(stdout, s)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "config:", err)
		return exitConfig
	}
	return exitOK
}

// writeResources prints a snapshot as YAML documents, one for each resource, keys masked.
func writeResources(w io.Writer, s *cachev3.Snapshot) error {
	for _, t := range []string{resourcev3.ListenerType, resourcev3.RouteType, resourcev3.ClusterType, resourcev3.SecretType} {
		for _, name := range sortedKeys(s.GetResources(t)) {
			text, err := protojson.Marshal(masked(s.GetResources(t)[name]))
			if err != nil {
				return err
			}
			doc, err := yaml.JSONToYAML(text)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "---\n# %s\n%s", name, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// masked replaces the value of a secret.
func masked(r cachetypes.Resource) proto.Message {
	s, ok := r.(*tlsv3.Secret)
	if !ok || s.GetGenericSecret() == nil {
		return r
	}
	return &tlsv3.Secret{Name: s.GetName(), Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
		Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "***"}},
	}}}
}

// healthcheck asks the gateway on this machine, the way a container's health check does.
func healthcheck(stdout, stderr io.Writer) int {
	c := load(io.Discard)
	if c == nil {
		_, _ = fmt.Fprintln(stderr, "the configuration is bad: run `inference-gateway validate`")
		return exitConfig
	}
	host, scheme := c.Server.Host, "http"
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if c.Server.TLSCertPath != "" {
		scheme = "https"
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		// The certificate names the public host, and this asks the local address.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // no credential is sent
	}}
	url := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.Server.Port)) + "/ready"
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "not ready:", err)
		return exitConfig
	}
	resp, err := client.Do(r)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "not ready:", err)
		return exitConfig
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		_, _ = fmt.Fprintf(stderr, "not ready: %s\n", body)
		return exitConfig
	}
	_, _ = fmt.Fprintln(stdout, "ready")
	return exitOK
}
