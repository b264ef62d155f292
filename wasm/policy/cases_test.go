package policy_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// Every file is a policy and example requests, as people write them for `inference-gateway policy test`.
func TestDecide(t *testing.T) {
	archives(t, "decide", func(t *testing.T, section map[string][]byte) {
		json, err := policyfile.Read("policy.yaml", section["policy.yaml"])
		require.NoError(t, err)
		p, problems := policy.Parse(json)
		require.Empty(t, problems)
		cases, err := policyfile.ParseCases("cases.yaml", section["cases.yaml"])
		require.NoError(t, err)
		report := policyfile.Run(p, cases)
		if report.Failed > 0 || len(report.Unasked) > 0 {
			var out strings.Builder
			require.NoError(t, report.Write(&out))
			t.Error("\n" + out.String())
		}
	})
}

// Every file is a bad policy and the list of its problems.
func TestProblems(t *testing.T) {
	archives(t, "problems", func(t *testing.T, section map[string][]byte) {
		_, err := policyfile.Read("policy.yaml", section["policy.yaml"])
		require.Error(t, err)
		got := err.Error() + "\n"
		if *update {
			section["problems"] = []byte(got)
		}
		assert.Equal(t, string(section["problems"]), got)
	})
}

var update = flag.Bool("update", false, "rewrite the lists of problems")

func archives(t *testing.T, dir string, check func(t *testing.T, section map[string][]byte)) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			archive := txtar.Parse(content)
			section := map[string][]byte{}
			for _, f := range archive.Files {
				section[f.Name] = f.Data
			}
			check(t, section)
			if !*update {
				return
			}
			for i, f := range archive.Files {
				archive.Files[i].Data = section[f.Name]
			}
			require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
		})
	}
}
