package xds

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience bounds every wait. It is long because the machine may be busy; nothing is measured by it.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// control is a Server behind a real gRPC server on a Unix socket.
type control struct {
	*Server
	path string
	log  *output
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{path: filepath.Join(t.TempDir(), "xds.sock"), log: &output{}}
	c.Server = NewServer(slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	l, err := net.Listen("unix", c.path)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	g := grpc.NewServer()
	c.Register(ctx, g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		cancel()
		g.Stop()
		require.NoError(t, <-served)
	})
	return c
}

// settled waits for Settled with the tests' patience.
func (c *control) settled(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c.Settled(ctx)
}

// output collects the log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// fakeEnvoy speaks the incremental variant of ADS as Envoy does: one stream, one subscription for each type.
type fakeEnvoy struct {
	t         *testing.T
	stream    discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	end       context.CancelFunc
	responses chan *discoveryv3.DeltaDiscoveryResponse
	waiting   []*discoveryv3.DeltaDiscoveryResponse // that nobody has asked for yet
}

// connect opens the stream. It ends with hangUp or with the test.
func connect(t *testing.T, path string) *fakeEnvoy {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	require.NoError(t, err)
	e := &fakeEnvoy{t: t, stream: stream, responses: make(chan *discoveryv3.DeltaDiscoveryResponse, 64)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			r, err := stream.Recv()
			if err != nil {
				return
			}
			e.responses <- r
		}
	}()
	e.end = sync.OnceFunc(func() {
		cancel()
		<-ended
		_ = conn.Close()
	})
	t.Cleanup(e.end)
	return e
}

func (e *fakeEnvoy) hangUp() { e.end() }

func (e *fakeEnvoy) send(r *discoveryv3.DeltaDiscoveryRequest) {
	e.t.Helper()
	require.NoError(e.t, e.stream.Send(r))
}

// subscribe asks for the named resources, or for all of the type when none is named.
func (e *fakeEnvoy) subscribe(typeURL string, names ...string) {
	e.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "test"}, TypeUrl: typeURL, ResourceNamesSubscribe: names})
}

// resubscribe is subscribe after a lost connection: it tells what is still running.
func (e *fakeEnvoy) resubscribe(typeURL string, held map[string]string, names ...string) {
	e.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{
		Node: &corev3.Node{Id: "test"}, TypeUrl: typeURL, ResourceNamesSubscribe: names, InitialResourceVersions: held,
	})
}

// next waits for a response of the type.
func (e *fakeEnvoy) next(typeURL string) *discoveryv3.DeltaDiscoveryResponse {
	e.t.Helper()
	for i, r := range e.waiting {
		if r.GetTypeUrl() == typeURL {
			e.waiting = slices.Delete(e.waiting, i, i+1)
			return r
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case r := <-e.responses:
			if r.GetTypeUrl() == typeURL {
				return r
			}
			e.waiting = append(e.waiting, r)
		case <-timeout:
			require.FailNow(e.t, "no response", "of type %s", typeURL)
		}
	}
}

func (e *fakeEnvoy) ack(r *discoveryv3.DeltaDiscoveryResponse) {
	e.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()})
}

func (e *fakeEnvoy) nack(r *discoveryv3.DeltaDiscoveryResponse, words string) {
	e.t.Helper()
	e.send(&discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(), ErrorDetail: &rpcstatus.Status{Code: 13, Message: words},
	})
}

// takeAll subscribes to every type that Envoy asks for at once and acknowledges what comes.
func (e *fakeEnvoy) takeAll() {
	e.t.Helper()
	for _, typeURL := range required {
		e.subscribe(typeURL, subscriptions[typeURL]...)
		e.ack(e.next(typeURL))
	}
}

// subscriptions are the names that Envoy asks for: none, which is all, of what it lists itself; routes by name.
var subscriptions = map[string][]string{required[2]: {"route"}}

// names of the resources in a response, sorted.
func names(r *discoveryv3.DeltaDiscoveryResponse) []string {
	var out []string
	for _, resource := range r.GetResources() {
		out = append(out, resource.GetName())
	}
	slices.Sort(out)
	return out
}

// config is what the tests push: a snapshot in short.
type config struct {
	clusters []string
	listener string // its statistics prefix, which is content that can change
	secrets  map[string]string
}

// snapshot gives each type a version that follows from its content, as the real ones have.
func (c config) snapshot() *cachev3.Snapshot {
	var clusters, secrets []cachetypes.Resource
	for _, name := range c.clusters {
		clusters = append(clusters, &clusterv3.Cluster{Name: name})
	}
	version := ""
	for _, name := range slices.Sorted(maps.Keys(c.secrets)) {
		version += name + "=" + c.secrets[name] + " "
		secrets = append(secrets, &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
			Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: c.secrets[name]}},
		}}})
	}
	s := &cachev3.Snapshot{}
	s.Resources[cachetypes.Cluster] = cachev3.NewResources(strings.Join(c.clusters, " "), clusters)
	s.Resources[cachetypes.Listener] = cachev3.NewResources(c.listener, []cachetypes.Resource{&listenerv3.Listener{Name: "listener", StatPrefix: c.listener}})
	s.Resources[cachetypes.Route] = cachev3.NewResources("route", []cachetypes.Resource{&routev3.RouteConfiguration{Name: "route"}})
	s.Resources[cachetypes.Secret] = cachev3.NewResources(version, secrets)
	return s
}
