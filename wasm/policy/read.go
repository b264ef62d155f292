package policy

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Problem is one thing that is wrong with a policy.
type Problem struct {
	Path    string // where, such as rules[3].match.model; empty for the whole
	Message string // what was expected
}

// String is one line.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// JoinName gives the path of a member below path. Names that could be taken for a path are quoted.
func JoinName(path, name string) string {
	if name == "" || strings.ContainsAny(name, `."[]`) {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// JoinIndex gives the path of an element below path.
func JoinIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// reader collects problems instead of stopping at the first.
type reader struct{ problems []Problem }

// maxProblems bounds what a policy of nothing but mistakes reports.
const maxProblems = 100

func (r *reader) problem(path, message string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{path, message})
	}
}

// field is one known member of an object.
type field struct {
	name string
	read func(path string, v jsonedit.Value)
}

// object reads the known members and reports the others.
func (r *reader) object(path string, v jsonedit.Value, fields ...field) {
	r.members(path, v, func(path, name string, v jsonedit.Value) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i >= 0 {
			fields[i].read(path, v)
			return
		}
		names := make([]string, len(fields))
		for j, f := range fields {
			names[j] = f.name
		}
		slices.Sort(names)
		r.problem(path, "unknown field: expected one of "+strings.Join(names, ", "))
	})
}

// members calls each for every member of an object whose names the user chooses.
func (r *reader) members(path string, v jsonedit.Value, each func(path, name string, v jsonedit.Value)) {
	doc, err := v.Object()
	if err != nil {
		r.problem(path, "expected an object")
		return
	}
	r.walk(path, doc, each)
}

func (r *reader) walk(path string, doc jsonedit.Doc, each func(path, name string, v jsonedit.Value)) {
	if doc.Len() > maxEntries {
		r.problem(path, "has more than "+strconv.Itoa(maxEntries)+" members")
		return
	}
	for name, v := range doc.All() {
		if len(name) > maxText {
			r.problem(path, "has a name of more than "+strconv.Itoa(maxText)+" bytes")
			continue
		}
		each(JoinName(path, name), name, v)
	}
}

// items calls each for the elements of an array; a value that is none counts as an array of itself.
func (r *reader) items(path string, v jsonedit.Value, each func(path string, v jsonedit.Value)) {
	if v.Kind != jsonedit.Array {
		each(path, v)
		return
	}
	items := v.Items()
	switch {
	case len(items) == 0:
		r.problem(path, "expected at least one entry")
	case len(items) > maxEntries:
		r.problem(path, "has more than "+strconv.Itoa(maxEntries)+" entries")
	default:
		for i, item := range items {
			each(JoinIndex(path, i), item)
		}
	}
}

// text reads a string that is neither empty nor too long. A number is what YAML makes of 2024: it is meant as text.
func (r *reader) text(path string, v jsonedit.Value) (string, bool) {
	s, ok := v.Text()
	if v.Kind == jsonedit.Number {
		s, ok = string(v.Raw()), true
	}
	switch {
	case !ok || s == "":
		r.problem(path, "expected text")
		return "", false
	case len(s) > maxText:
		r.problem(path, "expected text of at most "+strconv.Itoa(maxText)+" bytes")
		return "", false
	}
	return s, true
}

// texts reads one text or a list of them.
func (r *reader) texts(path string, v jsonedit.Value) []string {
	var out []string
	r.items(path, v, func(path string, v jsonedit.Value) {
		if s, ok := r.text(path, v); ok {
			out = append(out, s)
		}
	})
	return out
}

// word reads one of a few words.
func (r *reader) word(path string, v jsonedit.Value, words ...string) string {
	if s, ok := v.Text(); ok && slices.Contains(words, s) {
		return s
	}
	r.problem(path, "expected "+strings.Join(words, " or "))
	return ""
}

func (r *reader) flag(path string, v jsonedit.Value) bool {
	if v.Kind != jsonedit.True && v.Kind != jsonedit.False {
		r.problem(path, "expected true or false")
	}
	return v.Kind == jsonedit.True
}

// whole reads a whole number. A mesh's control plane hands numbers on as floating point, so 1e+06 is one too.
func (r *reader) whole(path string, v jsonedit.Value, least, most int64) int64 {
	if v.Kind == jsonedit.Number {
		f, err := strconv.ParseFloat(string(v.Raw()), 64)
		if err == nil && f == math.Trunc(f) && f >= float64(least) && f <= float64(most) {
			return int64(f)
		}
	}
	r.problem(path, "expected a whole number from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
	return least
}

// unit is what stands behind a number.
type unit struct {
	suffix string
	factor int64
}

// quantity reads a number with a unit behind it, or a bare number.
func (r *reader) quantity(path string, v jsonedit.Value, units []unit, most int64, expected string) int64 {
	s, ok := v.Text()
	if v.Kind == jsonedit.Number {
		s, ok = string(v.Raw()), true
	}
	for _, u := range units {
		digits, found := strings.CutSuffix(s, u.suffix)
		if !ok || !found {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err == nil && f == math.Trunc(f) && f >= 0 && f*float64(u.factor) <= float64(most) {
			return int64(f) * u.factor
		}
	}
	r.problem(path, expected)
	return 0
}

// maxCount bounds numbers of bytes, tokens and requests: beyond it a float64 is no longer exact.
const maxCount = 1 << 53

func (r *reader) bytes(path string, v jsonedit.Value) int64 {
	return r.quantity(path, v, []unit{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"", 1}}, maxCount,
		"expected a size such as 100KiB, 10MiB or 4096")
}

// seconds reads a length of time.
func (r *reader) seconds(path string, v jsonedit.Value) int64 {
	const year = 366 * 24 * 3600
	return r.quantity(path, v, []unit{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}}, year,
		"expected a length of time such as 30s, 5m, 1h or 30d")
}
