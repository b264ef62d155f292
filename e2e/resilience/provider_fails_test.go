package resilience

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

func TestAProviderThatCannotBeReachedIsA502WithItsName(t *testing.T) {
	t.Parallel()
	g := shared(t)
	for _, id := range []string{"refused", "nowhere", "stranger", "othername", "otheraddress", "expired"} {
		t.Run(id, func(t *testing.T) {
			upstreamError(t, g.Chat(t, chat(id+"/m")), http.StatusBadGateway, id)
			upstreamError(t, g.Do(t, http.MethodGet, "/proxy/"+id+"/v1/files", ""), http.StatusBadGateway, id)
		})
	}
}

func TestAnHTTPSProviderOfAnOwnAuthorityIsCalledOverHTTP2(t *testing.T) {
	t.Parallel()
	r := shared(t).Chat(t, chat("secure/m"))
	assert.Equal(t, http.StatusOK, r.Status)
	assert.JSONEq(t, `{"ok":true}`, r.String())
}

// A name with two families of addresses, of which one is dead, costs nothing: the other is tried at once, within the attempt.
// The test says something where localhost is also ::1.
func TestADeadFamilyOfAddressesCostsNoAttempt(t *testing.T) {
	t.Parallel()
	one, ca := newScripted(t), harness.NewCA(t)
	secure := harness.NewTLSProvider(t, ca, func(w http.ResponseWriter, _ *http.Request) { answer(w, "secure") })
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one,secure", "CLIENT_MAX_RETRIES": "0", "CLIENT_TLS_CA_PATH": ca.Path,
		"ONE_API_URL":    strings.Replace(one.URL, "127.0.0.1", "localhost", 1),
		"SECURE_API_URL": strings.Replace(secure.URL, "127.0.0.1", "localhost", 1),
	})
	model := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // so that each request has to connect
		answer(w, "one")
	})
	for range 20 {
		r := g.Chat(t, chat("one/"+model))
		assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	}
	r := g.Chat(t, chat("secure/m"))
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
}

// Of the replicas behind a name, one that takes no connections is left out for a while. Names below localhost are this machine by
// both families (RFC 6761), and here one of them serves; a retry would hide the other one.
func TestAReplicaThatTakesNoConnectionsIsLeftOut(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": strings.Replace(one.URL, "127.0.0.1", "replicas.localhost", 1), "CLIENT_MAX_RETRIES": "0",
	})
	harness.Eventually(t, patience, "many requests in a row are answered", func() bool {
		for range 6 {
			if g.Chat(t, chat("one/m")).Status != http.StatusOK {
				return false
			}
		}
		return true
	})
	assert.Regexp(t, `enforced_consecutive_local_origin_failure: [1-9]`, g.Admin(t, http.MethodGet, "/stats?filter=provider/one.outlier"))
}

func TestAResetBeforeTheAnswerIsTriedAgainAndThenA502(t *testing.T) {
	t.Parallel()
	g := shared(t)
	always := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	upstreamError(t, g.Chat(t, chat("one/"+always)), http.StatusBadGateway, "one")
	assert.Equal(t, 3, g.one.attempts(always), "one try and CLIENT_MAX_RETRIES more")

	twice := g.one.on(func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= 2 {
			hangUp(w)
			return
		}
		answer(w, "third")
	})
	r := g.Chat(t, chat("one/"+twice))
	assert.Equal(t, http.StatusOK, r.Status)
	assert.JSONEq(t, `{"id":"third"}`, r.String())
}

// What is no HTTP ends in an error that says where to look.
func TestAProviderThatSpeaksSomethingElseIsA502(t *testing.T) {
	t.Parallel()
	g := shared(t)
	for name, says := range map[string]string{
		"a banner":      "SSH-2.0-OpenSSH_9.2p1\r\n",
		"an alert":      "\x15\x03\x01\x00\x02\x02\x16",
		"an older HTTP": "<html></html>",
	} {
		t.Run(name, func(t *testing.T) {
			model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if assert.NoError(t, err) {
					_, _ = io.WriteString(conn, says)
					_, _ = io.Copy(io.Discard, conn) // it is the gateway that ends this
					_ = conn.Close()
				}
			})
			for _, r := range []*harness.Response{
				g.Chat(t, chat("one/"+model)), g.Chat(t, chatStream("one/"+model)),
				g.Do(t, http.MethodPost, "/proxy/one/v1/files", `{"model":"`+model+`"}`),
			} {
				upstreamError(t, r, http.StatusBadGateway, "one")
				assert.Contains(t, r.Error().Message, "the port of its URL")
			}
		})
	}
}

func TestAStreamThatBreaksEndsBrokenAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		event(w, "2")
		hangUp(w)
	})
	s := start(t, g.Gateway, chatStream("one/"+model))
	assert.Equal(t, http.StatusOK, s.StatusCode)
	text, err := s.rest()
	require.Error(t, err, "a clean end would hide that the answer is not whole")
	assert.Contains(t, text, "data: 1")
	assert.Equal(t, 1, g.one.attempts(model))
}

func TestAnAnswerThatBreaksEndsBrokenAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"id":"half`)
		w.(http.Flusher).Flush()
		hangUp(w)
	})
	s := start(t, g.Gateway, chat("one/"+model))
	_, err := s.rest()
	require.Error(t, err)
	assert.Equal(t, 1, g.one.attempts(model))
}

// A 200 whose headers were sent is an answer that has begun, even without a byte of its body.
func TestAResetAfterTheHeadersIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		hangUp(w)
	})
	resp, err := g.Client(t).Post(g.URL+"/v1/chat/completions", "application/json", body(chatStream("one/"+model)))
	if err == nil { // the headers may have gone out before the reset was seen
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	require.Error(t, err)
	assert.Equal(t, 1, g.one.attempts(model))
}

func TestAnErrorOfTheProviderPassesUnchanged(t *testing.T) {
	t.Parallel()
	g := shared(t)
	const text = `{"error":{"message":"no such thing","type":"weird","n":1.50}}`
	for _, status := range []int{400, 401, 404, 422, 500, 502, 504} {
		model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("X-Ratelimit-Remaining-Tokens", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
		r := g.Chat(t, chat("one/"+model))
		assert.Equal(t, status, r.Status)
		assert.Equal(t, text, r.String())
		assert.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
		assert.Equal(t, "7", r.Header.Get("X-Ratelimit-Remaining-Tokens"))
		assert.Equal(t, 1, g.one.attempts(model), "%d is an answer", status)
	}
}
