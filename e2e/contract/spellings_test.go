package contract

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// spelled is a gateway with every lane, and a second provider that no request is for.
type spelled struct {
	*harness.Gateway
	own   *harness.Provider
	other *scripted
}

var theSpelled = harness.Shared(func(t harness.T) *spelled {
	s := &spelled{own: harness.NewDemo(t, demo.Options{}), other: newScripted(t)}
	tools := harness.NewToolServer(t)
	s.Gateway = harness.Start(t, harness.Env{
		"PROVIDERS": "own,other", "OWN_API_URL": s.own.URL, "OTHER_API_URL": s.other.URL + "/v1", "OTHER_AUTH": "none", "OWN_AUTH": "none",
		"SERVER_READ_TIMEOUT": "5s", "MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + tools.URL,
	})
	harness.Eventually(t, 20*time.Second, "the tools are there", func() bool {
		return strings.Contains(s.Do(t, http.MethodGet, "/v1/mcp/servers", "").String(), `"status":"connected"`)
	})
	s.other.Reset()
	return s
})

// ways are one request for each lane. A case's mark is in the path or the body, and so arrives wherever the request does.
var ways = map[string]struct{ method, path, header, body string }{
	"loop":                 {"POST", "/v1/chat/completions", "", `{"model":"own/echo","user":"MARK","messages":[{"role":"user","content":"hello"}]}`},
	"streamed loop":        {"POST", "/v1/chat/completions", "", `{"model":"own/echo","stream":true,"user":"MARK","messages":[{"role":"user","content":"hello"}]}`},
	"chat past the tools":  {"POST", "/v1/chat/completions", "X-MCP-Bypass: 1\r\n", `{"model":"own/echo","user":"MARK","messages":[{"role":"user","content":"hello"}]}`},
	"embeddings":           {"POST", "/v1/embeddings", "", `{"model":"own/embedding","input":"a","user":"MARK"}`},
	"proxy":                {"POST", "/proxy/own/embeddings?MARK", "", `{"model":"embedding","input":"a"}`},
	"proxy without a body": {"GET", "/proxy/own/models?MARK", "", ""},
	"models":               {"GET", "/v1/models?MARK", "", ""},
	"one model":            {"GET", "/v1/models/own/echo?MARK", "", ""},
	"tools":                {"GET", "/v1/mcp/tools?MARK", "", ""},
	"health":               {"GET", "/health?MARK", "", ""},
}

type meaning int

const (
	nothing meaning = iota // it is as if the lines were not there
	refusal                // the request is refused
	either                 // one of the two
	clash                  // refused where there is a body, whose end it would move
)

