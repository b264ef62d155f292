package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// The providers of the tests: three are ready, two are not.
var entries = []providers.Entry{
	{ID: "openai", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Embeddings, catalog.Responses}},
	{ID: "anthropic", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Messages}},
	{ID: "cloudflare", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Embeddings}},
	{ID: "groq", Fix: "set GROQ_API_KEY (or GROQ_API_KEY_FILE)", Endpoints: []catalog.Endpoint{catalog.ChatCompletions}},
	{ID: "mistral", Fix: "set MISTRAL_ENABLED=true", Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Completions}},
}

// configuration is what the control plane would write.
func configuration(t testing.TB, allow, deny []string, policy string) []byte {
	type provider struct {
		ID        string             `json:"id"`
		Ready     bool               `json:"ready"`
		Fix       string             `json:"fix,omitempty"`
		Endpoints []catalog.Endpoint `json:"endpoints"`
	}
	edge := map[string]any{"allowed": allow, "disallowed": deny, "routes": true}
	list := make([]provider, 0, len(entries))
	for _, e := range entries {
		list = append(list, provider(e))
	}
	edge["providers"] = list
	all := map[string]any{"edge": edge, "hold_headers": true}
	if policy != "" {
		all["policy"] = json.RawMessage(policy)
	}
	out, err := json.Marshal(all)
	require.NoError(t, err)
	return out
}

// envoy is an emulated Envoy with the plugin in it.
type envoy struct{ proxytest.HostEmulator }

func start(t *testing.T, configuration []byte) envoy {
	t.Helper()
	host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().WithVMContext(&vm{}).
		WithPluginConfiguration(configuration))
	t.Cleanup(reset)
	require.Equal(t, types.OnVMStartStatusOK, host.StartVM())
	require.Equal(t, types.OnPluginStartStatusOK, host.StartPlugin(), host.GetCriticalLogs())
	return envoy{host}
}

// outcome is what became of a request.
type outcome struct {
	action   types.Action
	headers  map[string]string
	body     string
	response *reply // nil when the request goes on
}

type reply struct {
	StatusCode uint32
	Details    string // for the access log
	Headers    [][2]string
	Data       []byte
}

// post sends a request in pieces of the given size; 0 is in one.
func (e envoy) post(path string, body []byte, piece int, headers ...[2]string) outcome {
	all := append([][2]string{{":method", "POST"}, {":path", path}, {"content-length", strconv.Itoa(len(body))}}, headers...)
	return e.send(all, body, piece)
}

func (e envoy) send(all [][2]string, body []byte, piece int) outcome {
	id := e.InitializeHttpContext()
	action := e.CallOnRequestHeaders(id, all, len(body) == 0)
	if piece == 0 {
		piece = max(1, len(body))
	}
	for rest := body; len(rest) > 0 && e.GetSentLocalResponse(id) == nil; {
		n := min(piece, len(rest))
		action = e.CallOnRequestBody(id, rest[:n], n == len(rest))
		rest = rest[n:]
	}
	out := outcome{action: action, headers: map[string]string{}, body: string(e.GetCurrentRequestBody(id))}
	if r := e.GetSentLocalResponse(id); r != nil {
		out.response = &reply{r.StatusCode, replyDetails, r.Headers, r.Data}
	}
	for _, h := range e.GetCurrentRequestHeaders(id) {
		out.headers[h[0]] = h[1]
	}
	e.CompleteHttpContext(id)
	return out
}

// The filter and ext_proc decide by the same code. This holds them to it, from the bytes of a request to those of the
// answer: the corpus is that of the decision's own tests.
func TestTheFilterDecidesAsExtProcDoes(t *testing.T) {
	files, err := filepath.Glob("../providers/testdata/plan/*.txtar")
	require.NoError(t, err)
	require.Greater(t, len(files), 30)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			path, allow, deny, body := inputs(t, archive)
			e := start(t, configuration(t, allow, deny, ""))
			for _, piece := range []int{0, 1, 7} {
				same(t, e.post(path, body, piece), path, allow, deny, body)
			}
		})
	}
}

