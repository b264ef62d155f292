package mesh

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// The policy's corpus in Envoy: what the command line says of a case is what the proxy does with it, with headers held back
// and gone on. Left out is what a request alone cannot show, which other tests here do: peers, nodes, claims, providers by
// their hosts, usage.
func TestEveryCaseOfThePolicy(t *testing.T) {
	t.Parallel()
	w := sidecar(t)
	files, err := filepath.Glob("../../wasm/policy/testdata/decide/*.txtar")
	require.NoError(t, err)
	asked := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if slices.Contains([]string{"budgets", "providers"}, name) {
			continue
		}
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		yaml := string(archive.Files[0].Data)
		text, err := policyfile.Read("policy.yaml", archive.Files[0].Data)
		require.NoError(t, err)
		p, problems := policy.Parse(text)
		require.Empty(t, problems)
		cases, err := policyfile.ParseCases("cases.yaml", archive.Files[1].Data)
		require.NoError(t, err)
		for _, hold := range []bool{true, false} {
			l := w.with(t, plugin{HoldHeaders: hold, configuration: holding(t, yaml, hold)})
			for i := range cases {
				c := &cases[i]
				want := c.Show(p)
				if !showable(c, want) || !hold && want.SentPath != want.Path {
					continue
				}
				asked++
				l.shown(t, fmt.Sprintf("%s, %s, held: %v", name, c.Name, hold), c, want)
			}
		}
	}
	assert.Greater(t, asked, 150)
}

// showable says that a request by itself is all that the case is about.
func showable(c *policyfile.Case, want policyfile.Shown) bool {
	r := &c.Request
	if r.Host != "" || r.Upstream != "" || r.Provider != "" || r.Model != "" || r.Claims != nil ||
		r.Peer.Principal+r.Peer.Namespace+r.Node.Namespace != "" || r.Node.Labels != nil {
		return false
	}
	path, _, _ := strings.Cut(want.Path, "?") // what Envoy itself refuses or rewrites is no case for the filter
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, `\%`) && !strings.Contains(path, "//") && !strings.Contains(path, "/.")
}

func (l *listener) shown(t *testing.T, name string, c *policyfile.Case, want policyfile.Shown) {
	t.Helper()
	id := strconv.FormatInt(number.Add(1), 10)
	headers := []string{host("vllm.models"), "X-Id: " + id}
	for key, value := range c.Request.Headers {
		headers = append(headers, key+": "+value)
	}
	r, err := l.Try(t, l.Client(t), want.Method, want.Path, string(want.Body), headers...)
	require.NoError(t, err, name)
	got := l.world.arrived(id)
	if want.Status != 0 {
		assert.Equal(t, want.Status, r.Status, "%s: %s", name, r)
		assert.Equal(t, want.Rule, r.Header.Get("X-Policy-Rule"), name)
		assert.Empty(t, got, name)
		return
	}
	assert.Equal(t, http.StatusOK, r.Status, "%s: %s", name, r)
	if assert.Len(t, got, 1, name) {
		assert.Equal(t, want.SentBody, string(got[0].Body), name)
		assert.Equal(t, want.SentPath, got[0].URI, name)
	}
}
