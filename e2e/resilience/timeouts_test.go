package resilience

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// impatient is a gateway with short limits on everything that may take long.
var impatient = harness.Shared(func(t harness.T) *world {
	w := &world{one: newScripted(t)}
	w.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": w.one.URL,
		"CLIENT_RESPONSE_HEADER_TIMEOUT": "3s", "CLIENT_STREAM_IDLE_TIMEOUT": "3s", "SERVER_READ_TIMEOUT": "2s",
	})
	return w
})

// forever waits until the gateway hangs up.
func forever(r *http.Request) { <-r.Context().Done() }

func TestAProviderThatDoesNotBeginIsA504(t *testing.T) {
	t.Parallel()
	g := impatient(t)
	model := g.one.on(func(_ int, _ http.ResponseWriter, r *http.Request) { forever(r) })
	upstreamError(t, g.Chat(t, chat("one/"+model)), http.StatusGatewayTimeout, "one")
	assert.Equal(t, 1, g.one.attempts(model), "what was slow once is not paid for again")
}

// With a limit on the first byte alone Envoy's timer is that of one attempt, which its policy for resets tries again:
// what is promised is the 504, in bounded time.
func TestTheFirstByteMayHaveTheShorterLimit(t *testing.T) {
	t.Parallel()
	one := newScripted(t)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one", "ONE_API_URL": one.URL,
		"CLIENT_RESPONSE_HEADER_TIMEOUT": "500ms", "CLIENT_STREAM_IDLE_TIMEOUT": "5m",
	})
	never := one.on(func(_ int, _ http.ResponseWriter, r *http.Request) { forever(r) })
	upstreamError(t, g.Chat(t, chat("one/"+never)), http.StatusGatewayTimeout, "one")
	assert.LessOrEqual(t, one.attempts(never), 3)

	pauses := one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		time.Sleep(1500 * time.Millisecond)
		event(w, "[DONE]")
	})
	text, err := start(t, g, chatStream("one/"+pauses)).rest()
	require.NoError(t, err, "a stream that has begun has the other limit")
	assert.Contains(t, text, "[DONE]")
}

// The silence that is allowed within an answer says nothing about how long the gateway may gather lists.
func TestModelsAreListedAlthoughAProviderHangs(t *testing.T) {
	t.Parallel()
	hangs := harness.NewProvider(t, func(_ http.ResponseWriter, r *http.Request) { forever(r) })
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "hangs", "HANGS_API_URL": hangs.URL, "DEMO_ENABLED": "true", "CLIENT_STREAM_IDLE_TIMEOUT": "500ms",
	})
	r := g.Do(t, http.MethodGet, "/v1/models", "")
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	assert.Equal(t, "hangs", r.Header.Get("X-Unavailable-Providers"))
	assert.Contains(t, r.String(), `"demo/assistant"`)
}

func TestAStreamThatFallsSilentIsCutOff(t *testing.T) {
	t.Parallel()
	g := impatient(t)
	gone := make(chan struct{})
	model := g.one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
		event(w, "1")
		forever(r)
		close(gone)
	})
	s := start(t, g.Gateway, chatStream("one/"+model))
	text, err := s.rest()
	require.Error(t, err, "never a clean end")
	assert.Contains(t, text, "data: 1")
	await(t, gone, "the provider's request is cancelled")
	assert.Equal(t, 1, g.one.attempts(model))
}

// The limits are on silence: a stream that goes on may take longer than any of them.
func TestAStreamThatGoesOnIsNotCutOff(t *testing.T) {
	t.Parallel()
	g := impatient(t)
	model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			event(w, "tick")
			time.Sleep(500 * time.Millisecond)
		}
		event(w, "[DONE]")
	})
	text, err := start(t, g.Gateway, chatStream("one/"+model)).rest()
	require.NoError(t, err)
	assert.Contains(t, text, "[DONE]")
}

func TestARequestThatDoesNotArriveIsA408(t *testing.T) {
	t.Parallel()
	g := impatient(t)
	for name, sent := range map[string]string{
		"a chat":           "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"model\":",
		"a proxied body":   "POST /proxy/one/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		"headers (loris)":  "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"a chunked body":   "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\n",
		"the request line": "POST /v1/cha",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := g.Dial(t)
			conn.Send(sent)
			r := conn.Receive(http.MethodPost)
			if strings.HasSuffix(name, "line") {
				return // it ended within the connection's deadline; an answer to half a line is nobody's promise
			}
			require.NotNil(t, r, "closed without an answer")
			assert.Equal(t, http.StatusRequestTimeout, r.Status, "%s", r)
			assert.Equal(t, "request_timeout", r.Error().Code, "%s", r)
		})
	}
}

// A body that arrives slowly but in time works.
func TestABodyThatArrivesInPiecesWorks(t *testing.T) {
	t.Parallel()
	g := shared(t)
	conn := g.Dial(t)
	text := chat("one/pieces")
	conn.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i := 0; i < len(text); i += 8 {
		piece := text[i:min(i+8, len(text))]
		conn.Send(string(rune('0'+len(piece))) + "\r\n" + piece + "\r\n")
		time.Sleep(50 * time.Millisecond)
	}
	conn.Send("0\r\n\r\n")
	r := conn.Receive(http.MethodPost)
	require.NotNil(t, r)
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
}

// await waits for a channel that is closed when something has happened.
func await(t testing.TB, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "it did not happen", what)
	}
}
