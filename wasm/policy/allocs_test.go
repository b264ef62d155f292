//go:build !race

// The race detector lets sync.Pool forget what it holds at random, to find those who rely on it.

package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A budget of allocations: the members of the body. The names of its model are remembered.
func TestARequestThatNoRuleConcernsCostsLittleMemory(t *testing.T) {
	p := parse(t, `{"rules":[{"name":"a","match":{"model":["x","y*"],"headers":{"x-team":"red"}},"act":"deny"},{"name":"b","match":{"stream":true,"tools":true},"act":"deny"}]}`)
	body := []byte(`{"model":"gpt-4o","messages":[],"stream":false}`)
	var r Request
	allocs := testing.AllocsPerRun(100, func() {
		r.Reset()
		r.Method, r.Path, r.Facts = "POST", "/v1/chat/completions", benchFacts{}
		r.Body = Body{State: Whole, Bytes: body, Size: int64(len(body))}
		p.Decide(&r)
	})
	assert.LessOrEqual(t, allocs, 1.0)
}
