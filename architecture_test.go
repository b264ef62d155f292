// Package architecture holds no code: its test keeps the rooms of this module apart. The arrows say which room may import
// which, and nothing else may; the other rules keep the tree readable. Test files may import what they need.
package architecture

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

const (
	module   = "github.com/inference-gateway/envoy-inference-gateway"
	maxLines = 450
)

// arrows: a room and the rooms it may import. "x/*" is each room below x. A package belongs to the longest row that it is in
// or below; a room may always import itself and internal/apierror.
var arrows = []struct {
	from string
	to   []string
}{
	{"cmd", []string{"*"}},
	{"e2e", []string{"*"}},

	{"internal/apierror", nil},
	{"internal/telemetry", nil},
	{"internal/access", []string{"internal/limits", "internal/yamlfile", "providers/catalog"}},
	{"internal/yamlfile", nil},
	{"internal/limits", []string{"internal/yamlfile", "providers/catalog"}},
	{"internal/config", []string{"internal/access", "internal/limits", "internal/yamlfile", "providers/catalog", "internal/policyfile", "wasm/policy"}},
	{"internal/api", []string{"providers/catalog"}},
	{"internal/oidc", nil},
	{"internal/loopback", nil},
	{"internal/bodies", nil},
	{"internal/loop", []string{"internal/bodies", "providers", "providers/catalog", "tools"}},
	{"internal/policyfile", []string{"wasm/policy", "providers/jsonedit"}},

	{"envoy", []string{"control-plane/link", "internal/config"}},
	{"control-plane/snapshot", []string{"control-plane/link", "internal/config", "internal/limits", "providers/catalog"}},
	{"control-plane/link", nil},
	{"control-plane/xds", nil},
	{"extauthz", []string{"internal/access", "providers/catalog"}},
	{"ratelimit", []string{"internal/limits"}},
	{"extproc", []string{"internal/bodies", "providers", "providers/catalog"}},

	{"providers", []string{"providers/*"}},
	{"providers/*", []string{"providers/chat", "providers/sse", "providers/jsonedit"}}, // dialects to come, and demo
	{"providers/catalog", nil},
	{"providers/chat", nil},
	{"providers/sse", nil},
	{"providers/jsonedit", nil},
	{"providers/routing", []string{"providers/catalog", "providers/jsonedit"}},

	{"tools", []string{"providers/chat", "providers/sse", "providers/jsonedit"}},
	{"tools/a2a", []string{"tools"}},
	{"tools/mcp", []string{"tools", "providers/sse"}},

	{"wasm", []string{"wasm/policy", "providers", "providers/catalog", "providers/jsonedit"}},
	{"wasm/policy", []string{"providers/catalog", "providers/jsonedit", "providers/routing"}}, // RATIONALE.md: one reader of requests
}

// outside: imports from other modules that only some rooms may have, or that some may not have.
var outside = []struct {
	what    string // prefix of the import path
	only    string // the one room that may, or
	never   string // the room, with all below it, that may not
	because string
}{
	{what: "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc", only: "extproc", because: "only extproc speaks ext_proc"},
	{what: "github.com/envoyproxy/go-control-plane/envoy/service/auth", only: "extauthz", because: "only extauthz speaks ext_authz"},
	{what: "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit", only: "ratelimit", because: "only ratelimit speaks the rate limit service's protocol"},
	{what: "github.com/envoyproxy/go-control-plane", never: "internal/limits", because: "limits know nothing of Envoy's protos"},
	{what: "github.com/envoyproxy/go-control-plane", never: "providers", because: "providers know nothing of Envoy"},
	{what: "encoding/json", never: "wasm/policy", because: bigInWasm},
	{what: "fmt", never: "wasm/policy", because: bigInWasm},
	{what: "net", never: "wasm/policy", because: bigInWasm},
	{what: "os", never: "wasm/policy", because: bigInWasm},
	{what: "reflect", never: "wasm/policy", because: bigInWasm},
	{what: "regexp", never: "wasm/policy", because: bigInWasm},
	{what: "time", never: "wasm/policy", because: "decisions are pure, and " + bigInWasm},
	{what: module + "/internal/apierror", never: "wasm/policy", because: bigInWasm},
	{what: "github.com/envoyproxy/go-control-plane", never: "internal/access", because: "rights know nothing of Envoy"},
	{what: "github.com/envoyproxy/go-control-plane", never: "internal/config", because: "configuration knows nothing of Envoy's protos"},
}

// yardsticks is the room whose bench has servers that do the least, to measure the others against.
const yardsticks = "e2e"

const bigInWasm = "it runs in Envoy's wasm engine, where every package costs start time"

var (
	vagueNames  = []string{"util", "utils", "common", "helper", "helpers"}
	environment = []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
)

// theSource is every Go file of the project, read once.
var theSource = sync.OnceValues(func() (*checker, error) { return read(os.DirFS(".")) })

func TestArchitecture(t *testing.T) {
	c, err := theSource()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.violations {
		t.Error(v)
	}
}

