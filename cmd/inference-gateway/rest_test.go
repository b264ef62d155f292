package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Memory is given back when a busy spell is over, once more when its connections are closed, and then no more.
func TestRestsComeWhenABusySpellIsOver(t *testing.T) {
	const busy, idle = 20 << 20, 10 << 10
	for _, c := range []struct {
		name  string
		looks []uint64 // what is allocated from one look to the next
		want  string   // R is a rest
	}{
		{"a start is a busy spell", []uint64{busy, idle, idle, idle, idle, idle, idle, idle}, "-R----R-"},
		{"never while there is work", []uint64{busy, busy, busy, busy, busy, busy, busy, busy}, "--------"},
		{"work in between puts the second off", []uint64{busy, idle, idle, 2 << 20, idle, idle, idle, idle, idle}, "-R-----R-"},
		{"another busy spell begins anew", []uint64{busy, idle, busy, idle, idle, idle, idle, idle, idle, idle}, "-R-R----R-"},
		{"little work is worth none", []uint64{busy, idle, idle, idle, idle, idle, idle, 2 << 20, idle, idle, idle}, "-R----R----"},
		{"little work adds up", []uint64{busy, idle, idle, idle, idle, idle, idle, 4 << 20, idle, 4 << 20, idle}, "-R----R---R"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r rest
			var allocated uint64
			got := ""
			for _, more := range c.looks {
				allocated += more
				if r.due(allocated) {
					got += "R"
				} else {
					got += "-"
				}
			}
			assert.Equal(t, c.want, got)
		})
	}
}
