package main

import "unsafe"

// counter is one of the host's counters. The SDK's own functions for them bring fmt, whose code V8 would compile at every start.
type counter uint32

func defineCounter(name string) counter {
	var id uint32
	if hostDefineMetric(0, unsafe.StringData(name), int32(len(name)), &id) != 0 {
		panic("the host defines no counter")
	}
	return counter(id)
}

func (c counter) add(n uint64) { hostIncrementMetric(uint32(c), int64(n)) }
