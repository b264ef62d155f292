package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"time"
)

// loopReport is what tool loops cost. All of it is of one gateway that has the fifty tools of one MCP server.
type loopReport struct {
	Unused []unusedRun // tools are offered and none is called
	Called []calledRun // one call
	Many   *manyRun    // very many at once
}

// unusedRun is requests with tools, and the same requests with the header that bypasses them, next to each other in time.
type unusedRun struct {
	Round      int
	Streamed   bool
	Direct, On costed
}

type calledRun struct {
	Round      int
	Hand, Loop costed // by hand: the model, the tool, the model again
}

type manyRun struct {
	Loops                int
	Result               costed
	Before, After, Later map[string]float64 // RSS in MB; later is after a second such load
	Rested               map[string]float64 // and some time after that
}

// costed is what was measured, with the processor time of the processes.
type costed struct {
	loadResult
	CPU map[string]float64 // seconds for 1,000 requests, by group
}

const (
	unusedConns = 32
	manyLoops   = 500
	restTime    = 40 * time.Second // the gateway gives memory back in this time; Envoy takes minutes
)

// measureLoops starts a gateway with tools and measures it.
func (b *bench) measureLoops(ctx context.Context, mock *target) error {
	tools, err := b.fleet.startSelf("tools")
	if err != nil {
		return err
	}
	line, err := tools.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("MCP server: %w: %s", err, tools.logTail())
	}
	toolAddr := strings.TrimSpace(line)
	t, err := b.startAnother(ctx, "gateway-with-tools", list{"MCP_ENABLED=true", "MCP_EXPOSE=true", "MCP_SERVERS=bench=http://" + toolAddr + "/mcp"}, mockPort(mock.Addr))
	if err != nil {
		return err
	}
	if err := waitFor(ctx, t.proc, b.startLimit, hasTools(t)); err != nil {
		return err
	}
	b.report.Loops = &loopReport{}
	for round := range b.rounds {
		if err := b.unused(ctx, t, round); err != nil {
			return err
		}
		if err := b.called(ctx, t, mock, toolAddr, round); err != nil {
			return err
		}
	}
	return b.many(ctx, t)
}

// hasTools asks whether the gateway has all of them.
func hasTools(t *target) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr+"/v1/mcp/tools", nil)
		if err != nil {
			return err
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if n := bytes.Count(body, []byte(`"name":"`+callName)); err == nil && n != loopTools {
			err = fmt.Errorf("%d of %d tools", n, loopTools)
		}
		return err
	}
}

// unused compares requests that are offered tools with those that bypass them.
func (b *bench) unused(ctx context.Context, t *target, round int) error {
	for _, streamed := range []bool{false, true} {
		r := unusedRun{Round: round, Streamed: streamed}
		loop := b.job(t, cell{streamed, unusedConns})
		direct := loop
		direct.Request = withHeader(loop.Request, "X-MCP-Bypass: true")
		parts := []struct {
			what string
			job  job
			into *costed
		}{{"direct", direct, &r.Direct}, {"with tools", loop, &r.On}}
		if round%2 == 1 {
			parts[0], parts[1] = parts[1], parts[0]
		}
		for _, part := range parts {
			res, err := b.simple(ctx, t, "no tool called, "+part.what, part.job)
			if err != nil {
				return err
			}
			*part.into = res
		}
		b.report.Loops.Unused = append(b.report.Loops.Unused, r)
	}
	return nil
}

// called compares a loop of one call with the same requests made by hand.
func (b *bench) called(ctx context.Context, t, mock *target, toolAddr string, round int) error {
	loop := b.job(t, cell{false, 1})
	loop.Request = rename(t, loop.Request, toolModel)
	loop.WantLen, loop.WantSum = 0, 0 // usage is a sum
	hand := loop
	var err error
	if hand.Steps, err = b.byHand(ctx, mock, toolAddr); err != nil {
		return err
	}
	r := calledRun{Round: round}
	if r.Hand, err = b.simple(ctx, mock, "one tool called, by hand", hand); err != nil {
		return err
	}
	if r.Loop, err = b.simple(ctx, t, "one tool called, by the gateway", loop); err != nil {
		return err
	}
	b.report.Loops.Called = append(b.report.Loops.Called, r)
	return nil
}

