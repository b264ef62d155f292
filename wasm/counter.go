//go:build !wasip1

package main

import "github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"

// counter is one of the host's counters.
type counter uint32

func defineCounter(name string) counter { return counter(proxywasm.DefineCounterMetric(name)) }

func (c counter) add(n uint64) { proxywasm.MetricCounter(c).Increment(n) }