// same compares with providers.Plan.
func same(t *testing.T, got outcome, path string, allow, deny []string, body []byte) {
	t.Helper()
	directory := providers.NewDirectory(entries, catalog.NewModelFilter(allow, deny), math.MaxInt64)
	target, refusal := providers.ParseTarget(path)
	var plan providers.Plan
	if refusal == nil {
		plan, refusal = directory.Plan(providers.Caller{}, providers.Request{Endpoint: target.Endpoint, Provider: target.Provider, Body: slices.Clone(body)})
	}
	if refusal != nil {
		require.NotNil(t, got.response, "wanted %v", refusal)
		assert.Equal(t, refusal.Status(), int(got.response.StatusCode))
		assert.Equal(t, apierror.DetailsPrefix+string(refusal.Kind), got.response.Details)
		assert.Equal(t, string(refusal.Body()), string(got.response.Data))
		assert.Contains(t, got.response.Headers, [2]string{"content-type", "application/json"})
		assert.Equal(t, types.ActionPause, got.action, "nothing goes on")
		assert.NotContains(t, got.headers, catalog.ProviderHeader)
		return
	}
	require.Nil(t, got.response)
	assert.Equal(t, types.ActionContinue, got.action)
	assert.Equal(t, plan.Provider, got.headers[catalog.ProviderHeader])
	assert.Equal(t, string(plan.Body), got.body)
	assert.Equal(t, strconv.Itoa(len(plan.Body)), got.headers["content-length"])
	assert.Equal(t, target.Path, got.headers[":path"])
}

func inputs(t *testing.T, archive *txtar.Archive) (path string, allow, deny []string, body []byte) {
	for _, f := range archive.Files {
		switch f.Name {
		case "path":
			path = strings.TrimSpace(string(f.Data))
		case "filter":
			for line := range strings.Lines(string(f.Data)) {
				list, entry, _ := strings.Cut(strings.TrimSpace(line), " ")
				if list == "allow" {
					allow = append(allow, entry)
				} else {
					deny = append(deny, entry)
				}
			}
		case "body":
			body = f.Data
		case "body.quoted":
			s, err := strconv.Unquote(strings.TrimSpace(string(f.Data)))
			require.NoError(t, err)
			body = []byte(s)
		}
	}
	return path, allow, deny, body
}

const rules = `{"rules":[
	{"name":"dear","match":{"model":["openai/dear*"]},"act":{"deny":{"status":402,"message":"too dear"}}},
	{"name":"watched","match":{"headers":{"x-team":["red"]}},"shadow":true},
	{"name":"secrets","match":{},"act":{"secrets":"all"},"continue":true},
	{"name":"cheaper","match":{"model":["openai/big"]},"act":{"model":"small"}},
	{"name":"capped","match":{"model":["openai/*"]},"act":{"cap":{"tokens":100,"insert":"max_tokens"}}}
]}`

