package main

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"syscall"
)

// ballast is memory that nobody touches, so that it costs none: it only makes the collector believe in a larger heap.
var ballast []byte //nolint:unused // being there is its use

// tuneRuntime fits Go's runtime to a process that shares its machine with Envoy. GOGC and GOMAXPROCS in the
// environment win. RATIONALE.md has the figures.
func tuneRuntime(m mode) {
	// The heap is a few megabytes of short-lived messages, collected over and over unless there is a floor below which
	// it is left alone. A higher GOGC would do the same here, and multiply a large heap as well.
	const goDefault, floor = 100, 12 << 20
	was := debug.SetGCPercent(goDefault)
	debug.SetGCPercent(was)
	if was == goDefault {
		ballast = make([]byte, floor)
	}
	// Envoy has a worker for each processor and does most of the work. Half of them for Go wastes less time on waking
	// and moving threads that only find Envoy in their place.
	if cpus := runtime.NumCPU(); m == withEnvoy && runtime.GOMAXPROCS(0) == cpus {
		runtime.GOMAXPROCS(max(1, cpus/2))
	}
}

// warnOfFewFiles tells that the kernel will end what SERVER_MAX_CONNECTIONS allows: each client's connection is a file of
// Envoy, and so is the connection to its provider. Envoy raises its own limit as far as it may.
func warnOfFewFiles(log *slog.Logger, connections int) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Max >= uint64(connections) {
		return
	}
	log.Warn("this process may open fewer files than SERVER_MAX_CONNECTIONS allows connections: raise the limit (ulimit -Hn) or lower the variable",
		"files", files.Max, "connections", connections)
}
