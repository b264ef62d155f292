package loop

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// waiting is a model that has begun to answer, in words or not at all, and says when its request has ended.
type waiting struct {
	words        string
	began, ended chan struct{}
}

func newWaiting(words string) *waiting {
	return &waiting{words: words, began: make(chan struct{}), ended: make(chan struct{})}
}

func (m *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.words != "" {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"`+m.words+`"}}]}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
	}
	close(m.began)
	<-r.Context().Done()
	close(m.ended)
}

// A client that goes away ends what is under way, in whichever phase the loop is.
func TestAClientThatLeaves(t *testing.T) {
	use := `use the tool mcp_calc_add with {"a":1}`
	for name, c := range map[string]struct {
		text, words string
		first       bool // leaves in the first turn
		more        string
	}{
		"before the first turn says anything": {text: "x", first: true},
		"in the middle of the first turn":     {text: "x", words: "Well", first: true, more: streaming},
		"a request that only passes":          {text: "x", words: "Well", first: true, more: `"tool_choice":"none",`},
		"one that waits for its first word":   {text: "x", first: true, more: `"tool_choice":"none",`},
		"before a later turn says anything":   {text: use, more: streaming},
		"in the middle of a later turn":       {text: use, words: "Well", more: streaming},
		"in a later turn that is not seen":    {text: use},
	} {
		t.Run(name, func(t *testing.T) {
			model := newWaiting(c.words)
			handler := turns(demo.New(demo.Options{}), model)
			if c.first {
				handler = model
			}
			var g *gateway
			t.Cleanup(func() { // when all of it has ended: nobody has to be warned of a client that leaves
				assert.NotContains(t, g.log.String(), `"level":"WARN"`)
			})
			g = start(t, handler, nil)
			leave := g.ask(t, say("one/assistant", c.text, c.more))
			await(t, model.began)
			leave()
			await(t, model.ended)
		})
	}
	t.Run("while a tool runs", func(t *testing.T) {
		bothWays(t, func(t *testing.T, more string) {
			began, ended := make(chan struct{}), make(chan struct{})
			g := start(t, nil, func(o *Options) {
				o.MCP = offering("mcp", "calc", "add", func(ctx context.Context, _ string) tools.Result {
					close(began)
					<-ctx.Done()
					close(ended)
					return tools.Failure(tools.StatusCancelled, "cancelled")
				})
			})
			leave := g.ask(t, say("one/assistant", use, more))
			await(t, began)
			leave()
			await(t, ended)
			assert.Len(t, g.asked(), 1, "the model is not asked again")
		})
	})
}

// ask sends a request in the background. The function that it gives has the client leave, and waits until it has.
func (g *gateway) ask(t *testing.T, body string) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(t, err)
	gone := make(chan struct{})
	transport := &http.Transport{DisableKeepAlives: true}
	go func() {
		defer close(gone)
		if resp, err := transport.RoundTrip(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
	return func() { cancel(); <-gone }
}

func await(t *testing.T, what <-chan struct{}) {
	t.Helper()
	select {
	case <-what:
	case <-time.After(patience):
		t.Fatal("it never happened")
	}
}

func TestALoopThatTakesTooLong(t *testing.T) {
	bothWays(t, func(t *testing.T, more string) {
		g := start(t, nil, func(o *Options) {
			o.Timeout = 50 * time.Millisecond
			o.MCP = offering("mcp", "calc", "add", func(ctx context.Context, _ string) tools.Result {
				<-ctx.Done()
				return tools.Failure(tools.StatusCancelled, "cancelled")
			})
		})
		r := g.post(t, say("one/assistant", `use the tool mcp_calc_add with {"a":1}`, more))
		assert.Contains(t, r.body, `"code":"upstream_timeout"`)
		assert.Equal(t, more == "", r.status == http.StatusGatewayTimeout, r.status)
	})
}

// changing is a source whose snapshot is another one all the time.
type changing struct {
	now    atomic.Pointer[shelf]
	change func() *shelf
}

func (c *changing) Catalogue() tools.Catalogue { return c.now.Load() }

// A request sees one snapshot of each source from its beginning to its end, however often they change.
func TestTheToolsChangeWhileLoopsRun(t *testing.T) {
	var version atomic.Int64
	source := &changing{}
	source.change = func() *shelf {
		mine := version.Add(1)
		return offering("mcp", "calc", "add", func(context.Context, string) tools.Result {
			return tools.Result{Text: fmt.Sprintf("version %d", mine), Status: tools.StatusOK}
		})
	}
	source.now.Store(source.change())
	g := start(t, nil, func(o *Options) { o.MCP = source })
	stop := make(chan struct{})
	var changed sync.WaitGroup
	changed.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				source.now.Store(source.change())
			}
		}
	})
	var loops sync.WaitGroup
	for range 50 {
		loops.Go(func() {
			r := g.post(t, say("one/assistant", `use the tool mcp_calc_add with {"n":1} then use the tool mcp_calc_add with {"n":2}`, ""))
			assert.Equal(t, http.StatusOK, r.status)
			assert.Contains(t, r.body, "version ")
		})
	}
	loops.Wait()
	close(stop)
	changed.Wait()
	results := map[string]map[string]bool{} // versions by the request's history
	for _, m := range g.asked() {
		parts := strings.Split(m.body, "version ")
		if len(parts) == 3 {
			a, b := strings.SplitN(parts[1], `"`, 2)[0], strings.SplitN(parts[2], `"`, 2)[0]
			assert.Equal(t, a, b, "one loop called two snapshots")
			results[a] = nil
		}
	}
	assert.NotEmpty(t, results)
}

// What all requests need of the tools is made when they change, and not by each request.
func TestSnapshotsAreJoinedOnce(t *testing.T) {
	h := New(Options{MCP: offering("mcp", "a", "b", echo), A2A: offering("a2a", "a", "b", echo), Log: start(t, nil, nil).opts.Log})
	first := h.catalogue(http.Header{})
	assert.Same(t, first, h.catalogue(http.Header{}))
	assert.Len(t, first.Tools(), 2)
	one := h.catalogue(http.Header{"X-Mcp-Bypass": {"true"}})
	assert.Len(t, one.Tools(), 1)
	assert.Len(t, h.catalogue(http.Header{}).Tools(), 2)
}

func TestASourceThatIsNotThereHasNoTools(t *testing.T) {
	assert.Empty(t, none{}.Tools())
	r := none{}.Call(t.Context(), "x", nil)
	assert.Equal(t, tools.StatusUnknownTool, r.Status)
}
