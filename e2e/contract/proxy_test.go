package contract

import (
	"bufio"
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAProvidersOwnAPIIsReachedAsItIs(t *testing.T) {
	w := theWorld(t)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, provider := range []string{"own", "OWN"} {
			w.own.Reset()
			body := ""
			if method == "POST" || method == "PUT" || method == "PATCH" {
				body = `{ "model" : "own/anything", "model":1.0e5 }` // not the gateway's to judge without a list
			}
			r := w.Do(t, method, "/proxy/"+provider+"/files/a%2Fb/x%20y?q=1&provider=bare&e=%2F&&z", body, "Accept: x/y", "X-Custom: 1")
			if r.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", method, r.Status, r)
			}
			got := w.own.Only(t)
			if got.Method != method || got.URI != "/base/v1/files/a%2Fb/x%20y?q=1&provider=bare&e=%2F&&z" || string(got.Body) != body {
				t.Errorf("the provider got %s %s %s", got.Method, got.URI, got.Body)
			}
			if got.Header.Get("Accept") != "x/y" || got.Header.Get("X-Custom") != "1" {
				t.Errorf("%v", got.Header)
			}
		}
	}
	w.own.Reset()
	if r := w.Do(t, http.MethodHead, "/proxy/own/x", ""); r.Status != http.StatusOK || w.own.Only(t).Method != "HEAD" {
		t.Errorf("HEAD: %d", r.Status)
	}
	t.Run("the version is not said twice", func(t *testing.T) { // Anthropic's clients add /v1/… to any base URL
		for path, want := range map[string]string{
			"/proxy/own/v1/files?q=/v1/": "/base/v1/files?q=/v1/", "/PROXY/Own/V1/files": "/base/v1/files", "/proxy/own/v1/v1/files": "/base/v1/v1/files",
			"/proxy/own/v1x/files": "/base/v1/v1x/files", "/proxy/own/v2/files": "/base/v1/v2/files", "/proxy/own/files/v1/x": "/base/v1/files/v1/x",
		} {
			w.own.Reset()
			if r := w.Do(t, http.MethodGet, path, ""); r.Status != http.StatusOK || w.own.Only(t).URI != want {
				t.Errorf("%s: %d, the provider got %s", path, r.Status, w.own.Only(t).URI)
			}
		}
	})
	t.Run("a body of unknown length", func(t *testing.T) {
		w.own.Reset()
		req, err := http.NewRequest(http.MethodPut, w.URL+"/proxy/own/x", io.MultiReader(strings.NewReader("\x00\xff"), strings.NewReader("bytes")))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.Client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := w.own.Only(t); resp.StatusCode != http.StatusOK || string(got.Body) != "\x00\xffbytes" {
			t.Errorf("%d %q", resp.StatusCode, got.Body)
		}
	})
	t.Run("a GET with a body", func(t *testing.T) {
		w.own.Reset()
		if r := w.Do(t, http.MethodGet, "/proxy/own/x", "body"); r.Status != http.StatusOK || string(w.own.Only(t).Body) != "body" {
			t.Errorf("%d", r.Status)
		}
	})
}

func TestTheCredentialIsTheGatewaysAndNeverTheClients(t *testing.T) {
	w := theWorld(t)
	const mine = "clients-own-secret"
	clients := []string{
		"Authorization: Bearer " + mine, "X-Api-Key: " + mine, "Api-Key: " + mine, "Proxy-Authorization: Basic " + mine,
		"Cookie: session=" + mine, "X-Own-Secret: " + mine,
		"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-Ip: 203.0.113.9",
	}
	for _, tt := range []struct {
		id, header, value string
		to                *scripted
	}{
		{"own", "Authorization", "Bearer " + ownKey, w.own},
		{"anthropic", "X-Api-Key", antKey, w.ant},
		{"hdr", "X-Own-Secret", hdrKey, w.hdr},
		{"bare", "", "", w.bare},
	} {
		for _, path := range []string{"/proxy/" + tt.id + "/x", "/v1/chat/completions?provider=" + tt.id} {
			tt.to.Reset()
			if r := w.Do(t, http.MethodPost, path, chat("good"), clients...); r.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, r.Status, r)
			}
			got := tt.to.Only(t)
			for name, values := range got.Header {
				all := strings.Join(values, ",")
				if name == "X-Own-Secret" && tt.id != "hdr" {
					continue // it means nothing to the others
				}
				if strings.Contains(all, mine) || strings.Contains(all, "203.0.113.9") {
					t.Errorf("%s: the provider sees the client's %s: %s", path, name, all)
				}
				if strings.Contains(all, marker) != (name == tt.header) {
					t.Errorf("%s: %s: %s", path, name, all)
				}
			}
			if tt.header != "" && strings.Join(got.Header.Values(tt.header), "|") != tt.value {
				t.Errorf("%s: %s: %q", path, tt.header, got.Header.Values(tt.header))
			}
		}
	}
}

