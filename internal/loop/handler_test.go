package loop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

func TestALoopAnswersWithWhatItsToolsSay(t *testing.T) {
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, nil, nil)
		r := g.post(t, say("one/assistant", `use tools mcp_calc_add with {"a":1} and a2a_bot_ask with {"b":2}`, more), "X-Request-Id", "r-1")
		assert.Equal(t, http.StatusOK, r.status)
		for _, part := range []string{`mcp_calc_add`, `got {\"a\":1}`, `a2a_bot_ask`, `got {\"b\":2}`} {
			assert.Contains(t, textOf(t, r, more), strings.ReplaceAll(part, `\"`, `"`), r.body)
		}
		// The client has its answer a moment before the line is written.
		assert.Eventually(t, func() bool {
			return strings.Contains(g.log.String(), `"follow_ups":1,"calls":2,"limit":false,"request_id":"r-1"`)
		}, 10*time.Second, time.Millisecond)
		assert.NotContains(t, g.log.String(), "got ", "nothing of a conversation is logged")
	})
}

// textOf is the text of an answer.
func textOf(t *testing.T, r reply, more string) string {
	t.Helper()
	type said struct{ Content string }
	var text strings.Builder
	for line := range strings.SplitSeq(r.body, "\n") {
		line = strings.TrimPrefix(line, "data: ")
		var c struct {
			Choices []struct{ Message, Delta said }
		}
		if line == "" || line == "[DONE]" {
			continue
		}
		require.NoError(t, json.Unmarshal([]byte(line), &c), "%s%s", more, line)
		for _, choice := range c.Choices {
			text.WriteString(choice.Message.Content + choice.Delta.Content)
		}
	}
	return text.String()
}

// Every model request is one that Envoy's loopback listener can route, and that no loop begins in again.
func TestModelRequestsNameTheirProvider(t *testing.T) {
	for name, body := range map[string]string{
		"a loop":      say("two/assistant", `use the tool mcp_calc_add with {"a":1}`, ""),
		"as it comes": say("two/assistant", "hello", `"tool_choice":"none",`),
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil, nil)
			r := g.send(t, http.MethodPost, "/v1/chat/completions?api-version=7", strings.NewReader(body),
				catalog.ProviderHeader, "forged", "X-Trace", "t", "Traceparent", "00-1-2-01")
			require.Equal(t, http.StatusOK, r.status, r.body)
			for _, m := range g.asked() {
				assert.Equal(t, "/v1/chat/completions?api-version=7", m.uri)
				assert.Equal(t, []string{"two"}, m.header[http.CanonicalHeaderKey(catalog.ProviderHeader)])
				assert.Equal(t, "t", m.header.Get("X-Trace"))
				assert.Equal(t, "00-1-2-01", m.header.Get("Traceparent"), "a loop is one trace")
				assert.Contains(t, m.body, `"model":"assistant"`)
			}
		})
	}
}

func TestARequestWithoutUseForToolsPassesAsItIs(t *testing.T) {
	const odd = `{ "id":1.0e2, "x":[ ] }` + "\n"
	model := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Of-Provider", "yes")
		w.Header().Set("Content-Type", "application/odd")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, odd+string(body))
	})
	for name, more := range map[string]string{
		"tool_choice none": `"tool_choice":"none",`, "two choices": `"n":2,`, "functions": `"functions":[{"name":"f"}],`,
	} {
		g := start(t, model, nil)
		r := g.post(t, say("one/m", "hello", more), "Accept-Encoding", "br", "X-MCP-Bypass", "false")
		assert.Equal(t, http.StatusTeapot, r.status, name)
		assert.Equal(t, odd+say("m", "hello", more), r.body)
		assert.Equal(t, "yes", r.header.Get("X-Of-Provider"))
		assert.Equal(t, "application/odd", r.header.Get("Content-Type"))
		m := g.asked()[0]
		assert.Equal(t, "br", m.header.Get("Accept-Encoding"))
		assert.Equal(t, "false", m.header.Get("X-Mcp-Bypass"))
	}
}