// An arrow that nobody needs would let somebody need it without a word.
func TestEveryArrowIsUsed(t *testing.T) {
	c, err := theSource()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrows {
		if strings.HasSuffix(a.from, "/*") { // of rooms to come
			continue
		}
		for _, to := range a.to {
			if !slices.ContainsFunc(c.used, func(u [2]string) bool { return u[0] == a.from && fits(to, u[1]) }) {
				t.Errorf("nothing in %s imports %s: take the arrow away", a.from, to)
			}
		}
	}
}

// TestRoomsAreTold holds the rooms and their table in docs/architecture.md together.
func TestRoomsAreTold(t *testing.T) {
	src, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrows {
		if a.from != "e2e" && !strings.HasSuffix(a.from, "/*") && !strings.Contains(string(src), "\n| `"+a.from) {
			t.Errorf("docs/architecture.md has no row for %s", a.from)
		}
	}
}

// inspect returns what breaks a rule, sorted.
func inspect(root fs.FS) ([]string, error) {
	c, err := read(root)
	return c.violations, err
}

// read looks at every Go file below the root.
func read(root fs.FS) (*checker, error) {
	c := &checker{documented: map[string]bool{}}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && skipped(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return c.file(name, src)
	})
	for dir, ok := range c.documented {
		if !ok {
			c.report("%s: no package comment: say what the package is for and what it must not know", dir)
		}
	}
	slices.Sort(c.violations)
	return c, err
}

// skipped tells the directories that the go command does not read either, and those of other languages.
func skipped(dir string) bool {
	return dir[0] == '.' || dir[0] == '_' || dir == "testdata" || dir == "vendor" || dir == "node_modules"
}

type checker struct {
	violations []string
	documented map[string]bool // directory: whether one of its files has a package comment
	used       [][2]string     // rooms, and rooms that they import
}

func (c *checker) report(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

func (c *checker) file(name string, src []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
	if err != nil {
		return err
	}
	if n := bytes.Count(src, []byte("\n")); n > maxLines && !ast.IsGenerated(f) {
		c.report("%s: %d lines, the limit is %d", name, n, maxLines)
	}
	dir := path.Dir(name)
	if slices.Contains(vagueNames, f.Name.Name) || slices.Contains(vagueNames, path.Base(dir)) {
		c.report("%s: package %s: name it after what it does", name, f.Name.Name)
	}
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}
	c.documented[dir] = c.documented[dir] || hasPackageComment(f)
	room := roomOf(dir)
	if room == "" {
		c.report("%s: in no room: add a row to the arrows", name)
		return nil
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		c.arrow(name, room, imported)
	}
	if room != "internal/config" && room != "e2e" {
		c.environment(name, f)
	}
	return nil
}

func hasPackageComment(f *ast.File) bool {
	text := f.Doc.Text()
	return strings.HasPrefix(text, "Package "+f.Name.Name+" ") || f.Name.Name == "main" && strings.HasPrefix(text, "Command ")
}

// arrow judges one import.
func (c *checker) arrow(name, room, imported string) {
	for _, rule := range outside {
		switch {
		case !within(imported, rule.what):
		case rule.only != "" && room != rule.only && room != yardsticks, rule.never != "" && within(room, rule.never):
			c.report("%s: imports %s: %s", name, imported, rule.because)
		}
	}
	if room == "wasm/policy" && !within(imported, module) && strings.Contains(strings.Split(imported, "/")[0], ".") {
		c.report("%s: imports %s: wasm/policy uses the standard library only", name, imported)
		return
	}
	dir, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		return
	}
	to := roomOf(dir)
	c.used = append(c.used, [2]string{room, to})
	if to == "" || !allowed(room, to) {
		c.report("%s: %s must not import %s", name, room, dir)
	}
}

func allowed(from, to string) bool {
	if from == to || to == "internal/apierror" {
		return true
	}
	for _, a := range arrows {
		if a.from == from || a.from == path.Dir(from)+"/*" && !named(from) {
			return slices.ContainsFunc(a.to, func(pattern string) bool { return fits(pattern, to) })
		}
	}
	return false
}

func fits(pattern, room string) bool {
	return pattern == "*" || pattern == room || pattern == path.Dir(room)+"/*"
}

// roomOf gives the room of a package's directory; "" when it is in none.
func roomOf(dir string) string {
	for d := dir; d != "."; d = path.Dir(d) {
		parent := path.Dir(d)
		if named(d) || named(parent+"/*") {
			return d
		}
	}
	return ""
}

func named(room string) bool {
	for _, a := range arrows {
		if a.from == room {
			return true
		}
	}
	return false
}

