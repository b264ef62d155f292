package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// process is something the bench started and will end.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string // file with its output
	in     io.WriteCloser
	out    *bufio.Reader
	exited chan struct{}
}

// fleet is every process of one run, in the order they were started. What it starts it ends, by id, in reverse.
type fleet struct {
	dir   string // logs and configuration
	procs []*process
	seen  map[int]procStat // children of the started ones: the gateway's Envoy
}

func newFleet(dir string) *fleet { return &fleet{dir: dir, seen: map[int]procStat{}} }

// start runs a program with its output in a log file.
func (f *fleet) start(name string, env []string, path string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(f.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	return f.launch(&process{name: name, cmd: cmd, log: log.Name()})
}

// startSelf runs this program again as one of its helpers, with pipes to talk through.
func (f *fleet) startSelf(name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer inR.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outW.Close()
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, log
	return f.launch(&process{name: name, cmd: cmd, log: log.Name(), in: inW, out: bufio.NewReader(outR)})
}

func (f *fleet) launch(p *process) (*process, error) {
	p.exited = make(chan struct{})
	p.cmd.SysProcAttr = ownGroup()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	f.procs = append(f.procs, p)
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// logTail is what a person needs to see when a process did not do its part.
func (p *process) logTail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// stop ends p: SIGTERM, and SIGKILL when it takes longer than patience.
func (f *fleet) stop(p *process, patience time.Duration) (killed bool) {
	f.remember(p)
	if p.in != nil {
		_ = p.in.Close()
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		killed = true
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	f.remember(p)
	for i, q := range f.procs {
		if q == p {
			f.procs = append(f.procs[:i], f.procs[i+1:]...)
			break
		}
	}
	return killed
}

// remember notes the children of p, which nobody could find by their parent once p is gone; then only its process group,
// which it leads, tells them.
func (f *fleet) remember(p *process) {
	all, err := processes()
	if err != nil {
		return
	}
	maps.Copy(f.seen, below(all, p.pid()))
	for pid, s := range all {
		if s.Group == p.pid() && pid != p.pid() {
			f.seen[pid] = s
		}
	}
}

// stopAll ends everything, then whatever children were left behind, and says what did not end as it should.
func (f *fleet) stopAll() (complaints []string) {
	for len(f.procs) > 0 {
		p := f.procs[len(f.procs)-1]
		if f.stop(p, 10*time.Second) {
			complaints = append(complaints, p.name+" did not end within 10 s of SIGTERM and was killed")
		}
	}
	for pid, was := range f.seen {
		now, err := readStat(pid)
		if err != nil || now.Started != was.Started || now.State == 'Z' {
			continue
		}
		complaints = append(complaints, fmt.Sprintf("process %d (%s) was left running by its parent and was killed", pid, was.Name))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return complaints
}

// usage is the cost of a group of processes so far, and their memory now.
type usage struct {
	CPU time.Duration
	RSS int64
}

// group is processes counted together, such as "gateway" or "envoy".
type group struct {
	name string
	pids []int
}

func (g group) measure() (u usage, err error) {
	for _, pid := range g.pids {
		s, serr := readStat(pid)
		rss, rerr := readRSS(pid)
		if err := errors.Join(serr, rerr); err != nil {
			return usage{}, fmt.Errorf("%s: process %d is gone: %w", g.name, pid, err)
		}
		u.CPU += s.CPU
		u.RSS += rss
	}
	return u, nil
}

func measureAll(groups []group) (map[string]usage, error) {
	all := map[string]usage{}
	for _, g := range groups {
		u, err := g.measure()
		if err != nil {
			return nil, err
		}
		all[g.name] = u
	}
	return all, nil
}

// below returns the descendants of pid.
func below(all map[int]procStat, pid int) map[int]procStat {
	found := map[int]procStat{}
	for id, s := range all {
		for up, steps := s.Parent, 0; up > 1 && steps < 64; up, steps = all[up].Parent, steps+1 {
			if up == pid {
				found[id] = s
				break
			}
		}
	}
	return found
}

// groupsOf splits a started program and its children into "gateway" and "envoy". When the program itself is an Envoy, or became
// one, there is no gateway to count.
func groupsOf(root int) ([]group, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	self, ok := all[root]
	if !ok {
		return nil, fmt.Errorf("process %d is gone", root)
	}
	ours := below(all, root)
	ours[root] = self
	gateway, envoy := group{name: "gateway"}, group{name: "envoy"}
	for _, pid := range slices.Sorted(maps.Keys(ours)) {
		if isEnvoy(pid, ours[pid]) {
			envoy.pids = append(envoy.pids, pid)
		} else {
			gateway.pids = append(gateway.pids, pid)
		}
	}
	return slices.DeleteFunc([]group{gateway, envoy}, func(g group) bool { return len(g.pids) == 0 }), nil
}

// waitFor polls until check is nil, and gives up when p ends, the context does, or the time is over.
func waitFor(ctx context.Context, p *process, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last := errors.New("not asked yet")
	for {
		if p != nil && !p.alive() {
			return fmt.Errorf("%s ended while it was waited for: %v\n%s", p.name, p.cmd.ProcessState, p.logTail())
		}
		if err := check(ctx); err == nil {
			return nil
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			err := fmt.Errorf("not ready after %v: %w", limit, last)
			if p != nil {
				err = fmt.Errorf("%s %w\n%s", p.name, err, p.logTail())
			}
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
