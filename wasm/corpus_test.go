package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// The policy's own corpus has every matcher and every action. The plugin has to do with each case what the pure decision
// says, in the emulator and as the built file (e2e/mesh: in Envoy): so that what it asks the host for is what rules want.

// corpus calls check for each case, with the policy as plugin configuration, headers held back or not.
func corpus(t *testing.T, check func(t *testing.T, configuration []byte, c *policyfile.Case, want policyfile.Shown)) {
	files, err := filepath.Glob("policy/testdata/decide/*.txtar")
	require.NoError(t, err)
	require.Greater(t, len(files), 9)
	asked := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		text, err := policyfile.Read("policy.yaml", archive.Files[0].Data)
		require.NoError(t, err)
		p, problems := policy.Parse(text)
		require.Empty(t, problems)
		cases, err := policyfile.ParseCases("cases.yaml", archive.Files[1].Data)
		require.NoError(t, err)
		for i := range cases {
			c := &cases[i]
			if c.Request.Provider != "" || c.Request.Model != "" {
				continue // as only the edge's routing decides them
			}
			want := c.Show(p)
			for _, hold := range []bool{true, false} {
				if !hold && want.SentPath != want.Path {
					continue // not once the headers have gone on
				}
				asked++
				t.Run(fmt.Sprintf("%s/%s/%v", strings.TrimSuffix(filepath.Base(file), ".txtar"), c.Name, hold), func(t *testing.T) {
					configuration, err := json.Marshal(map[string]any{"policy": json.RawMessage(text), "hold_headers": hold})
					require.NoError(t, err)
					check(t, configuration, c, want)
				})
			}
		}
	}
	assert.Greater(t, asked, 300)
}

// decided compares with what the pure decision says.
func decided(t *testing.T, got outcome, want policyfile.Shown) {
	t.Helper()
	if want.Status != 0 {
		require.NotNil(t, got.response, "it goes on")
		assert.EqualValues(t, want.Status, got.response.StatusCode, "%s", got.response.Data)
		assert.Contains(t, got.response.Headers, [2]string{ruleHeader, want.Rule})
		return
	}
	if got.response != nil {
		t.Fatalf("refused: %d %s", got.response.StatusCode, got.response.Data)
	}
	assert.Equal(t, types.ActionContinue, got.action)
	assert.Equal(t, want.SentBody, got.body)
	assert.Equal(t, want.SentPath, got.headers[":path"])
}

func headersOf(c *policyfile.Case, want policyfile.Shown) [][2]string {
	out := [][2]string{{":method", want.Method}, {":path", want.Path}, {":authority", c.Request.Host}}
	if len(want.Body) > 0 {
		out = append(out, [2]string{"content-length", strconv.Itoa(len(want.Body))})
	}
	for name, value := range c.Request.Headers {
		out = append(out, [2]string{strings.ToLower(name), value})
	}
	return out
}

// propertiesOf is what Envoy tells of a case besides its headers, each by its path.
func propertiesOf(c *policyfile.Case) (paths [][]string, values [][]byte) {
	add := func(value []byte, path ...string) { paths, values = append(paths, path), append(values, value) }
	if c.Request.Upstream != "" {
		add([]byte("outbound|443||"+c.Request.Upstream), "xds", "cluster_name")
	}
	if c.Request.Peer.Principal != "" {
		add([]byte(c.Request.Peer.Principal), "connection", "uri_san_peer_certificate")
	}
	if c.Request.Peer.Namespace != "" {
		add([]byte(c.Request.Peer.Namespace), "filter_state", "downstream_peer", "namespace")
	}
	if c.Request.Node.Namespace != "" {
		add([]byte(c.Request.Node.Namespace), "xds", "node", "metadata", "NAMESPACE")
	}
	for name, value := range c.Request.Node.Labels {
		add([]byte(value), "xds", "node", "metadata", "LABELS", name)
	}
	if c.Usage > 0 {
		add(binary.LittleEndian.AppendUint64(nil, uint64(c.Usage)), "metadata", "typed_filter_metadata", usageNamespace, "total_tokens")
	}
	var claims func(path []string, of map[string]any)
	claims = func(path []string, of map[string]any) {
		for name, value := range of {
			at := append(path[:len(path):len(path)], name)
			if inner, ok := value.(map[string]any); ok {
				claims(at, inner)
				continue
			}
			add(attribute(value), at...)
		}
	}
	claims([]string{"metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "payload"}, c.Request.Claims)
	return paths, values
}

// attribute gives a claim's value in the host's encoding (claims.go reads it).
func attribute(value any) []byte {
	switch v := value.(type) {
	case string:
		return []byte(v)
	case bool:
		if v {
			return []byte{1}
		}
		return []byte{0}
	case int:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(float64(v)))
	case []any:
		out, texts := binary.LittleEndian.AppendUint32(nil, uint32(len(v))), []byte(nil)
		for _, item := range v {
			text := attribute(item)
			out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
			out = binary.LittleEndian.AppendUint32(out, 0)
			texts = append(append(texts, text...), 0, 0)
		}
		return append(out, texts...)
	}
	panic(fmt.Sprintf("%T in a case", value))
}

func TestEveryCaseOfThePolicyInTheEmulator(t *testing.T) {
	clock := budgets.Clock
	budgets.Clock = func() int64 { return 1_800_000_000 } // no window ends while a case is asked
	t.Cleanup(func() { budgets.Clock = clock })
	corpus(t, func(t *testing.T, configuration []byte, c *policyfile.Case, want policyfile.Shown) {
		options := proxytest.NewEmulatorOption().WithVMContext(&vm{}).WithPluginConfiguration(configuration)
		paths, values := propertiesOf(c)
		for i := range paths {
			if len(values[i]) == 0 {
				return // the emulator itself panics when it hands over nothing
			}
			options = options.WithProperty(paths[i], values[i])
		}
		host, reset := proxytest.NewHostEmulator(options)
		defer reset()
		require.Equal(t, types.OnVMStartStatusOK, host.StartVM())
		require.Equal(t, types.OnPluginStartStatusOK, host.StartPlugin(), host.GetCriticalLogs())
		var got outcome
		for range max(1, c.Repeat) {
			got = envoy{host}.send(headersOf(c, want), want.Body, 0)
		}
		decided(t, got, want)
		assert.Empty(t, host.GetErrorLogs())
	})
}

func TestEveryCaseOfThePolicyInTheBuiltFile(t *testing.T) {
	corpus(t, func(t *testing.T, configuration []byte, c *policyfile.Case, want policyfile.Shown) {
		m, ok := boot(t, configuration)
		require.True(t, ok, m.logs)
		paths, values := propertiesOf(c)
		for i := range paths {
			m.properties[strings.Join(paths[i], "\x00")] = string(values[i])
		}
		var got outcome
		for range max(1, c.Repeat) {
			got = m.request(headersOf(c, want), want.Body, len(want.Body)/2)
		}
		decided(t, got, want)
		assert.Empty(t, m.logs)
	})
}
