package security

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// h2 is a connection of HTTP/2 whose frames are written by hand.
type h2 struct {
	*http2.Framer
	net.Conn
	block strings.Builder
	hpack *hpack.Encoder
}

// h2 connects. A deaf connection holds hardly anything of what it is sent until it reads.
func (e *exposed) h2(t *testing.T, deaf bool) *h2 {
	t.Helper()
	d := &net.Dialer{}
	if deaf {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048) }), err)
		}
	}
	conn, err := d.Dial("tcp", e.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	c := &h2{Framer: http2.NewFramer(conn, conn), Conn: conn}
	c.hpack = hpack.NewEncoder(&c.block)
	c.AllowIllegalWrites = true
	require.NoError(t, c.WriteSettings())
	return c
}

// head encodes fields, in pairs of name and value.
func (c *h2) head(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return []byte(c.block.String())
}

// open begins a request that stays unfinished.
func (c *h2) open(stream uint32) error {
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.head(request...), EndHeaders: true})
}

// closed reads until the gateway has closed the connection, and says whether it has.
func (c *h2) closed() bool {
	for {
		if _, err := c.ReadFrame(); err != nil {
			var timeout net.Error
			return !errors.As(err, &timeout) || !timeout.Timeout()
		}
	}
}

// status is that of the answer, or nothing when the stream or the connection was ended instead.
func (c *h2) status() string {
	decoder := hpack.NewDecoder(4096, nil)
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return ""
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			return ""
		case *http2.HeadersFrame:
			got, err := decoder.DecodeFull(f.HeaderBlockFragment())
			if err != nil || len(got) == 0 {
				return "unreadable"
			}
			return got[0].Value
		}
	}
}

var request = []string{":method", "POST", ":scheme", "http", ":authority", "x", ":path", "/proxy/own/a"}