func TestAPolicyIsHeldInTheFilter(t *testing.T) {
	e := start(t, configuration(t, nil, nil, rules))
	const path = "/v1/chat/completions"

	denied := e.post(path, []byte(`{"model":"openai/dear-1"}`), 0)
	require.NotNil(t, denied.response)
	assert.EqualValues(t, 402, denied.response.StatusCode)
	assert.Contains(t, denied.response.Headers, [2]string{ruleHeader, "dear"})
	assert.Contains(t, string(denied.response.Data), `"too dear"`)
	n, err := e.GetCounterMetric(metricPrefix + "rule.dear.deny")
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	secret := e.post(path, []byte(`{"model":"openai/x","messages":[{"role":"user","content":"\u0041KIAIOSFODNN7EXAMPLE"}]}`), 5)
	require.NotNil(t, secret.response, "an escape hides nothing")
	assert.Contains(t, string(secret.response.Data), "aws_access_key 1")
	assert.NotContains(t, string(secret.response.Data), "IOSFODNN", "the text itself is told to nobody")

	cheaper := e.post(path, []byte(`{"model":"openai/big"}`), 0, [2]string{"x-team", "red"})
	require.Nil(t, cheaper.response)
	assert.Equal(t, `{"model":"small"}`, cheaper.body)
	assert.Equal(t, "openai", cheaper.headers[catalog.ProviderHeader])
	assert.Equal(t, "17", cheaper.headers["content-length"])
	n, err = e.GetCounterMetric(metricPrefix + "rule.watched.allow.shadow")
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	capped := e.post(path, []byte(`{"model":"openai/x"}`), 3)
	require.Nil(t, capped.response)
	assert.Equal(t, "openai", capped.headers[catalog.ProviderHeader])
	assert.Contains(t, capped.body, `100`)
	assert.Contains(t, capped.body, `"model":"x"`)

	unknown := e.post(path, []byte(`{"model":"nobody/x"}`), 0)
	require.NotNil(t, unknown.response, "what passes the policy is still routed")
	assert.Contains(t, string(unknown.response.Data), "unknown_provider")

	for _, body := range []string{`{"model":"openai/x"}`, `{"model":"openai/x","max_tokens":1}`} { // changed by the policy, and not
		twice := e.post(path+"?provider=openai&provider=groq", []byte(body), 0)
		require.NotNil(t, twice.response, "nor is a query read in two ways")
		assert.Contains(t, string(twice.response.Data), "given twice with different names")
	}
}

// A body that the policy does not read, by its own limit, is still one that routing reads.
func TestABodyOverThePolicysLimitIsRouted(t *testing.T) {
	e := start(t, configuration(t, nil, nil, `{"max_body":20,"over_limit":"pass","rules":[{"name":"dear","match":{"model":["openai/dear"]},"act":"deny"}]}`))
	for _, piece := range []int{0, 5, 21} {
		got := e.post("/v1/chat/completions", []byte(`{"model":"openai/dear"}`), piece)
		require.Nil(t, got.response)
		assert.Equal(t, "openai", got.headers[catalog.ProviderHeader])
		assert.Equal(t, `{"model":"dear"}`, got.body)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":          ``,
		"no JSON":          `{`,
		"unknown field":    `{"edge":{},"polices":{}}`,
		"edge is a list":   `{"edge":[]}`,
		"provider of text": `{"edge":{"providers":["openai"]}}`,
		"bad policy":       `{"policy":{"rules":[{"name":"x"}]}}`,
		"bad lone policy":  `{"rulez":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().WithVMContext(&vm{}).WithPluginConfiguration([]byte(raw)))
			defer reset()
			require.Equal(t, types.OnVMStartStatusOK, host.StartVM())
			assert.Equal(t, types.OnPluginStartStatusFailed, host.StartPlugin())
			assert.NotEmpty(t, host.GetCriticalLogs())
		})
	}
}

// A defect must not end the VM: it ends one decision, as the policy's setting says.
func TestAPanicEndsOneDecision(t *testing.T) {
	for setting, want := range map[string]string{"closed": "503", "open": ""} {
		p := &plugin{}
		var err error
		p.settings, err = readSettings([]byte(`{"policy":{"on_error":"` + setting + `","rules":[]}}`))
		require.NoError(t, err)
		host, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().WithVMContext(&vm{}).WithPluginConfiguration([]byte(`{"rules":[]}`)))
		require.Equal(t, types.OnPluginStartStatusOK, host.StartPlugin())
		id := host.InitializeHttpContext()
		x := &exchange{plugin: p}
		host.CallOnRequestHeaders(id, [][2]string{{":method", "POST"}, {":path", "/"}}, false) // makes id the current one
		var action types.Action
		assert.NotPanics(t, func() { action = x.guarded(func() types.Action { return types.Action(make([]int, 0)[len(setting)]) }) })
		if want == "" {
			assert.Equal(t, types.ActionContinue, action)
		} else {
			assert.Equal(t, types.ActionPause, action)
			assert.Equal(t, want, fmt.Sprint(host.GetSentLocalResponse(id).StatusCode))
		}
		assert.Contains(t, strings.Join(host.GetErrorLogs(), "\n"), "index out of range")
		reset()
	}
}
