package xds

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// required are the types that every Envoy asks for at once; the others are asked for by name, by what uses them.
var (
	required = []string{resourcev3.ClusterType, resourcev3.ListenerType, resourcev3.RouteType}
	onDemand = []string{resourcev3.SecretType, resourcev3.ExtensionConfigType}
	followed = slices.Concat(required, onDemand)
)

// status follows the acknowledgements of each connected Envoy. Envoy speaks the incremental variant, in which an
// acknowledgement names the response (its nonce) and not the version.
type status struct {
	log *slog.Logger

	mu      sync.Mutex
	current *cachev3.Snapshot
	envoys  map[int64]*envoyState // by stream
	changed chan struct{}         // closed and replaced whenever something above changes
}

// envoyState is what one Envoy was sent, what it runs and what it refused, as versions by type.
type envoyState struct {
	sent    map[string]sent
	acked   map[string]string
	refused map[string]refusal
	named   map[string]named // of the types that are asked for by name
}

type sent struct{ nonce, version string }

type refusal struct{ version, reason string }

func newStatus(log *slog.Logger) *status {
	return &status{log: log, envoys: map[int64]*envoyState{}, changed: make(chan struct{})}
}

// The next four are go-control-plane's callbacks for incremental streams.

// OnDeltaStreamOpen begins to follow one Envoy.
func (s *status) OnDeltaStreamOpen(_ context.Context, id int64, _ string) error {
	s.update(func() {
		s.envoys[id] = &envoyState{sent: map[string]sent{}, acked: map[string]string{}, refused: map[string]refusal{}, named: map[string]named{}}
		for _, t := range onDemand {
			s.envoys[id].named[t] = newNamed()
		}
	})
	s.log.Debug("xds: an Envoy connected")
	return nil
}

// OnDeltaStreamClosed forgets it.
func (s *status) OnDeltaStreamClosed(id int64, _ *corev3.Node) {
	s.update(func() { delete(s.envoys, id) })
	s.log.Debug("xds: an Envoy disconnected")
}

// OnStreamDeltaRequest learns what it runs or refuses.
func (s *status) OnStreamDeltaRequest(id int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	s.request(id, r)
	return nil
}

// OnStreamDeltaResponse remembers what it is being sent.
func (s *status) OnStreamDeltaResponse(id int64, _ *discoveryv3.DeltaDiscoveryRequest, r *discoveryv3.DeltaDiscoveryResponse) {
	s.update(func() {
		if e, ok := s.envoys[id]; ok {
			e.sent[r.GetTypeUrl()] = sent{r.GetNonce(), r.GetSystemVersionInfo()}
			if held, byName := e.named[r.GetTypeUrl()]; byName {
				held.response(r)
			}
		}
	})
}

// request reads what a DeltaDiscoveryRequest means beside subscribing (xDS protocol, "Incremental xDS"): with a nonce
// it acknowledges that response, or refuses it when there is an error_detail; at the start of a stream it may tell
// what an Envoy that lost its control plane still runs.
func (s *status) request(stream int64, r *discoveryv3.DeltaDiscoveryRequest) {
	t, failed := r.GetTypeUrl(), r.GetErrorDetail()
	if failed != nil {
		s.log.Error("xds: Envoy refused the configuration and keeps what it runs", "type", short(t), "reason", failed.GetMessage())
	}
	s.update(func() {
		e, ok := s.envoys[stream]
		if !ok {
			return
		}
		if held, byName := e.named[t]; byName {
			held.request(r)
		}
		last := e.sent[t]
		switch {
		case r.GetResponseNonce() == "" || r.GetResponseNonce() != last.nonce: // subscribes, or speaks of what is past
		case failed != nil:
			e.refused[t] = refusal{last.version, failed.GetMessage()}
		default:
			e.acked[t] = last.version
			delete(e.refused, t)
		}
		if held := r.GetInitialResourceVersions(); len(held) > 0 && s.current != nil && maps.Equal(held, s.current.GetVersionMap(t)) {
			e.acked[t] = s.want(t)
		}
	})
}

// want needs mu.
func (s *status) want(t string) string {
	if s.current == nil {
		return ""
	}
	return s.current.GetVersion(t)
}

func (s *status) expect(snapshot *cachev3.Snapshot) error {
	if err := snapshot.ConstructVersionMap(); err != nil {
		return fmt.Errorf("xds: versions: %w", err)
	}
	s.update(func() {
		for t := range snapshot.Resources {
			url, err := cachev3.GetResponseTypeURL(cachetypes.ResponseType(t))
			if err == nil && s.want(url) != snapshot.GetVersion(url) {
				for _, e := range s.envoys {
					delete(e.refused, url) // what was refused before, a port in use say, may be taken now
				}
			}
		}
		s.current = snapshot
	})
	return nil
}

func (s *status) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *status) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		problems, refused := s.list()
		changed := s.changed
		s.mu.Unlock()
		if len(problems) == 0 {
			return nil
		}
		if refused {
			return fmt.Errorf("xds: %s", strings.Join(problems, "; "))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("xds: %s: %w", strings.Join(problems, "; "), ctx.Err())
		case <-changed:
		}
	}
}

func (s *status) problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, _ := s.list()
	return out
}

// list needs mu. refused says that waiting will not help.
func (s *status) list() (problems []string, refused bool) {
	if s.current == nil {
		problems = append(problems, "there is no configuration yet")
	}
	if len(s.envoys) == 0 {
		problems = append(problems, "no Envoy is connected")
	}
	for _, e := range s.envoys {
		for _, t := range followed {
			want := s.want(t)
			open := e.acked[t] != want
			if held, byName := e.named[t]; byName {
				open = s.current != nil && held.open(s.current.GetVersionMap(t))
			}
			switch r, said := e.refused[t]; {
			case said && r.version == want:
				problems, refused = append(problems, "Envoy refused "+short(t)+": "+r.reason), true
			case open:
				problems = append(problems, "an Envoy has not taken the current "+short(t)+" yet")
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems), refused
}

func short(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
