// Package snapshot turns a Config into the resources that Envoy runs: listeners, routes, clusters and secrets. It is
// pure: no clock, file, socket or environment, and the same Config gives the same bytes. Each filter is one file with
// one constructor, and filters.go is the one place that shows their order. It must not know how resources travel.
package snapshot

import (
	"errors"
	"fmt"

	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// Sockets are the absolute paths of the Unix sockets between Envoy and the gateway's process.
type Sockets struct {
	ExtProc   string // Envoy calls the external processor
	Authz     string // Envoy asks who calls
	RateLimit string // Envoy calls the counter of limits
	API       string // Envoy calls the gateway's own endpoints
	Demo      string // Envoy calls the embedded provider
	Loop      string // Envoy calls the loop lane
	Loopback  string // Envoy listens: the gateway's own model calls
}

// Input is everything that a snapshot depends on.
type Input struct {
	Config  *config.Config
	Sockets Sockets
	// Remote is the link to Envoys on other machines, in the place of the sockets; nil for an Envoy on this one.
	Remote *link.Remote
	// RootsPath is the PEM bundle on Envoy's machine that providers' certificates are verified with.
	RootsPath string
	// WasmPath is the filter on Envoy's machine; "" leaves the wasm lane out.
	WasmPath string
	// Issuers are those that have answered, by their URLs.
	Issuers map[string]Issuer
	// CookieSecret seals the cookies of the browser login unless the configuration has a secret for them.
	CookieSecret config.Secret
}

// Build makes the snapshot. Its error lists every resource that Envoy's own validation rules refuse: a defect of this
// package or a value that the configuration should have refused.
func Build(in Input) (*cachev3.Snapshot, error) {
	resources := map[string][]cachetypes.Resource{
		listenerType: listeners(in),
		routeType:    routeConfigurations(in),
		clusterType:  clusters(in),
		secretType:   secrets(in),

		extensionType: extensions(in),
	}
	var problems []error
	s := &cachev3.Snapshot{}
	for _, url := range []string{listenerType, routeType, clusterType, secretType, extensionType} {
		for _, r := range resources[url] {
			if err := validate(r); err != nil {
				problems = append(problems, fmt.Errorf("%s %q: %w", shortType(url), cachev3.GetResourceName(r), err))
			}
		}
		version, err := contentVersion(resources[url])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", shortType(url), err))
		}
		s.Resources[cachev3.GetResponseType(url)] = cachev3.NewResources(version, resources[url])
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := s.Consistent(); err != nil {
		return nil, fmt.Errorf("inconsistent snapshot: %w", err)
	}
	return s, nil
}