// byHand is what a program without a gateway would send: the same servers, the same tools, nothing between.
func (b *bench) byHand(ctx context.Context, mock *target, toolAddr string) ([]job, error) {
	first := mock.request(false, false, 0)
	model := fmt.Sprintf(`,"tools":[%s]}`, strings.TrimSuffix(strings.Repeat(handTool+",", loopTools), ","))
	body := func(messages string) []byte {
		_, raw, _ := bytes.Cut(first, []byte("\r\n\r\n"))
		text := strings.Replace(string(raw), benchModel, toolModel, 1)
		text = strings.Replace(text, `}],"temperature"`, `}`+messages+`],"temperature"`, 1)
		return post(mock.Addr, "/v1/chat/completions", "", strings.TrimSuffix(text, "}")+model)
	}
	call := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t0","arguments":{"place":"Bern","days":3}}}`
	steps := []job{
		{Addr: mock.Addr, Request: body(""), WantLen: len(callBody("t0")), WantSum: crc32.ChecksumIEEE([]byte(callBody("t0")))},
		{Addr: toolAddr, Request: post(toolAddr, "/mcp", "Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2025-06-18\r\n", call)},
		{
			Addr: mock.Addr, Request: body(`,` + callMessage("t0") + `,{"role":"tool","tool_call_id":"call_BenchBenchBench01","content":"` + toolAnswer + `"}`),
			WantLen: len(mockChat.body), WantSum: crc32.ChecksumIEEE(mockChat.body),
		},
	}
	answer, err := ask(ctx, toolAddr, call)
	if err != nil {
		return nil, err
	}
	steps[1].WantLen, steps[1].WantSum = len(answer), crc32.ChecksumIEEE(answer)
	return steps, nil
}

const handTool = `{"type":"function","function":{"name":"mcp_bench_t0","description":"Looks up what is known of a place: the weather, the time and ` +
	`the way there. Ask for one place at a time.","parameters":{"type":"object","properties":{"place":{"type":"string","description":"a town, with its ` +
	`country when there are several"},"days":{"type":"integer","minimum":1,"maximum":14,"description":"how far to look ahead"},"units":{"type":"string",` +
	`"enum":["metric","imperial"]}},"required":["place"]}}}`

// ask learns what the tool server answers, so that every later answer can be compared with it.
func ask(ctx context.Context, addr, call string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/mcp", strings.NewReader(call))
	if err != nil {
		return nil, err
	}
	req.Close = true
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-06-18",
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Contains(answer, []byte(toolAnswer)) {
		err = errors.New("the tool does not answer: " + string(answer))
	}
	return answer, err
}

// many runs very many loops at once, twice: what grows with the second is kept, and should not be.
func (b *bench) many(ctx context.Context, t *target) error {
	progress("%d loops at once", manyLoops)
	r := &manyRun{Loops: manyLoops}
	j := b.job(t, cell{false, manyLoops})
	j.Request = rename(t, j.Request, napModel)
	j.WantLen, j.WantSum = 0, 0
	j.OneShot, j.Warmup, j.Duration, j.Ramp, j.Grace = true, 0, time.Second, 0, 30*time.Second
	rss := func() (map[string]float64, error) {
		groups, err := t.groups()
		if err != nil {
			return nil, err
		}
		u, err := measureAll(groups)
		return memory(u), err
	}
	var err error
	if r.Before, err = rss(); err != nil {
		return err
	}
	for _, into := range []*map[string]float64{&r.After, &r.Later} {
		if r.Result, err = b.simple(ctx, t, fmt.Sprintf("%d loops at once", manyLoops), j); err != nil {
			return err
		}
		if err := pauseFor(ctx, time.Second); err != nil {
			return err
		}
		if *into, err = rss(); err != nil {
			return err
		}
	}
	progress("waiting %v for memory that is given back", restTime)
	if err := pauseFor(ctx, restTime); err != nil {
		return err
	}
	if r.Rested, err = rss(); err != nil {
		return err
	}
	b.report.Loops.Many = r
	return nil
}

// simple runs one job, judges its answers and says what they cost.
func (b *bench) simple(ctx context.Context, t *target, what string, j job) (costed, error) {
	var groups []group
	var before, after map[string]usage
	res, err := b.load(ctx, j, func(event string) (err error) {
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
		return costed{}, fmt.Errorf("%s: %w", what, t.explain(err))
	}
	c := costed{loadResult: res, CPU: costs(before, after)}
	c.CPU["load"] = res.CPU
	for k := range c.CPU {
		c.CPU[k] *= 1000 / float64(max(res.Requests, 1))
	}
	progress("%s: %d, p50 %s ms", what, res.Requests, number(res.P50))
	if j.WantLen == 0 && len(j.Steps) == 0 {
		res.Differs = 0
	}
	b.judge(what, res)
	return c, nil
}

func withHeader(request []byte, line string) []byte {
	head, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	return fmt.Appendf(nil, "%s\r\n%s\r\n\r\n%s", head, line, body)
}

// rename is the request for another of the mock's models.
func rename(t *target, request []byte, model string) []byte {
	_, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	return post(t.Addr, "/v1/chat/completions", "", strings.Replace(string(body), benchModel, model, 1))
}

func post(addr, path, headers, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		path, addr, headers, len(body), body)
}
