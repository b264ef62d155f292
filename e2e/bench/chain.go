package main

import (
	"time"
)

// chain does by hand what a tool loop does: one request after the other, to whoever each is for. It is one client.
type chain struct {
	job
	steps []*client
	took  []time.Duration
}

func newChain(j job) *chain {
	c := &chain{job: j}
	for _, step := range j.Steps {
		step.Conns = 1
		c.steps = append(c.steps, newGenerator(step).clients[0])
	}
	return c
}

func (c *chain) connect() error {
	for _, s := range c.steps {
		if err := s.dial(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) begin() { c.took = c.took[:0] }

func (c *chain) loop(d time.Duration) {
	if d <= 0 {
		return
	}
	end := time.Now().Add(d)
	limit := end.Add(c.Grace)
	for _, s := range c.steps {
		if s.conn != nil {
			_ = s.conn.SetDeadline(limit)
		}
	}
	for began := time.Now(); began.Before(end); began = time.Now() {
		whole := true
		for _, s := range c.steps {
			whole = s.once(limit) && whole
		}
		if whole {
			c.took = append(c.took, time.Since(began))
		}
	}
}

// oneShot is for streams, which are not done by hand.
func (c *chain) oneShot(allOpen func()) { allOpen() }

func (c *chain) result(took, cpu time.Duration) loadResult {
	r := loadResult{Seconds: took.Seconds(), CPU: cpu.Seconds(), Requests: len(c.took)}
	r.P50, r.P99, r.Max = millis(percentile(c.took, 50)), millis(percentile(c.took, 99)), millis(percentile(c.took, 100))
	for _, s := range c.steps {
		r.Errors += s.errors
		r.Differs += s.differs
		if s.sample != "" {
			r.Samples = append(r.Samples, s.sample)
		}
		s.drop()
	}
	return r
}