func TestWhatPassesIsStreamed(t *testing.T) {
	hold := make(chan struct{})
	model := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		<-hold
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	})
	g := start(t, model, nil)
	resp, err := http.Post(g.url+"/v1/chat/completions", "application/json", strings.NewReader(say("one/m", "x", streaming+`"tool_choice":"none",`)))
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	first := make([]byte, len("data: first\n\n"))
	_, err = io.ReadFull(resp.Body, first) // comes although the model has not gone on
	close(hold)
	require.NoError(t, err)
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "data: first\n\ndata: [DONE]\n\n", string(first)+string(rest))
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, encoding string
		status               int
		code, says           string
	}{
		"not JSON":         {body: "no", status: 400, code: "invalid_request"},
		"no model":         {body: `{"messages":[]}`, status: 400, code: "invalid_request", says: "names no model"},
		"duplicate keys":   {body: `{"model":"one/a","model":"one/b"}`, status: 400, code: "invalid_request"},
		"unknown provider": {body: say("nobody/m", "x", ""), status: 400, code: "unknown_provider", says: "one, two"},
		"by query":         {path: "?provider=nobody", body: say("m", "x", ""), status: 400, code: "unknown_provider"},
		"not configured":   {body: say("off/m", "x", ""), status: 400, code: "provider_not_configured", says: "set OFF_API_KEY"},
		"not allowed":      {body: say("one/secret", "x", ""), status: 403, code: "model_not_allowed"},
		"encoded":          {body: say("one/m", "x", ""), encoding: "gzip", status: 400, code: "invalid_request", says: "content-encoding"},
		"too large":        {body: say("one/m", strings.Repeat("x", maxBody), ""), status: 413, code: "request_too_large", says: "4096"},
		"far too large":    {body: strings.Repeat("x", 9*maxBody), status: 413, code: "request_too_large"},
		"another endpoint": {path: "/more", body: say("one/m", "x", ""), status: 404, code: "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil, nil)
			r := g.send(t, http.MethodPost, "/v1/chat/completions"+c.path, strings.NewReader(c.body), "Content-Encoding", c.encoding)
			assert.Equal(t, c.status, r.status, r.body)
			assert.Equal(t, "application/json", r.header.Get("Content-Type"))
			assert.Contains(t, r.body, `"code":"`+c.code+`"`)
			assert.Contains(t, r.body, c.says)
			assert.Empty(t, g.asked(), "nothing reaches a model")
		})
	}
	t.Run("identity is no encoding", func(t *testing.T) {
		r := start(t, nil, nil).post(t, say("one/echo", "hello", ""), "Content-Encoding", "Identity")
		assert.Equal(t, http.StatusOK, r.status, r.body)
	})
	t.Run("a body of the limit", func(t *testing.T) {
		g := start(t, nil, nil)
		body := say("one/echo", "", "")
		r := g.post(t, say("one/echo", strings.Repeat("x", maxBody-len(body)), ""))
		assert.Equal(t, http.StatusOK, r.status, r.body)
	})
}

// failingBody breaks off after its first bytes.
type failingBody struct{ io.Reader }

func (f failingBody) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	_, refusal := read(failingBody{strings.NewReader(`{"model":`)}, -1, maxBody)
	require.NotNil(t, refusal)
	assert.Equal(t, apierror.InvalidRequest, refusal.Kind)
}

func TestOnlyWhatIsNotBypassedIsOffered(t *testing.T) {
	for _, c := range []struct {
		mcp, a2a string
		want     []string
	}{
		{"", "", []string{"mcp_calc_add", "a2a_bot_ask"}},
		{"true", "", []string{"a2a_bot_ask"}},
		{"", "1", []string{"mcp_calc_add"}},
		{"False", "FALSE", []string{"mcp_calc_add", "a2a_bot_ask"}},
		{"true", "true", nil},
	} {
		g := start(t, nil, nil)
		r := g.post(t, say("one/mirror", "x", ""), "X-MCP-Bypass", c.mcp, "X-A2A-Bypass", c.a2a)
		require.Equal(t, http.StatusOK, r.status, r.body)
		for _, name := range []string{"mcp_calc_add", "a2a_bot_ask"} {
			assert.Equal(t, slices.Contains(c.want, name), strings.Contains(g.asked()[0].body, name), "%+v", c)
		}
	}
	for name, without := range map[string]func(*Options){
		"no MCP":  func(o *Options) { o.MCP = nil },
		"no A2A":  func(o *Options) { o.A2A = nil },
		"neither": func(o *Options) { o.MCP, o.A2A = nil, nil },
	} {
		g := start(t, nil, without)
		require.Equal(t, http.StatusOK, g.post(t, say("one/echo", "x", "")).status, name)
		assert.Equal(t, g.opts.MCP != nil, strings.Contains(g.asked()[0].body, "mcp_calc_add"), name)
		assert.Equal(t, g.opts.A2A != nil, strings.Contains(g.asked()[0].body, "a2a_bot_ask"), name)
	}
}