func TestAProviderThatCannotBeProxiedIsAClearRefusal(t *testing.T) {
	w := theWorld(t)
	for path, want := range map[string]refused{
		"/proxy/nobody/x": {http.StatusBadRequest, "invalid_request_error", "unknown_provider", "provider", []string{"own"}},
		"/proxy/openai/x": {http.StatusBadRequest, "invalid_request_error", "provider_not_configured", "", []string{"OPENAI_API_KEY"}},
		"/proxy/groq/x":   {http.StatusBadRequest, "invalid_request_error", "provider_not_configured", "", []string{"GROQ_ENABLED"}},
		"/proxy//x":       {http.StatusBadRequest, "invalid_request_error", "unknown_provider", "provider", nil},
		"/proxy/":         {http.StatusBadRequest, "invalid_request_error", "unknown_provider", "provider", nil},
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			t.Run(method+path, func(t *testing.T) { want.check(t, w.Do(t, method, path, "")) })
		}
	}
}

func TestAWebSocketPasses(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*scripted, dialer){
		"open":       func(t *testing.T) (*scripted, dialer) { w := theWorld(t); return w.own, w },
		"restricted": func(t *testing.T) (*scripted, dialer) { r := theRestricted(t); return r.own, r },
	} {
		t.Run(name, func(t *testing.T) {
			provider, gateway := start(t)
			provider.answers(t, func(rw http.ResponseWriter, _ *http.Request) {
				conn, buf, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
				for {
					b, err := buf.ReadByte()
					if err != nil {
						return
					}
					_, _ = conn.Write(bytes.ToUpper([]byte{b}))
				}
			})
			c := gateway.Dial(t)
			c.Send("GET /proxy/own/realtime?model=good HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
			if status := head(t, c.Reader()); !strings.Contains(status, " 101 ") {
				t.Fatalf("%s", status)
			}
			for _, word := range []string{"hello", "again"} {
				c.Send(word)
				got := make([]byte, len(word))
				if _, err := io.ReadFull(c.Reader(), got); err != nil || string(got) != strings.ToUpper(word) {
					t.Fatalf("%q %v", got, err)
				}
			}
			if got := provider.Requests(); len(got) != 1 || got[0].Header.Get("Authorization") != "Bearer "+ownKey || !strings.HasSuffix(got[0].URI, "/v1/realtime?model=good") {
				t.Errorf("%v", got)
			}
		})
	}
}

// head reads a response's head and gives its first line.
func head(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	first := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%q: %v", first, err)
		}
		if first == "" {
			first = line
		}
		if strings.TrimSpace(line) == "" {
			return first
		}
	}
}

