package contract

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

var tooLarge = refused{http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large", "", []string{"SERVER_MAX_REQUEST_BODY_SIZE"}}

// sized is a chat request of exactly so many bytes.
func sized(size int) string {
	head, tail := `{"model":"own/good","x":"`, `"}`
	return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
}

func framed(path, body, framing string) string {
	if framing == "chunked" {
		var b strings.Builder
		b.WriteString("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
		for len(body) > 0 {
			n := min(len(body), 30_000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		b.WriteString("0\r\n\r\n")
		return b.String()
	}
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func TestABodyOverTheLimitIsRefusedOnAUsableConnection(t *testing.T) {
	for name, fixture := range map[string]func(*testing.T) (*scripted, dialer){
		"open":       func(t *testing.T) (*scripted, dialer) { w := theWorld(t); return w.own, w },
		"restricted": func(t *testing.T) (*scripted, dialer) { r := theRestricted(t); return r.own, r },
	} {
		for _, path := range []string{"/v1/chat/completions", "/proxy/own/any"} {
			for _, framing := range []string{"with its length", "chunked"} {
				t.Run(name+" "+path+" "+framing, func(t *testing.T) {
					provider, gateway := fixture(t)
					provider.Reset()
					c := gateway.Dial(t)
					for _, size := range []int{maxBody + 1, 2 * maxBody, 8 * maxBody} {
						c.Send(framed(path, sized(size), framing))
						r := c.Receive("POST")
						tooLarge.check(t, r)
						if r == nil || r.Header.Get("Connection") == "close" {
							t.Fatalf("%d bytes: the connection is closed", size)
						}
						untouched(t, provider)
						body := strings.Replace(sized(maxBody), "own/good", "good    ", 1) // exactly the limit
						if path != "/proxy/own/any" {
							body = sized(maxBody)
						}
						c.Send(framed(path, body, framing))
						if r := c.Receive("POST"); path == "/proxy/own/any" && name == "restricted" {
							provider.Reset() // "good    " is another model there
						} else if r == nil || r.Status != http.StatusOK {
							t.Fatalf("then exactly the limit: %v", r)
						} else if got := provider.Only(t); len(got.Body) < maxBody-4 {
							t.Errorf("%d bytes arrived", len(got.Body))
						}
						provider.Reset()
					}
				})
			}
		}
	}
}

func TestABodyFarOverTheLimitIsRefusedAtOnce(t *testing.T) {
	w := theWorld(t)
	w.own.Reset()
	for _, path := range []string{"/v1/chat/completions", "/proxy/own/any"} {
		for _, framing := range []string{"with its length", "chunked"} {
			t.Run(path+" "+framing, func(t *testing.T) {
				c := w.Dial(t)
				whole := framed(path, sized(100*maxBody), framing)
				go c.Send(whole) // the gateway may hang up before it has read everything
				tooLarge.check(t, c.Receive("POST"))
			})
		}
		t.Run(path+" announced", func(t *testing.T) {
			c := w.Dial(t)
			c.Send("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n")
			tooLarge.check(t, c.Receive("POST"))
		})
	}
	untouched(t, w.own)
}

func TestARefusalLeavesTheConnectionUsable(t *testing.T) {
	w := theWorld(t)
	c := w.Dial(t)
	good := framed("/v1/chat/completions", chat("own/good"), "with its length")
	for _, request := range []string{
		framed("/v1/chat/completions", "{", "with its length"),
		framed("/v1/chat/completions", chat("nobody/x"), "chunked"),
		framed("/v1/chat/completions", chat("dead/x"), "with its length"),
		"DELETE /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /proxy/nobody/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /proxy/own/..%2fx HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		line, _, _ := strings.Cut(request, "\r\n")
		c.Send(request)
		r := c.Receive("POST")
		if r == nil || r.Status < 400 {
			t.Fatalf("%s: %v", line, r)
		}
		if r.Header.Get("Connection") == "close" {
			t.Fatalf("%s: %d closes the connection", line, r.Status)
		}
		c.Send(good)
		if r := c.Receive("POST"); r == nil || r.Status != http.StatusOK {
			t.Fatalf("after %s: %v", line, r)
		}
	}
}
