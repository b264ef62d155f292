package xds

import (
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// named follows one Envoy's resources of a type that is asked for by name, secrets and filter configurations. The other
// types are asked for whole, and one version tells where they are; of these each Envoy has those that it uses, and
// several answers may be under way at a time.
type named struct {
	wanted map[string]bool              // what it asked for
	held   map[string]string            // what it runs: versions by name
	sent   map[string]map[string]string // what it has not answered to yet, by nonce
}

func newNamed() named {
	return named{wanted: map[string]bool{}, held: map[string]string{}, sent: map[string]map[string]string{}}
}

// request reads a subscription, and the answer to what was sent before.
func (s named) request(r *discoveryv3.DeltaDiscoveryRequest) {
	for _, name := range r.GetResourceNamesSubscribe() {
		s.wanted[name] = true
	}
	for _, name := range r.GetResourceNamesUnsubscribe() {
		delete(s.wanted, name)
		delete(s.held, name)
	}
	for name, version := range r.GetInitialResourceVersions() {
		s.held[name] = version
	}
	if r.GetErrorDetail() == nil {
		for name, version := range s.sent[r.GetResponseNonce()] {
			s.held[name] = version
		}
	}
	delete(s.sent, r.GetResponseNonce())
}

func (s named) response(r *discoveryv3.DeltaDiscoveryResponse) {
	versions := map[string]string{}
	for _, resource := range r.GetResources() {
		versions[resource.GetName()] = resource.GetVersion()
	}
	s.sent[r.GetNonce()] = versions
}

// open says whether this Envoy lacks a resource that it asked for, by the versions of the current snapshot.
func (s named) open(current map[string]string) bool {
	for name := range s.wanted {
		if version, exists := current[name]; exists && s.held[name] != version {
			return true
		}
	}
	return false
}
