package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/envoy"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// load reads the configuration and reports its warnings and problems. It is nil when there is a problem.
func load(stderr io.Writer, options ...config.Option) *config.Config {
	c, warnings, err := config.Read(options...)
	for _, w := range warnings {
		_, _ = fmt.Fprintln(stderr, "warning:", w)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "the configuration is bad:\n%v\n", err)
		return nil
	}
	return c
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
	b, err := prepareBootstrap(c)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bootstrap:", err)
		return exitNotStart
	}
	_, _ = fmt.Fprintln(stdout, string(b))
	return exitOK
}

// prepareBootstrap makes what an Envoy elsewhere finds beside its bootstrap: the directory for its admin socket, and in it
// the files that say where its certificate is.
func prepareBootstrap(c *config.Config) ([]byte, error) {
	l := layoutOf(c, withoutEnvoy, controlDir(c))
	if l.remote != nil {
		dir, _, err := privateDir(c, withoutEnvoy)
		if err != nil {
			return nil, err
		}
		l = layoutOf(c, withoutEnvoy, dir)
		t := c.Control.TLS
		files, err := l.remote.Secrets(link.Files{Certificate: t.CertPath, Key: t.KeyPath, Authorities: t.CAPath})
		if err != nil {
			return nil, err
		}
		for path, content := range files {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return nil, err
			}
		}
	}
	return envoy.Bootstrap(c, l.envoy)
}

func printConfig(stdout, stderr io.Writer, form string) int {
	c := load(stderr)
	if c == nil {
		return exitConfig
	}
	switch form {
	case "--ratelimit":
		_, _ = stdout.Write(c.Limits.Set.ServiceConfig(c.Limits.Domain))
		return exitOK
	case "":
		for _, s := range c.Effective() {
			_, _ = fmt.Fprintf(stdout, "%s=%s\n", s.Variable, s.Value)
		}
		return exitOK
	}
	s, err := snapshot.Build(input(c, layoutOf(c, withoutEnvoy, controlDir(c))))
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
	for _, t := range []string{resourcev3.ListenerType, resourcev3.RouteType, resourcev3.ClusterType, resourcev3.SecretType, resourcev3.ExtensionConfigType} {
		for _, name := range sortedKeys(s.GetResources(t)) {
			text, err := protojson.Marshal(masked(s.GetResources(t)[name]))
			if err != nil {
				return err
			}
			var doc any
			if err := yaml.Unmarshal(text, &doc); err != nil { // JSON is YAML
				return err
			}
			if _, err := fmt.Fprintf(w, "---\n# %s\n", name); err != nil {
				return err
			}
			e := yaml.NewEncoder(w)
			e.SetIndent(2)
			if err := errors.Join(e.Encode(doc), e.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// masked replaces the value of a secret, which is a generic one or a private key.
func masked(r cachetypes.Resource) proto.Message {
	s, ok := r.(*tlsv3.Secret)
	if !ok {
		return r
	}
	hidden := &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "***"}}
	s = proto.CloneOf(s)
	switch t := s.GetType().(type) {
	case *tlsv3.Secret_GenericSecret:
		t.GenericSecret = &tlsv3.GenericSecret{Secret: hidden}
	case *tlsv3.Secret_TlsCertificate:
		t.TlsCertificate.PrivateKey = hidden
	}
	return s
}