func TestAModelsRefusalOfTheFirstTurnPassesUnchanged(t *testing.T) {
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, nil, nil)
		looped := g.post(t, say("one/fault-429-after-7", "x", more))
		passed := g.post(t, say("one/fault-429-after-7", "x", more+`"tool_choice":"none",`))
		assert.Equal(t, http.StatusTooManyRequests, looped.status)
		assert.Equal(t, passed.body, looped.body)
		assert.Equal(t, "7", looped.header.Get("Retry-After"))
		assert.Empty(t, looped.header.Get("X-Should-Retry"), "no tool has run")
	})
}

// A model that fails when tools have run: the cause, when to try again, and the hint not to do so without thinking.
func TestAModelThatFailsInALaterTurn(t *testing.T) {
	busy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "11")
		w.Header().Set("X-Inner", "secret")
		apierror.New(apierror.RateLimited, "slow down").Write(w)
	})
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, turns(demo.New(demo.Options{}), busy), nil)
		r := g.post(t, say("one/assistant", `use the tool mcp_calc_add with {"a":1}`, more))
		assert.Contains(t, r.body, "status 429: slow down")
		assert.Equal(t, 1, strings.Count(r.body, `"error":{`), r.body)
		assert.NotContains(t, r.body, "[DONE]")
		if more == "" {
			assert.Equal(t, http.StatusBadGateway, r.status)
			assert.Equal(t, "11", r.header.Get("Retry-After"))
			assert.Equal(t, "false", r.header.Get("X-Should-Retry"))
		}
		assert.Empty(t, r.header.Get("X-Inner"))
		assert.Len(t, g.asked(), 2, "nothing is tried again")
		assert.Contains(t, g.log.String(), `"level":"WARN","msg":"tool loop"`)
	})
}

func TestAModelThatBreaksOffInALaterTurn(t *testing.T) {
	cut := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, turns(demo.New(demo.Options{}), cut), nil)
		r := g.post(t, say("one/assistant", `use the tool mcp_calc_add with {"a":1}`, more))
		assert.Equal(t, 1, strings.Count(r.body, `"code":"upstream_error"`), r.body)
		assert.NotContains(t, r.body+g.log.String(), "/s:", "the socket's path is nobody's business")
	})
}

func TestBodiesTogetherHaveALimit(t *testing.T) {
	limit := bodies.NewLimit(300)
	other := limit.Share()
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, nil, func(o *Options) { o.Bodies = limit })
		require.Nil(t, other.Grow(290))
		r := g.post(t, say("one/assistant", "hello", more))
		assert.Equal(t, http.StatusServiceUnavailable, r.status)
		assert.Contains(t, r.body, `"code":"overloaded"`)
		other.Release()
		for range 5 { // none of which leaves anything behind
			assert.Equal(t, http.StatusOK, g.post(t, say("one/assistant", "hello", more)).status)
		}
	})
}

func TestALoopbackListenerThatIsNotThere(t *testing.T) {
	nowhere := func(o *Options) {
		o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("dial unix /tmp/secret.sock: connection refused")
		}}
	}
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, nil, nowhere)
		looped := g.post(t, say("one/echo", "x", more))
		assert.Equal(t, http.StatusBadGateway, looped.status, looped.body)
		passed := g.post(t, say("one/echo", "x", more+`"tool_choice":"none",`))
		assert.Equal(t, http.StatusServiceUnavailable, passed.status, passed.body)
		assert.Contains(t, passed.body, `"code":"unavailable"`)
		assert.NotContains(t, looped.body+passed.body, "secret.sock")
	})
}

// A path that Envoy has routed and that Go cannot parse is asked without its query.
func TestAPathThatGoCannotParse(t *testing.T) {
	m := &model{provider: "one", path: "/v1/chat/completions%zz?x=1"}
	r := m.request(t.Context(), [][]byte{[]byte("{}")}, http.Header{"Content-Length": {"99"}})
	require.NotNil(t, r)
	assert.Equal(t, "/v1/chat/completions", r.URL.RequestURI())
	assert.Empty(t, r.Header.Get("Content-Length"))
	dump, err := httputil.DumpRequestOut(r, true)
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(dump, []byte("{}")), "%s", dump)
}
