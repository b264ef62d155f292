package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// target is one side of the comparison: something at an address that passes chat requests on to the mock.
type target struct {
	Name         string
	Addr         string
	Path         string // of a chat request; empty for /v1/chat/completions
	Model        string // as this target wants it named
	StartSeconds float64

	proc   *process // nil when somebody else runs it
	pid    int      // then its id, if known
	helper *process // a process that proc asks and has not started, if any
}

// groups are the target's processes as of now; an Envoy that was started again has another id.
func (t *target) groups() ([]group, error) {
	switch {
	case t.helper != nil:
		groups, err := groupsOf(t.proc.pid())
		return append(groups, group{"gateway", []int{t.helper.pid()}}), err
	case t.proc != nil:
		return groupsOf(t.proc.pid())
	case t.pid > 0:
		return groupsOf(t.pid)
	}
	return nil, nil
}

// explain adds what the target itself said when it is no longer there.
func (t *target) explain(err error) error {
	if t.proc == nil {
		return err
	}
	select {
	case <-t.proc.exited:
	case <-time.After(200 * time.Millisecond): // its clients may notice an end before its parent does
		return err
	}
	return fmt.Errorf("%w\n%s has ended: %v\n%s", err, t.Name, t.proc.cmd.ProcessState, t.proc.logTail())
}

func (t *target) answers(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr+path, nil)
		if err != nil {
			return err
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(io.LimitReader(resp.Body, 300)); resp.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
		}
		return nil
	}
}

// startAnother starts one more gateway, with more in its environment.
func (b *bench) startAnother(ctx context.Context, name string, env list, mockPort int) (*target, error) {
	o := *b.options
	o.gatewayName = name
	o.gatewayEnv = append(append(list{}, b.gatewayEnv...), env...)
	t, err := startGateway(ctx, &o, b.fleet, b.envoy, mockPort)
	if err != nil {
		return nil, err
	}
	b.fleet.remember(t.proc) // should it die, its Envoy must still be ended
	return t, nil
}

// listens says that an Envoy has begun to take connections, which it does when its filters are ready.
func (t *target) listens(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// startGateway starts what is to be measured, or takes a running one, and waits until it is ready.
func startGateway(ctx context.Context, o *options, f *fleet, envoy string, mockPort int) (*target, error) {
	switch {
	case o.standIn:
		return startRawEnvoy(ctx, f, "gateway", envoy, o.concurrency, mockPort, rawExtra{})
	case o.gatewayURL != "":
		u, err := url.Parse(o.gatewayURL)
		if err != nil || u.Scheme != "http" || u.Port() == "" {
			return nil, fmt.Errorf("-gateway-url must be http://host:port, not %q", o.gatewayURL)
		}
		t := &target{Name: "gateway", Addr: u.Host, Model: o.gatewayModel, pid: o.gatewayPID}
		return t, waitFor(ctx, nil, o.startLimit, t.answers(o.gatewayReady))
	}

	port, err := freePort()
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("{port}", strconv.Itoa(port), "{mock}", fmt.Sprintf("http://127.0.0.1:%d", mockPort), "{envoy}", envoy)
	words := strings.Fields(o.gatewayCmd)
	if len(words) == 0 {
		return nil, errors.New("-gateway-cmd is empty")
	}
	for i := range words {
		words[i] = fill.Replace(words[i])
	}
	env := plainEnv()
	for _, kv := range o.gatewayEnv {
		env = append(env, fill.Replace(kv)) // of two with one name the last counts, so flags win over the defaults
	}
	began := time.Now()
	p, err := f.start(o.gatewayName, env, words[0], words[1:]...)
	if err != nil {
		return nil, err
	}
	t := &target{Name: o.gatewayName, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Model: o.gatewayModel, proc: p}
	if err := waitFor(ctx, p, o.startLimit, t.answers(o.gatewayReady)); err != nil {
		return nil, err
	}
	t.StartSeconds = time.Since(began).Seconds()
	return t, nil
}

// benchKey is the key that every request shows.
const benchKey = "bench"

// request builds the bytes of one chat request, about 400 bytes of body, as a usual client sends it.
func (t *target) request(streamed, usage bool, pause time.Duration) []byte {
	model, more := t.Model, ""
	if pause > 0 {
		model = pausedModel(model, pause)
	}
	if streamed {
		more = `,"stream":true`
		if usage {
			more += `,"stream_options":{"include_usage":true}`
		}
	}
	body := `{"model":"` + model + `","messages":[{"role":"system","content":"You are a careful assistant. Answer in one or two short ` +
		`sentences, name your assumptions, and say so when you do not know."},{"role":"user","content":"What does it mean that a load ` +
		`generator works as a closed loop, and what does that hide about a server that is too slow?"}],"temperature":0.7,"top_p":1,` +
		`"max_tokens":256,"user":"bench-0001"` + more + `}`
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer "+benchKey+"\r\nContent-Length: %d\r\n\r\n%s", cmp.Or(t.Path, "/v1/chat/completions"), t.Addr, len(body), body)
}
