package examples

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Every policy of docs/policy.md is a good one, and its cases hold for the policy before them.
func TestPoliciesOfTheDocumentation(t *testing.T) {
	found, _ := blocks(read(t, "docs/policy.md"))
	var last *policy.Policy
	seen := map[string]int{}
	for _, b := range found {
		name := fmt.Sprintf("docs/policy.md:%d", b.line)
		text := b.text
		seen[b.info]++
		switch b.info {
		case "yaml rules":
			text = "rules:\n" + text
			fallthrough
		case "yaml policy", "yaml plugin":
			json, err := policyfile.Read(name, []byte(text))
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			last, _ = policy.Parse(json)
		case "yaml cases":
			cases, err := policyfile.ParseCases(name, []byte(text))
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			var out strings.Builder
			if report := policyfile.Run(last, cases); report.Failed > 0 && report.Write(&out) == nil {
				t.Errorf("%s:\n%s", name, out.String())
			}
		}
	}
	for _, kind := range []string{"yaml policy", "yaml rules", "yaml cases", "yaml plugin"} {
		if seen[kind] == 0 {
			t.Errorf("docs/policy.md has no block of %s", kind)
		}
	}
}

func TestPolicyCommandsOfTheDocumentation(t *testing.T) {
	found, _ := blocks(read(t, "docs/policy.md"))
	run := 0
	for _, b := range found {
		for _, line := range strings.Split(b.text, "\n") {
			args, ok := strings.CutPrefix(line, "inference-gateway ")
			if b.info != "sh" || !ok {
				continue
			}
			run++
			words := strings.Fields(args)
			for i, w := range words {
				if strings.Contains(w, "/") {
					words[i] = filepath.Join(harness.Root(), w)
				}
			}
			r := harness.Run(t, harness.Env{}, words...)
			if r.Code != 0 || strings.Contains(r.Stdout, "no case reaches") {
				t.Errorf("%s: exit code %d\n%s%s", line, r.Code, r.Stdout, r.Stderr)
			}
		}
	}
	if run != 2 {
		t.Errorf("%d commands were run", run)
	}
}

func TestPolicyTables(t *testing.T) {
	page := read(t, "docs/policy.md")
	first := func(heading string) []string {
		var out []string
		for _, row := range table(t, page, heading) {
			out = append(out, coded(row[0])...)
		}
		return out
	}
	if got := first("### Detectors"); !slices.Equal(got, policy.Detectors()) {
		t.Errorf("docs/policy.md has the detectors %v, the program %v", got, policy.Detectors())
	}
	outcomes := append(first("## Refusals"), "allow", "edit")
	all := slices.Clone(policy.Outcomes())
	slices.Sort(outcomes)
	slices.Sort(all)
	if !slices.Equal(outcomes, all) {
		t.Errorf("docs/policy.md has the outcomes %v, the program %v", outcomes, all)
	}
	// The problem of an unknown field names those that there are.
	for heading, bad := range map[string]string{"## Match": "match: {x: 1}, act: allow", "## Act": "act: {x: 1}"} {
		_, err := policyfile.Read("", []byte("rules: [{name: a, "+bad+"}]"))
		if err == nil {
			t.Fatal("an unknown field was taken")
		}
		_, list, _ := strings.Cut(err.Error(), "expected one of ")
		want, got := strings.Split(list, ", "), first(heading)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s of docs/policy.md has %v, the program %v", heading, got, want)
		}
	}
}
