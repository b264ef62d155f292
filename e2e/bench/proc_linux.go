package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of utime and stime in /proc/PID/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// procStat is what the bench needs of /proc/PID/stat. Started tells a process from a later one with the same id.
type procStat struct {
	Name    string
	State   byte
	Parent  int
	Group   int // process group
	CPU     time.Duration
	Started uint64
}

func readStat(pid int) (procStat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(b)
}

// parseStat cuts at the last ')', because a process may have spaces and brackets in its name.
func parseStat(b []byte) (procStat, error) {
	open, shut := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || shut < open {
		return procStat{}, fmt.Errorf("no name in stat %.80q", b)
	}
	f := strings.Fields(string(b[shut+1:]))
	if len(f) < 20 {
		return procStat{}, fmt.Errorf("short stat %.80q", b)
	}
	var n [5]uint64
	for i, at := range [...]int{1, 2, 11, 12, 19} {
		v, err := strconv.ParseUint(f[at], 10, 64)
		if err != nil {
			return procStat{}, err
		}
		n[i] = v
	}
	return procStat{
		Name:    string(b[open+1 : shut]),
		State:   f[0][0],
		Parent:  int(n[0]),
		Group:   int(n[1]),
		CPU:     time.Duration(n[2]+n[3]) * clockTick,
		Started: n[4],
	}, nil
}

// readRSS returns VmRSS in bytes.
func readRSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

// processes returns every living process.
func processes() (map[int]procStat, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := map[int]procStat{}
	for _, d := range dirs {
		id, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		if s, err := readStat(id); err == nil && s.State != 'Z' { // it may have ended since the listing
			all[id] = s
		}
	}
	return all, nil
}

// isEnvoy goes by the executable's name: an Envoy renames its threads, and a gateway may well have envoy in its own name.
func isEnvoy(pid int, s procStat) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return s.Name == "envoy"
	}
	return filepath.Base(exe) == "envoy"
}

// ownGroup keeps a terminal's Ctrl-C from the started processes, so that they are ended in order, and has the kernel end
// them when the bench itself is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// raiseFileLimit sets the soft limit of open files to the hard one. Go has raised its own already, but gives the old limit
// to the processes it starts unless the program asked for itself.
func raiseFileLimit() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	l.Cur = l.Max
	return l.Max, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}

// ownCPU is finer than /proc: microseconds.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
