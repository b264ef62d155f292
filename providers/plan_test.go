package providers_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

var update = flag.Bool("update", false, "rewrite the wanted outputs of testdata")

// entries is the directory of all tests: three providers are ready, two are not.
func entries() []providers.Entry {
	return []providers.Entry{
		{ID: "openai", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Embeddings, catalog.Responses}},
		{ID: "anthropic", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Messages}},
		{ID: "cloudflare", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Embeddings}},
		{ID: "groq", Fix: "set GROQ_API_KEY (or GROQ_API_KEY_FILE)", Endpoints: []catalog.Endpoint{catalog.ChatCompletions}},
		{ID: "mistral", Fix: "set MISTRAL_ENABLED=true", Endpoints: []catalog.Endpoint{catalog.ChatCompletions, catalog.Completions}},
	}
}

func directory(allow, deny []string) *providers.Directory {
	return providers.NewDirectory(entries(), catalog.NewModelFilter(allow, deny), 1<<20)
}

// TestPlan runs each file of testdata/plan: prose, then path (the request's :path), filter (lines of allow or deny and
// an entry; optional), body or body.quoted (one Go string, for bytes that a file cannot show), and what is wanted: plan
// and sent (the body as the provider gets it), or error.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/plan/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			var inputs, wanted []txtar.File
			for _, f := range archive.Files {
				if slices.Contains([]string{"plan", "sent", "error"}, f.Name) {
					wanted = append(wanted, f)
				} else {
					inputs = append(inputs, f)
				}
			}
			got := decide(t, inputs)
			if *update {
				archive.Files = append(inputs, got...)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
				return
			}
			assert.Equal(t, text(wanted), text(got))
		})
	}
}

func text(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }

func decide(t *testing.T, inputs []txtar.File) []txtar.File {
	var path string
	var allow, deny []string
	var body []byte
	for _, f := range inputs {
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
		default:
			t.Fatalf("unknown part %s", f.Name)
		}
	}
	refused := func(e *apierror.Error) []txtar.File {
		return []txtar.File{{Name: "error", Data: fmt.Appendf(nil, "%d %s param=%q\n%s\n", e.Status(), e.Kind, e.Param, e.Message)}}
	}
	target, refusal := providers.ParseTarget(path)
	if refusal != nil {
		return refused(refusal)
	}
	before := slices.Clone(body)
	plan, refusal := directory(allow, deny).Plan(providers.Caller{}, providers.Request{Endpoint: target.Endpoint, Provider: target.Provider, Body: body})
	assert.Equal(t, before, body, "the request's own bytes are the caller's")
	if refusal != nil {
		assert.Equal(t, providers.Plan{}, plan)
		return refused(refusal)
	}
	out := []txtar.File{{Name: "plan", Data: fmt.Appendf(nil, "provider %s\nmodel %q\npath %s\n", plan.Provider, plan.Model, target.Path)}}
	if string(plan.Body) == string(body) {
		return append(out, txtar.File{Name: "sent", Data: []byte("the same bytes\n")})
	}
	return append(out, txtar.File{Name: "sent", Data: plan.Body})
}

// What a client sent is clipped before it is repeated: neither the message nor the log grows with it.
func TestHugeAndOddModelsAreClipped(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, r := range map[string]providers.Request{
		"no prefix":         {Body: fmt.Appendf(nil, `{"model":%q}`, long)},
		"prefix only":       {Body: fmt.Appendf(nil, `{"model":%q}`, long+"/")},
		"unknown prefix":    {Body: fmt.Appendf(nil, `{"model":"nobody/%s"}`, long)},
		"huge prefix":       {Body: fmt.Appendf(nil, `{"model":"%s/gpt"}`, long)},
		"not allowed":       {Body: fmt.Appendf(nil, `{"model":"openai/%s"}`, long)},
		"unknown ?provider": {Provider: long, Body: []byte(`{"model":"gpt"}`)},
		"cut in a rune":     {Body: fmt.Appendf(nil, `{"model":"openai/%s"}`, strings.Repeat("é", 1000)+"x")},
		"control bytes":     {Body: fmt.Appendf(nil, `{"model":"%s"}`, strings.Repeat(`\u0000\n\"<`, 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			r.Endpoint = catalog.ChatCompletions
			_, refusal := directory([]string{"gpt-4o"}, nil).Plan(providers.Caller{}, r)
			require.NotNil(t, refusal)
			assert.Less(t, len(refusal.Message), 2500)
			assert.Contains(t, refusal.Message, "…")
			assert.NotContains(t, refusal.Message, "\ufffd")
		})
	}
}

func TestNothingConfiguredIsSaid(t *testing.T) {
	d := providers.NewDirectory(nil, catalog.ModelFilter{}, 1<<20)
	_, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(`{"model":"gpt-4o"}`)})
	require.NotNil(t, refusal)
	assert.Equal(t, apierror.UnknownProvider, refusal.Kind)
	assert.Contains(t, refusal.Message, "No configured provider offers /v1/chat/completions.")
}

// Only the model's value may differ, whatever the bytes around it are.
func FuzzPlan(f *testing.F) {
	f.Add("gpt-4o", `,"n":1.0e5`)
	f.Add("@cf/meta/llama", `, "messages" : [ ] `)
	f.Add("é\\u00e9\"", "")
	d := directory(nil, nil)
	f.Fuzz(func(t *testing.T, model, rest string) {
		bare, err := jsonString(model)
		if err != nil || model == "" {
			return
		}
		body := `{"a":0,"model":"openai/` + bare[1:] + rest + `}`
		plan, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: []byte(body)})
		if refusal != nil {
			return // the rest need not be JSON
		}
		if plan.Provider != "openai" || plan.Model != model {
			t.Fatalf("%q: planned %s %q", body, plan.Provider, plan.Model)
		}
		value, before := strings.CutPrefix(string(plan.Body), `{"a":0,"model":`)
		value, after := strings.CutSuffix(value, rest+"}")
		var sent string
		if err := json.Unmarshal([]byte(value), &sent); !before || !after || err != nil || sent != model {
			t.Fatalf("%q\nsent %q", body, plan.Body)
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	message := `{"model":"openai/gpt-4o","stream":true,"temperature":0.7,"messages":[{"role":"user","content":"%s"}]}`
	for _, size := range []int{400, 10_000} {
		body := fmt.Appendf(nil, message, strings.Repeat("a word ", (size-len(message))/7))
		for name, d := range map[string]*providers.Directory{"open": directory(nil, nil), "restricted": directory([]string{"openai/*"}, []string{"*-pro"})} {
			b.Run(fmt.Sprintf("%d bytes/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if _, refusal := d.Plan(providers.Caller{}, providers.Request{Endpoint: catalog.ChatCompletions, Body: body}); refusal != nil {
						b.Fatal(refusal)
					}
				}
			})
		}
	}
}
