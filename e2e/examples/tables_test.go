package examples

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

func TestProvidersTable(t *testing.T) {
	rows := table(t, read(t, "docs/providers.md"), "## Built in")
	all := catalog.All()
	if len(rows) != len(all) {
		t.Fatalf("%d rows for %d providers", len(rows), len(all))
	}
	order := []catalog.Endpoint{catalog.ChatCompletions, catalog.Embeddings, catalog.Completions, catalog.Responses, catalog.Messages}
	for i, p := range all {
		want := []string{p.Name, "`" + p.ID + "/`"}
		set := "`" + upper(p.ID) + "_API_KEY`"
		if p.KeyNeed != catalog.KeyRequired {
			set = "`" + upper(p.ID) + "_API_URL`"
		}
		if strings.Contains(p.BaseURL, catalog.AccountPlaceholder) {
			set += ", `" + upper(p.ID) + "_ACCOUNT_ID`"
		}
		want = append(want, set)
		for _, e := range order {
			cell := ""
			if _, ok := p.Paths[e]; ok {
				cell = "yes"
			}
			want = append(want, cell)
		}
		if !slices.Equal(rows[i], want) {
			t.Errorf("docs/providers.md has\n%q, the catalogue\n%q", rows[i], want)
		}
		if !strings.Contains(read(t, "README.md"), strings.TrimSuffix(strings.TrimSuffix(p.Name, " AI"), " Workers AI")) &&
			!strings.Contains(read(t, "README.md"), strings.Fields(p.Name)[0]) {
			t.Errorf("README.md does not name %s", p.Name)
		}
	}
}

func TestErrorKindsTable(t *testing.T) {
	rows := map[string][]string{}
	for _, r := range table(t, read(t, "docs/errors.md"), "## Codes") {
		rows[r[0]] = r
	}
	for _, kind := range apierror.Kinds() {
		e := apierror.New(kind, "x")
		var body struct{ Error struct{ Type, Code string } }
		if err := json.Unmarshal(e.Body(), &body); err != nil {
			t.Fatal(err)
		}
		r, ok := rows["`"+body.Error.Code+"`"]
		if !ok {
			t.Errorf("docs/errors.md does not explain %s", body.Error.Code)
			continue
		}
		if r[1] != strconv.Itoa(e.Status()) || r[2] != "`"+body.Error.Type+"`" {
			t.Errorf("docs/errors.md: %s is %d %s, not %s %s", kind, e.Status(), body.Error.Type, r[1], r[2])
		}
	}
	if len(rows) != len(apierror.Kinds()) {
		t.Errorf("%d rows for %d kinds", len(rows), len(apierror.Kinds()))
	}
}

// What the pages say of the access log and of response flags is what Envoy is configured with.
func TestAccessLogAndFlagsTables(t *testing.T) {
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "file.yaml")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// Callers and policies have their fields where there are any.
	env := harness.Env{"API_KEYS_FILE": file("keys: []\n"), "POLICY_FILE": file("rules: []\n"), "WASM_PATH": harness.Module(t)}
	r := harness.Run(t, env, "config", "--envoy")
	if r.Code != 0 {
		t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	logged, flags := map[string]bool{}, map[string]bool{}
	for _, doc := range strings.Split(r.Stdout, "\n---\n") {
		var v any
		if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatal(err)
		}
		walk(v, func(name string, v any) {
			switch m, _ := v.(map[string]any); name {
			case "jsonFormat":
				for field := range m {
					logged[field] = true
				}
			case "responseFlagFilter":
				list, _ := m["flags"].([]any)
				for _, f := range list {
					flags[f.(string)] = true
				}
			}
		})
	}
	documentedFields := map[string]bool{}
	for _, row := range table(t, read(t, "docs/operations.md"), "## Access log") {
		for _, name := range coded(row[0]) {
			documentedFields[name] = true
		}
	}
	if !maps.Equal(logged, documentedFields) {
		t.Errorf("docs/operations.md has the fields %v, Envoy writes %v", sorted(documentedFields), sorted(logged))
	}
	if len(flags) < 5 {
		t.Fatalf("only %d flags were found in the configuration", len(flags))
	}
	explained := map[string]bool{}
	for _, row := range table(t, read(t, "docs/errors.md"), "## Envoy's response flags") {
		for _, name := range coded(row[0]) {
			explained[name] = true
		}
	}
	for f := range flags {
		if !explained[f] {
			t.Errorf("docs/errors.md does not explain the flag %s", f)
		}
	}
}

// walk visits every member of a parsed document.
func walk(v any, visit func(name string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			visit(name, inner)
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

func TestCommandsTable(t *testing.T) {
	text := harness.Run(t, harness.Env{}, "help").Stdout
	var documentedCommands []string
	for _, row := range table(t, read(t, "README.md"), "## Commands") {
		documentedCommands = append(documentedCommands, strings.TrimPrefix(coded(row[0])[0], "inference-gateway "))
	}
	var commands []string
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, strings.Fields(rest)[0])
		}
	}
	slices.Sort(commands)
	slices.Sort(documentedCommands)
	if !slices.Equal(commands, documentedCommands) {
		t.Errorf("README.md has the commands %v, the program %v", documentedCommands, commands)
	}
}

func TestEndpointsAreExplained(t *testing.T) {
	pages := map[string]string{
		"README.md": "`POST %s`", "docs/endpoints.md": "## POST %s\n",
		"examples/rest/requests.http": "POST {{gateway}}%s\n", "examples/rest/requests.sh": "call POST %s ",
	}
	for name, pattern := range pages {
		text := read(t, name)
		for _, e := range catalog.Endpoints() {
			if want := strings.ReplaceAll(pattern, "%s", e.Path()); !strings.Contains(text, want) {
				t.Errorf("%s does not have %q", name, want)
			}
		}
	}
}

func TestRoomsExist(t *testing.T) {
	const name = "docs/architecture.md"
	for _, row := range table(t, read(t, name), "## Rooms") {
		for _, dir := range coded(row[0]) {
			if info, err := os.Stat(filepath.Join(harness.Root(), dir)); err != nil || !info.IsDir() {
				t.Errorf("%s: there is no room %s", name, dir)
			}
		}
	}
}
