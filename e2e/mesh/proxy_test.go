package mesh

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
)

const patience = 30 * time.Second

var templates = template.Must(template.ParseGlob("testdata/*.yaml"))

// external is a provider's host as a ServiceEntry names it.
type external struct {
	Host      string
	HTTP2     bool // the DestinationRule asks for it
	Untrusted bool // the proxy does not trust who signed its certificate
}

// service is a host that is reached without TLS.
type service struct {
	Host    string
	Port    int
	Domains []string // further ones of its virtual host
}

var providers = []external{
	{Host: "api.openai.com"},
	{Host: "api.anthropic.com", HTTP2: true},
	{Host: "generativelanguage.googleapis.com"},
	{Host: "team.openai.azure.com"},
	{Host: "api.deepseek.com", Untrusted: true},
}

var services = []service{
	{Host: "reviews.shop.svc.cluster.local", Port: 9080, Domains: []string{"reviews", "reviews.shop"}},
	{Host: "ahead.models.svc.cluster.local", Port: 8000, Domains: []string{"ahead.models"}},
	{Host: "vllm.models.svc.cluster.local", Port: 8000, Domains: []string{"vllm.models"}},
	{Host: "istio-egressgateway.istio-egress.svc.cluster.local", Port: 80, Domains: []string{"api.mistral.ai"}},
}

// world is one Envoy with what it talks to. Listeners are added as tests need them.
type world struct {
	*harness.Process
	kind             string // of the listeners: outbound or egress
	dir              string
	external, inside *harness.Provider // with TLS, under all hosts of providers, and without
	mesh             *harness.CA       // signs workloads
	Cert, Key        string            // of an egress gateway
	JWKS, MeshCA     string
	Dir              string

	mu        sync.Mutex
	listeners []json.RawMessage
	version   int
}

// bootstrap is what the bootstraps' templates read.
type bootstrap struct {
	Dir                 string
	Providers           []external
	Services            []service
	TLSPort, PlainPort  string
	ProviderCA, OtherCA string
}

func startWorld(t harness.T, node, kind string) *world {
	t.Helper()
	dir := harness.TempDir(t)
	ca, other := harness.NewCA(t), harness.NewCA(t)
	hosts := make([]string, len(providers))
	for i, p := range providers {
		hosts[i] = p.Host
	}
	w := &world{
		kind: kind, dir: dir, Dir: dir, mesh: harness.NewCA(t),
		external: harness.NewCertificateProvider(t, ca.Certificate(t, hosts...), answer),
		inside:   harness.NewProvider(t, answer),
	}
	w.MeshCA = w.mesh.Path
	w.Cert, w.Key = harness.WritePair(t, dir, w.workload(t, "istio-egress", "istio-egressgateway-service-account"))
	w.JWKS = filepath.Join(dir, "jwks.json")
	w.file(t, "jwks.json", issuer.jwks)
	w.file(t, "lds.json", []byte(`{"version_info":"0","resources":[]}`))
	text := w.render(t, node, bootstrap{dir, providers, services, port(w.external), port(w.inside), ca.Path, other.Path})
	w.file(t, "bootstrap.yaml", text)
	w.Process = harness.StartProcess(t, harness.Env{}, harness.EnvoyBinary(t), "-c", filepath.Join(dir, "bootstrap.yaml"),
		"--disable-hot-restart", "--concurrency", "2", "--file-flush-interval-msec", "100", "--log-level", "warning")
	harness.Eventually(t, patience, "Envoy is there", func() bool {
		text, err := w.admin("/ready")
		return err == nil && strings.HasPrefix(text, "LIVE")
	})
	return w
}

var (
	sidecar = harness.Shared(func(t harness.T) *world { return startWorld(t, "sidecar.yaml", "outbound.yaml") })
	gateway = harness.Shared(func(t harness.T) *world { return startWorld(t, "gateway.yaml", "egress.yaml") })
)

func port(p *harness.Provider) string {
	_, port, _ := net.SplitHostPort(p.Listener.Addr().String())
	return port
}

func (w *world) admin(path string) (string, error) {
	return harness.AdminAt(filepath.Join(w.dir, "admin.sock"), "GET", path)
}

// stats are the lines of the statistics that a regular expression picks.
func (w *world) stats(t harness.T, filter string) string {
	t.Helper()
	text, err := w.admin("/stats?filter=" + url.QueryEscape(filter))
	if err != nil {
		t.Fatalf("statistics: %v", err)
	}
	return text
}

func (w *world) render(t harness.T, name string, data any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		t.Fatalf("%v", err)
	}
	return out.Bytes()
}

// file writes a file that Envoy may watch: it is moved into its place.
func (w *world) file(t harness.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatalf("%v", err)
	}
}

