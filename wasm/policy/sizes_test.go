package policy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A condition on the size of a body says nothing before the size is known, and never takes what was seen of a body for all
// of it.
func TestSizesThatAreNotKnown(t *testing.T) {
	p := parse(t, `{"max_body":1000,"over_limit":"pass","default":"deny","rules":[
		{"name":"large","match":{"headers":{"x-a":true},"body":{"min":5000}},"act":{"deny":{"status":451}}},
		{"name":"small","match":{"body":{"max":2000}},"act":"allow"}]}`)
	for name, c := range map[string]struct {
		headers headersOnly
		body    Body
		verdict Verdict
		status  int
		rule    string
	}{
		"declared":                     {nil, Body{State: Pending, Size: 2000}, Pass, 0, "small"},
		"declared, and too large":      {nil, Body{State: CutOff, Size: 2001}, Refuse, 403, ""},
		"not declared":                 {nil, Body{State: Pending, Size: -1}, Undecided, 0, ""},
		"compressed and not declared":  {nil, Body{State: Encoded, Size: -1}, Undecided, 0, ""},
		"compressed, and all there":    {nil, Body{State: Encoded, Size: 3000}, Refuse, 403, ""},
		"cut off below a largest size": {nil, Body{State: CutOff, Size: 1001, Open: true}, Refuse, 413, ""},
		"cut off above a largest size": {nil, Body{State: CutOff, Size: 2001, Open: true}, Refuse, 403, ""},
		"cut off below a least size":   {headersOnly{"x-a": ""}, Body{State: CutOff, Size: 4999, Open: true}, Refuse, 413, ""},
		"cut off above a least size":   {headersOnly{"x-a": ""}, Body{State: CutOff, Size: 5000, Open: true}, Refuse, 451, "large"},
		"another protocol":             {nil, Body{State: NoBody}, Pass, 0, "small"},
		"a body of any size":           {nil, Body{State: NoBody, Size: math.MaxInt64}, Refuse, 403, ""},
	} {
		d := p.Decide(&Request{Method: "POST", Path: "/v1/chat/completions", Facts: c.headers, Body: c.body})
		assert.Equal(t, c.verdict, d.Verdict, name)
		assert.Equal(t, c.status, d.Status, name)
		assert.Equal(t, c.rule, d.Name, name)
	}
}
