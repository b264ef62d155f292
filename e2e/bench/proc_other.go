//go:build !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

// The bench reads /proc, so it runs on Linux only; these let the module build and vet elsewhere.
var errNotLinux = errors.New("the bench needs Linux: it reads CPU and memory from /proc")

type procStat struct {
	Name    string
	State   byte
	Parent  int
	Group   int
	Started uint64
	CPU     time.Duration
}

func readStat(int) (procStat, error)       { return procStat{}, errNotLinux }
func readRSS(int) (int64, error)           { return 0, errNotLinux }
func processes() (map[int]procStat, error) { return nil, errNotLinux }
func isEnvoy(int, procStat) bool           { return false }
func ownGroup() *syscall.SysProcAttr       { return nil }
func raiseFileLimit() (uint64, error)      { return 0, errNotLinux }
func ownCPU() time.Duration                { return 0 }
