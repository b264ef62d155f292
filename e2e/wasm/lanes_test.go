package wasm

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// twin is the same gateway twice: with the wasm lane and with ext_proc in its place.
type twin struct {
	names    []string
	gateways []*harness.Gateway
	provider []*harness.Provider
	mu       sync.Mutex // one request at a time, so that it is known which one has arrived
}

func newTwin(t harness.T, policy string) *twin {
	t.Helper()
	w := &twin{names: []string{"wasm", "ext_proc"}, gateways: make([]*harness.Gateway, 2), provider: make([]*harness.Provider, 2)}
	for i, lane := range []string{"true", "false"} {
		p := harness.NewProvider(t, nil)
		env := harness.Env{"WASM_ENABLED": lane, "WASM_PATH": harness.Module(t), "GROQ_API_URL": p.URL, "MISTRAL_ENABLED": "false"}
		for _, id := range []string{"OPENAI", "ANTHROPIC", "CLOUDFLARE"} {
			env[id+"_API_URL"], env[id+"_API_KEY"] = p.URL+"/v1", "sk-"+strings.ToLower(id)
		}
		if policy != "" {
			file, err := os.CreateTemp("", "igw")
			if err == nil {
				_, err = file.WriteString(policy)
			}
			if err != nil {
				t.Fatalf("%v", err)
			}
			t.Cleanup(func() { _ = os.Remove(file.Name()) })
			_ = file.Close()
			env["POLICY_FILE"] = file.Name()
		}
		w.provider[i], w.gateways[i] = p, harness.Start(t, env)
	}
	return w
}

// Twins are started once for all tests: unrestricted, under lanesPolicy, and under a policy that asks for no body.
var (
	freeTwin     = harness.Shared(func(t harness.T) *twin { return newTwin(t, "") })
	policedTwin  = harness.Shared(func(t harness.T) *twin { return newTwin(t, lanesPolicy) })
	bodilessTwin = harness.Shared(func(t harness.T) *twin { return newTwin(t, bodilessPolicy) })
)

// seen is what came of a request: the answer, and what the provider has got.
type seen struct {
	Status                          int
	Rule, Answer, URI, Body, Length string
	Type                            string // content-type that the provider got
}

// both sends a request to either gateway and holds the outcomes together.
func (w *twin) both(t *testing.T, name, path, body string, change func(*http.Request)) seen {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got [2]seen
	for i, g := range w.gateways {
		w.provider[i].Reset()
		r, err := http.NewRequest(http.MethodPost, g.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		if change != nil {
			change(r)
		}
		client := g.Client(t)
		if r.Proto == "HTTP/2.0" {
			client = cleartextHTTP2(t)
		}
		resp, err := client.Do(r)
		require.NoError(t, err, "%s, %s", name, w.names[i])
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, err, "%s, %s", name, w.names[i])
		_ = resp.Body.Close()
		got[i] = seen{Status: resp.StatusCode, Rule: resp.Header.Get("X-Policy-Rule"), Answer: string(answer)}
		if all := w.provider[i].Requests(); len(all) > 0 {
			got[i].URI, got[i].Body, got[i].Length = all[0].URI, string(all[0].Body), all[0].Header.Get("Content-Length")
			got[i].Type = strings.Join(all[0].Header.Values("Content-Type"), ", ")
			assert.Len(t, all, 1, "%s, %s", name, w.names[i])
		}
	}
	assert.Equal(t, got[0], got[1], "%s: first with the wasm lane, then with ext_proc", name)
	return got[0]
}

// framings are the ways in which a body can come.
var framings = map[string]func(*http.Request){
	"with a length": nil,
	"chunked":       func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(reader{r.Body}) },
	"asking first":  func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
	"HTTP/2":        func(r *http.Request) { r.Proto = "HTTP/2.0" },
	"in pieces":     func(r *http.Request) { r.Body = io.NopCloser(&pieces{r.Body}) },
	"HTTP/2 without a length": func(r *http.Request) {
		r.Proto, r.ContentLength, r.Body = "HTTP/2.0", -1, io.NopCloser(reader{r.Body})
	},
}

// reader hides what a body is, so that its length is not told.
type reader struct{ io.Reader }

// pieces waits between two pieces of a body.
type pieces struct{ io.Reader }

