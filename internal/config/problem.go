package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one variable that cannot be used.
type Problem struct {
	Variable string
	Value    string // as given, shortened; masked when it is secret; empty when the variable is not set
	Expected string // what would be right, for example "a duration such as 30s"
	line     int    // of the file that the variable names; problems of one file stay in its order
}

// String is one line.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s: expected %s", p.Variable, p.Expected)
	}
	return fmt.Sprintf("%s=%s: expected %s", p.Variable, p.Value, p.Expected)
}

// Problems is every problem of one load, sorted, as one error.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.line, b.line), cmp.Compare(a.Expected, b.Expected))
	})
	return slices.Compact(ps)
}

// Warning is something to tell that does not keep the gateway from running.
type Warning struct {
	Variable string
	Message  string
}

// String is one line.
func (w Warning) String() string { return w.Variable + ": " + w.Message }

// shown makes a value safe to print in one line: short, and quoted where it holds spaces or control characters.
func shown(value string) string {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || r > 0x7f && r != '…' }) {
		return fmt.Sprintf("%q", value)
	}
	return value
}
