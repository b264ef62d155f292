package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"time"
)

// cell is one kind of load.
type cell struct {
	Streamed bool
	Conns    int
}

func (c cell) String() string {
	kind, plural := "non-streamed", "s"
	if c.Streamed {
		kind = "streamed"
	}
	if c.Conns == 1 {
		plural = ""
	}
	return fmt.Sprintf("%s chat, %d connection%s", kind, c.Conns, plural)
}

// run is one target under one cell in one round.
type run struct {
	Round  int
	Cell   cell
	Target string
	RPS    float64
	CPU    map[string]float64 // seconds for 1,000 requests, by group; "mock" and "load" are the bench's own
	RSS    map[string]float64 // MB, at the end
	loadResult
}

// streamRun is the open-streams part for one target.
type streamRun struct {
	Target        string
	Streams       int
	Whole         int
	Broken        int // began, but did not end with [DONE] and every byte
	Refused       int // never began
	MaxOpen       int
	Seconds       float64
	CPU           map[string]float64 // seconds in all
	Before        map[string]float64 // RSS in MB, here and below
	Open          map[string]float64 // every stream has begun
	Middle        map[string]float64
	End           map[string]float64 // the last sample while streams ran
	After         map[string]float64 // a second after the last one ended
	FirstP50, P99 float64
	Differs       int
	Samples       []string
}

// bench is one run of the tool: what was started, and what it found.
type bench struct {
	*options
	fleet  *fleet
	mock   group
	report *report
}

// load runs one job in a load process of its own and hands its events to at.
func (b *bench) load(ctx context.Context, j job, at func(event string) error) (loadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, j.Warmup+j.Duration+j.Ramp+2*j.Grace+20*time.Second)
	defer cancel()
	p, err := b.fleet.startSelf("load")
	if err != nil {
		return loadResult{}, err
	}
	defer b.fleet.stop(p, time.Second)
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })() // ends the reading below

	if err := json.NewEncoder(p.in).Encode(j); err != nil {
		return loadResult{}, err
	}
	for {
		line, err := p.out.ReadBytes('\n')
		if err != nil {
			return loadResult{}, errors.Join(fmt.Errorf("load generator: %w\n%s", err, p.logTail()), ctx.Err())
		}
		var e loadEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return loadResult{}, fmt.Errorf("load generator said %q: %w", line, err)
		}
		if err := at(e.Event); err != nil {
			return loadResult{}, err
		}
		switch e.Event {
		case "ready":
			if _, err := p.in.Write([]byte("go\n")); err != nil {
				return loadResult{}, err
			}
		case "done":
			return *e.Result, nil
		}
	}
}

func (b *bench) job(t *target, c cell) job {
	want := mockChat.body
	if c.Streamed {
		if want = mockStream.body; b.usage {
			want = mockUsage.body
		}
	}
	return job{
		Addr: t.Addr, Request: t.request(c.Streamed, b.usage, 0), WantLen: len(want), WantSum: crc32.ChecksumIEEE(want), Streamed: c.Streamed,
		Conns: c.Conns, Warmup: b.warmup, Duration: b.duration, Grace: 15 * time.Second,
	}
}

// cell measures one target once. The load generator stands still while the processes are read, before and after.
func (b *bench) cell(ctx context.Context, round int, t *target, c cell) (run, error) {
	var groups []group
	var before, after map[string]usage
	res, err := b.load(ctx, b.job(t, c), func(event string) (err error) {
		switch event {
		case "ready":
			if groups, err = t.groups(); err != nil {
				return err
			}
			before, err = measureAll(append(groups, b.mock))
		case "done":
			after, err = b.again(t, groups)
		}
		return err
	})
	if err != nil {
		return run{}, fmt.Errorf("%s, %s: %w", c, t.Name, t.explain(err))
	}
	r := run{Round: round, Cell: c, Target: t.Name, RPS: float64(res.Requests) / res.Seconds, loadResult: res}
	r.CPU, r.RSS = costs(before, after), memory(after)
	r.CPU["load"] = res.CPU
	for k := range r.CPU {
		r.CPU[k] *= 1000 / float64(max(res.Requests, 1))
	}
	b.judge(fmt.Sprintf("%s, %s, round %d", c, t.Name, round), res)
	return r, nil
}

