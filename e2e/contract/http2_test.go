package contract

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 is a raw HTTP/2 connection, for what no client would send.
type h2 struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	encode *hpack.Encoder
}

func dialH2(t *testing.T, addr string) *h2 {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c := &h2{t: t, conn: conn, framer: http2.NewFramer(conn, conn)}
	c.encode = hpack.NewEncoder(&c.block)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes a whole request; each pair is a header's name and value.
func (c *h2) send(stream uint32, body string, headers ...[2]string) {
	c.t.Helper()
	c.block.Reset()
	for _, h := range headers {
		if err := c.encode.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if err == nil && body != "" {
		err = c.framer.WriteData(stream, true, []byte(body))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// until reads frames up to the first that fits.
func (c *h2) until(what string, fits func(http2.Frame) bool) {
	c.t.Helper()
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if away, ok := f.(*http2.GoAwayFrame); ok {
			c.t.Fatalf("waiting for %s: the connection is ended: %v %q", what, away.ErrCode, away.DebugData())
		}
		if settings, ok := f.(*http2.SettingsFrame); ok && !settings.IsAck() {
			_ = c.framer.WriteSettingsAck()
		}
		if fits(f) {
			return
		}
	}
}

func headersOf(stream uint32, status int) func(http2.Frame) bool {
	return func(f http2.Frame) bool {
		h, ok := f.(*http2.MetaHeadersFrame)
		return ok && h.StreamID == stream && h.PseudoValue("status") == strconv.Itoa(status)
	}
}

// What honest clients get wrong. The rest ends the connection: e2e/security, TestAClientThatMakesItsStreamsResetIsCutOff.
func TestAnHonestMistakeEndsItsOwnStreamOnly(t *testing.T) {
	w := theWorld(t)
	ask := func(path string, more ...[2]string) [][2]string {
		return append([][2]string{{":method", "POST"}, {":path", path}, {":authority", "x"}, {":scheme", "http"}}, more...)
	}
	for name, headers := range map[string][][2]string{
		"a name with an underscore": ask("/v1/chat/completions", [2]string{"x_name", "v"}),
		"a length that is not true": ask("/v1/chat/completions", [2]string{"content-length", "1"}),
		"too many headers":          ask("/v1/chat/completions", slices.Repeat([][2]string{{"x-name", "v"}}, 200)...),
	} {
		t.Run(name, func(t *testing.T) {
			goOn := make(chan struct{})
			w.own.answers(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/base/v1/slow" {
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, "data: {}\n\n")
				_ = http.NewResponseController(w).Flush()
				<-goOn
				_, _ = io.WriteString(w, "data: [DONE]\n\n")
			})
			defer close(goOn)
			c := dialH2(t, w.Addr)
			c.send(1, "{}", ask("/proxy/own/slow")...)
			c.until("the answer's begin", func(f http2.Frame) bool {
				d, ok := f.(*http2.DataFrame)
				return ok && d.StreamID == 1
			})
			c.send(3, "{}", headers...)
			c.until("the end of the bad request", func(f http2.Frame) bool {
				r, ok := f.(*http2.RSTStreamFrame)
				return ok && r.StreamID == 3
			})
			c.send(5, chat("own/good"), ask("/v1/chat/completions")...)
			c.until("the answer of another request", headersOf(5, http.StatusOK))
			goOn <- struct{}{}
			c.until("the answer's end", func(f http2.Frame) bool {
				d, ok := f.(*http2.DataFrame)
				return ok && d.StreamID == 1 && d.StreamEnded()
			})
		})
	}
}
