package xds

import (
	"context"
	"fmt"
	"log/slog"
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

// status follows the acknowledgements of each connected Envoy.
type status struct {
	log *slog.Logger

	mu      sync.Mutex
	want    map[string]string           // type -> version of the current snapshot
	acked   map[int64]map[string]string // stream -> type -> version that Envoy runs
	refused map[string]string           // type -> Envoy's words about the current version
	changed chan struct{}               // closed and replaced whenever something above changes
}

func newStatus(log *slog.Logger) *status {
	return &status{
		log: log, want: map[string]string{}, acked: map[int64]map[string]string{},
		refused: map[string]string{}, changed: make(chan struct{}),
	}
}

func (s *status) callbacks() serverv3.Callbacks {
	return serverv3.CallbackFuncs{
		StreamOpenFunc: func(_ context.Context, id int64, _ string) error {
			s.update(func() { s.acked[id] = map[string]string{} })
			s.log.Debug("xds: an Envoy connected")
			return nil
		},
		StreamClosedFunc: func(id int64, _ *corev3.Node) {
			s.update(func() { delete(s.acked, id) })
			s.log.Debug("xds: an Envoy disconnected")
		},
		StreamRequestFunc: func(id int64, r *discoveryv3.DiscoveryRequest) error {
			s.request(id, r)
			return nil
		},
	}
}

// request reads the two meanings of a DiscoveryRequest beside asking: with a nonce it acknowledges version_info, and
// with an error_detail it refuses what was sent (xDS protocol, "ACK/NACK and resource type instance version").
func (s *status) request(stream int64, r *discoveryv3.DiscoveryRequest) {
	kind := short(r.GetTypeUrl())
	if e := r.GetErrorDetail(); e != nil {
		s.log.Error("xds: Envoy refused the configuration and keeps what it runs", "type", kind, "reason", e.GetMessage())
		s.update(func() { s.refused[r.GetTypeUrl()] = e.GetMessage() })
		return
	}
	if r.GetResponseNonce() == "" {
		return
	}
	s.update(func() {
		if versions, ok := s.acked[stream]; ok {
			versions[r.GetTypeUrl()] = r.GetVersionInfo()
		}
		if s.want[r.GetTypeUrl()] == r.GetVersionInfo() {
			delete(s.refused, r.GetTypeUrl())
		}
	})
}

func (s *status) expect(snapshot *cachev3.Snapshot) {
	s.update(func() {
		for _, t := range append([]string{resourcev3.SecretType}, required...) {
			v := snapshot.GetVersion(t)
			if s.want[t] != v {
				delete(s.refused, t)
			}
			s.want[t] = v
		}
	})
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
	if len(s.want) == 0 {
		out = append(out, "there is no configuration yet")
	}
	if len(s.acked) == 0 {
		out = append(out, "no Envoy is connected")
	}
	for _, versions := range s.acked {
		for _, t := range required {
			if versions[t] != s.want[t] && s.refused[t] == "" {
				out = append(out, "an Envoy has not taken the current "+short(t)+" yet")
			}
		}
		if v, asked := versions[resourcev3.SecretType]; asked && v != s.want[resourcev3.SecretType] && s.refused[resourcev3.SecretType] == "" {
			out = append(out, "an Envoy has not taken the current Secret yet")
		}
	}
	sort.Strings(out)
	return out
}

func short(typeURL string) string { return typeURL[strings.LastIndexByte(typeURL, '.')+1:] }
