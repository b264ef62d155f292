package loopback

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// mostHead bounds the head of an answer, together with those before it that only say to wait.
const mostHead = 1 << 20

var errHead = errors.New("loopback: the head of an answer is too large")

// conn is one connection. One exchange at a time has it.
type conn struct {
	net.Conn
	reader *bufio.Reader // nil while the connection is idle
	since  time.Time     // idle
	may    int64         // bytes that may still be read
	wrote  bool          // something of the request
	broken bool          // it takes no more of it
}

// Requests mostly go out in one piece. The events of a fast model are read, and passed on, several at a time. Idle
// connections have no buffers.
const bufferSize = 32 << 10

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}
)

func (c *conn) Read(p []byte) (int, error) {
	if c.may <= 0 {
		return 0, errHead
	}
	n, err := c.Conn.Read(p)
	c.may -= int64(n)
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote = c.wrote || n > 0
	c.broken = c.broken || err != nil
	return n, err
}

func (c *conn) wake() {
	c.wrote, c.broken = false, false
	c.reader = readers.Get().(*bufio.Reader)
	c.reader.Reset(c)
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

// send writes a request, and closes its body. When it is the server that takes no more, its answer may be there all the
// same. A body that fails leaves half a request, which only the end of the connection can end.
func (c *conn) send(req *http.Request) error {
	w := writers.Get().(*bufio.Writer)
	w.Reset(c)
	err := req.Write(w)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(nil)
	writers.Put(w)
	if err != nil && !c.broken {
		_ = c.Close()
	}
	return err
}

// receive reads the head of the answer, past those that only say to wait.
func (c *conn) receive(req *http.Request) (*http.Response, error) {
	c.may = mostHead
	for {
		resp, err := http.ReadResponse(c.reader, req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, fmt.Errorf("loopback: the server changes to a protocol that nobody has asked for: %q", resp.Header.Get("Upgrade"))
		case resp.StatusCode >= http.StatusOK:
			c.may = math.MaxInt64
			return resp, nil
		}
	}
}