func (p *pieces) Read(b []byte) (int, error) {
	time.Sleep(2 * time.Millisecond)
	return p.Reader.Read(b[:min(len(b), 9)])
}

const bodilessPolicy = "unknown: refuse\nrules: [{name: dear, match: {headers: {x-team: red}}, act: deny}]"

const lanesPolicy = `
rules:
  - {name: dear, match: {model: "*dear*"}, act: {deny: {status: 402, message: too dear}}}
  - {name: secrets, act: {secrets: all}, continue: true}
  - {name: short, match: {endpoint: chat}, act: {cap: {tokens: 7, insert: max_tokens}}, continue: true}
  - {name: marked, act: {set: {user: "é"}, remove: [seed]}}
`

// What one lane does to a request, the other does: the same bytes arrive at the provider, or the same error is answered.
func TestBothLanesReadBodiesAlike(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 40_000)
	bodies := map[string]string{
		"none":                "",
		"plain":               `{"model":"openai/gpt-4o","messages":[]}`,
		"spelled oddly":       " \n{ \"messages\" : [ ] ,\t\"model\" : \"op\\u0065nai\\/gpt-4o\" } ",
		"duplicate":           `{"model":"openai/cheap","model":"openai/dear"}`,
		"duplicate escaped":   `{"model":"openai/cheap","mod\u0065l":"openai/dear"}`,
		"duplicate deep":      `{"model":"openai/a","x":{"y":[{"z":1,"z":2}]}}`,
		"other case":          `{"model":"openai/a","Model":"openai/dear"}`,
		"limit in other case": `{"model":"openai/a","MAX_TOKENS":5000}`,
		"deep":                `{"model":"openai/a","x":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`,
		"too deep":            `{"model":"openai/a","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"much too deep":       strings.Repeat(`{"x":`, 20_000),
		"huge numbers":        `{"model":"openai/a","seed":1e999999,"max_tokens":123456789012345678901234567890,"top_p":0.1000000000000000055511151231257827,"n":-0}`,
		"a long number":       `{"model":"openai/a","n":` + strings.Repeat("9", 20_000) + `}`,
		"bad number":          `{"model":"openai/a","n":01}`,
		"not a number":        `{"model":"openai/a","n":NaN}`,
		"invalid UTF-8":       "{\"model\":\"openai/a\",\"x\":\"\xff\xfe\"}",
		"overlong UTF-8":      "{\"model\":\"openai/a\",\"x\":\"\xc0\xaf\"}",
		"surrogate in UTF-8":  "{\"model\":\"openai/a\",\"x\":\"\xed\xa0\x80\"}",
		"half a pair":         `{"model":"openai/a","x":"\ud83d"}`,
		"null byte":           "{\"model\":\"openai/a\",\"x\":\"\x00\"}",
		"byte order mark":     "\ufeff" + `{"model":"openai/a"}`,
		"UTF-16":              "\xff\xfe{\x00}\x00",
		"two":                 `{"model":"openai/a"}{"model":"openai/dear"}`,
		"trailing":            `{"model":"openai/a"} x`,
		"array":               `[{"model":"openai/a"}]`,
		"cut off":             `{"model":"openai/a","x":"`,
		"form":                `model=openai/a`,
		"long":                `{"model":"openai/a","x":"` + long + `"}`,
		"long and bad":        `{"x":"` + long + `","model":"openai/a","model":"openai/b"}`,
		"long model":          `{"model":"openai/` + long[:60_000] + `"}`,
		"model at the end":    `{"x":"` + long[:100_000] + `","model":"openai/a"}`,
		"secret":              `{"model":"openai/a","messages":[{"role":"user","content":"\u0041KIAIOSFODNN7EXAMPLE"}]}`,
		"dear":                `{"model":"openai/dear","x":"é😀"}`,
		"no such provider":    `{"model":"nobody/x"}`,
		"not ready":           `{"model":"groq/x"}`,
	}
	for name, twin := range map[string]func(testing.TB) *twin{"no policy": freeTwin, "a policy": policedTwin} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := twin(t)
			for framing, change := range framings {
				for what, body := range bodies {
					if framing == "in pieces" && len(body) > 1000 {
						continue
					}
					got := w.both(t, what+", "+framing, "/v1/chat/completions", body, change)
					if what == "plain" {
						assert.Equal(t, http.StatusOK, got.Status, "%s: %s", framing, got.Answer)
					}
				}
			}
			for _, path := range []string{"/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/completions", "/v1/chat/completions?provider=openai"} {
				for what, body := range bodies {
					w.both(t, what+", "+path, path, body, nil)
				}
			}
			files, err := filepath.Glob("../../providers/testdata/plan/*.txtar")
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, file := range files {
				path, body := planCase(t, file)
				w.both(t, filepath.Base(file), path, body, nil)
			}
		})
	}
}

