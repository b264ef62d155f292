package access

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

var update = flag.Bool("update", false, "rewrite the wanted outputs of testdata")

// TestCases runs each file of testdata: prose, keys.yaml and rules.yaml (either may be absent), and then either problems,
// which are those of Load, or ask and answers. A line of ask is a caller, its groups (- for none), a kind and a name.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			var keys, rules *Source
			var ask []byte
			var out string
			var outputs []txtar.File
			for _, f := range archive.Files {
				switch f.Name {
				case "keys.yaml":
					keys = &Source{Name: f.Name, Content: f.Data}
				case "rules.yaml":
					rules = &Source{Name: f.Name, Content: f.Data}
				case "ask":
					ask = f.Data
				default:
					continue
				}
				outputs = append(outputs, f)
			}
			table, err := Load(keys, rules)
			name := "problems"
			if err != nil {
				require.Nil(t, table)
				out = err.Error() + "\n"
			} else {
				name, out = "answers", answers(t, table, string(ask))
			}
			if *update {
				archive.Files = append(outputs, txtar.File{Name: name, Data: []byte(out)})
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
				return
			}
			last := archive.Files[len(archive.Files)-1]
			assert.Equal(t, last.Name, name)
			assert.Equal(t, string(last.Data), out)
		})
	}
}

