package policyfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

func TestLoadGivesTheJSONThatEnvoyGets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
# Anchors may be used; dates and numbers that stand for names are text.
default: deny
rules:
  - name: a
    match: {model: &models [gpt-4o, "2024-01-01", 2024-01-02, 1.10]}
    act:
      set: {n: -16, f: 1.50, t: true, z: null, "a\"b": "<é>"}
  - name: b
    match: {model: *models}
    shadow: true
`), 0o600))
	json, err := Load(file)
	require.NoError(t, err)
	assert.Equal(t, `{"default":"deny","rules":[{"name":"a","match":{"model":["gpt-4o","2024-01-01","2024-01-02",1.10]},"act":{"set":{"n":-16,"f":1.50,"t":true,"z":null,"a\"b":"<é>"}}},{"name":"b","match":{"model":["gpt-4o","2024-01-01","2024-01-02",1.10]},"shadow":true}]}`, string(json))
	p, err := LoadPolicy(file)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, p.Rules())

	_, err = Load(file + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = LoadPolicy(file + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = LoadCases(file + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAliasesCannotGrowWithoutBound(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		n, m := string(rune('a'+i)), string(rune('a'+i-1))
		if i == 1 {
			m = "a0"
		}
		b.WriteString(n + ": &" + n + " [" + strings.TrimSuffix(strings.Repeat("*"+m+", ", 10), ", ") + "]\n")
	}
	_, err := Read("bomb.yaml", []byte(b.String()))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "larger than")

	for name, text := range map[string]string{
		"a loop":        "rules: &a {b: *a}\n",
		"many loops":    "rules: &a [*a,*a,*a,*a,*a,*a,*a,*a]\n",
		"deep lists":    "rules: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		"deep mappings": "rules: " + strings.Repeat("{a: ", 9000) + "1" + strings.Repeat("}", 9000) + "\n",
	} {
		_, err = Read("deep.yaml", []byte(text))
		require.ErrorContains(t, err, "nested too deeply", name)
		var problems Problems
		require.ErrorAs(t, err, &problems)
		assert.LessOrEqual(t, len(problems), maxProblems, name)
		assert.Less(t, len(err.Error()), 100_000, name)
	}
}

// What an editor or another system makes of a file is read as it is meant, or refused.
func TestFilesOfOtherSystems(t *testing.T) {
	const text = "rules:\n  - name: a\n    match: {model: x}\n    act: deny\n"
	want, err := Read("p", []byte(text))
	require.NoError(t, err)
	for name, other := range map[string]string{
		"Windows' line ends":   strings.ReplaceAll(text, "\n", "\r\n"),
		"a byte order mark":    "\xef\xbb\xbf" + text,
		"UTF-16":               "\xff\xfe" + strings.Join(strings.Split(text, ""), "\x00") + "\x00",
		"no line break at all": `{"rules":[{"name":"a","match":{"model":"x"},"act":"deny"}]}`,
	} {
		got, err := Read("p", []byte(other))
		require.NoError(t, err, name)
		assert.Equal(t, string(want), string(got), name)
	}
	for text, want := range map[string]string{
		"rules:\n\t- name: a\n":                                     "p:2: this is not YAML: found character that cannot start any token",
		"rules:\n  - {name: a\x00, act: deny}\n":                    "p: this is not YAML: control characters are not allowed",
		"rules:\n  - {name: \xe9, act: deny}\n":                     "p: this is not YAML: invalid trailing UTF-8 octet",
		"rules: [{name: a, act: deny, match: {model: 010}}]\n":      "p:1: rules[0].match.model: 010 is no number that JSON has: write it in decimals, or put it in quotes to make it text",
		"rules: [{name: a, act: deny, match: {model: 1_0}}]\n":      "p:1: rules[0].match.model: 1_0 is no number that JSON has: write it in decimals, or put it in quotes to make it text",
		"rules: [{name: a, act: deny, shadow: !!bool on}]\n":        "p:1: rules[0].shadow: on is no value that JSON has: put it in quotes to make it text",
		"rules: [{name: a, act: deny, match: {model: !!int ''}}]\n": "p:1: rules[0].match.model:  is no number that JSON has: write it in decimals, or put it in quotes to make it text",
	} {
		_, err := Read("p", []byte(text))
		require.Error(t, err, text)
		assert.Equal(t, want, err.Error())
	}
}

func TestAPolicyInsideOfAWasmPlugin(t *testing.T) {
	json, err := Read("plugin.yaml", []byte(`
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: llm-policy}
spec:
  pluginConfig:
    policy: {default: deny}
