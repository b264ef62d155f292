package mesh

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

const bodyPolicy = `
rules:
  - name: no-preview
    match: {model: "*-preview", headers: {x-team: red}}
    act: deny
  - name: capped
    act: {cap: {tokens: 100, insert: max_tokens}}
`

// reader hides what a body is, so that its length is not told.
type reader struct{ io.Reader }

// However a body arrives, it is read whole before it goes on, and it goes on whole.
func TestBodiesOfEveryFraming(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	one := harness.NewClient(t)
	two := harness.NewClient(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	two.Transport.(*http.Transport).Protocols = protocols
	for _, hold := range []bool{false, true} {
		l := w.with(t, plugin{policy: bodyPolicy, HoldHeaders: hold, configuration: holding(t, bodyPolicy, hold)})
		for name, c := range map[string]struct {
			client  *http.Client
			change  func(*http.Request)
			hosts   string
			version string
		}{
			"HTTP/1 with a length":         {client: one, hosts: "api.openai.com"},
			"HTTP/1, chunked":              {one, func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(reader{r.Body}) }, "api.openai.com", ""},
			"HTTP/1, asking first":         {one, func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, "api.openai.com", ""},
			"HTTP/2 with a length":         {client: two, hosts: "api.openai.com"},
			"HTTP/2 without":               {two, func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(reader{r.Body}) }, "api.openai.com", ""},
			"HTTP/2 with trailers":         {two, trailing, "api.openai.com", ""},
			"HTTP/1 to an HTTP/2 provider": {client: one, hosts: "api.anthropic.com", version: "HTTP/2.0"},
			"HTTP/2 to an HTTP/2 provider": {client: two, hosts: "api.anthropic.com", version: "HTTP/2.0"},
		} {
			name = fmt.Sprintf("%s, headers held: %v", name, hold)
			pad := strings.Repeat("long ", 40_000)
			for model, status := range map[string]int{"gpt-4o": 200, "gpt-9-preview": 403} {
				id := strconv.FormatInt(number.Add(1), 10)
				body := fmt.Sprintf(`{"model":%q,"max_tokens":4096,"pad":%q}`, model, pad)
				r, err := http.NewRequest(http.MethodPost, l.URL+"/v1/chat/completions", strings.NewReader(body))
				require.NoError(t, err)
				r.Host = c.hosts
				r.Header.Set("X-Team", "red")
				r.Header.Set("X-Id", id)
				if c.change != nil {
					c.change(r)
				}
				resp, err := c.client.Do(r)
				require.NoError(t, err, name)
				text, err := io.ReadAll(resp.Body)
				require.NoError(t, err, name)
				_ = resp.Body.Close()
				assert.Equal(t, status, resp.StatusCode, "%s: %s", name, text)
				got := w.arrived(id)
				if status == 200 {
					require.Len(t, got, 1, name)
					assert.Equal(t, strings.Replace(body, "4096", "100", 1), string(got[0].Body), name)
					if c.version != "" {
						assert.Equal(t, c.version, got[0].Proto, name)
					}
				} else {
					assert.Empty(t, got, name)
					assert.Equal(t, "no-preview", resp.Header.Get("X-Policy-Rule"), name)
				}
			}
		}
	}
}

// A body that another reader would take for something else than JSON is refused, whether or not its headers have gone on.
func TestBodiesOfOtherTypes(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	for _, hold := range []bool{false, true} {
		l := w.with(t, plugin{policy: bodyPolicy, HoldHeaders: hold, configuration: holding(t, bodyPolicy, hold)})
		for kind, status := range map[string]int{
			"application/json; charset=utf-8": 200, "text/plain": 200,
			"application/x-www-form-urlencoded": 415, "application/json; charset=utf-7": 415,
			"application/json, multipart/form-data; boundary=x": 415,
		} {
			r, got := l.ask(t, "/v1/chat/completions", `{"model":"gpt-4o","x":"&model=gpt-9-preview&"}`, host("api.openai.com"), "X-Team: red", "Content-Type: "+kind)
			assert.Equal(t, status, r.Status, "%s, held: %v: %s", kind, hold, r)
			assert.Equal(t, status == 200, len(got) == 1, "%s, held: %v", kind, hold)
		}
	}
}

func trailing(r *http.Request) {
	r.ContentLength, r.Trailer = -1, http.Header{"X-Sum": {"1"}}
	r.Body = io.NopCloser(reader{r.Body})
}

// holding is a policy as configuration, with the setting that says whether Envoy lets the filter hold headers back.
func holding(t *testing.T, policy string, hold bool) string {
	return strings.TrimSuffix(configuration(t, policy), "}") + fmt.Sprintf(`,"hold_headers":%v}`, hold)
}