// spellings are lines of a request's head. LENGTH stands for that of the body.
var spellings = map[string]struct {
	lines string
	means meaning
}{
	"internal":                       {"X-Igw-Provider: other\r\n", nothing},
	"internal, lower case":           {"x-igw-provider: other\r\n", nothing},
	"internal, upper case":           {"X-IGW-PROVIDER: other\r\n", nothing},
	"internal, mixed case":           {"x-IgW-pRoViDeR: other\r\n", nothing},
	"internal, twice":                {"X-Igw-Provider: own\r\nx-igw-provider: other\r\n", nothing},
	"internal, spaces around":        {"X-Igw-Provider: \t other \t \r\n", nothing},
	"internal, empty":                {"X-Igw-Provider:\r\n", nothing},
	"internal, every one there is":   {"X-Igw-Checked: true\r\nX-Igw-Caller: key:a\r\nX-Igw-Groups: admins\r\nX-Igw-Session: a.b.c\r\nX-Igw-Tokens: 1\r\nX-Igw-Policy: x\r\nX-Igw-Own: true\r\nX-Igw-Origin: https://a\r\nX-Igw-Shown: B\r\nX-Igw-Retry-Hint: 503/1\r\n", nothing},
	"internal, of no name":           {"X-Igw-: other\r\n", nothing},
	"internal, yet unknown":          {"X-Igw-Tomorrow: other\r\n", nothing},
	"Envoy's":                        {"X-Envoy-Max-Retries: 9\r\nX-Envoy-Anything: 1\r\nx-envoy-original-path: /proxy/other/x\r\nX-ENVOY-UPSTREAM-RQ-TIMEOUT-MS: 1\r\n", nothing},
	"named as hop by hop":            {"Connection: X-Igw-Provider, keep-alive\r\nX-Igw-Provider: other\r\n", either},
	"internal, underscores":          {"X_Igw_Provider: other\r\n", refusal},
	"internal, one underscore":       {"X-Igw_Provider: other\r\n", refusal},
	"internal, space before colon":   {"X-Igw-Provider : other\r\n", refusal},
	"internal, tab before colon":     {"X-Igw-Provider\t: other\r\n", refusal},
	"internal, space within":         {"X-Igw -Provider: other\r\n", refusal},
	"internal, folded":               {"X-A: b\r\n X-Igw-Provider: other\r\n", either},
	"internal, folded by a tab":      {"X-A: b\r\n\tX-Igw-Provider: other\r\n", either},
	"internal, folded value":         {"X-Igw-Provider:\r\n other\r\n", either},
	"internal, bare line feed":       {"X-A: b\nX-Igw-Provider: other\r\n", either},
	"internal, bare return":          {"X-A: b\rX-Igw-Provider: other\r\n", either},
	"internal, a NUL":                {"X-Igw-Provider\x00: other\r\n", refusal},
	"internal, letters beyond ASCII": {"X-\xc4\xb0gw-Provider: other\r\n", refusal},
	"internal, wide hyphens":         {"X\xe2\x80\x90Igw\xe2\x80\x90Provider: other\r\n", refusal},
	"length, twice the same":         {"Content-Length: LENGTH\r\n", either},
	"length, another one":            {"content-length: 3\r\n", clash},
	"length, a list":                 {"Content-Length: LENGTH, 3\r\n", refusal},
	"length, signed":                 {"Content-Length: +LENGTH\r\n", refusal},
	"length, in hex":                 {"Content-Length: 0x1\r\n", refusal},
	"length, underscore":             {"Content_Length: 3\r\n", refusal},
	"length, space before colon":     {"Content-Length : 3\r\n", refusal},
	"length, folded":                 {"X-A: b\r\n Content-Length: 3\r\n", either},
	"chunked as well":                {"Transfer-Encoding: chunked\r\n", clash},
	"chunked, upper case":            {"TRANSFER-ENCODING: CHUNKED\r\n", clash},
	"chunked, mixed case":            {"tRaNsFeR-eNcOdInG: cHuNkEd\r\n", clash},
	"chunked, space before colon":    {"Transfer-Encoding : chunked\r\n", refusal},
	"chunked, tab":                   {"Transfer-Encoding:\tchunked\r\n", clash},
	"chunked, trailing space":        {"Transfer-Encoding: chunked \r\n", clash},
	"chunked, vertical tab":          {"Transfer-Encoding: \x0bchunked\r\n", refusal},
	"chunked, underscore":            {"Transfer_Encoding: chunked\r\n", refusal},
	"chunked, twice":                 {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", refusal},
	"chunked, quoted":                {"Transfer-Encoding: \"chunked\"\r\n", refusal},
	"chunked, something else":        {"Transfer-Encoding: xchunked\r\n", refusal},
	"chunked, identity":              {"Transfer-Encoding: identity\r\n", refusal},
	"chunked, empty":                 {"Transfer-Encoding:\r\n", either},
	"chunked, folded":                {"X-A: b\r\n Transfer-Encoding: chunked\r\n", either},
	"chunked, a folded value":        {"Transfer-Encoding:\r\n chunked\r\n", clash},
	"host, another one":              {"Host: other\r\n", nothing}, // Envoy keeps the first, which decides nothing either
	"host, lower case":               {"host: other\r\n", nothing}, // Envoy keeps the first, which decides nothing either
	"host, space before colon":       {"Host : other\r\n", refusal},
	"host, folded":                   {"X-A: b\r\n Host: other\r\n", either},
	"host, as others call it":        {"X-Forwarded-Host: other\r\nX-Host: other\r\nForwarded: host=other\r\nX-Original-Host: other\r\n", nothing},
	"path, as others call it":        {"X-Original-Url: /proxy/other/x\r\nX-Rewrite-Url: /proxy/other/x\r\nX-HTTP-Method-Override: DELETE\r\n", nothing},
	"pseudo headers":                 {":path: /proxy/other/x\r\n", refusal},
	"no name":                        {": other\r\n", refusal},
	"no colon":                       {"X-Igw-Provider\r\n", refusal},
}

// However a header is spelled that has a meaning to some part, it changes nothing about a request, or the request is
// refused, in every lane.
func TestSpellingsOfHeadersChangeNothing(t *testing.T) {
	s := theSpelled(t)
	plain := map[string]int{} // the status of each way without further lines
	for way := range ways {
		plain[way] = s.sent(t, way, "plain "+way, "").Receive("GET").Status
		if plain[way] != http.StatusOK {
			t.Fatalf("%s: %d", way, plain[way])
		}
	}
	s.own.Reset()
	type result struct {
		way, spelling, mark string
		status              int // 0: the connection was closed
		more                bool
	}
	var mu sync.Mutex
	var results []result
	var wg sync.WaitGroup
	for way := range ways {
		for spelling, sp := range spellings {
			mark := "mark-" + strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(way+"-"+spelling)
			c := s.sent(t, way, mark, sp.lines)
			wg.Go(func() {
				r := result{way: way, spelling: spelling, mark: mark}
				if got := c.Receive(ways[way].method); got != nil {
					r.status = got.Status
					_ = c.SetReadDeadline(time.Now().Add(time.Second)) // nothing more may come
					r.more = c.Receive("GET") != nil
				}
				mu.Lock()
				defer mu.Unlock()
				results = append(results, r)
			})
		}
	}
	wg.Wait()
	arrived := s.own.Requests()
	for _, r := range results {
		name, means := r.way+": "+r.spelling, spellings[r.spelling].means
		if means == clash && ways[r.way].body != "" {
			means = refusal
		}
		refused := r.status == 0 || r.status >= 400 && r.status < 500 || r.status == http.StatusNotImplemented
		if !refused && r.status != plain[r.way] || means == nothing && refused || means == refusal && !refused {
			t.Errorf("%s: status %d", name, r.status)
		}
		if r.more {
			t.Errorf("%s: a second answer", name)
		}
		for _, got := range arrived {
			if !strings.Contains(got.URI+string(got.Body), r.mark) {
				continue
			}
			if refused {
				t.Errorf("%s: refused, and yet the provider got it", name)
			}
			s.sound(t, name, r.way, r.mark, got)
		}
	}
	for _, got := range s.other.Requests() {
		if got.Method+" "+got.URI != "GET /v1/models" { // the list of its models is asked for by the gateway itself
			t.Errorf("the other provider got %s %s", got.Method, got.URI)
		}
	}
}

// sent writes a request with further lines in its head.
func (s *spelled) sent(t *testing.T, way, mark, lines string) *harness.Conn {
	t.Helper()
	w := ways[way]
	body := strings.Replace(w.body, "MARK", mark, 1)
	length := fmt.Sprint(len(body))
	head := w.method + " " + strings.Replace(w.path, "MARK", strings.ReplaceAll(mark, " ", "+"), 1) + " HTTP/1.1\r\nHost: gateway\r\n" + w.header
	if body != "" {
		head += "Content-Type: application/json\r\nContent-Length: " + length + "\r\n"
	}
	c := s.Dial(t)
	c.Send(head + strings.ReplaceAll(lines, "LENGTH", length) + "\r\n" + body)
	return c
}

// sound holds what a provider got to what was sent.
func (s *spelled) sound(t *testing.T, name, way, mark string, got harness.Request) {
	t.Helper()
	for header := range got.Header {
		low := strings.ReplaceAll(strings.ToLower(header), "_", "-")
		if strings.HasPrefix(low, "x-igw-") || strings.HasPrefix(low, "x-envoy-") || low == "x-forwarded-host" || low == "forwarded" {
			t.Errorf("%s: the provider got %s", name, header)
		}
	}
	if got.Host != strings.TrimSuffix(strings.TrimPrefix(s.own.URL, "http://"), "/v1") || got.Method != ways[way].method {
		t.Errorf("%s: the provider got %s for host %s", name, got.Method, got.Host)
	}
	if length := len(strings.Replace(ways[way].body, "MARK", mark, 1)); strings.HasPrefix(way, "proxy") && len(got.Body) != length {
		t.Errorf("%s: the provider got %d bytes of %d", name, len(got.Body), length)
	}
}