`))
	require.NoError(t, err)
	assert.Equal(t, `{"default":"deny"}`, string(json))
}

func TestMistakesInCases(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"cases: []\n", "c.yaml:1: cases: expected a list of cases"},
		{"rules: []\n", "c.yaml:1: unknown field rules"},
		{"cases:\n  - name: a\n    wants: {rule: b}\n", "c.yaml:3: unknown field wants"},
		{"cases:\n  - name: a\n    want: {status: many}\n", "c.yaml:3: expected a whole number"},
		{"cases:\n  - name: [a]\n    request: text\n    want: {rule: b}\n", "c.yaml:2: expected text\nc.yaml:3: expected a map"},
		{"cases: {a: b}\n", "c.yaml:1: expected a list"},
		{"cases:\n  - want: {rule: b}\n  - name: x\n", "c.yaml:2: cases[0]: has no name\nc.yaml:3: cases[1]: wants nothing: a case without want cannot fail"},
		{"cases:\n  - {name: a, want: {rule: b}}\n  - {name: a, want: {rule: b}}\n", "c.yaml:3: cases[1]: has the name of another case: a"},
		{
			"cases:\n  - name: a\n    repeat: -1\n    request: {body_size: -1, body: {a: .nan}}\n    want: {action: denied, secrets: {x: 1}, body: {a: .nan}}\n",
			"c.yaml:2: cases[0]: want.action: expected pass, refuse or one of " + strings.Join(policy.Outcomes(), ", ") +
				"\nc.yaml:2: cases[0]: want.secrets: x is no detector" +
				"\nc.yaml:2: cases[0]: repeat: expected a number from 1 to 1000" +
				"\nc.yaml:2: cases[0]: request.body_size: expected a number of bytes, at most 1073741824" +
				"\nc.yaml:2: cases[0]: request.body: .nan is no number that JSON has: write it in decimals, or put it in quotes to make it text" +
				"\nc.yaml:2: cases[0]: want.body: .nan is no number that JSON has: write it in decimals, or put it in quotes to make it text",
		},
		{"cases:\n  - {name: a, usage: -1, request: {headers: {X-A: b, x-a: c}}, want: {rule: b}}\n", "c.yaml:2: cases[0]: usage: expected a number of tokens\nc.yaml:2: cases[0]: request.headers: x-a is X-A again: write several values as one, with commas"},
		{"cases: [~, {name: a, want: {rule: b}}]\n", "c.yaml:1: cases: expected a list of cases"},
		{"cases:\n  - {name: a, want: {rule: b}}\n---\ncases: []\n", "c.yaml:4: expected one document: this is another"},
		{"", "c.yaml: the file is empty"},
		{"~\n---\ncases: []\n", "c.yaml:3: expected one document: this is another"},
		{"<<: {cases: [{name: a, want: {rule: b}}]}\n", "c.yaml:1: cases: expected a list of cases"},
		{"cases: &a [*a]\n", "c.yaml:1: expected a map"},
		{"cases: [\n", "c.yaml:1: this is not YAML: did not find expected node content"},
	} {
		_, err := ParseCases("c.yaml", []byte(tt.text))
		require.Error(t, err, tt.text)
		assert.Equal(t, tt.want, err.Error())
	}
}

// Cases may share what they have in common, and say things in the spellings of YAML.
func TestCasesMayUseAliases(t *testing.T) {
	json, err := Read("p.yaml", []byte("rules:\n  - {name: a, match: {model: m, claims: {n: '10000000'}}, act: deny}\n"))
	require.NoError(t, err)
	p, problems := policy.Parse(json)
	require.Empty(t, problems)
	cases, err := ParseCases("c.yaml", []byte(`
