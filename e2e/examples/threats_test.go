package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

var (
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	inBackticks  = regexp.MustCompile("`([^`]+)`")
)

// testsOfTheRepository are the names of its tests, and of the files of cases that they run.
func testsOfTheRepository(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(harness.Root(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 1:
			return filepath.SkipDir
		case strings.HasSuffix(path, ".txtar"):
			found[d.Name()] = true
		case strings.HasSuffix(path, "_test.go"):
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range testFunction.FindAllSubmatch(text, -1) {
				found[string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A threat without a test is a hope, and so is one whose test has another name by now.
func TestEveryThreatHasATestThatExists(t *testing.T) {
	tests := testsOfTheRepository(t)
	for _, file := range []string{"docs/security.md", "docs/auth.md"} {
		rows, within := 0, false
		for _, line := range strings.Split(read(t, file), "\n") {
			if !strings.HasPrefix(line, "|") {
				within = false
				continue
			}
			cells := strings.Split(strings.Trim(line, "| "), "|")
			last := strings.TrimSpace(cells[len(cells)-1])
			if strings.TrimSpace(cells[0]) == "threat" && last == "test" {
				within = true
				continue
			}
			if !within || strings.HasPrefix(line, "|---") {
				continue
			}
			rows++
			for _, cell := range cells {
				if strings.TrimSpace(cell) == "" {
					t.Errorf("%s: a cell is empty: %s", file, line)
				}
			}
			names := inBackticks.FindAllStringSubmatch(last, -1)
			if len(names) == 0 {
				t.Errorf("%s: no test is named: %s", file, line)
			}
			for _, name := range names {
				if !tests[name[1]] {
					t.Errorf("%s: there is no test %s", file, name[1])
				}
			}
		}
		if rows < 10 {
			t.Errorf("%s: %d threats", file, rows)
		}
	}
}
