package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// defaultDrain is what docs/configuration.md says of SERVER_DRAIN_TIMEOUT.
func defaultDrain(t *testing.T) time.Duration {
	t.Helper()
	m := regexp.MustCompile("`SERVER_DRAIN_TIMEOUT` \\| `(\\w+)`").FindStringSubmatch(read(t, "docs/configuration.md"))
	if m == nil {
		t.Fatal("docs/configuration.md does not have SERVER_DRAIN_TIMEOUT")
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// imageUser and imagePort are what the Dockerfile says.
func imageUser(t *testing.T) string { return dockerfile(t, `(?m)^USER (\d+):`) }
func imagePort(t *testing.T) string { return dockerfile(t, `(?m)^EXPOSE (\d+)$`) }

func dockerfile(t *testing.T, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, "Dockerfile"))
	if m == nil {
		t.Fatalf("the Dockerfile has no %s", pattern)
	}
	return m[1]
}

func TestImageUserIsNotRoot(t *testing.T) {
	if u := imageUser(t); u == "0" {
		t.Error("the image runs as root")
	}
}

func TestCompose(t *testing.T) {
	const dir = "examples/docker-compose"
	var file struct {
		Services map[string]struct {
			Build           string            `json:"build"`
			Image           string            `json:"image"`
			Ports           []string          `json:"ports"`
			Environment     map[string]string `json:"environment"`
			Volumes         []string          `json:"volumes"`
			ExtraHosts      []string          `json:"extra_hosts"`
			ReadOnly        bool              `json:"read_only"`
			Tmpfs           []string          `json:"tmpfs"`
			CapDrop         []string          `json:"cap_drop"`
			SecurityOpt     []string          `json:"security_opt"`
			Restart         string            `json:"restart"`
			StopGracePeriod string            `json:"stop_grace_period"`
		} `json:"services"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, dir+"/compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	s := file.Services["gateway"]
	if _, err := os.Stat(filepath.Join(harness.Root(), dir, s.Build, "Dockerfile")); err != nil {
		t.Errorf("build: %v", err)
	}
	port := imagePort(t)
	if want := "127.0.0.1:8080:" + port; len(s.Ports) != 1 || s.Ports[0] != want {
		t.Errorf("ports are %q, wanted %s", s.Ports, want)
	}
	if d, err := time.ParseDuration(s.StopGracePeriod); err != nil || d < defaultDrain(t)+5*time.Second {
		t.Errorf("stop_grace_period %s is too short to drain (%v)", s.StopGracePeriod, err)
	}
	from, to, _ := strings.Cut(strings.TrimSuffix(s.Volumes[0], ":ro"), ":")
	name := strings.TrimPrefix(s.Environment["GATEWAY_ENV_FILE"], to+"/")
	validate(t, read(t, filepath.ToSlash(filepath.Join(dir, from, name))))
	if !s.ReadOnly || len(s.Tmpfs) != 1 || s.Tmpfs[0] != "/tmp" {
		t.Error("a read-only file system needs a /tmp for the sockets")
	}

	if _, err := exec.LookPath("docker"); err != nil {
		return
	}
	cmd := exec.Command("docker", "compose", "--file", filepath.Join(harness.Root(), dir, "compose.yaml"), "config", "--quiet")
	if exec.Command("docker", "compose", "version").Run() == nil {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("docker compose config: %v\n%s", err, out)
		}
	}
}

// object is what the test reads of a Kubernetes object.
type object struct {
	Kind       string            `json:"kind"`
	StringData map[string]string `json:"stringData"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Selector map[string]any `json:"selector"`
		Ports    []struct {
			TargetPort any `json:"targetPort"`
		} `json:"ports"`
		Ingress []struct {
			Ports []struct {
				Port any `json:"port"`
			} `json:"ports"`
		} `json:"ingress"`
		Template struct {
			Metadata struct {
				Labels map[string]any `json:"labels"`
			} `json:"metadata"`
			Spec pod `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

type pod struct {
	Grace           int `json:"terminationGracePeriodSeconds"`
	SecurityContext struct {
		RunAsNonRoot bool `json:"runAsNonRoot"`
		RunAsUser    int  `json:"runAsUser"`
	} `json:"securityContext"`
	Containers []struct {
		Args []string `json:"args"`
		Env  []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"env"`
		Ports []struct {
			Name          string `json:"name"`
			ContainerPort int    `json:"containerPort"`
		} `json:"ports"`
		Resources struct {
			Limits struct {
				Memory string `json:"memory"`
			} `json:"limits"`
		} `json:"resources"`
		Startup      probe `json:"startupProbe"`
		Readiness    probe `json:"readinessProbe"`
		Liveness     probe `json:"livenessProbe"`
		VolumeMounts []struct {
			Name      string `json:"name"`
			MountPath string `json:"mountPath"`
			SubPath   string `json:"subPath"`
		} `json:"volumeMounts"`
	} `json:"containers"`
	Volumes []struct {
		Name   string `json:"name"`
		Secret struct {
			SecretName string `json:"secretName"`
		} `json:"secret"`
	} `json:"volumes"`
}

type probe struct {
	HTTPGet struct {
		Path string `json:"path"`
		Port any    `json:"port"`
	} `json:"httpGet"`
}

func TestKubernetes(t *testing.T) {
	objects := map[string]object{}
	for _, doc := range strings.Split(read(t, "examples/kubernetes/gateway.yaml"), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if _, twice := objects[o.Kind]; twice || o.Metadata.Name == "" {
			t.Errorf("%s %q: a second one, or one without a name", o.Kind, o.Metadata.Name)
		}
		objects[o.Kind] = o
	}
	p := objects["Deployment"].Spec.Template.Spec
	if len(p.Containers) != 1 {
		t.Fatalf("%d containers", len(p.Containers))
	}
	c := p.Containers[0]
	env := harness.Env{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	port := env["SERVER_PORT"]
	if len(c.Ports) != 2 || fmt.Sprint(c.Ports[0].ContainerPort) != port || port != imagePort(t) || fmt.Sprint(c.Ports[1].ContainerPort) != env["SERVER_PROBE_PORT"] {
		t.Errorf("the container's ports %v are not SERVER_PORT %s, the image's %s, and SERVER_PROBE_PORT", c.Ports, port, imagePort(t))
	}
	for _, want := range []struct {
		path  string
		port  int
		probe probe
	}{{"/ready", 0, c.Startup}, {"/ready", 0, c.Readiness}, {"/health", 1, c.Liveness}} {
		if want.probe.HTTPGet.Path != want.path || want.probe.HTTPGet.Port != c.Ports[want.port].Name {
			t.Errorf("a probe is %+v, wanted %s", want.probe, want.path)
		}
		if got := gateway(t).Do(t, "GET", want.probe.HTTPGet.Path, ""); got.Status != 200 {
			t.Errorf("%s answers %d", want.path, got.Status)
		}
	}
	service := objects["Service"].Spec
	if service.Ports[0].TargetPort != c.Ports[0].Name {
		t.Errorf("the Service leads to %v", service.Ports[0].TargetPort)
	}
	if got, want := fmt.Sprint(service.Selector), fmt.Sprint(objects["Deployment"].Spec.Template.Metadata.Labels); got != want {
		t.Errorf("the Service selects %s, the pods are %s", got, want)
	}
	if got := fmt.Sprint(objects["NetworkPolicy"].Spec.Ingress[0].Ports[0].Port); got != port {
		t.Errorf("the NetworkPolicy admits port %s", got)
	}
	if s := p.SecurityContext; !s.RunAsNonRoot || fmt.Sprint(s.RunAsUser) != imageUser(t) {
		t.Errorf("the pod runs as %+v, the image as %s", s, imageUser(t))
	}
	if least := int(defaultDrain(t).Seconds()) + 10; p.Grace < least {
		t.Errorf("terminationGracePeriodSeconds is %d, draining takes up to %d", p.Grace, least)
	}
	// The rest is for Envoy's other memory and for the Go process.
	gibibytes, err := strconv.Atoi(strings.TrimSuffix(c.Resources.Limits.Memory, "Gi"))
	if heap, _ := strconv.Atoi(env["ENVOY_MAX_HEAP"]); err != nil || heap == 0 || heap > gibibytes<<30*2/3 {
		t.Errorf("ENVOY_MAX_HEAP is %d, and the kernel ends the container at %s", heap, c.Resources.Limits.Memory)
	}
	checkEnvFile(t, p, objects["Secret"], env)
}

// checkEnvFile follows GATEWAY_ENV_FILE through mount and volume to the Secret, and has the gateway judge it.
func checkEnvFile(t *testing.T, p pod, secret object, env harness.Env) {
	t.Helper()
	dir, name := filepath.Split(env["GATEWAY_ENV_FILE"])
	for _, m := range p.Containers[0].VolumeMounts {
		if m.MountPath+"/" != dir {
			continue
		}
		if m.SubPath != "" {
			t.Error("a subPath is never updated")
		}
		for _, v := range p.Volumes {
			if v.Name == m.Name && v.Secret.SecretName == secret.Metadata.Name {
				text, ok := secret.StringData[name]
				if !ok {
					t.Errorf("the Secret has no %s", name)
				}
				validate(t, text)
				delete(env, "GATEWAY_ENV_FILE")
				if r := harness.Run(t, env, "validate"); r.Code != 0 || r.Stderr != "" {
					t.Errorf("the container's environment: exit code %d: %s", r.Code, r.Stderr)
				}
				return
			}
		}
	}
	t.Errorf("%s is not mounted from the Secret", env["GATEWAY_ENV_FILE"])
}
