package tools

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// addUsage adds two usage objects, number by number at any depth. Members that only one has stay as they are; of what
// is no number the later holds.
func addUsage(sum, more []byte) []byte {
	a, errA := jsonedit.Parse(sum)
	b, errB := jsonedit.Parse(more)
	switch {
	case errB != nil:
		return sum
	case errA != nil:
		return more
	}
	var edits []jsonedit.Edit
	for name, v := range b.All() {
		old, _ := a.Member(name)
		switch {
		case old.Kind == jsonedit.Number && v.Kind == jsonedit.Number:
			edits = append(edits, jsonedit.Edit{Name: name, Raw: addNumbers(old.Raw(), v.Raw())})
		case old.Kind == jsonedit.Object && v.Kind == jsonedit.Object:
			edits = append(edits, jsonedit.Edit{Name: name, Raw: addUsage(old.Raw(), v.Raw())})
		case v.Kind == jsonedit.Null && old.Kind != 0: // says nothing about what is known
		default:
			edits = append(edits, jsonedit.Edit{Name: name, Raw: v.Raw()})
		}
	}
	return a.Apply(nil, edits...)
}

func addNumbers(a, b []byte) []byte {
	x, errX := strconv.ParseInt(string(a), 10, 64)
	y, errY := strconv.ParseInt(string(b), 10, 64)
	if sum := x + y; errX == nil && errY == nil && x >= 0 && y >= 0 && sum >= 0 {
		return strconv.AppendInt(nil, sum, 10)
	}
	f, errF := strconv.ParseFloat(string(a), 64)
	g, errG := strconv.ParseFloat(string(b), 64)
	sum, err := json.Marshal(f + g)
	if errF != nil || errG != nil || err != nil { // beyond any number: keep one that is one
		return b
	}
	return sum
}

// compact is a JSON value without white space.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
