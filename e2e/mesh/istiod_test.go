package mesh

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// istio is where `make test-istio` has put Istio's own programs.
func istio(t *testing.T, program string) string {
	t.Helper()
	dir := os.Getenv("ISTIO_BIN")
	if dir == "" {
		t.Skip("needs Istio's programs: run `make test-istio`")
	}
	return filepath.Join(dir, program)
}

// Istio's own validation takes every manifest: no field is there that its API does not have.
func TestIstioTakesTheManifests(t *testing.T) {
	istioctl := istio(t, "istioctl")
	for _, dir := range []string{"sidecar", "egress-gateway", "options"} {
		files, err := filepath.Glob(filepath.Join(harness.Root(), "deploy", "istio", dir, "*.yaml"))
		require.NoError(t, err)
		var together []string
		for _, file := range files {
			if filepath.Base(file) == "cases.yaml" {
				continue
			}
			together = append(together, file)
			out, err := exec.Command(istioctl, "validate", "-f", file).CombinedOutput()
			assert.NoError(t, err, "%s", out)
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "* ") {
					assert.Contains(t, line, "EnvoyFilter exposes internal implementation details", file)
				}
			}
		}
		out, err := exec.Command(istioctl, append([]string{"analyze", "--use-kube=false", "--failure-threshold", "Warning"}, together...)...).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	}
}

// plane is a real istiod, which reads deploy/istio and pushes to Envoys.
type plane struct {
	*harness.Process
	dir, xds, sds string
	external      *harness.Provider
	ca            *harness.CA // of the mesh
	ports         map[int]string
	gateway       *harness.Process // at the egress
}

// startPlane starts istiod with the manifests and some more objects. It has no cluster, only what stands for the API of one.
func startPlane(t *testing.T, more string, files ...string) *plane {
	t.Helper()
	discovery := istio(t, "pilot-discovery")
	providerCA := harness.NewCA(t)
	free := freePorts(t, 4)
	p := &plane{
		dir: harness.TempDir(t), ca: harness.NewCA(t), xds: free[0],
		external: harness.NewCertificateProvider(t, providerCA.Certificate(t, "api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"), answer),
		ports:    map[int]string{80: free[1], 443: free[2], 8080: free[3]},
	}
	p.sds = serveSecrets(t, p.dir, p.ca, providerCA)
	texts := strings.Split(more, "\n---\n")
	for _, file := range files {
		texts = append(texts, strings.Split(string(manifest(t, file)), "\n---\n")...)
	}
	objects := make([][]byte, len(texts))
	for i, text := range texts {
		objects[i] = p.local(t, text)
	}
	api := serveObjects(t, objects)
	p.write(t, "mesh.yaml", "{enableAutoMtls: false, trustDomain: cluster.local, rootNamespace: istio-system, defaultConfig: {},\n"+
		`accessLogFile: /dev/stdout, accessLogFormat: "LOG %FILTER_STATE(wasm.igw_policy:PLAIN)% / %DYNAMIC_METADATA(igw.policy:rule)% %DYNAMIC_METADATA(igw.policy:outcome)%\n"}`)
	p.write(t, "networks.yaml", "networks: {}\n")
	p.write(t, "kubeconfig", `{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":{"server":"`+api+
		`"}}],"users":[{"name":"u","user":{}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"current-context":"c"}`)
	at := func(name string) string { return filepath.Join(p.dir, name) }
	p.Process = harness.StartProcess(t, harness.Env{
		// Filters that only Istio's build of Envoy has, and what needs a cluster.
		"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_TELEMETRY_LABEL": "false",
		"PILOT_ENABLE_QUIC_LISTENERS": "false", "KUBE_FEATURE_WatchListClient": "false", "ENABLE_CA_SERVER": "false",
		"PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION": "false", "PILOT_ENABLE_IP_AUTOALLOCATE": "false", "INJECT_ENABLED": "false", "VALIDATION_ENABLED": "false",
		"ROOT_CA_DIR": p.dir, "POD_NAMESPACE": "istio-system", "TMPDIR": p.dir,
	}, discovery, "discovery", "--registries=Kubernetes", "--kubeconfig", at("kubeconfig"), "--meshConfig", at("mesh.yaml"),
		"--networksConfig", at("networks.yaml"), "--httpAddr", "127.0.0.1:0", "--httpsAddr", "", "--grpcAddr", "127.0.0.1:"+p.xds,
		"--secureGRPCAddr", "", "--log_output_level", "all:warn", "--monitoringAddr", "127.0.0.1:0", "--ctrlz_port", "0")
	harness.Eventually(t, 2*patience, "istiod serves", func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+p.xds, time.Second)
		return err == nil && c.Close() == nil
	})
	return p
}

