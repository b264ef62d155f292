package api

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestManyRequestsAtOnceAskAProviderOnce(t *testing.T) {
	b := start(t, nil)
	release := make(chan struct{})
	b.provide("openai", func(w http.ResponseWriter, r *http.Request) {
		awaitEnd(r, release)
		lists("a")(w, r)
	})
	b.server.Update(State{Providers: rows("openai")})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if i == 20 {
				close(release)
			}
			equal(t, "ids", b.ids(b.get("/v1/models")), "openai/a")
		})
	}
	wg.Wait()
	equal(t, "ids", b.ids(b.get("/v1/models")), "openai/a")
	equal(t, "asked", b.hitsOf("openai"), 1)
}

func TestStaleModelsAreServedWhileOneRefreshRuns(t *testing.T) {
	b := start(t, func(o *Options) { o.FreshFor = time.Nanosecond })
	b.provide("openai", lists("old"))
	b.server.Update(State{Providers: rows("openai")})
	equal(t, "first", b.ids(b.get("/v1/models")), "openai/old")

	arrived, release := make(chan struct{}, 9), make(chan struct{})
	b.provide("openai", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		awaitEnd(r, release)
		lists("new")(w, r)
	})
	for range 5 {
		equal(t, "while refreshing", b.ids(b.get("/v1/models")), "openai/old")
	}
	<-arrived
	equal(t, "asked", b.hitsOf("openai"), 2)
	close(release)
	eventually(t, func() bool {
		return string(b.get("/v1/models/openai/new").body) != "" && b.get("/v1/models/openai/new").status == 200
	})
}

func TestAFailingProviderKeepsItsModelsAndIsNamed(t *testing.T) {
	b := start(t, func(o *Options) { o.FreshFor, o.RetryAfter = time.Nanosecond, time.Nanosecond })
	b.provide("openai", lists("a"))
	b.server.Update(State{Providers: rows("openai")})
	equal(t, "before", b.ids(b.get("/v1/models")), "openai/a")

	b.provide("openai", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	eventually(t, func() bool {
		got := b.get("/v1/models?provider=openai")
		equal(t, "meanwhile", b.ids(got), "openai/a")
		return got.header.Get(unavailableHeader) == "openai"
	})
	one := b.get("/v1/models/openai/a")
	equal(t, "one model", one.status, 200)
	b.refused(b.get("/v1/models/openai/b"), 404, "model_not_found")

	b.provide("openai", lists("b"))
	eventually(t, func() bool {
		got := b.get("/v1/models")
		return got.header.Get(unavailableHeader) == "" && b.ids(got) == "openai/b"
	})
}

func TestModelsThatAreTooOldAreNotServed(t *testing.T) {
	b := start(t, func(o *Options) {
		o.FreshFor, o.StaleFor, o.RetryAfter = time.Nanosecond, time.Nanosecond, time.Nanosecond
	})
	var n atomic.Int64
	b.provide("openai", func(w http.ResponseWriter, r *http.Request) { lists("m"+strconv.FormatInt(n.Add(1), 10))(w, r) })
	b.server.Update(State{Providers: rows("openai")})
	equal(t, "first", b.ids(b.get("/v1/models")), "openai/m1")
	equal(t, "second", b.ids(b.get("/v1/models")), "openai/m2")
	b.provide("openai", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	b.refused(b.get("/v1/models?provider=openai"), 502, "upstream_error", "500")
}

func TestAProviderThatFailedIsLeftAlone(t *testing.T) {
	b := start(t, func(o *Options) { o.RetryAfter = time.Hour })
	b.server.Update(State{Providers: rows("openai")})
	for range 5 {
		equal(t, "header", b.get("/v1/models").header.Get(unavailableHeader), "openai")
	}
	equal(t, "asked", b.hitsOf("openai"), 1)
}

func TestAReloadKeepsTheModelsOfUnchangedProviders(t *testing.T) {
	b := start(t, nil)
	b.provide("openai", lists("a", "b"))
	b.provide("groq", lists("a"))
	b.server.Update(State{Providers: rows("openai", "groq")})
	equal(t, "before", b.ids(b.get("/v1/models")), "groq/a,openai/a,openai/b")

	changed := row("groq")
	changed.Fingerprint = "2"
	b.provide("groq", lists("c"))
	b.server.Update(State{Providers: []Provider{changed, row("openai")}, Filter: deny{"openai/b": true}})
	equal(t, "after", b.ids(b.get("/v1/models")), "groq/c,openai/a")
	equal(t, "openai asked", b.hitsOf("openai"), 1)
	equal(t, "groq asked", b.hitsOf("groq"), 2)

	b.server.Update(State{Providers: rows("openai")})
	equal(t, "groq gone", b.ids(b.get("/v1/models")), "openai/a,openai/b")
}

func TestUpdatesAndRequestsAtOnce(t *testing.T) {
	b := start(t, func(o *Options) { o.FreshFor = time.Nanosecond })
	b.provide("openai", lists("a"))
	b.provide("groq", lists("a"))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				p := row("groq")
				p.Fingerprint = strconv.Itoa(i)
				b.server.Update(State{Providers: []Provider{p, row("openai")}})
				if got := b.get("/v1/models"); b.ids(got) != "groq/a,openai/a" {
					t.Errorf("%s", got.body)
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseEndsRefreshes(t *testing.T) {
	b := start(t, func(o *Options) { o.FetchTimeout = time.Hour })
	arrived := make(chan struct{})
	b.provide("openai", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	b.server.Update(State{Providers: rows("openai")})
	answered := make(chan reply, 1)
	go func() { answered <- b.get("/v1/models?provider=openai") }()
	<-arrived
	b.server.Close()
	b.server.Close()
	b.refused(<-answered, 503, "unavailable")
	b.server.Update(State{Providers: rows("groq")})
	b.refused(b.get("/v1/models?provider=groq"), 503, "unavailable")
}

// eventually waits for what a background refresh brings about; the test's own deadline is the only limit.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for !ok() {
		if t.Context().Err() != nil || t.Failed() {
			t.Fatal("it did not come about")
		}
		time.Sleep(time.Millisecond)
	}
}