// within tells whether a path is prefix or below it.
func within(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// environment reports the uses of os and syscall that read the environment.
func (c *checker) environment(name string, f *ast.File) {
	readers := map[string]string{} // the name in this file: the package
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if p != "os" && p != "syscall" {
			continue
		}
		local := p
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." {
			c.report("%s: imports %s with a dot", name, p)
		}
		readers[local] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && readers[x.Name] != "" && slices.Contains(environment, sel.Sel.Name) {
			c.report("%s: %s.%s: only internal/config reads the environment", name, readers[x.Name], sel.Sel.Name)
		}
		return true
	})
}

func TestInspect(t *testing.T) {
	const proto = "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	long := strings.Repeat("// line\n", maxLines)
	tests := []struct {
		name, file, src string
		want            string // part of the one violation; "" for none
	}{
		{"an arrow that exists", "internal/loop/a.go", doc("loop", module+"/tools"), ""},
		{"any room may import apierror", "extproc/a.go", doc("extproc", module+"/internal/apierror"), ""},
		{"a package below a room belongs to it", "extproc/reply/a.go", doc("reply", module+"/providers/catalog"), ""},
		{"a room imports itself", "envoy/a.go", doc("envoy", module+"/envoy/process"), ""},
		{"cmd imports all", "cmd/inference-gateway/a.go", doc("main", module+"/control-plane/xds", module+"/extproc"), ""},
		{"providers imports every dialect", "providers/a.go", doc("providers", module+"/providers/anthropic"), ""},
		{"a dialect imports chat", "providers/cohere/a.go", doc("cohere", module+"/providers/chat"), ""},
		{"extproc speaks ext_proc", "extproc/a.go", doc("extproc", proto), ""},
		{"tests import what they need", "providers/cohere/a_test.go", "package cohere\nimport _ \"" + module + "/extproc\"\n", ""},
		{"config reads the environment", "internal/config/a.go", doc("config", "os") + "var _ = os.Getenv(\"A\")\n", ""},
		{"what go ignores is ignored", "extproc/testdata/a.go", "not Go", ""},
		{"a generated file may be long", "extproc/a.go", "// Code generated by x. DO NOT EDIT.\n\n" + doc("extproc") + long, ""},

		{"extproc and the control plane are apart", "extproc/a.go", doc("extproc", module+"/control-plane/snapshot"), "extproc must not import control-plane/snapshot"},
		{"and the other way", "control-plane/xds/a.go", doc("xds", module+"/extproc"), "control-plane/xds must not import extproc"},
		{"a leaf imports nothing", "providers/chat/a.go", doc("chat", module+"/providers/sse"), "providers/chat must not import providers/sse"},
		{"a dialect does not import a dialect", "providers/cohere/a.go", doc("cohere", module+"/providers/openai"), "providers/cohere must not import providers/openai"},
		{"a dialect does not import the switch", "providers/cohere/a.go", doc("cohere", module+"/providers"), "providers/cohere must not import providers"},
		{"apierror imports nothing", "internal/apierror/a.go", doc("apierror", module+"/providers/chat"), "must not import providers/chat"},
		{"a package below a room has no more arrows", "providers/cohere/wire/a.go", doc("wire", module+"/tools"), "providers/cohere must not import tools"},
		{"ext_proc has one speaker", "cmd/inference-gateway/a.go", doc("main", proto), "only extproc"},
		{"providers do not know Envoy", "providers/cohere/a.go", doc("cohere", "github.com/envoyproxy/go-control-plane/envoy/type/v3"), "nothing of Envoy"},
		{"wasm/policy is standard library only", "wasm/policy/a.go", doc("policy", "golang.org/x/text/cases"), "standard library only"},
		{"wasm/policy reads bodies as all do", "wasm/policy/a.go", doc("policy", module+"/providers/jsonedit"), ""},
		{"wasm/policy without reflection", "wasm/policy/a.go", doc("policy", "encoding/json"), "costs start time"},
		{"no room", "internal/extra/a.go", doc("extra"), "in no room"},
		{"an import of no room", "envoy/a.go", doc("envoy", module+"/internal/extra"), "envoy must not import internal/extra"},
		{"no comment", "envoy/a.go", "package envoy\n", "no package comment"},
		{"a comment about something else", "envoy/a.go", "// Here we go.\npackage envoy\n", "no package comment"},
		{"environment", "envoy/a.go", doc("envoy", "os") + "var _, _ = os.LookupEnv(\"A\")\n", "os.LookupEnv"},
		{"environment under another name", "envoy/a.go", "// Package envoy is.\npackage envoy\nimport e \"syscall\"\nvar _ = e.Environ()\n", "syscall.Environ"},
		{"vague name", "envoy/util/a.go", doc("util"), "name it after what it does"},
		{"long file", "envoy/a_test.go", "package envoy\n" + long, "the limit is 450"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inspect(fstest.MapFS{tt.file: {Data: []byte(tt.src)}})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q, want one with %q", got, tt.want)
			}
		})
	}
}

// doc is a documented package that imports what is given.
func doc(name string, imports ...string) string {
	src := "// Package " + name + " is made up.\npackage " + name + "\n"
	for _, i := range imports {
		src += "import \"" + i + "\"\n"
	}
	return src
}