// counted gives the sum of Envoy's counters of these names.
func (e *exposed) counted(t *testing.T, names string) (sum int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^(?:`+names+`): (\d+)$`).FindAllStringSubmatch(e.Admin(t, "GET", "/stats"), -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		sum += n
	}
	return sum
}

type flood struct {
	counters string // those of Envoy that count a connection that was ended for this
	deaf     bool   // a client that reads none of the answers
	frame    func(c *h2, n uint32) error
}

// unread are answers that nobody takes: of one kind or of all, or more in one go than the HTTP/2 library itself allows.
const unread = `http2\.outbound_control_flood|http2\.outbound_flood|http\.public\.downstream_cx_protocol_error`

var floods = map[string]flood{
	"rapid reset": {`http\.public\.downstream_rq_too_many_premature_resets`, false, func(c *h2, n uint32) error {
		_ = c.open(2*n + 1)
		return c.WriteRSTStream(2*n+1, http2.ErrCodeCancel)
	}},
	"PING": {unread, true, func(c *h2, _ uint32) error { return c.WritePing(false, [8]byte{}) }},
	"SETTINGS": {unread, true, func(c *h2, _ uint32) error {
		return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
	}},
	"too many streams": {unread, true, func(c *h2, n uint32) error { return c.open(2*n + 1) }},
	"CONTINUATION": {`http2\.header_overflow`, false, func(c *h2, n uint32) error {
		return c.goOn(n, "x-a", strings.Repeat("b", 100))
	}},
	"empty CONTINUATION": {`http2\.inbound_empty_frames_flood`, false, func(c *h2, n uint32) error { return c.goOn(n) }},
	"empty DATA": {`http2\.inbound_empty_frames_flood`, false, func(c *h2, n uint32) error {
		if n == 0 {
			return c.open(1)
		}
		return c.WriteData(1, false, nil)
	}},
	"PRIORITY": {`http2\.inbound_priority_frames_flood`, false, func(c *h2, _ uint32) error {
		return c.WritePriority(1, http2.PriorityParam{StreamDep: 3})
	}},
	"WINDOW_UPDATE": {`http2\.inbound_window_update_frames_flood`, false, func(c *h2, _ uint32) error { return c.WriteWindowUpdate(0, 1) }},
}

// goOn begins a head, or goes on with it.
func (c *h2) goOn(n uint32, fields ...string) error {
	if n == 0 {
		return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(request...)})
	}
	return c.WriteContinuation(1, false, c.head(fields...))
}

// pour sends a flood, and says whether the gateway has closed the connection.
func (f flood) pour(c *h2) bool {
	const many = 200_000 // bounded: a connection that is still open then has passed
	over := make(chan bool, 1)
	if !f.deaf {
		go func() { over <- c.closed() }()
	}
	for n := range uint32(many) {
		if f.frame(c, n) != nil {
			break // it is closed
		}
	}
	if f.deaf {
		over <- c.closed()
	}
	return <-over
}

// Each flood ends its connection, and Envoy says why. Nobody else notices.
func TestFloodsOfHTTP2(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	want, connections := map[string]int{}, map[string]*h2{}
	for _, f := range floods {
		want[f.counters] = e.counted(t, f.counters)
	}
	for name, f := range floods {
		want[f.counters]++
		connections[name] = e.h2(t, f.deaf)
	}
	for name, closed := range together(connections, func(name string, c *h2) bool { return floods[name].pour(c) }) {
		assert.True(t, closed, "%s: the connection goes on", name)
	}
	for counters, n := range want {
		harness.Eventually(t, patience, counters, func() bool { return e.counted(t, counters) >= n })
	}
	e.stillServes(t, envoy)
}

// A client that has its streams reset by the gateway, each by a frame that is an error after a request that is whole
// ("MadeYouReset"), gets no second chance.
func TestAClientThatMakesItsStreamsResetIsCutOff(t *testing.T) {
	e := theExposed(t)
	envoy := e.EnvoyPID()
	const mistaken, requests = `http\.public\.downstream_cx_protocol_error`, `http\.public\.downstream_rq_total`
	whole := func(c *h2, id uint32, more ...string) error {
		fields := append(append([]string{}, request...), more...)
		return c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.head(fields...), EndHeaders: true, EndStream: true})
	}
	mistakes := map[string]func(c *h2, id uint32) error{
		"a window of nothing":      func(c *h2, id uint32) error { return c.WriteWindowUpdate(id, 0) },
		"a window that overflows":  func(c *h2, id uint32) error { return c.WriteWindowUpdate(id, 1<<31-1) },
		"data after the end":       func(c *h2, id uint32) error { return c.WriteData(id, false, []byte("a")) },
		"a head after the end":     func(c *h2, id uint32) error { return whole(c, id) },
		"a head that is not valid": func(c *h2, id uint32) error { return whole(c, id+2, "connection", "close") },
	}
	errorsBefore, requestsBefore := e.counted(t, mistaken), e.counted(t, requests)
	connections := map[string]*h2{}
	for name := range mistakes {
		connections[name] = e.h2(t, false)
	}
	for name, closed := range together(connections, func(name string, c *h2) bool {
		return flood{frame: func(c *h2, n uint32) error {
			_ = whole(c, 4*n+1)
			return mistakes[name](c, 4*n+1)
		}}.pour(c)
	}) {
		assert.True(t, closed, "%s: the connection goes on", name)
	}
	harness.Eventually(t, patience, "each is an error of the protocol", func() bool { return e.counted(t, mistaken) >= errorsBefore+len(mistakes) })
	assert.LessOrEqual(t, e.counted(t, requests), requestsBefore+2*len(mistakes), "the first mistake ends the connection")
	e.stillServes(t, envoy)
}

// together does something with every case at the same time: each waits for a second until Envoy has closed a connection.
func together[C, R any](cases map[string]C, do func(name string, c C) R) map[string]R {
	out := make(map[string]R, len(cases))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, c := range cases {
		wg.Go(func() {
			r := do(name, c)
			mu.Lock()
			defer mu.Unlock()
			out[name] = r
		})
	}
	wg.Wait()
	return out
}

// What a connection may ask for at a time is told (RFC 9113, 5.1.2) and held.
func TestOneConnectionHasSoManyStreamsAndNoMore(t *testing.T) {
	const most = 128 // SERVER_MAX_STREAMS unless it is set
	c := theExposed(t).h2(t, false)
	for stream := range uint32(most + 1) {
		require.NoError(t, c.open(2*stream+1))
	}
	told := uint32(0)
	for {
		f, err := c.ReadFrame()
		require.NoError(t, err)
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
				told = v
			}
		case *http2.RSTStreamFrame:
			if f.ErrCode != http2.ErrCodeRefusedStream { // SERVER_READ_TIMEOUT, on a machine that is very busy
				continue
			}
			assert.EqualValues(t, most, told)
			assert.EqualValues(t, 2*most+1, f.StreamID, "the one too many")
			return
		}
	}
}
