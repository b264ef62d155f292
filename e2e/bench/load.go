package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// job is what the load generator's process is told to do: one line of JSON on its standard input.
type job struct {
	Addr     string
	Request  []byte // the whole request, sent again and again
	WantLen  int    // of the decoded body; a shorter one is an error
	WantSum  uint32 // another sum at full length is counted as "differs"
	Streamed bool   // the body must end with [DONE]
	Conns    int
	Warmup   time.Duration
	Duration time.Duration
	Grace    time.Duration // for the answers that are under way when Duration is over
	OneShot  bool          // one request for each connection, all open together: the open-streams part
	Ramp     time.Duration // OneShot: over how long the connections are opened
	Steps    []job         // instead of one request: several, one after the other, each on a connection of its own
}

// loadEvent is one line of the load generator's standard output: "ready" (it waits for a line before it starts to measure),
// "open" (OneShot: every stream has begun or failed), "done".
type loadEvent struct {
	Event  string
	Result *loadResult `json:",omitempty"`
}

type loadResult struct {
	Requests int // whole and right
	Errors   int
	Differs  int // right status and length, other bytes than the provider's
	Refused  int // of Errors: no body byte ever came
	MaxOpen  int // most streams under way at the same moment
	Samples  []string
	Seconds  float64
	CPU      float64 // the load generator's own, in seconds
	P50      float64 // milliseconds until the answer was whole
	P99      float64
	Max      float64
	FirstP50 float64 // milliseconds until the first byte of the body
	FirstP99 float64
}

// loadMain is the load generator's process: a closed loop, one goroutine for each connection. It has a process of its own
// so that its CPU is counted apart and its garbage disturbs nobody.
func loadMain([]string) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	var g interface {
		connect() error
		loop(d time.Duration)
		begin()
		oneShot(allOpen func())
		result(took, cpu time.Duration) loadResult
	} = newGenerator(j)
	if len(j.Steps) > 0 {
		g = newChain(j)
	}
	if err := g.connect(); err != nil {
		return err
	}
	if !j.OneShot {
		g.loop(j.Warmup)
	}
	if err := out.Encode(loadEvent{Event: "ready"}); err != nil {
		return err
	}
	if _, err := in.ReadBytes('\n'); err != nil {
		return err
	}
	go func() { // the parent is gone when its end of the pipe is
		_, _ = io.Copy(io.Discard, in)
		os.Exit(1)
	}()

	g.begin()
	before, began := ownCPU(), time.Now()
	if j.OneShot {
		g.oneShot(func() { _ = out.Encode(loadEvent{Event: "open"}) })
	} else {
		g.loop(j.Duration)
	}
	result := g.result(time.Since(began), ownCPU()-before)
	return out.Encode(loadEvent{Event: "done", Result: &result})
}

type generator struct {
	job
	clients []*client
	began   atomic.Int64 // streams whose first byte came, and those that failed before it
	open    atomic.Int64
	maxOpen atomic.Int64
}

func newGenerator(j job) *generator {
	g := &generator{job: j}
	for range j.Conns {
		g.clients = append(g.clients, newClient(g))
	}
	return g
}

