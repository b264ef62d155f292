// Package contract holds the gateway to what it promises its users, one file for each behaviour, by the whole program
// with a real Envoy and providers on real sockets.
package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The keys are markers: TestKeysAreSeenByNobodyElse looks for them in everything that the gateway gives away.
const (
	marker  = "KEYMARKER"
	ownKey  = marker + "-own-1f7c"
	antKey  = marker + "-ant-2e6d"
	hdrKey  = marker + "-hdr-3d5e"
	offKey  = marker + "-off-4c4f"
	maxBody = 64 << 10
)

// scripted is a provider that answers as the running test says.
type scripted struct {
	*harness.Provider
	script atomic.Pointer[http.HandlerFunc]
}

func newScripted(t harness.T) *scripted {
	s := &scripted{}
	s.Provider = harness.NewProvider(t, s.serve)
	return s
}

func (s *scripted) serve(w http.ResponseWriter, r *http.Request) {
	if f := s.script.Load(); f != nil && !strings.HasSuffix(r.URL.Path, "/models") {
		(*f)(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/models") {
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"good","object":"model","x_window":1.0e5},{"id":"@cf/meta/llama","object":"model"},{"id":"bad","object":"model"}]}`)
		return
	}
	_, _ = io.WriteString(w, `{"id":"1","object":"chat.completion","choices":[]}`)
}

// answers sets the answer for the rest of the test and forgets what has arrived.
func (s *scripted) answers(t *testing.T, f http.HandlerFunc) {
	t.Helper()
	s.Reset()
	s.script.Store(&f)
	t.Cleanup(func() { s.script.Store(nil) })
}

// world is the gateway that most tests share.
type world struct {
	*harness.Gateway
	own   *scripted         // bearer, below /base/v1
	ant   *scripted         // anthropic: x-api-key
	hdr   *scripted         // a header of its own
	bare  *scripted         // no credential
	sick  *harness.Provider // the demo provider with faults
	stray *scripted         // nobody configured it: nothing may ever arrive
}

var theWorld = harness.Shared(func(t harness.T) *world {
	w := &world{own: newScripted(t), ant: newScripted(t), hdr: newScripted(t), bare: newScripted(t), stray: newScripted(t)}
	w.sick = harness.NewDemo(t, demo.Options{Faults: true})
	w.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS":   "own,hdr,bare,sick,dead",
		"OWN_API_URL": w.own.URL + "/base/v1", "OWN_API_KEY": ownKey,
		"HDR_API_URL": w.hdr.URL + "/v1", "HDR_API_KEY": hdrKey, "HDR_AUTH": "header:x-own-secret",
		"BARE_API_URL": w.bare.URL + "/v1", "BARE_AUTH": "none",
		"SICK_API_URL":      w.sick.URL,
		"DEAD_API_URL":      "http://127.0.0.1:" + harness.FreePort(t) + "/v1",
		"ANTHROPIC_API_URL": w.ant.URL + "/v1", "ANTHROPIC_API_KEY": antKey,
		"GROQ_API_KEY": offKey, "GROQ_ENABLED": "false",
		"SERVER_MAX_REQUEST_BODY_SIZE":   fmt.Sprint(maxBody),
		"SERVER_READ_TIMEOUT":            "3s",
		"CLIENT_RESPONSE_HEADER_TIMEOUT": "3s",
	})
	return w
})

// restricted is a gateway with model lists.
type restricted struct {
	*harness.Gateway
	own *scripted
}

var theRestricted = harness.Shared(func(t harness.T) *restricted {
	r := &restricted{own: newScripted(t)}
	r.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS": "own", "OWN_API_URL": r.own.URL + "/v1", "OWN_API_KEY": ownKey,
		"ALLOWED_MODELS": "own/good*, @cf/*", "DISALLOWED_MODELS": "own/good-but-dear",
		"SERVER_MAX_REQUEST_BODY_SIZE": fmt.Sprint(maxBody),
	})
	return r
})

const hello = `"messages":[{"role":"user","content":"hello"}]`

func chat(model string) string { return `{"model":"` + model + `",` + hello + `}` }

// refused is what an error of the gateway must be.
type refused struct {
	status           int
	typ, code, param string
	says             []string // parts of the message, in any case
}

// check holds an answer to the shape of every error and to what is wanted of this one.
func (want refused) check(t *testing.T, r *harness.Response) {
	t.Helper()
	if r == nil {
		t.Error("no answer")
		return
	}
	if r.Status != want.status {
		t.Errorf("status %d, want %d: %s", r.Status, want.status, r)
	}
	if got := r.Header.Values("Content-Type"); len(got) != 1 || got[0] != "application/json" {
		t.Errorf("content-type %q", got)
	}
	if got := r.Header.Values("X-Request-Id"); len(got) != 1 || got[0] == "" {
		t.Errorf("x-request-id %q", got)
	}
	var shape map[string]map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &shape); err != nil || len(shape) != 1 || len(shape["error"]) != 4 {
		t.Errorf("the body is not an error object: %s", r)
		return
	}
	got := r.Error()
	if got.Type != want.typ || got.Code != want.code || got.Param != want.param {
		t.Errorf("type %q code %q param %q, want %q %q %q: %s", got.Type, got.Code, got.Param, want.typ, want.code, want.param, got.Message)
	}
	for _, part := range want.says {
		if !strings.Contains(strings.ToLower(got.Message), strings.ToLower(part)) {
			t.Errorf("the message does not say %q: %s", part, got.Message)
		}
	}
	for _, inner := range []string{".sock", "/tmp", "127.0.0.1", "goroutine", "grpc", marker, "%"} {
		if strings.Contains(got.Message, inner) {
			t.Errorf("the message tells %q: %s", inner, got.Message)
		}
	}
}

func invalid(param string, says ...string) refused {
	return refused{http.StatusBadRequest, "invalid_request_error", "invalid_request", param, says}
}

func notFound(says ...string) refused {
	return refused{http.StatusNotFound, "invalid_request_error", "not_found", "", says}
}

// untouched fails the test when anything has arrived at a provider.
func untouched(t *testing.T, providers ...*scripted) {
	t.Helper()
	for _, p := range providers {
		for _, r := range p.Requests() {
			t.Errorf("a provider got %s %s %s", r.Method, r.URI, r.Body)
		}
	}
}

// theKeyless is a gateway with nothing but a certificate: the demo provider over HTTPS.
var theKeyless = harness.Shared(func(t harness.T) *harness.Gateway {
	cert, key := harness.NewCA(t).Files(t, "localhost", "127.0.0.1")
	return harness.Start(t, harness.Env{"SERVER_TLS_CERT_PATH": cert, "SERVER_TLS_KEY_PATH": key})
})

func itoa(n int) string { return strconv.Itoa(n) }
