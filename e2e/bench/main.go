// Command bench compares the gateway with a bare Envoy, both in front of the same mock provider, in one run and in turns, so
// that a figure is a ratio that holds on another machine. It knows nothing of the gateway's insides: it starts the built
// binary, sends it what a client sends and reads the cost from /proc. It fails for wrong answers and never for slow times.
//
//	go run ./e2e/bench [-quick] [-json FILE] …
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	envoy, mockAddr, mockServer              string
	jsonFile, logs                           string
	gatewayCmd, gatewayURL, gatewayModel     string
	gatewayReady, gatewayName                string
	gatewayEnv                               list
	conns                                    list
	gatewayPID, concurrency, rounds, streams int
	duration, warmup, pause, idle            time.Duration
	startLimit, timeLimit                    time.Duration
	quick, standIn, usage, loops, wasm, keys bool
	floors                                   bool
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "mock":
		err = mockMain(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "tools":
		err = toolServerMain()
	case len(os.Args) > 2 && os.Args[1] == "floor":
		err = floorMain(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "load":
		err = loadMain(os.Args[2:])
	default:
		os.Exit(benchMain(os.Args[1:]))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// benchMain returns the exit code: 0, 1 for wrong answers, 2 when nothing could be measured.
func benchMain(args []string) int {
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	// The kernel ends the started processes when the thread that started them ends: let it be one that lives as long as this.
	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	context.AfterFunc(ctx, cancel) // a second Ctrl-C ends the bench at once
	ctx, done := context.WithTimeoutCause(ctx, o.limit(), fmt.Errorf("the whole run took longer than %v", o.limit()))
	defer done()

	b := &bench{options: o, report: &report{CPUs: runtime.NumCPU(), Concurrency: o.concurrency, Rounds: o.rounds, Seconds: o.duration.Seconds(), Usage: o.usage, Mock: o.mockServer}}
	if err := b.run(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		b.problem("the run is not complete: %v", err)
		if len(b.report.Runs) == 0 {
			return 2
		}
	}
	b.report.print(os.Stdout)
	if err := b.report.writeJSON(o.jsonFile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if len(b.report.Problems) > 0 {
		return 1
	}
	return 0
}

func parseFlags(args []string) (*options, error) {
	o := &options{gatewayName: "gateway", gatewayEnv: list{"PROVIDERS=mock", "MOCK_API_URL={mock}/v1", "MOCK_AUTH=none", "SERVER_PORT={port}", "ENVOY_PATH={envoy}"}}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.envoy, "envoy", "", "Envoy binary (default ENVOY_PATH, then .cache/envoy/envoy)")
	fs.IntVar(&o.concurrency, "concurrency", runtime.NumCPU(), "worker threads of the raw Envoy; keep it the same as the gateway's")
	fs.StringVar(&o.gatewayCmd, "gateway-cmd", "bin/inference-gateway run", "command of the gateway; {port}, {mock} (its URL) and {envoy} are filled in")
	fs.Var(&o.gatewayEnv, "gateway-env", "NAME=VALUE for the gateway, filled in likewise; may be repeated, wins over the defaults")
	fs.StringVar(&o.gatewayURL, "gateway-url", "", "measure a running gateway, http://host:port, instead of starting one (set -mock-addr to where it sends)")
	fs.IntVar(&o.gatewayPID, "gateway-pid", 0, "with -gateway-url: its process, to account CPU and memory")
	fs.StringVar(&o.gatewayModel, "gateway-model", "mock/"+benchModel, "model name that the gateway routes to the mock")
	fs.StringVar(&o.gatewayReady, "gateway-ready", "/ready", "path that answers 200 when the gateway is ready")
	fs.BoolVar(&o.standIn, "stand-in", false, "a second raw Envoy takes the gateway's place: all ratios should be 1, their spread is the noise")
	fs.StringVar(&o.mockAddr, "mock-addr", "127.0.0.1:0", "address of the mock provider")
	fs.StringVar(&o.mockServer, "mock-server", bareMock, "what the mock provider is: "+bareMock+" connections, or an ordinary server of "+httpMock)
	fs.Var(&o.conns, "conns", "connections of a cell; may be repeated (default 1 and 32)")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds, each with every cell for raw Envoy and gateway in turn; 0 leaves this part out")
	fs.DurationVar(&o.duration, "duration", 4*time.Second, "of one measurement")
	fs.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "before each measurement")
	fs.DurationVar(&o.idle, "idle", 3*time.Second, "how long the idle processes are watched before any load")
	fs.IntVar(&o.streams, "streams", 2000, "streams open at the same time; 0 leaves this part out")
	fs.DurationVar(&o.pause, "pause", 500*time.Millisecond, "between the chunks of the open streams, 20 each")
	fs.BoolVar(&o.usage, "usage", false, "streams ask for a usage chunk (stream_options.include_usage)")
	fs.BoolVar(&o.loops, "loops", true, "measure tool loops too, with a gateway of their own and an MCP server")
	fs.BoolVar(&o.wasm, "wasm", true, "measure the wasm lane too, without a policy and with one of 100 rules, each in a gateway of its own")
	fs.BoolVar(&o.keys, "keys", true, "measure a gateway that checks API keys too, 100 of them")
	fs.BoolVar(&o.floors, "floors", true, "measure also what the gateway's listener costs alone, and what each technique costs in a raw Envoy that is no gateway")
	fs.BoolVar(&o.quick, "quick", false, "a look instead of a measurement: 2 rounds of 1s, 200 short streams; flags given as well win")
	fs.StringVar(&o.jsonFile, "json", "", "write everything that was measured to this file")
	fs.StringVar(&o.logs, "logs", "", "keep the logs and configurations of the started processes in this directory")
	fs.DurationVar(&o.startLimit, "start-limit", time.Minute, "how long the gateway may take to be ready")
	fs.DurationVar(&o.timeLimit, "limit", 0, "of the whole run (default: from the other flags)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if o.quick {
		for name, v := range map[string]string{"rounds": "2", "duration": "1s", "warmup": "200ms", "idle": "1s", "streams": "200", "pause": "100ms"} {
			if !given[name] {
				_ = fs.Set(name, v)
			}
		}
	}
	if len(o.conns) == 0 {
		o.conns = list{"1", "32"}
	}
	for _, c := range o.conns {
		if n, err := strconv.Atoi(c); err != nil || n < 1 {
			return nil, complain("-conns %q is not a number of connections", c)
		}
	}
	switch {
	case o.mockServer != bareMock && o.mockServer != httpMock:
		return nil, complain("-mock-server is %q or %q", bareMock, httpMock)
	case fs.NArg() > 0:
		return nil, complain("unexpected argument %q", fs.Arg(0))
	case o.rounds < 0 || o.streams < 0 || o.concurrency < 1 || o.duration <= 0 || o.pause < 0:
		return nil, complain("a flag is below what makes sense")
	case o.standIn:
		o.gatewayModel = benchModel
	}
	return o, nil
}

func complain(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fmt.Fprintln(os.Stderr, "bench:", err)
	return err
}

// limit bounds the run with room to spare, so that a hang ends it and a slow machine does not.
func (o *options) limit() time.Duration {
	if o.timeLimit > 0 {
		return o.timeLimit
	}
	targets := 1 + len(measured) // raw Envoy too; and once the mock alone
	cells := time.Duration(2 * len(o.conns) * (targets*o.rounds + 1))
	streams := 2 * (streamChunks*o.pause*2 + 10*time.Second)
	loops := time.Duration(6*o.rounds)*(o.duration+o.warmup+time.Second) + time.Minute + restTime
	return 2*(cells*(o.duration+o.warmup+time.Second)+streams+loops) + 2*o.startLimit + o.idle + time.Minute
}

// run is the order of everything.
func (b *bench) run(ctx context.Context) (err error) {
	if err := b.prepare(); err != nil {
		return err
	}
	defer func() {
		for _, c := range b.fleet.stopAll() {
			b.problem("%s", c)
		}
		if b.logs == "" {
			_ = os.RemoveAll(b.fleet.dir)
		}
	}()

	mock, err := b.startMock()
	if err != nil {
		return err
	}
	raw, err := startRawEnvoy(ctx, b.fleet, "raw", b.envoy, b.concurrency, mockPort(mock.Addr), rawExtra{})
	if err != nil {
		return err
	}
	gateway, err := startGateway(ctx, b.options, b.fleet, b.envoy, mockPort(mock.Addr))
	if err != nil {
		return err
	}
	if gateway.proc != nil {
		b.fleet.remember(gateway.proc) // should the gateway die, its Envoy must still be ended
	}
	b.report.BinaryMB = sizes(b.envoy, gateway)
	targets := []*target{raw, gateway}
	if b.startsGateways() {
		more, err := b.startOthers(ctx, mockPort(mock.Addr))
		if err != nil {
			return err
		}
		targets = append(targets, more...)
	}
	for _, t := range targets {
		if err := b.probe(ctx, t); err != nil {
			return err
		}
	}
	if err := b.measureIdle(ctx, targets); err != nil {
		return err
	}
	if b.floors && b.startsGateways() {
		targets = append(targets, listenerFloor(gateway))
	}
	if err := b.measureCells(ctx, mock, targets); err != nil {
		return err
	}
	for _, t := range targets[:2] { // the filter is not in the way of a stream that has begun
		if b.streams == 0 {
			break
		}
		progress("%d open streams, %s", b.streams, t.Name)
		s, err := b.openStreams(ctx, t)
		if err != nil {
			return err
		}
		b.report.Streams = append(b.report.Streams, s)
	}
	if !b.loops || !b.startsGateways() {
		return nil
	}
	return b.measureLoops(ctx, mock)
}

// startsGateways says whether gateways are started here, so that there can be several, set up in different ways.
func (o *options) startsGateways() bool { return !o.standIn && o.gatewayURL == "" }

// startOthers starts what is measured besides raw Envoy and the gateway, as far as the flags want it.
func (b *bench) startOthers(ctx context.Context, mockPort int) ([]*target, error) {
	var out []*target
	for _, kind := range []struct {
		wanted bool
		start  func(context.Context, int) ([]*target, error)
	}{{b.wasm, b.startFilters}, {b.keys, b.startKeys}, {b.floors, b.startFloors}} {
		if !kind.wanted {
			continue
		}
		more, err := kind.start(ctx, mockPort)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (b *bench) prepare() (err error) {
	if b.envoy, err = findEnvoy(b.envoy); err != nil {
		return err
	}
	files, err := raiseFileLimit()
	if err != nil {
		return err
	}
	if need := uint64(2*b.streams + 500); need > files { // a proxy has two connections for each stream
		return fmt.Errorf("%d streams need %d open files, the hard limit is %d (ulimit -Hn)", b.streams, need, files)
	}
	dir := b.logs
	if dir == "" {
		if dir, err = os.MkdirTemp("", "bench-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b.fleet = newFleet(dir)
	return nil
}

func (b *bench) startMock() (*target, error) {
	p, err := b.fleet.startSelf("mock", b.mockAddr, b.mockServer)
	if err != nil {
		return nil, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("mock: %w: %s", err, p.logTail())
	}
	b.mock = group{"mock", []int{p.pid()}}
	return &target{Name: "mock", Addr: strings.TrimSpace(line), Model: benchModel}, nil
}

// probe asks each kind of question once, so that a gateway that answers wrongly is shown by its answer.
func (b *bench) probe(ctx context.Context, t *target) error {
	for _, streamed := range []bool{false, true} {
		j := b.job(t, cell{streamed, 1})
		j.OneShot, j.Grace = true, 10*time.Second
		res, err := b.load(ctx, j, func(string) error { return nil })
		if err != nil {
			return err
		}
		if res.Errors > 0 {
			return fmt.Errorf("%s answers wrongly before any load: %q", t.Name, res.Samples)
		}
	}
	return nil
}

func (b *bench) measureIdle(ctx context.Context, targets []*target) error {
	progress("idle")
	before := make([]map[string]usage, len(targets))
	after := make([]map[string]usage, len(targets))
	for _, m := range [][]map[string]usage{before, after} {
		for i, t := range targets {
			groups, err := t.groups()
			if err != nil {
				return err
			}
			if m[i], err = measureAll(groups); err != nil {
				return err
			}
		}
		if after[0] == nil {
			if err := pauseFor(ctx, b.idle); err != nil {
				return err
			}
		}
	}
	for i, t := range targets {
		cpu := costs(before[i], after[i])
		for k := range cpu {
			cpu[k] *= 100 / b.idle.Seconds()
		}
		b.report.Idle = append(b.report.Idle, idle{t.Name, t.StartSeconds, memory(after[i]), cpu})
	}
	return nil
}

// measureCells goes through all cells in every round, not through all rounds of a cell: a slow minute then spoils one round
// of everything, which the median leaves out. Every other round turns the order of the two targets round, so that coming
// second, with the machine already awake, is not an advantage of one of them.
func (b *bench) measureCells(ctx context.Context, mock *target, targets []*target) error {
	var cells []cell
	for _, streamed := range []bool{false, true} {
		for _, c := range b.conns {
			n, _ := strconv.Atoi(c) // checked with the flags
			cells = append(cells, cell{streamed, n})
		}
	}
	for round := range b.rounds {
		for _, c := range cells {
			if round == 0 {
				r, err := b.cell(ctx, 0, mock, c)
				if err != nil {
					return err
				}
				b.report.Alone = append(b.report.Alone, r)
			}
			order := slices.Clone(targets)
			if round%2 == 1 {
				slices.Reverse(order)
			}
			for _, t := range order {
				r, err := b.cell(ctx, round+1, t, c)
				if err != nil {
					return err
				}
				b.report.Runs = append(b.report.Runs, r)
				progress("round %d of %d: %s, %s: %s req/s", round+1, b.rounds, c, t.Name, number(r.RPS))
			}
		}
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func mockPort(addr string) int {
	port, _ := strconv.Atoi(addr[strings.LastIndexByte(addr, ':')+1:]) // the kernel's own spelling
	return port
}

func sizes(envoy string, gateway *target) map[string]float64 {
	m := map[string]float64{}
	add := func(name, path string) {
		if found, err := exec.LookPath(path); err == nil {
			if st, err := os.Stat(found); err == nil {
				m[name] = float64(st.Size()) / (1 << 20)
			}
		}
	}
	add("envoy", envoy)
	if gateway.proc != nil && gateway.Model != benchModel {
		add("gateway", gateway.proc.cmd.Path)
	}
	return m
}
