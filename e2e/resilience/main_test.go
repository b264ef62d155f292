// Package resilience holds the promises of what happens when something fails or changes: providers, clients, Envoy, the
// control plane, the configuration. Each file is one promise, against the whole program with a real Envoy.
//
// Times bound waits here, generously; only where a time is itself the promise is it compared, and then with a limit that
// a busy machine keeps.
package resilience

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// patience bounds every wait for something that is promised to happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// world is the gateway that tests share when they neither stop nor change it, and its providers.
type world struct {
	*harness.Gateway
	one, two *scripted
	ca       *harness.CA
}

var shared = harness.Shared(func(t harness.T) *world {
	w := &world{one: newScripted(t), two: newScripted(t), ca: harness.NewCA(t)}
	strangers := harness.NewCA(t)
	secure := harness.NewTLSProvider(t, w.ca, nil)
	other := harness.NewCertificateProvider(t, w.ca.Certificate(t, "other.example"), nil).URL
	named := func(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }
	w.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS":   "one,two,refused,nowhere,secure,stranger,othername,otheraddress,expired",
		"ONE_API_URL": w.one.URL, "ONE_API_KEY": "sk-one", "TWO_API_URL": w.two.URL, "TWO_API_KEY": "sk-two",
		"REFUSED_API_URL":   "http://127.0.0.1:" + harness.FreePort(t),
		"NOWHERE_API_URL":   "http://provider.invalid",
		"SECURE_API_URL":    named(secure.URL) + "/v1",
		"STRANGER_API_URL":  harness.NewTLSProvider(t, strangers, nil).URL,
		"OTHERNAME_API_URL": named(other), "OTHERADDRESS_API_URL": other,
		"EXPIRED_API_URL":    harness.NewCertificateProvider(t, w.ca.Expired(t, "localhost", "127.0.0.1"), nil).URL,
		"CLIENT_TLS_CA_PATH": w.ca.Path, "CLIENT_MAX_RETRIES": "2",
		"SERVER_MAX_REQUEST_BODY_SIZE": "10485760",
	})
	return w
})

// handler answers the nth request, from 1, for one model.
type handler func(n int, w http.ResponseWriter, r *http.Request)

// scripted is a provider that answers each model in the way that a test has set for it, so that tests can share it.
type scripted struct {
	*harness.Provider
	mu       sync.Mutex
	handlers map[string]handler
	counts   map[string]int
	next     int
}

func newScripted(t harness.T) *scripted {
	s := &scripted{handlers: map[string]handler{}, counts: map[string]int{}}
	s.Provider = harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		var h handler
		var n int
		for model, set := range s.handlers {
			if strings.Contains(string(body[:min(len(body), 1000)]), `"`+model+`"`) {
				s.counts[model]++
				h, n = set, s.counts[model]
			}
		}
		s.mu.Unlock()
		if h == nil {
			h = func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w, "plain") }
		}
		h(n, w, r)
	})
	return s
}

// on sets how a new model is answered, and gives its name.
func (s *scripted) on(h handler) (model string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	model = fmt.Sprintf("model-%d", s.next)
	s.handlers[model] = h
	return model
}

// attempts is how many requests for the model have arrived.
func (s *scripted) attempts(model string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[model]
}

func chat(model string) string { return `{"model":"` + model + `","messages":[]}` }

func chatStream(model string) string { return `{"model":"` + model + `","messages":[],"stream":true}` }

// answer is a small good answer that says who made it.
func answer(w http.ResponseWriter, who string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"`+who+`"}`)
}

// event sends one event at once.
func event(w http.ResponseWriter, data string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: "+data+"\n\n")
	w.(http.Flusher).Flush()
}

// hangUp cuts the connection with a reset.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// open is an answer that has begun.
type open struct {
	*http.Response
	lines *bufio.Reader
}

// start posts a chat request and returns when the answer has begun.
func start(t testing.TB, g *harness.Gateway, body string) *open {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := g.Client(t).Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &open{resp, bufio.NewReader(resp.Body)}
}

// event reads the next event's data.
func (o *open) event() (string, error) {
	for {
		line, err := o.lines.ReadString('\n')
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			return data, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// rest reads to the end. The error is nil only when the answer ended as HTTP says that it must.
func (o *open) rest() (string, error) {
	text, err := io.ReadAll(o.lines)
	return string(text), err
}

// upstreamError checks the gateway's own error about a provider: named, of the right shape, and without addresses.
func upstreamError(t testing.TB, r *harness.Response, status int, provider string) {
	t.Helper()
	assert.Equal(t, status, r.Status, "%s", r)
	e := r.Error()
	assert.Equal(t, "upstream_error", e.Type, "%s", r)
	assert.Contains(t, e.Message, "provider "+provider+" ")
	assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
	assert.NotEmpty(t, r.Header.Get("X-Request-Id"))
	all := fmt.Sprint(r.Header) + r.String()
	for _, inner := range []string{"127.0.0.1", "localhost", ".sock", "sk-", "delayed connect", "BoringSSL", "OPENSSL", "CERTIFICATE_VERIFY"} {
		assert.NotContains(t, all, inner)
	}
}
