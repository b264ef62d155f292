package access

import (
	"cmp"
	"slices"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
)

// Problem is one thing wrong in a file. It repeats no value: one in the wrong place may be a key.
type Problem struct {
	File string // as it was named to Load
	yamlfile.Problem
}

// Problems is every problem of a load as one error.
type Problems []Problem

// Error gives one line for each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.File + ": " + p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.File, b.File) })
	return ps
}
