package examples

import (
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestRequestsSh(t *testing.T) {
	g := gateway(t)
	cmd := exec.Command("bash", "examples/rest/requests.sh")
	cmd.Dir = harness.Root()
	cmd.Env = g.environ("GATEWAY=" + g.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"chat.completion"`, "data: [DONE]", `"embedding"`, "### POST /v1/responses", "### POST /v1/messages"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s does not appear in\n%s", want, out)
		}
	}
}

var (
	answers     = regexp.MustCompile(`(?m)^# answers (\d{3})$`)
	requestLine = regexp.MustCompile(`(?m)^(GET|POST) \{\{gateway\}\}(\S+)$`)
)

func TestRequestsHTTP(t *testing.T) {
	g := gateway(t)
	requests := strings.Split(read(t, "examples/rest/requests.http"), "\n### ")
	if !strings.Contains(requests[0], "@gateway = "+documented+"\n") {
		t.Error("the gateway's address is not the documented one")
	}
	if len(requests) < 15 {
		t.Errorf("only %d requests were found", len(requests)-1)
	}
	for _, text := range requests[1:] {
		name, _, _ := strings.Cut(text, "\n")
		t.Run(name, func(t *testing.T) {
			status, line := answers.FindStringSubmatch(text), requestLine.FindStringSubmatch(text)
			if status == nil || line == nil {
				t.Fatalf("this is no request with its answer:\n%s", text)
			}
			_, body, _ := strings.Cut(text, "\n\n")
			got := g.Do(t, line[1], line[2], strings.TrimSpace(body))
			if want := status[1]; strconv.Itoa(got.Status) != want {
				t.Errorf("status %d (%s), wanted %s:\n%s", got.Status, http.StatusText(got.Status), want, got)
			}
		})
	}
}