// What was read as JSON goes on as JSON. A provider that obeys another type would find another model in the same bytes.
func TestBodiesGoOnAsWhatTheyWereReadAs(t *testing.T) {
	t.Parallel()
	const body = `{"model":"openai/gpt-4o","x":"&model=dear&"}`
	kinds := map[string]http.Header{
		"none": {"Content-Type": nil}, "a form": {"Content-Type": {"application/x-www-form-urlencoded"}}, "text": {"Content-Type": {"text/plain"}},
		"UTF-7": {"Content-Type": {"application/json; charset=utf-7"}}, "two": {"Content-Type": {"application/json", "multipart/form-data; boundary=x"}},
	}
	for name, twin := range map[string]func(testing.TB) *twin{"no policy": freeTwin, "a policy": policedTwin} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := twin(t)
			for kind, header := range kinds {
				typed := func(r *http.Request) { maps.Copy(r.Header, header) }
				got := w.both(t, kind, "/v1/chat/completions", body, typed)
				assert.Equal(t, http.StatusOK, got.Status, "%s: %s", kind, got.Answer)
				assert.Equal(t, "application/json", got.Type, kind)
				got = w.both(t, kind+" at /proxy", "/proxy/openai/chat/completions", body, typed)
				if name == "a policy" && kind != "none" && kind != "text" {
					assert.Equal(t, http.StatusUnsupportedMediaType, got.Status, "%s: %s", kind, got.Answer)
					continue
				}
				assert.Equal(t, http.StatusOK, got.Status, "%s: %s", kind, got.Answer)
				assert.Equal(t, strings.Join(header["Content-Type"], ","), got.Type, "what is only passed on stays as it is")
			}
		})
	}
}

func planCase(t *testing.T, file string) (path, body string) {
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	for _, f := range archive.Files {
		switch f.Name {
		case "path":
			path = strings.TrimSpace(string(f.Data))
		case "body":
			body = string(f.Data)
		case "body.quoted":
			body, err = strconv.Unquote(strings.TrimSpace(string(f.Data)))
			require.NoError(t, err)
		}
	}
	return path, body
}

// A body that is compressed cannot be read: where a rule or routing has to read it, it is refused, and else it passes.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(`{"model":"openai/dear"}`))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	const plain = `{"model":"openai/gpt-4o"}`
	for name, c := range map[string]struct {
		twin                func(testing.TB) *twin
		routed, chat, files int
	}{
		"no policy":              {freeTwin, 400, 200, 200},
		"a policy":               {policedTwin, 415, 415, 200},
		"one that needs no body": {bodilessTwin, 400, 200, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.twin(t)
			for path, status := range map[string]int{
				"/v1/chat/completions": c.routed, "/v1/chat/completions?provider=openai": c.routed,
				"/proxy/openai/chat/completions": c.chat, "/proxy/openai/files": c.files,
			} {
				for _, encoding := range []string{"gzip", "br", "deflate", "zstd", "GZIP", "gzip, identity", "unheard-of"} {
					got := w.both(t, encoding+" "+path, path, packed.String(), encoded(encoding))
					assert.Equal(t, status, got.Status, "%s %s: %s", encoding, path, got.Answer)
					if status == http.StatusOK {
						assert.Equal(t, packed.String(), got.Body, "it passes as it is")
					}
				}
				if got := w.both(t, "identity "+path, path, plain, encoded("identity")); path != "/proxy/openai/files" {
					assert.Equal(t, http.StatusOK, got.Status, got.Answer)
				}
			}
		})
	}
}

func encoded(by string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Content-Encoding", by) }
}
