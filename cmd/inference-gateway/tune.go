package main

import (
	"runtime"
	"runtime/debug"
)

// tuneRuntime fits Go's runtime to a process that shares its machine with Envoy. GOGC and GOMAXPROCS in the
// environment win. RATIONALE.md has the figures.
func tuneRuntime(m mode) {
	// The heap is a few megabytes of short-lived messages: collecting it less often costs little memory.
	const goDefault, ours = 100, 400
	if was := debug.SetGCPercent(ours); was != goDefault {
		debug.SetGCPercent(was)
	}
	// Envoy has a worker for each processor and does most of the work. Half of them for Go wastes less time on waking
	// and moving threads that only find Envoy in their place.
	if cpus := runtime.NumCPU(); m == withEnvoy && runtime.GOMAXPROCS(0) == cpus {
		runtime.GOMAXPROCS(max(1, cpus/2))
	}
}