// freePorts are different ones, on which nobody listens a moment later.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

func (p *plane) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
}

// local changes what no test on one machine can have: the module comes from a file, providers are on the loopback address,
// and ports are free ones.
func (p *plane) local(t *testing.T, object string) []byte {
	t.Helper()
	var o map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(object), &o))
	spec := o["spec"].(map[string]any)
	switch o["kind"] {
	case "WasmPlugin":
		spec["url"] = "file://" + harness.Module(t)
		delete(spec, "imagePullPolicy")
	case "ServiceEntry":
		if spec["resolution"] == "DNS" {
			spec["resolution"] = "STATIC"
			to := map[string]any{}
			for _, one := range spec["ports"].([]any) {
				delete(one.(map[string]any), "targetPort")
				to[one.(map[string]any)["name"].(string)] = json.Number(port(p.external))
			}
			spec["endpoints"] = []any{map[string]any{"address": "127.0.0.1", "ports": to}}
		}
	case "Gateway":
		for _, server := range spec["servers"].([]any) {
			server.(map[string]any)["bind"] = "127.0.0.5"
		}
	case "EnvoyFilter":
		code := regexp.MustCompile(`(?s)code:\n *remote:.*?sha256: "0+"`)
		object = code.ReplaceAllString(object, `code: {local: {filename: "`+harness.Module(t)+`"}}`)
		require.NoError(t, yaml.Unmarshal([]byte(object), &o))
	}
	out, err := yaml.Marshal(o)
	require.NoError(t, err)
	text := string(out)
	for from, to := range p.ports {
		text = regexp.MustCompile(`(?m)\b(number|port|targetPort): `+strconv.Itoa(from)+`$`).ReplaceAllString(text, "${1}: "+to)
	}
	return []byte(text)
}

// proxy starts a stock Envoy that gets everything from istiod and its certificate from what stands for Istio's agent.
func (p *plane) proxy(t *testing.T, role, address, namespace, account string, labels map[string]string) *harness.Process {
	t.Helper()
	id := role + "~" + address + "~" + account + "." + namespace + "~" + namespace + ".svc.cluster.local"
	admin := filepath.Join(p.dir, account+".sock")
	text, err := json.Marshal(map[string]any{
		"node": map[string]any{"id": id, "cluster": account + "." + namespace, "metadata": map[string]any{
			"NAMESPACE": namespace, "NAME": account, "SERVICE_ACCOUNT": account, "WORKLOAD_NAME": account, "LABELS": labels,
			"ISTIO_VERSION": "1.31.0", "CLUSTER_ID": "Kubernetes", "MESH_ID": "cluster.local", "INTERCEPTION_MODE": "NONE",
		}},
		"admin": map[string]any{"address": map[string]any{"pipe": map[string]any{"path": admin}}},
		"dynamic_resources": json.RawMessage(`{
			"ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true, "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]},
			"cds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
			"lds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}}`),
		"static_resources": map[string]any{"clusters": []any{
			grpcCluster("xds-grpc", `{"socket_address": {"address": "127.0.0.1", "port_value": `+p.xds+`}}`),
			grpcCluster("sds-grpc", `{"pipe": {"path": "`+p.sds+`"}}`),
		}},
	})
	require.NoError(t, err)
	p.write(t, account+".json", string(text))
	return harness.StartProcess(t, harness.Env{}, harness.EnvoyBinary(t), "-c", filepath.Join(p.dir, account+".json"),
		"--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--file-flush-interval-msec", "100")
}

func grpcCluster(name, address string) json.RawMessage {
	return json.RawMessage(`{"name": "` + name + `", "type": "STATIC", "connect_timeout": "5s",
		"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
			"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http2_protocol_options": {}}}},
		"load_assignment": {"cluster_name": "` + name + `", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": ` + address + `}}]}]}}`)
}

// listens waits until a proxy has its listener and gives what sends requests there.
func (p *plane) listens(t *testing.T, account string, port int, address string) *listener {
	t.Helper()
	at := net.JoinHostPort(address, p.ports[port])
	harness.Eventually(t, 2*patience, account+" listens on "+at, func() bool {
		c, err := net.DialTimeout("tcp", at, time.Second)
		return err == nil && c.Close() == nil
	})
	return &listener{world: &world{external: p.external, mesh: p.ca}, Gateway: &harness.Gateway{URL: "http://" + at, Addr: at}}
}

// admin asks a proxy's admin interface.
func (p *plane) admin(t *testing.T, account, path string) string {
	t.Helper()
	text, err := harness.AdminAt(filepath.Join(p.dir, account+".sock"), http.MethodGet, path)
	require.NoError(t, err)
	return text
}
