package contract

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// dialer is a gateway of any of the fixtures.
type dialer interface {
	Dial(t harness.T) *harness.Conn
}

func roundTrip(t *testing.T, client *http.Client, req *http.Request) *harness.Response {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Proto: resp.Proto}
}

func TestInternalHeadersOfAClientAreStripped(t *testing.T) {
	w := theWorld(t)
	internal := []string{
		"X-Igw-Provider: bare", "x-igw-checked: true", "X-Igw-Own: 1", "X-Igw-Retry-Hint: 503/-",
		"X-Envoy-Max-Retries: 9", "X-Envoy-Retry-On: 5xx", "X-Envoy-Upstream-Rq-Timeout-Ms: 1", "X-Envoy-Original-Path: /x",
		"X-Envoy-Decorator-Operation: x", "X-Envoy-Upstream-Alt-Stat-Name: x", "X-Envoy-Force-Trace: true", "X-Envoy-External-Address: 203.0.113.9",
	}
	t.Run("and choose no provider", func(t *testing.T) {
		w.bare.Reset()
		w.own.Reset()
		refused{http.StatusBadRequest, "invalid_request_error", "unknown_provider", "model", nil}.check(t, w.Chat(t, chat("x"), internal...))
		if r := w.Chat(t, chat("own/x"), internal...); r.Status != http.StatusOK {
			t.Errorf("%d %s", r.Status, r)
		}
		for name := range w.own.Only(t).Header {
			if low := strings.ToLower(name); strings.HasPrefix(low, "x-igw-") || strings.HasPrefix(low, "x-envoy-") {
				t.Errorf("the provider got %s", name)
			}
		}
		untouched(t, w.bare)
	})
	t.Run("and change no retries", func(t *testing.T) {
		w.own.answers(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) })
		w.Chat(t, chat("own/x"), internal...)
		w.Do(t, http.MethodGet, "/proxy/own/x", "", internal...)
		if n := len(w.own.Requests()); n != 2 {
			t.Errorf("%d requests for two", n)
		}
	})
	t.Run("and check nothing", func(t *testing.T) {
		g := theRestricted(t)
		g.own.Reset()
		for _, more := range []string{"X-Igw-Checked: true", "x-igw-checked: true", "X_Igw_Checked: true"} {
			if r := g.Do(t, http.MethodPost, "/proxy/own/x", chat("bad"), more); r.Status != http.StatusForbidden && r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", more, r.Status, r)
			}
			if r := g.Chat(t, chat("own/bad"), more, "X-Igw-Provider: own"); r.Status != http.StatusForbidden && r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", more, r.Status, r)
			}
		}
		untouched(t, g.own)
	})
}

func TestTheHostHeaderChoosesNothing(t *testing.T) {
	w := theWorld(t)
	stray := strings.TrimPrefix(w.stray.URL, "http://")
	bare := strings.TrimPrefix(w.bare.URL, "http://")
	for _, host := range []string{stray, bare, "gateway-api", "loopback", "localhost:1@evil", "a.example"} {
		w.own.Reset()
		w.bare.Reset()
		r := w.Chat(t, chat("own/x"), "Host: "+host, "X-Forwarded-Host: "+stray, "X-Forwarded-Proto: https")
		if got := w.own.Only(t); r.Status != http.StatusOK || got.Host != strings.TrimPrefix(w.own.URL, "http://") {
			t.Errorf("host %s: %d, the provider got host %s", host, r.Status, got.Host)
		}
		w.own.Reset()
		if r := w.Do(t, http.MethodGet, "/proxy/own/x", "", "Host: "+host); r.Status != http.StatusOK || w.own.Only(t).Host == host {
			t.Errorf("host %s through /proxy: %d", host, r.Status)
		}
		untouched(t, w.bare, w.stray)
	}
	for _, target := range []string{w.stray.URL + "/proxy/own/x", "http://gateway-api/proxy/own/x"} { // absolute form
		w.own.Reset()
		c := w.Dial(t)
		c.Send("GET " + target + " HTTP/1.1\r\nHost: " + stray + "\r\n\r\n")
		if r := c.Receive("GET"); r == nil || r.Status != http.StatusOK || w.own.Only(t).URI != "/base/v1/x" {
			t.Errorf("%s: %v", target, r)
		}
	}
	c := w.Dial(t)
	c.Send("CONNECT " + stray + " HTTP/1.1\r\nHost: " + stray + "\r\n\r\n")
	if r := c.Receive("CONNECT"); r != nil && r.Status < 400 {
		t.Errorf("CONNECT: %d", r.Status)
	}
	untouched(t, w.stray)
}