// plugin is a WasmPlugin and what a test changes of the listener that it is in.
type plugin struct {
	policy        string // YAML; or
	configuration string // the plugin's configuration as it is
	asStruct      bool   // sent as google.protobuf.Struct, not as the StringValue that istiod sends
	failure       string // failStrategy in Envoy's words: FAIL_CLOSED unless given
	module        string // another file
	vm            string // a virtual machine of its own, by this name

	HoldHeaders bool // allow_on_headers_stop_iteration
	BufferLimit int  // of the listener
	IdleTimeout string
	First       []string // filters before all others
	Usage       string   // a filter after the plugin that reads what answers say of tokens
	Principal   string   // that HBONE has told
}

// listener is a listener with the plugin in it. As a harness.Gateway it takes requests.
type listener struct {
	*harness.Gateway
	world *world
	name  string
	plugin
	Version int
}

// with adds a listener with a plugin of its own.
func (w *world) with(t *testing.T, p plugin) *listener {
	t.Helper()
	if p.IdleTimeout == "" {
		p.IdleTimeout = "0s" // as istiod has it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	l := &listener{world: w, plugin: p, name: "shop.llm-policy-" + strconv.Itoa(w.version)}
	l.configure(t, p)
	text := w.render(t, w.kind, struct {
		*world
		plugin
		Name      string
		Providers []external
		Services  []service
	}{w, p, l.name, providers, services})
	one, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var fields map[string]any
	if err := json.Unmarshal(one, &fields); err != nil {
		t.Fatalf("%v", err)
	}
	fields["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener"
	one, _ = json.Marshal(fields)
	w.listeners = append(w.listeners, one)
	all, _ := json.Marshal(map[string]any{"version_info": strconv.Itoa(w.version), "resources": w.listeners})
	w.file(t, "lds.json", all)
	at := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(l.name) + `::(\S+)$`)
	harness.Eventually(t, patience, "Envoy listens for "+l.name, func() bool {
		text, err := w.admin("/listeners")
		found := at.FindStringSubmatch(text)
		if err != nil || found == nil {
			return false
		}
		l.Gateway = &harness.Gateway{URL: "http://" + found[1], Addr: found[1]}
		c, err := net.DialTimeout("tcp", found[1], time.Second)
		return err == nil && c.Close() == nil
	})
	return l
}

// number tells requests apart: tests share what they talk to.
var number atomic.Int64

// ask posts a request, and gives the answer and what has arrived behind the proxy.
func (l *listener) ask(t *testing.T, path, body string, headers ...string) (*harness.Response, []harness.Request) {
	t.Helper()
	return l.askAs(t, l.Client(t), path, body, headers...)
}

// askAs is ask with a client of its own.
func (l *listener) askAs(t *testing.T, client *http.Client, path, body string, headers ...string) (*harness.Response, []harness.Request) {
	t.Helper()
	id := strconv.FormatInt(number.Add(1), 10)
	r, err := l.Try(t, client, http.MethodPost, path, body, append(headers, "X-Id: "+id)...)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r, l.world.arrived(id)
}

// arrived are the requests with that number.
func (w *world) arrived(id string) []harness.Request {
	all := w.external.Requests()
	if w.inside != nil {
		all = append(all, w.inside.Requests()...)
	}
	return slices.DeleteFunc(all, func(r harness.Request) bool { return r.Header.Get("X-Id") != id })
}

// configure gives the plugin what it is to be from now on, as a push of istiod would.
func (l *listener) configure(t harness.T, p plugin) {
	t.Helper()
	l.Version++
	raw := []byte(p.configuration)
	if p.configuration == "" {
		raw = []byte(configuration(t, p.policy))
	}
	wrapped := map[string]any{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": string(raw)}
	if p.asStruct {
		wrapped = map[string]any{"@type": "type.googleapis.com/google.protobuf.Struct", "value": json.RawMessage(raw)}
	}
	configuration, err := json.Marshal(wrapped)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if p.failure == "" {
		p.failure = "FAIL_CLOSED"
	}
	if p.module == "" {
		p.module = harness.Module(t)
	}
	l.world.file(t, l.name+".ecds.yaml", l.world.render(t, "plugin.yaml", map[string]any{
		"Version": l.Version, "Name": l.name, "FailurePolicy": p.failure, "HoldHeaders": p.HoldHeaders,
		"Configuration": string(configuration), "Module": p.module, "VM": p.vm,
	}))
}

// configuration is what Istio makes of a pluginConfig that holds the policy.
func configuration(t harness.T, policy string) string {
	t.Helper()
	text, err := policyfile.Read("policy", []byte(policy))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return `{"policy":` + string(text) + `}`
}

// host is the header that says where a request goes.
func host(name string) string { return "Host: " + name }

func spiffe(namespace, account string) string {
	return "spiffe://cluster.local/ns/" + namespace + "/sa/" + account
}

func withURI(text string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, _ := url.Parse(text)
		c.URIs = []*url.URL{u}
	}
}
