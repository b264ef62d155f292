package contract

import (
	"net/http"
	"strings"
	"testing"
)

// What Envoy refuses before it looks for a route says what is wrong, in the shape of every error.
func TestWhatNoRouteSeesIsAClearRefusal(t *testing.T) {
	w := theWorld(t)
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	for request, says := range map[string]string{
		"GET /health HTTP/1.0\r\n\r\n":                                                                                    "proxy_http_version 1.1", // what nginx speaks unless told
		"GET /health HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n":                                                    "HTTP/1.0",
		"GET /v1/models#all HTTP/1.1\r\nHost: x\r\n\r\n":                                                                  "fragment",
		"GET /v1/models?provider=own#all HTTP/1.1\r\nHost: x\r\n\r\n":                                                     "fragment",
		"GET /proxy/own/a%00b HTTP/1.1\r\nHost: x\r\n\r\n":                                                                "null byte",
		"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n":                         "GET below /proxy/",
		"POST /proxy/own/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n": "GET below /proxy/", // its body would pass all checks
		"\x16\x03\x01\x02\r\n\r\n":                                                                                        "not valid HTTP",    // TLS
		"GET /health HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n":                                                              "no Host",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" + chunked + "zz\r\n":                                                  "not valid HTTP",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" + chunked + "1\r\n{\r\nzz\r\n":                                        "not valid HTTP",
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n":                                           "transfer-encoding",
		"GET /proxy/own/..%2f%00 HTTP/1.1\r\nHost: x\r\nX-Igw-Own: true\r\nX-Envoy-Retry-On: 1\r\n\r\n":                   "null byte",
	} {
		t.Run(strings.ReplaceAll(request, "\r\n", " "), func(t *testing.T) {
			c := w.Dial(t)
			c.Send(request)
			r := c.Receive("GET")
			if r == nil || r.Status != http.StatusBadRequest || r.Error().Code != "invalid_request" || !strings.Contains(r.Error().Message, says) ||
				strings.Contains(r.Error().Message, "{") || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%v", r)
			}
			if r != nil && r.Header.Get("X-Request-Id") == "" {
				t.Errorf("no x-request-id: %v", r)
			}
		})
	}
	t.Run("and a null byte in a query is left to whom it concerns", func(t *testing.T) {
		refused{http.StatusBadRequest, "invalid_request_error", "unknown_provider", "provider", []string{"own"}}.check(t, w.Do(t, http.MethodPost, "/v1/chat/completions?provider=%00", chat("own/x")))
	})
}

func TestAPathThatIsNoneIsNotFound(t *testing.T) {
	c := theWorld(t).Dial(t)
	c.Send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
	refused{http.StatusNotFound, "invalid_request_error", "not_found", "", []string{"no such endpoint"}}.check(t, c.Receive("OPTIONS"))
}

func TestATraceNeverTellsAKey(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/proxy/own/x", "/PROXY/OWN/x", "/proxy/%6fwn/x", "/proxy/anthropic/messages", "/proxy/own/x?a=b"} {
		w.own.Reset()
		r := w.Do(t, http.MethodTrace, path, "")
		refused{http.StatusMethodNotAllowed, "invalid_request_error", "method_not_allowed", "", []string{"TRACE"}}.check(t, r)
		if allow := r.Header.Get("Allow"); !strings.Contains(allow, "POST") || strings.Contains(allow, "TRACE") {
			t.Errorf("allow: %q", allow)
		}
		untouched(t, w.own)
	}
}
