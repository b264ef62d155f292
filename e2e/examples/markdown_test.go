package examples

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// block is a fenced block of code.
type block struct {
	line int // of its first line of code
	info string
	text string
}

// blocks gives the fenced blocks of a Markdown text, and the text without them.
func blocks(markdown string) (found []block, prose string) {
	var b strings.Builder
	var open *block
	for i, line := range strings.Split(markdown, "\n") {
		fence := strings.HasPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 2, info: strings.TrimPrefix(line, "```")}
		case fence:
			found = append(found, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		default:
			b.WriteString(line + "\n")
		}
	}
	if open != nil {
		found = append(found, *open)
	}
	return found, b.String()
}

// table gives the rows of the first table below a heading, each a list of cells, the head left out.
func table(t *testing.T, markdown, heading string) [][]string {
	t.Helper()
	_, below, ok := strings.Cut("\n"+markdown, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no heading %q", heading)
	}
	var rows [][]string
	for _, line := range strings.Split(below, "\n") {
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("there is no table below %q", heading)
	}
	return rows[2:]
}

var code = regexp.MustCompile("`([^`]+)`")

// coded gives what stands in backticks.
func coded(cell string) []string {
	var out []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

var link = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	seen := 0
	for _, name := range files(t, ".", ".md") {
		_, prose := blocks(read(t, name))
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			seen++
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			if _, err := os.Stat(filepath.Join(harness.Root(), target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, m[1])
				continue
			}
			if u.Fragment != "" && !hasAnchor(read(t, target), u.Fragment) {
				t.Errorf("%s: %s has no heading for #%s", name, target, u.Fragment)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links were found", seen)
	}
}

// hasAnchor says whether a heading becomes the anchor, the way GitHub makes it.
func hasAnchor(markdown, anchor string) bool {
	_, prose := blocks(markdown)
	for _, line := range strings.Split(prose, "\n") {
		heading := strings.TrimLeft(line, "#")
		if heading != line && strings.HasPrefix(heading, " ") && slug(heading[1:]) == anchor {
			return true
		}
	}
	return false
}

func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