cases:
  - &base
    name: as text
    request: {claims: {n: 1e7}, body: &body '{"model":"m"}'}
    want: &denied {action: deny, rule: a}
  - {<<: *base, name: the same text, request: {claims: {n: [1, 10000000]}, body: *body}, want: *denied}
  - {name: a map, request: &map {claims: {n: "10000000"}, body: {model: m}}, want: *denied}
  - {name: the same map, request: *map, want: *denied}
`))
	require.NoError(t, err)
	report := Run(p, cases)
	assert.Len(t, report.Results, 4)
	assert.Zero(t, report.Failed, "%+v", report)
}

func TestAReportShowsWhatDiffers(t *testing.T) {
	json, err := Read("p.yaml", []byte(`
rules:
  - {name: no-mini, match: {model: "*-mini"}, act: {deny: {status: 451, message: too small}}}
  - {name: watched, match: {model: gpt*}, shadow: true, act: deny}
  - {name: capped, match: {model: gpt*}, act: {cap: 10}}
  - {name: never, match: {model: x}, act: deny}
`))
	require.NoError(t, err)
	p, problems := policy.Parse(json)
	require.Empty(t, problems)
	cases, err := ParseCases("c.yaml", []byte(`
cases:
  - name: as wanted
    request: {body: {model: gpt-mini}}
    want: {action: deny, rule: no-mini, status: 451, code: policy_denied, message: small}
  - name: "all wrong\nin two lines"
    request: {path: /v1/embeddings, body: {model: gpt-4, max_tokens: 20}}
    want: {action: refuse, rule: none, status: 403, code: policy_denied, message: never, shadow: {other: deny}, secrets: {private_key: 1}, model: other, path: /x, body: {model: gpt-4}}
  - name: refused instead
    request: {body: {model: gpt-mini}}
    want: {action: pass, body: {model: gpt-mini}}
`))
	require.NoError(t, err)
	report := Run(p, cases)
	assert.Equal(t, 2, report.Failed)
	assert.Equal(t, []string{"never"}, report.Unasked)
	var out strings.Builder
	require.NoError(t, report.Write(&out))
	assert.Equal(t, `ok    as wanted               deny  no-mini  451
FAIL  all wrong in two lines  edit  capped   -
        action: want refuse
                got  pass
        rule: want none
              got  capped
        status: want 403
                got  0
        code: want policy_denied
              got  
        message: want …never…
                 got  
        shadow: want other: deny
                got  watched: deny
        secrets private_key: want 1
                             got  0
        model: want other
               got  gpt-4
        path: want /x
              got  /v1/embeddings
        body: want {"model":"gpt-4"}
              got  {"model":"gpt-4","max_tokens":10}
FAIL  refused instead  deny  no-mini  451
        action: want pass
                got  refuse
        body: want {"model":"gpt-mini"}
              got  nothing: the request is refused

rules that no case reaches: never

3 cases, 2 failed
`, out.String())
}

// FuzzRead holds reading to no panic, and what it takes for a policy to being one.
func FuzzRead(f *testing.F) {
	f.Add([]byte("default: deny\nrules:\n  - {name: a, match: {model: [x]}, act: deny}\n"))
	f.Add([]byte("kind: WasmPlugin\nspec: {pluginConfig: {policy: &a {default: *a}}}\n"))
	f.Add([]byte("a: &a [*a]\n---\n? {}\n: <<: x\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		json, err := Read("f", content)
		if err != nil {
			return
		}
		if _, problems := policy.Parse(json); len(problems) > 0 {
			t.Fatal(problems)
		}
	})
}