// again measures the same processes a second time, and insists that they are the same: CPU of one that ended is lost.
func (b *bench) again(t *target, groups []group) (map[string]usage, error) {
	now, err := t.groups()
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(now, groups) {
		return nil, fmt.Errorf("its processes changed under load, from %v to %v", groups, now)
	}
	return measureAll(append(groups, b.mock))
}

func (b *bench) judge(where string, r loadResult) {
	if r.Errors > 0 {
		b.problem("%s: %d WRONG of %d: %q", where, r.Errors, r.Errors+r.Requests, r.Samples)
	}
	if r.Requests == 0 {
		b.problem("%s: not one right answer", where)
	}
	if r.Differs > 0 {
		b.note("%s: %d answers are whole but not byte for byte the provider's", where, r.Differs)
	}
}

// openStreams opens many streams at once through one target and follows its memory over their life.
func (b *bench) openStreams(ctx context.Context, t *target) (streamRun, error) {
	j := b.job(t, cell{Streamed: true, Conns: b.streams})
	j.Request = t.request(true, b.usage, b.pause)
	j.OneShot, j.Warmup, j.Duration, j.Ramp, j.Grace = true, 0, streamChunks*b.pause, b.ramp(), 30*time.Second

	var groups []group
	var before, after map[string]usage
	var samples []map[string]float64
	open := -1
	stop, stopped := make(chan struct{}), make(chan struct{})
	opened := make(chan struct{}, 1)
	watch := func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			if u, err := measureAll(groups); err == nil { // a process that is gone shows up at the end
				samples = append(samples, memory(u))
			}
			select {
			case <-stop:
				return
			case <-opened:
				open = len(samples)
			case <-tick.C:
			}
		}
	}
	watching := false
	endWatch := func() {
		if watching {
			watching = false
			close(stop)
			<-stopped
		}
	}
	defer func() { endWatch() }()
	res, err := b.load(ctx, j, func(event string) (err error) {
		switch event {
		case "ready":
			if groups, err = t.groups(); err != nil {
				return err
			}
			if before, err = measureAll(append(groups, b.mock)); err != nil {
				return err
			}
			watching = true
			go watch()
		case "open":
			opened <- struct{}{}
		case "done":
			endWatch()
			after, err = b.again(t, groups)
		}
		return err
	})
	if err != nil {
		return streamRun{}, fmt.Errorf("%d open streams, %s: %w", b.streams, t.Name, t.explain(err))
	}
	r := streamRun{
		Target: t.Name, Streams: b.streams, Whole: res.Requests, Broken: res.Errors - res.Refused, Refused: res.Refused, MaxOpen: res.MaxOpen,
		Seconds: res.Seconds, CPU: costs(before, after), Before: memory(before), FirstP50: res.FirstP50, P99: res.P99, Differs: res.Differs,
		Samples: res.Samples,
	}
	r.CPU["load"] = res.CPU
	if last := len(samples) - 1; last > 0 {
		open = min(max(open, 0), last)
		// The last sample may fall after the last stream's end; the one before is surely within.
		r.Open, r.Middle, r.End = samples[open], samples[(open+last)/2], samples[max(open, last-1)]
	}
	if err := pauseFor(ctx, time.Second); err != nil {
		return r, err
	}
	if later, err := measureAll(groups); err == nil {
		r.After = memory(later)
	}
	b.judge(fmt.Sprintf("%d open streams, %s", b.streams, t.Name), res)
	if r.MaxOpen < b.streams && res.Errors == 0 {
		b.note("%d open streams, %s: only %d were open at one moment; use a longer -pause", b.streams, t.Name, r.MaxOpen)
	}
	return r, nil
}

// ramp spreads the connects over a tenth of the streams' life.
func (b *bench) ramp() time.Duration { return streamChunks * b.pause / 10 }

func costs(before, after map[string]usage) map[string]float64 {
	m := map[string]float64{}
	for k, u := range after {
		m[k] = (u.CPU - before[k].CPU).Seconds()
	}
	return m
}

func memory(of map[string]usage) map[string]float64 {
	m := map[string]float64{}
	for k, u := range of {
		m[k] = float64(u.RSS) / (1 << 20)
	}
	return m
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