// parameters of a segment are taken away by some servers before they look at the dots (RFC 3986, 3.3).
var parameters = regexp.MustCompile(`(?i)(;|%3b)[^/]*`)

func TestNoPathLeavesAProvidersBase(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{
		"/proxy/own/../bare/x", "/proxy/own/%2e%2e/bare/x", "/proxy/own/%2E%2e/x", "/proxy/own/..%2fx", "/proxy/own/..%2Fbare/x",
		"/proxy/own/a/..%2f..%2fx", "/proxy/own/..%5cx", `/proxy/own/..\x`, `/proxy/own/\..\x`, "/proxy/own/a/../../../x", "/proxy/own/..",
		"/proxy/own/.%2e/x", "/proxy/own/%2e./x", "/proxy/own/%252e%252e/x", "/proxy/own/..;/x", "/proxy/own//../../x", "/proxy/own/./../x",
		"/proxy/own%2f..%2fbare/x", "/proxy/..%2fproxy/own/x", "/proxy/own/a%2f..%2f..%2f..%2fx", "/proxy/own/..%00/x", "/proxy/own/%2e%2e%2f%2e%2e%2fx",
		"/v1/models/../../proxy/own/x", "/v1/models/..%2f..%2fproxy/own/x", "//proxy/own/../x", "/proxy/own/x?y=/../../z", "/proxy/own/x#/../..",
		"/proxy/own/%c0%ae%c0%ae/x", "/proxy/own/\t../x", "/proxy/own/..//x", "/proxy/own/a\\..\\..\\x",
		"/proxy/own/%2e%2e;a=b/x", "/proxy/own/..;a=b/x", "/proxy/own/%2e%2e%3ba/x", "/proxy/own/a%2f%2e%2e;",
	} {
		for _, p := range []*scripted{w.own, w.bare, w.ant, w.hdr} {
			p.Reset()
		}
		c := w.Dial(t)
		c.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		r := c.Receive("GET")
		c.Close()
		for _, got := range append(append(w.own.Requests(), w.ant.Requests()...), w.hdr.Requests()...) {
			bare, _, _ := strings.Cut(got.URI, "?")
			plain := strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", `\`, "/").Replace(bare)
			plain = parameters.ReplaceAllString(plain, "")
			if !strings.HasPrefix(bare, "/base/v1/") || strings.Contains(plain, "/../") || strings.HasSuffix(plain, "/..") {
				t.Errorf("%q: a provider got %s", path, got.URI)
			}
		}
		for _, got := range w.bare.Requests() { // normalised by Envoy before anything is decided: it is that provider's own path
			if !strings.HasPrefix(got.URI, "/v1/") || strings.Contains(got.URI, "..") {
				t.Errorf("%q: a provider got %s", path, got.URI)
			}
		}
		if r != nil && r.Status >= 500 {
			t.Errorf("%q: %d %s", path, r.Status, r)
		}
	}
}

func TestARequestHasOneMeaning(t *testing.T) {
	w := theWorld(t)
	second := "GET /proxy/bare/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, request := range map[string]string{
		"length and chunks":    "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		"two lengths":          "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 70\r\n\r\n" + second,
		"an odd encoding":      "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 70\r\n\r\n" + second,
		"a space in the name":  "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length : 70\r\n\r\n" + second,
		"a signed length":      "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + second,
		"a folded header":      "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nX: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 70\r\n\r\n" + second,
		"a chunk size too big": "POST /proxy/own/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + second,
	} {
		t.Run(name, func(t *testing.T) {
			w.own.Reset()
			w.bare.Reset()
			c := w.Dial(t)
			c.Send(request)
			r := c.Receive("POST")
			if r != nil && r.Status == http.StatusOK && name != "a folded header" {
				t.Errorf("it passed, and the provider got %v", w.own.Requests())
			}
			if r != nil && c.Receive("GET") != nil {
				t.Error("what follows was answered")
			}
			untouched(t, w.bare)
		})
	}
}
