package contract

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// speaking is a client of one protocol only.
func speaking(t *testing.T, set func(*http.Protocols)) *http.Client {
	t.Helper()
	client := harness.NewClient(t)
	p := &http.Protocols{}
	set(p)
	client.Transport.(*http.Transport).Protocols = p
	return client
}

func TestHTTP2WithoutTLSWorks(t *testing.T) {
	w := theWorld(t)
	client := speaking(t, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	for path, body := range map[string]string{"/v1/chat/completions": chat("own/good"), "/proxy/own/x": "{}", "/v1/chat/completions?provider=own": sized(maxBody)} {
		r, err := w.Try(t, client, http.MethodPost, path, body)
		if err != nil || r.Status != http.StatusOK || r.Proto != "HTTP/2.0" {
			t.Errorf("%s: %v %v", path, r, err)
		}
	}
	for _, body := range []string{"{", sized(maxBody + 1), sized(100 * maxBody)} {
		r, err := w.Try(t, client, http.MethodPost, "/v1/chat/completions", body)
		if err != nil || r.Status < 400 || r.Error().Message == "" {
			t.Errorf("%v %v", r, err)
		}
	}
}

func TestHTTPSWorksWithBothVersions(t *testing.T) {
	g := theKeyless(t)
	if !strings.HasPrefix(g.URL, "https://") {
		t.Fatalf("%s", g.URL)
	}
	for proto, set := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2.0": func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		r, err := g.Try(t, speaking(t, set), http.MethodPost, "/v1/chat/completions", chat("demo/echo"))
		if err != nil || r.Status != http.StatusOK || r.Proto != proto {
			t.Errorf("%s: %v %v", proto, r, err)
		}
	}
	for want, offer := range map[string][]string{"h2": {"h2", "http/1.1"}, "http/1.1": {"http/1.1"}, "": nil} {
		c, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true, NextProtos: offer})
		if err != nil {
			t.Errorf("%v: %v", offer, err)
			continue
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("%v: %q", offer, got)
		}
		c.Close()
	}
	if c, err := tls.Dial("tcp", g.Addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestAProviderIsVerified(t *testing.T) {
	trusted, other := harness.NewCA(t), harness.NewCA(t)
	good, bad := harness.NewTLSProvider(t, trusted, nil), harness.NewTLSProvider(t, other, nil)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "good,bad,misnamed", "CLIENT_TLS_CA_PATH": trusted.Path,
		"GOOD_API_URL": good.URL, "BAD_API_URL": bad.URL, "BAD_API_KEY": ownKey,
		"MISNAMED_API_URL": strings.Replace(good.URL, "127.0.0.1", "127.0.0.2", 1), "MISNAMED_API_KEY": ownKey,
	})
	if r := g.Chat(t, chat("good/x")); r.Status != http.StatusOK || good.Only(t).Proto != "HTTP/2.0" {
		t.Errorf("%d %s", r.Status, r)
	}
	for _, id := range []string{"bad", "misnamed"} {
		refused{http.StatusBadGateway, "upstream_error", "upstream_error", "", []string{id, "TLS"}}.check(t, g.Chat(t, chat(id+"/x")))
	}
	if len(bad.Requests()) > 0 || len(good.Requests()) > 1 {
		t.Error("a request went to a provider that was not verified")
	}
}

func TestTwoGatewaysLiveSideBySide(t *testing.T) {
	w := theWorld(t)
	other := harness.Start(t, harness.Env{})
	if r := other.Chat(t, chat("demo/echo")); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r)
	}
	if r := other.Chat(t, chat("own/good")); r.Status != http.StatusBadRequest {
		t.Errorf("%d %s", r.Status, r)
	}
	if r := harness.Run(t, harness.Env{"SERVER_PORT": strings.Split(other.Addr, ":")[1]}, "healthcheck"); r.Code != 0 {
		t.Errorf("healthcheck: %+v", r)
	}
	if code := other.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if r := w.Chat(t, chat("own/good")); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r)
	}
	if r := harness.Run(t, harness.Env{"SERVER_PORT": strings.Split(other.Addr, ":")[1]}, "healthcheck"); r.Code != 1 {
		t.Errorf("healthcheck of a stopped gateway: %+v", r)
	}
}

func TestJunkNeverKillsIt(t *testing.T) {
	w := theWorld(t)
	envoy := w.EnvoyPID()
	random := rand.New(rand.NewSource(1)) // the same junk each time
	seeds := []string{
		framed("/v1/chat/completions", chat("own/good"), "chunked"), framed("/proxy/own/x", chat("own/good"), "with its length"),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"GET /v1/models HTTP/1.0\r\n\r\n", "GET /" + strings.Repeat("a", 70_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 500) + "\r\n",
	}
	for i := range 150 {
		junk := []byte(seeds[i%len(seeds)])
		for range random.Intn(8) {
			junk[random.Intn(len(junk))] = byte(random.Intn(256))
		}
		if random.Intn(3) == 0 {
			junk = junk[:random.Intn(len(junk))]
		}
		c := w.Dial(t)
		c.Send(string(junk))
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, _ = io.CopyN(io.Discard, c.Reader(), 4096)
		c.Close()
	}
	if r := w.Chat(t, chat("own/good")); r.Status != http.StatusOK {
		t.Errorf("%d %s", r.Status, r)
	}
	if now := w.EnvoyPID(); now != envoy || !w.Running() {
		t.Errorf("Envoy was %d and is %d", envoy, now)
	}
}

func TestReplyToWhatIsNotHTTP(t *testing.T) {
	w := theWorld(t)
	for name, request := range map[string]string{
		"no HTTP":         "hello\r\n\r\n",
		"a long head":     "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 100_000) + "\r\n\r\n",
		"many headers":    "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n",
		"an underscore":   "GET /health HTTP/1.1\r\nHost: x\r\nX_a: b\r\n\r\n",
		"no host":         "GET /health HTTP/1.1\r\n\r\n",
		"an odd upgrade":  "GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"a control byte":  "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
		"two framings":    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"an odd encoding": "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := w.Dial(t)
			c.Send(request)
			r := c.Receive("GET")
			if r == nil {
				t.Fatal("no answer")
			}
			if r.Status < 400 || r.Status >= 500 && r.Status != 501 || r.Error().Message == "" || r.Header.Get("Content-Type") != "application/json" {
				t.Error(fmt.Sprint(r.Status, r.Header, r))
			}
		})
	}
}
