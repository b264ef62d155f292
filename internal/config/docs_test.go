package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const docs = "../../docs/configuration.md"

// TestDocs holds docs/configuration.md to the table; -update writes it.
func TestDocs(t *testing.T) {
	want := document()
	if *update {
		require.NoError(t, os.MkdirAll("../../docs", 0o755))
		require.NoError(t, os.WriteFile(docs, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(docs)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run: go test ./internal/config -run TestDocs -update")
}

func document() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Written by: go test ./internal/config -run TestDocs -update -->

The gateway is configured by environment variables. An empty variable counts as unset, and spaces around a value do not
matter, except around a secret, where they are refused. Durations are written as ` + "`30s`, `5m` or `500ms`" + `. ` + "`FOO_ENABLE` and `FOO_ENABLED`" + ` are the same variable. Every secret can be
read from a file instead: ` + "`OPENAI_API_KEY_FILE=/run/secrets/openai`" + ` stands for ` + "`OPENAI_API_KEY`" + `. ` + "`inference-gateway validate`" + `
prints every problem at once, ` + "`inference-gateway config`" + ` what is in effect.

The file that ` + "`GATEWAY_ENV_FILE`" + ` names holds lines of ` + "`NAME=value`" + `. In it, a value in single quotes is taken as it is; in
others ` + "`$NAME`" + ` stands for a variable set further up.
`)
	for _, g := range groups() {
		chapter(&b, g)
		if g.title == "Client" {
			providerChapters(&b)
		}
	}
	b.WriteString("\n## Variables of the public project without a meaning here\n\n" +
		"They are accepted with a warning, so that an environment can move over as it is.\n\n| Variable | Why |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(retired)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, retired[name])
	}
	return b.String()
}

func chapter(b *strings.Builder, g group) {
	fmt.Fprintf(b, "\n## %s\n\n", g.title)
	if g.note != "" {
		b.WriteString(g.note + "\n\n")
	}
	b.WriteString("| Variable | Default | Kind | Meaning |\n|---|---|---|---|\n")
	for _, v := range g.rows {
		def := ""
		if v.def != "" {
			def = "`" + v.def + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", v.name, def, strings.ReplaceAll(v.unit, "<", "\\<"), strings.ReplaceAll(v.doc, "|", "\\|"))
	}
}

func providerChapters(b *strings.Builder) {
	named := func(name string) *draft { return &draft{Provider: Provider{Provider: catalog.Provider{ID: name}}} }
	demo := enabledRow(named(catalog.DemoID), "")
	demo.doc = demoDoc
	chapter(b, group{"Providers", "A provider is used when its key is set, a local one when its URL is set. `<ID>` is the provider's id in capitals.", []variable{
		urlRow(named("<ID>")), keyRow(named("<ID>")), enabledRow(named("<ID>"), "true"), accountRow(named("cloudflare")), demo,
	}})
	b.WriteString("\n| Provider | Id | Default of `<ID>_API_URL` | Key | Endpoints under `/v1` |\n|---|---|---|---|---|\n")
	for _, p := range catalog.All() {
		var paths []string
		for _, e := range catalog.Endpoints() {
			if p.Paths[e] != "" {
				paths = append(paths, string(e))
			}
		}
		key := map[catalog.KeyNeed]string{catalog.KeyRequired: "needed", catalog.KeyOptional: "optional", catalog.KeyNone: "none"}[p.KeyNeed]
		fmt.Fprintf(b, "| %s | `%s` | `%s` | %s | %s |\n", p.Name, p.ID, p.BaseURL, key, strings.Join(paths, ", "))
	}
	chapter(b, group{"Own providers", "vLLM, LM Studio, OpenRouter, or a second key of the same provider: `<NAME>` is the name in capitals, `-` written as `_`.", []variable{
		providersRow, urlRow(named("<NAME>")), keyRow(named("<NAME>")), enabledRow(named("<NAME>"), "true"),
		dialectRow("<NAME>", new(string)), authRow("<NAME>", new(ownAuth)),
	}})
	chapter(b, group{"Headers for tool servers and agents", "", []variable{
		headersRow("MCP", "<NAME>", nil), headersRow("A2A", "<NAME>", nil),
	}})
}
