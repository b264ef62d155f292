package harness

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// NewClient makes a client whose connections end with the test.
func NewClient(t T) *http.Client {
	transport := &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Response is a whole answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Proto  string
}

// String is the body.
func (r *Response) String() string { return string(r.Body) }

// Error is the error object of the body, as OpenAI's clients read it.
type Error struct {
	Message string
	Type    string
	Param   string
	Code    string
}

// Error reads the body's error object; it is empty when there is none.
func (r *Response) Error() Error {
	var body struct{ Error Error }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return Error{}
	}
	return body.Error
}

// Do sends a request and reads the whole answer. Headers are lines such as "X-Api-Key: k".
func (g *Gateway) Do(t T, method, path, body string, headers ...string) *Response {
	t.Helper()
	r, err := g.Try(t, g.Client(t), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// Try is Do with a client of one's own and with the error.
func (g *Gateway) Try(t T, client *http.Client, method, path, body string, headers ...string) (*Response, error) {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, g.URL+path, from)
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "host") {
			req.Host = strings.TrimSpace(value)
			continue
		}
		if strings.EqualFold(name, "content-type") {
			req.Header.Del("Content-Type")
		}
		req.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return &Response{resp.StatusCode, resp.Header, got, resp.Proto}, err
}

// Chat posts a chat request.
func (g *Gateway) Chat(t T, body string, headers ...string) *Response {
	t.Helper()
	return g.Do(t, http.MethodPost, "/v1/chat/completions", body, headers...)
}

// Conn is a raw connection, for what no HTTP client would send.
type Conn struct {
	net.Conn
	t T
	r *bufio.Reader
}

// Dial connects to the gateway. The connection ends with the test.
func (g *Gateway) Dial(t T) *Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", g.Addr, 5*time.Second)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return newConn(t, c)
}

func newConn(t T, c net.Conn) *Conn {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	return &Conn{c, t, bufio.NewReader(c)}
}

// Send writes text as it is. That the gateway has hung up already is for Receive to tell.
func (c *Conn) Send(text string) { _, _ = io.WriteString(c.Conn, text) }

// Receive reads the next answer; nil when the connection was closed instead. Method is the request's.
func (c *Conn) Receive(method string) *Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, resp.Body); err != nil {
		c.t.Errorf("the answer ended early: %v", err)
	}
	header := resp.Header
	if resp.Close {
		header.Set("Connection", "close") // ReadResponse takes it out
	}
	return &Response{resp.StatusCode, header, body.Bytes(), resp.Proto}
}

// Reader is what the gateway sends, byte by byte.
func (c *Conn) Reader() *bufio.Reader { return c.r }
