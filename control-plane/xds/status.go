package xds

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sort"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
)

// required are the types that every Envoy asks for at once. Secrets are asked for only by what uses them.
var required = []string{resourcev3.ClusterType, resourcev3.ListenerType, resourcev3.RouteType}

// status follows the acknowledgements of each connected Envoy. Envoy speaks the incremental variant, in which an
// acknowledgement names the response (its nonce) and not the version.
type status struct {
	log *slog.Logger

	mu      sync.Mutex
	current *cachev3.Snapshot
	envoys  map[int64]*envoyState // by stream
	refused map[string]string     // type -> Envoy's words about the current version
	changed chan struct{}         // closed and replaced whenever something above changes
}

// envoyState is what one Envoy was sent and what it runs, as versions by type.
type envoyState struct {
	sent  map[string]sent
	acked map[string]string
}

type sent struct{ nonce, version string }

func newStatus(log *slog.Logger) *status {
	return &status{log: log, envoys: map[int64]*envoyState{}, refused: map[string]string{}, changed: make(chan struct{})}
}

func (s *status) callbacks() serverv3.Callbacks {
	return serverv3.CallbackFuncs{
		DeltaStreamOpenFunc: func(_ context.Context, id int64, _ string) error {
			s.update(func() { s.envoys[id] = &envoyState{sent: map[string]sent{}, acked: map[string]string{}} })
			s.log.Debug("xds: an Envoy connected")
			return nil
		},
		DeltaStreamClosedFunc: func(id int64, _ *corev3.Node) {
			s.update(func() { delete(s.envoys, id) })
			s.log.Debug("xds: an Envoy disconnected")
		},
		StreamDeltaRequestFunc: func(id int64, r *discoveryv3.DeltaDiscoveryRequest) error {
			s.request(id, r)
			return nil
		},
		StreamDeltaResponseFunc: func(id int64, _ *discoveryv3.DeltaDiscoveryRequest, r *discoveryv3.DeltaDiscoveryResponse) {
			s.update(func() {
				if e, ok := s.envoys[id]; ok {
					e.sent[r.GetTypeUrl()] = sent{r.GetNonce(), r.GetSystemVersionInfo()}
				}
			})
		},
	}
}

// request reads what a DeltaDiscoveryRequest means beside subscribing (xDS protocol, "Incremental xDS"): with a nonce
// it acknowledges that response, or refuses it when there is an error_detail; at the start of a stream it may tell
// what an Envoy that lost its control plane still runs.
func (s *status) request(stream int64, r *discoveryv3.DeltaDiscoveryRequest) {
	t := r.GetTypeUrl()
	if e := r.GetErrorDetail(); e != nil {
		s.log.Error("xds: Envoy refused the configuration and keeps what it runs", "type", short(t), "reason", e.GetMessage())
		s.update(func() { s.refused[t] = e.GetMessage() })
		return
	}
	s.update(func() {
		e, ok := s.envoys[stream]
		if !ok {
			return
		}
		if last := e.sent[t]; r.GetResponseNonce() != "" && last.nonce == r.GetResponseNonce() {
			e.acked[t] = last.version
			if last.version == s.want(t) {
				delete(s.refused, t)
			}
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
		old := s.current
		for t := range s.refused {
			if old == nil || old.GetVersion(t) != snapshot.GetVersion(t) {
				delete(s.refused, t)
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
		problems, changed, refused := s.list(), s.changed, len(s.refused) > 0
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
	return s.list()
}

// list needs mu.
func (s *status) list() []string {
	var out []string
	for t, reason := range s.refused {
		out = append(out, "Envoy refused "+short(t)+": "+reason)
	}
	if s.current == nil {
		out = append(out, "there is no configuration yet")
	}
	if len(s.envoys) == 0 {
		out = append(out, "no Envoy is connected")
	}
	for _, e := range s.envoys {
		for _, t := range required {
			if e.acked[t] != s.want(t) && s.refused[t] == "" {
				out = append(out, "an Envoy has not taken the current "+short(t)+" yet")
			}
		}
		// Secrets are sent only to an Envoy that asked for those that changed: nothing sent means nothing open.
		if t := resourcev3.SecretType; e.sent[t].version != e.acked[t] && s.refused[t] == "" {
			out = append(out, "an Envoy has not taken the current "+short(t)+" yet")
		}
	}
	sort.Strings(out)
	return out
}

func short(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
