package loopback

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// conn is one connection. One exchange at a time has it.
type conn struct {
	net.Conn
	reader *bufio.Reader // nil while the connection is idle
	head   []byte        // of the request, kept for the next
	pieces net.Buffers   // likewise
	since  time.Time     // idle
}

// readers hold 32 KiB, so that the events of a fast model are read, and passed on, several at a time. Idle connections have
// none.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

func (c *conn) wake() {
	c.reader = readers.Get().(*bufio.Reader)
	c.reader.Reset(c.Conn)
}

// rest gives the reader back; nothing is left in it.
func (c *conn) rest() {
	c.reader.Reset(nil)
	readers.Put(c.reader)
	c.reader = nil
}

// lives says whether an idle connection is still one: the server has not closed it, nor said a word out of turn.
func (c *conn) lives() bool {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:]) // the socket does not block
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

// send writes a request; sent says whether a byte of it may have gone out. A large body is written while the caller goes
// on, and written tells when it is out.
func (c *conn) send(req *http.Request, body Pieces) (written <-chan error, sent bool, err error) {
	if c.head, err = appendHead(c.head[:0], req, body); err != nil {
		return nil, false, err
	}
	if body.Len() > inOnePiece {
		all := append(net.Buffers{c.head}, body...) // its own: it may be in use after this exchange
		c.head = nil
		done := make(chan error, 1)
		go func() {
			_, err := all.WriteTo(c.Conn)
			done <- err
		}()
		return done, true, nil
	}
	c.pieces = append(append(c.pieces[:0], c.head), body...)
	out := c.pieces // WriteTo takes from it what it has written
	n, err := out.WriteTo(c.Conn)
	clear(c.pieces) // the request's bytes are not ours to keep
	return nil, n > 0, err
}

// ofTheWire are headers that this client writes itself, or that only a Transport knows what to do with.
func ofTheWire(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Transfer-Encoding", "Trailer":
		return true
	default:
		return false
	}
}

func appendHead(to []byte, req *http.Request, body Pieces) ([]byte, error) {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	path := req.URL.RequestURI()
	if strings.ContainsAny(host, " \r\n") || strings.ContainsAny(path, " \r\n") {
		return to, fmt.Errorf("loopback: %s %q is no request", req.Method, path)
	}
	to = append(append(append(append(to, req.Method...), ' '), path...), " HTTP/1.1\r\nHost: "...)
	to = append(append(to, host...), "\r\n"...)
	for name, values := range req.Header {
		if ofTheWire(name) {
			continue
		}
		if strings.ContainsAny(name, ": \r\n") {
			return to, fmt.Errorf("loopback: %q is no header", name)
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				return to, fmt.Errorf("loopback: the value of header %s has a line break", name)
			}
			to = append(append(append(append(to, name...), ": "...), v...), "\r\n"...)
		}
	}
	if n := body.Len(); n > 0 || req.Method == http.MethodPost {
		to = strconv.AppendInt(append(to, "Content-Length: "...), n, 10)
		to = append(to, "\r\n"...)
	}
	return append(to, "\r\n"...), nil
}

// receive reads the head of the answer, past those that only say to wait.
func (c *conn) receive(req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.reader, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}