func answers(t *testing.T, table *Table, ask string) string {
	var out strings.Builder
	for line := range strings.Lines(ask) {
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		require.GreaterOrEqual(t, len(f), 3, line)
		groups := catalog.SplitGroups(strings.Trim(f[1], "-"))
		rights := table.Rights(f[0], groups)
		name := strings.Join(f[3:], " ")
		owner, own, _ := strings.Cut(name, "/")
		answer := ""
		switch f[2] {
		case "provider":
			answer = yesNo(rights.AllowsProvider(name))
		case "model":
			answer = yesNo(rights.AllowsModel(owner, own))
		case "server":
			answer = yesNo(rights.AllowsServer(name))
		case "tool":
			answer = yesNo(rights.AllowsTool(owner, own))
		case "agent":
			answer = yesNo(rights.AllowsAgent(name))
		case "max_tokens":
			answer = strconv.FormatInt(rights.MaxTokens(), 10)
		case "restricted":
			answer = fmt.Sprintf("models %s, tools %s", yesNo(rights.RestrictsModels()), yesNo(rights.RestrictsTools()))
		default:
			t.Fatalf("unknown kind %s", f[2])
		}
		fmt.Fprintf(&out, "%s: %s\n", line, answer)
	}
	return out.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

var moment = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func load(t testing.TB, keys, rules string) *Table {
	t.Helper()
	table, err := Load(&Source{"keys.yaml", []byte(keys)}, &Source{"rules.yaml", []byte(rules)})
	require.NoError(t, err)
	return table
}

func entry(id, credential, more string) string {
	return "  - {id: " + id + ", sha256: " + Hash(credential) + more + "}\n"
}

func TestFind(t *testing.T) {
	table := load(t, "keys:\n"+
		entry("first", "a", "")+
		entry("until", "b", ", expires: 2026-11-23T12:00:00Z")+
		entry("before", "c", ", expires: 2026-11-23T12:00:01Z")+
		entry("gone", "d", ", revoked: 2026-11-23T12:00:00Z")+
		entry("going", "e", ", revoked: 2026-11-23T12:00:01Z")+
		entry("both", "f", ", revoked: 2026-11-01, expires: 2026-11-01")+
		entry("last", "g", ", groups: [x, y]"), "")
	for _, tt := range []struct {
		credential, id string
		err            error
	}{
		{"a", "first", nil},
		{"b", "", ErrExpired},
		{"c", "before", nil},
		{"d", "", ErrRevoked},
		{"e", "going", nil},
		{"f", "", ErrRevoked},
		{"g", "last", nil},
		{"", "", ErrUnknown},
		{"A", "", ErrUnknown},
		{Hash("a"), "", ErrUnknown},
	} {
		k, err := table.Find(tt.credential, moment)
		assert.ErrorIs(t, err, tt.err, tt.credential)
		assert.Equal(t, tt.id, k.ID, tt.credential)
	}
	k, err := table.Find("g", moment)
	require.NoError(t, err)
	assert.Equal(t, []string{"x", "y"}, k.Groups)
	assert.Equal(t, "key:last", k.Caller())
	_, err = (*Table)(nil).Find("a", moment)
	assert.ErrorIs(t, err, ErrUnknown)
}

func TestAnEmptyFileKnowsNobody(t *testing.T) {
	for _, content := range []string{"", "# nothing yet\n", "---\n", "{}", "keys: []"} {
		table := load(t, content, content2rules(content))
		_, err := table.Find("", moment)
		assert.ErrorIs(t, err, ErrUnknown, content)
		assert.Empty(t, table.Keys())
		assert.False(t, table.Restricts())
	}
}

// content2rules keeps what both files have in common.
func content2rules(content string) string {
	if content == "keys: []" {
		return ""
	}
	return content
}

func TestGroupsOf(t *testing.T) {
	table := load(t, "", `claims:
  - {claim: department, value: research, groups: [researchers, staff]}
  - {claim: realm_access.roles, value: "admin*", groups: [admins]}
  - {claim: "https://example.com/team", groups: [team]}
  - {claim: level, value: 3, groups: [three]}
  - {claim: vip, value: true, groups: [vips]}
  - {claim: none, value: "", groups: [empty]}
`)
	for _, tt := range []struct {
		claims map[string]any
		want   []string
	}{
		{nil, nil},
		{map[string]any{"department": "research"}, []string{"researchers", "staff"}},
		{map[string]any{"department": "Research"}, nil},
		{map[string]any{"department": []any{"sales", "research"}}, []string{"researchers", "staff"}},
		{map[string]any{"department": map[string]any{"research": true}}, nil},
		{map[string]any{"department": []any{[]any{"research"}}}, nil},
		{map[string]any{"realm_access": map[string]any{"roles": []any{"user", "administrator"}}}, []string{"admins"}},
		{map[string]any{"realm_access": "admin"}, nil},
		{map[string]any{"realm_access.roles": "admin"}, []string{"admins"}},
		{map[string]any{"https://example.com/team": "any"}, []string{"team"}},
		{map[string]any{"level": 3.0, "vip": true}, []string{"three", "vips"}},
		{map[string]any{"level": 3.5, "vip": false, "none": nil}, nil},
		{map[string]any{"none": ""}, []string{"empty"}},
	} {
		assert.Equal(t, tt.want, table.GroupsOf(tt.claims), "%v", tt.claims)
	}
	assert.True(t, table.ReadsClaims())
	assert.Nil(t, (*Table)(nil).GroupsOf(map[string]any{"a": "b"}))
}

func TestATableTellsNothing(t *testing.T) {
	table := load(t, "keys:\n"+entry("secret-id", "a", ""), "groups: {secret-group: {max_tokens: 1}}")
	for _, text := range []string{fmt.Sprint(table), fmt.Sprintf("%v %+v %#v %s", table, table, table, table), (*Table)(nil).String()} {
		assert.NotContains(t, text, "secret")
		assert.NotContains(t, text, Hash("a")[:8])
	}
}

func TestSame(t *testing.T) {
	a := load(t, "keys: []", "")
	assert.True(t, a.Same(load(t, "keys: []", "")))
	assert.False(t, a.Same(load(t, "keys: [] ", "")))
	assert.False(t, a.Same(load(t, "keys: []", "everyone: {}")))
	assert.False(t, a.Same(nil))
	assert.True(t, (*Table)(nil).Same(nil))
}

func TestProblemsAreOneError(t *testing.T) {
	_, err := Load(&Source{"a", []byte("x")}, &Source{"b", []byte("- y")})
	var problems Problems
	require.True(t, errors.As(err, &problems))
	assert.Len(t, problems, 2)
	assert.Equal(t, "a", problems[0].File)
	assert.Equal(t, 1, problems[1].Line)
}

// Whatever a file holds, it is read or refused, and a refusal repeats no value of it.
func FuzzLoad(f *testing.F) {
	f.Add("keys:\n"+entry("a", "b", ", groups: [c]"), "everyone: {allow: {models: [a]}}")
	f.Add("keys: [&a {id: x}, *a]", "groups: {<<: {a: b}}")
	f.Add("a: 1\n---\nb: 2", "claims: [{claim: a, groups: [b]}]")
	f.Fuzz(func(t *testing.T, keys, rules string) {
		table, err := Load(&Source{"k", []byte(keys)}, &Source{"r", []byte(rules)})
		if (table == nil) == (err == nil) {
			t.Fatalf("%v and %v", table, err)
		}
		table.Rights("key:a", []string{"c"}).AllowsModel("p", "m")
	})
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		var keys strings.Builder
		keys.WriteString("keys:\n")
		for i := range n {
			keys.WriteString(entry("k"+strconv.Itoa(i), "igw-"+strconv.Itoa(i), ""))
		}
		table := load(b, keys.String(), "")
		for name, credential := range map[string]string{"first": "igw-0", "last": "igw-" + strconv.Itoa(n-1), "unknown": "igw-x"} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = table.Find(credential, moment)
				}
			})
		}
	}
}

func BenchmarkRights(b *testing.B) {
	table := load(b, "", "everyone: {allow: {models: ['demo/*']}}\ngroups: {developers: {allow: {models: ['openai/gpt-4o*']}, max_tokens: 100}}")
	b.ReportAllocs()
	for b.Loop() {
		r := table.Rights("key:ci", []string{"developers"})
		if !r.AllowsModel("openai", "gpt-4o-mini") || r.MaxTokens() != 100 {
			b.Fatal("wrong")
		}
	}
}

func TestSameLooksAtEveryBit(t *testing.T) {
	var d digest
	a := wordsOf(d)
	assert.Equal(t, 1, same(&a, &a))
	for bit := range 8 * len(d) {
		other := d
		other[bit/8] ^= 1 << (bit % 8)
		b := wordsOf(other)
		assert.Zero(t, same(&a, &b), bit)
		assert.Zero(t, same(&b, &a), bit)
		assert.Equal(t, 1, same(&b, &b), bit)
	}
}