func TestTheModelListsHoldForProxiedBodies(t *testing.T) {
	g := theRestricted(t)
	form := func(name string) (string, string) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		_ = m.WriteField("model", name)
		f, _ := m.CreateFormFile("file", "a.wav")
		_, _ = f.Write([]byte("RIFF\x00\xff"))
		_ = m.Close()
		return b.String(), m.FormDataContentType()
	}
	goodForm, goodType := form("good")
	badForm, badType := form("bad")
	notAllowed := refused{http.StatusForbidden, "model_not_allowed", "model_not_allowed", "model", []string{"own/bad"}}
	for _, tt := range []struct {
		name, kind, body string
		want             refused // zero: it passes
	}{
		{"JSON", "application/json", chat("good"), refused{}},
		{"JSON of another model", "application/json", chat("bad"), notAllowed},
		{"JSON without saying so", "text/plain", chat("bad"), notAllowed},
		{"JSON without a type", "", chat("bad"), notAllowed},
		{"JSON as a form", "application/x-www-form-urlencoded", chat("bad"), notAllowed},
		{"JSON, escaped", "application/json", `{"m\u006fdel":"b\u0061d"}`, notAllowed},
		{"JSON, twice", "application/json", `{"model":"good","model":"bad"}`, invalid("model", "duplicate")},
		{"JSON, broken", "application/json", `{"model":"good"`, invalid("")},
		{"JSON with no model", "application/json", ` {"input": 1.0e5 } `, refused{}},
		{"multipart", goodType, goodForm, refused{}},
		{"multipart of another model", badType, badForm, notAllowed},
		{"a form", "application/x-www-form-urlencoded", "model=good&x=%20y", refused{}},
		{"a form of another model", "application/x-www-form-urlencoded", "x=1&model=" + url.QueryEscape("bad"), notAllowed},
		{"a form of two models", "application/x-www-form-urlencoded", "model=good&model=bad", notAllowed},
		{"bytes", "application/octet-stream", "\x00\x01bytes", refused{}},
	} {
		for _, framing := range []string{"with its length", "chunked"} {
			t.Run(tt.name+" "+framing, func(t *testing.T) {
				g.own.Reset()
				var body io.Reader = strings.NewReader(tt.body)
				if framing == "chunked" {
					body = io.MultiReader(body)
				}
				req, err := http.NewRequest(http.MethodPost, g.URL+"/proxy/own/any", body)
				if err != nil {
					t.Fatal(err)
				}
				if tt.kind != "" {
					req.Header.Set("Content-Type", tt.kind)
				}
				r := roundTrip(t, g.Client(t), req)
				if tt.want.status != 0 {
					tt.want.check(t, r)
					untouched(t, g.own)
					return
				}
				if got := g.own.Only(t); r.Status != http.StatusOK || string(got.Body) != tt.body || got.URI != "/v1/any" {
					t.Errorf("%d: the provider got %s %q", r.Status, got.URI, got.Body)
				}
			})
		}
	}
	t.Run("compressed", func(t *testing.T) {
		g.own.Reset()
		invalid("", "content-encoding").check(t, g.Do(t, http.MethodPost, "/proxy/own/any", "\x1f\x8b", "Content-Encoding: gzip"))
		untouched(t, g.own)
	})
	for _, tt := range []struct{ method, path string }{
		{http.MethodDelete, "/proxy/own/models/bad"},
		{http.MethodGet, "/proxy/own/models/b%61d"},
		{http.MethodGet, "/proxy/own/text?model=bad"},
		{http.MethodHead, "/proxy/own/text?Model=bad"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			g.own.Reset()
			r := g.Do(t, tt.method, tt.path, "")
			if r.Status != http.StatusForbidden {
				t.Errorf("%d %s", r.Status, r)
			}
			untouched(t, g.own)
			good := strings.NewReplacer("bad", "good", "b%61d", "good").Replace(tt.path)
			if r := g.Do(t, tt.method, good, ""); r.Status != http.StatusOK {
				t.Errorf("%s: %d %s", good, r.Status, r)
			}
		})
	}
	t.Run("a WebSocket", func(t *testing.T) {
		g.own.Reset()
		c := g.Dial(t)
		c.Send("GET /proxy/own/realtime?model=bad HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		notAllowed.check(t, c.Receive("GET"))
		untouched(t, g.own)
	})
	t.Run("a WebSocket that says its model later", func(t *testing.T) {
		g.own.Reset()
		c := g.Dial(t)
		c.Send("GET /proxy/own/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		refused{http.StatusForbidden, "permission_error", "permission_denied", "", []string{"?model="}}.check(t, c.Receive("GET"))
		untouched(t, g.own)
	})
	t.Run("a batch", func(t *testing.T) {
		g.own.Reset()
		r := g.Do(t, http.MethodPost, "/proxy/own/batches", `{"input_file_id":"file-of-bad"}`)
		if r.Status != http.StatusForbidden || r.Error().Code != "permission_denied" {
			t.Errorf("%d %s", r.Status, r)
		}
		untouched(t, g.own)
	})
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		t.Run("by "+method, func(t *testing.T) {
			g.own.Reset()
			notAllowed.check(t, g.Do(t, method, "/proxy/OWN/any", chat("bad")))
			untouched(t, g.own)
		})
	}
	t.Run("behind an upgrade", func(t *testing.T) {
		g.own.Reset()
		c := g.Dial(t)
		c.Send("POST /proxy/own/any HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: " + itoa(len(chat("bad"))) + "\r\n\r\n" + chat("bad"))
		if r := c.Receive("POST"); r != nil && r.Status == http.StatusOK {
			t.Errorf("%d %s", r.Status, r)
		}
		untouched(t, g.own)
	})
}
