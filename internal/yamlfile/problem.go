// Package yamlfile reads configuration files in YAML strictly: known fields only, each once, no anchors, merges or second
// documents, and every problem of a file told with its line and field. It is pure, and it knows nothing of what the files
// are about.
package yamlfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong in a file. It repeats no value: one in the wrong place may be a secret.
type Problem struct {
	Line     int    // 0 when it is about the whole file
	Field    string // limits[2].requests.minute, for example; "" when there is none
	Expected string // what would be right
}

// String is one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	return b.String() + "expected " + p.Expected
}

// Problems is every problem of a file as one error.
type Problems []Problem

// Error gives one line for each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field))
	})
	return ps
}