// Without Envoy's leave to hold them, the headers are at the provider while the body is judged; of the body it gets
// nothing. With it, it does not even get these.
func TestHeadersGoAheadOfABodyThatIsJudged(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	counted := func() string {
		return regexp.MustCompile(`upstream_rq_total: \d+`).FindString(w.stats(t, `ahead.*\.upstream_rq_total$`))
	}
	const body = `{"model":"gpt-9-preview"}`
	for _, hold := range []bool{true, false} {
		l := w.with(t, plugin{HoldHeaders: hold, configuration: holding(t, bodyPolicy, hold)})
		before := counted()
		c := l.Dial(t)
		c.Send(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: ahead.models\r\nX-Team: red\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10]))
		if !hold {
			harness.Eventually(t, patience, "the headers are at the provider", func() bool { return counted() != before })
		}
		c.Send(body[10:])
		r := c.Receive(http.MethodPost)
		require.NotNil(t, r)
		assert.Equal(t, http.StatusForbidden, r.Status, "%s", r)
		if hold {
			assert.Equal(t, before, counted(), "not even the headers have gone on")
		}
	}
	for _, got := range w.inside.Requests() {
		assert.NotEqual(t, "ahead.models", got.Host, "a request has arrived whole")
	}
}

// A model in a path can be replaced as long as the path has not gone on.
func TestModelsInPaths(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	const byPath = "rules: [{name: cheaper, match: {model: gemini-pro}, act: {model: gemini-flash}}]"
	const byBody = "rules: [{name: cheaper, match: {model: gemini-pro, tools: false}, act: {model: gemini-flash}}]"
	for _, c := range []struct {
		policy string
		hold   bool
		status int
	}{
		{byPath, false, 200},
		{byPath, true, 200},
		{byBody, true, 200},
		{byBody, false, 503}, // never with the model that was to be replaced
		{"on_error: open\n" + byBody, false, 200},
	} {
		l := w.with(t, plugin{HoldHeaders: c.hold, configuration: holding(t, c.policy, c.hold)})
		r, got := l.ask(t, "/v1beta/models/gemini-pro:generateContent?alt=sse", `{"contents":[]}`, host("generativelanguage.googleapis.com"))
		assert.Equal(t, c.status, r.Status, "%s, held: %v: %s", c.policy, c.hold, r)
		if c.status == 200 {
			want := "gemini-flash"
			if strings.Contains(c.policy, "open") {
				want = "gemini-pro"
			}
			require.Len(t, got, 1)
			assert.Equal(t, "/v1beta/models/"+want+":generateContent?alt=sse", got[0].URI)
		} else {
			assert.Empty(t, got)
		}
	}
}

// Where the setting says that headers may be held and Envoy does not let them, no request gets past.
func TestHoldingHeadersAgainstEnvoysWill(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	l := w.with(t, plugin{configuration: holding(t, bodyPolicy, true), HoldHeaders: false, IdleTimeout: "0.5s"})
	r, got := l.ask(t, "/v1/chat/completions", chat("gpt-4o"), host("vllm.models"))
	assert.Equal(t, http.StatusGatewayTimeout, r.Status, "%s", r)
	assert.Empty(t, got)
}

// Envoy holds a body of a request up to its connection's buffer limit, 1 MiB unless it is told otherwise.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	large := func(size int) string {
		return `{"model":"gpt-9-preview","pad":"` + strings.Repeat("x", size) + `"}`
	}
	const refusing, passing = bodyPolicy + "max_body: 3MiB\n", bodyPolicy + "max_body: 512KiB\nover_limit: pass\n"
	for _, c := range []struct {
		policy  string
		limit   int
		size    int
		chunked bool
		status  int
		rule    string
	}{
		{refusing, 0, 600 << 10, false, 403, "no-preview"},
		{refusing, 0, 2 << 20, false, 413, ""}, // by Envoy
		{refusing, 4 << 20, 2 << 20, false, 403, "no-preview"},
		{refusing, 8 << 20, 3 << 20, false, 413, "too_large"},
		{refusing, 8 << 20, 3 << 20, true, 413, "too_large"},
		{passing, 0, 400 << 10, false, 403, "no-preview"},
		{passing, 0, 2 << 20, false, 200, ""},
		{passing, 8 << 20, 2 << 20, true, 200, ""}, // Envoy reads on while the filter decides
	} {
		l := w.with(t, plugin{policy: c.policy, BufferLimit: c.limit})
		body := large(c.size)
		req, err := http.NewRequest(http.MethodPost, l.URL+"/v1/chat/completions", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		req.Host = "vllm.models"
		req.Header.Set("X-Team", "red")
		if c.chunked {
			req.ContentLength, req.Body = -1, io.NopCloser(reader{req.Body})
		}
		resp, err := harness.NewClient(t).Do(req)
		require.NoError(t, err, "%+v", c)
		_ = resp.Body.Close()
		assert.Equal(t, c.status, resp.StatusCode, "%+v", c)
		assert.Equal(t, c.rule, resp.Header.Get("X-Policy-Rule"), "%+v", c)
	}
}