// connect dials before anything is measured; OneShot dials as it goes, because there the ramp is part of the story.
func (g *generator) connect() error {
	if g.OneShot {
		return nil
	}
	for _, c := range g.clients {
		if err := c.dial(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// begin forgets the warm-up's times, not its errors: a wrong answer is wrong at any time.
func (g *generator) begin() {
	for _, c := range g.clients {
		c.whole, c.first, c.differs = c.whole[:0], c.first[:0], 0
	}
}

func (g *generator) loop(d time.Duration) {
	if d <= 0 {
		return
	}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for _, c := range g.clients {
		wg.Go(func() { c.loop(end, end.Add(g.Grace)) })
	}
	wg.Wait()
}

func (g *generator) oneShot(allOpen func()) {
	limit := time.Now().Add(g.Ramp + g.Duration + g.Grace)
	notify := sync.OnceFunc(allOpen)
	began := func() {
		if g.began.Add(1) == int64(g.Conns) {
			notify()
		}
	}
	var wg sync.WaitGroup
	for i, c := range g.clients {
		wg.Go(func() {
			time.Sleep(g.Ramp * time.Duration(i) / time.Duration(g.Conns))
			opened := false
			c.onFirst = func() {
				opened = true
				open := g.open.Add(1)
				for seen := g.maxOpen.Load(); open > seen && !g.maxOpen.CompareAndSwap(seen, open); seen = g.maxOpen.Load() {
				}
				began()
			}
			c.once(limit)
			if opened {
				g.open.Add(-1)
			} else {
				c.refused++
				began()
			}
		})
	}
	wg.Wait()
}

func (g *generator) result(took, cpu time.Duration) loadResult {
	r := loadResult{Seconds: took.Seconds(), CPU: cpu.Seconds(), MaxOpen: int(g.maxOpen.Load())}
	var whole, first []time.Duration
	for _, c := range g.clients {
		whole, first = append(whole, c.whole...), append(first, c.first...)
		r.Errors += c.errors
		r.Differs += c.differs
		r.Refused += c.refused
		if c.sample != "" && len(r.Samples) < 3 {
			r.Samples = append(r.Samples, c.sample)
		}
		c.drop()
	}
	r.Requests = len(whole)
	r.P50, r.P99, r.Max = millis(percentile(whole, 50)), millis(percentile(whole, 99)), millis(percentile(whole, 100))
	r.FirstP50, r.FirstP99 = millis(percentile(first, 50)), millis(percentile(first, 99))
	return r
}

// client is one connection and what its answers were like.
type client struct {
	g       *generator
	conn    net.Conn
	buf     []byte
	parser  *parser
	onFirst func()

	length int // of the body so far
	sum    uint32
	tail   []byte // its last bytes

	whole, first             []time.Duration
	errors, differs, refused int
	sample                   string
}

func newClient(g *generator) *client {
	c := &client{g: g, buf: make([]byte, 16<<10)}
	c.parser = newResponseParser(c.onBody)
	if !g.OneShot {
		c.whole, c.first = make([]time.Duration, 0, 1<<14), make([]time.Duration, 0, 1<<14)
	}
	return c
}

func (c *client) dial(limit time.Time) error {
	conn, err := net.DialTimeout("tcp", c.g.Addr, 5*time.Second)
	if err != nil {
		return err
	}
	c.conn = conn
	return conn.SetDeadline(limit)
}

func (c *client) drop() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *client) onBody(b []byte) {
	c.length += len(b)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, b)
	const keep = 32
	if len(b) > keep {
		b = b[len(b)-keep:]
	}
	if over := len(c.tail) + len(b) - keep; over > 0 {
		c.tail = c.tail[:copy(c.tail, c.tail[over:])]
	}
	c.tail = append(c.tail, b...)
}

// loop asks until end. The deadline is set once, not for every request: it costs a timer, and only has to bound the run.
func (c *client) loop(end, limit time.Time) {
	if c.conn != nil {
		_ = c.conn.SetDeadline(limit)
	}
	for now := time.Now(); now.Before(end); now = time.Now() {
		if !c.once(limit) {
			time.Sleep(10 * time.Millisecond) // a server that refuses must not be measured by how fast it does so
		}
	}
}

func (c *client) once(limit time.Time) bool {
	if err := c.exchange(limit); err != nil {
		c.errors++
		if c.sample == "" {
			c.sample = err.Error()
		}
		c.drop()
		return false
	}
	return true
}

func (c *client) exchange(limit time.Time) error {
	if c.conn == nil {
		if err := c.dial(limit); err != nil {
			return err
		}
	}
	c.parser.reset()
	c.length, c.sum, c.tail = 0, 0, c.tail[:0]
	var first time.Duration
	began := time.Now()
	if _, err := c.conn.Write(c.g.Request); err != nil {
		return err
	}
	for done := false; !done; {
		n, err := c.conn.Read(c.buf)
		if n > 0 {
			var used int
			var bad error
			if used, done, bad = c.parser.feed(c.buf[:n]); bad != nil {
				return bad
			}
			if done && used < n {
				return fmt.Errorf("%d bytes after the end of the answer", n-used)
			}
			if first == 0 && c.length > 0 {
				first = time.Since(began)
				if c.onFirst != nil && c.parser.status == 200 {
					c.onFirst()
				}
			}
		}
		if err != nil && !done {
			if errors.Is(err, io.EOF) {
				err = c.parser.eof()
			}
			if err != nil {
				return fmt.Errorf("after %d bytes of body: %w", c.length, err)
			}
			done = true
		}
	}
	took := time.Since(began)
	if err := c.judge(); err != nil {
		return err
	}
	c.whole, c.first = append(c.whole, took), append(c.first, first)
	if c.parser.close {
		c.drop()
	}
	return nil
}

func (c *client) judge() error {
	switch {
	case c.parser.status != 200:
		return fmt.Errorf("status %d, body ends %q", c.parser.status, c.tail)
	case c.length < c.g.WantLen:
		return fmt.Errorf("short body: %d of %d bytes, ends %q", c.length, c.g.WantLen, c.tail)
	case c.g.Streamed && !bytes.HasSuffix(bytes.TrimRight(c.tail, "\r\n"), []byte("data: [DONE]")):
		return fmt.Errorf("stream without [DONE], ends %q", c.tail)
	case c.sum != c.g.WantSum:
		c.differs++
	}
	return nil
}
