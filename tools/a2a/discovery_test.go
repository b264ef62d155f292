package a2a

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

const oldCard = `{"protocolVersion":"0.3.0","name":"Old","description":"d","version":"1","url":"{base}/rpc",` +
	`"capabilities":{},"skills":[{"id":"x","name":"x","description":"d","tags":[]}]}`

func echo(w http.ResponseWriter, _ *http.Request, c rpcCall) {
	if c.Method == "message/send" {
		say(w, c, `{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"old `+c.text()+`"}]}`)
		return
	}
	say(w, c, `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"heard `+c.text()+`"}]}}`)
}

func TestCardsOfBothProtocolsAreRead(t *testing.T) {
	tests := map[string]struct{ card, path, want string }{
		"1.0":                         {cardOf(false, "x"), "/.well-known/agent-card.json", "heard hi"},
		"0.3 at the new path":         {oldCard, "/.well-known/agent-card.json", "old hi"},
		"0.3 at the old path":         {oldCard, "/.well-known/agent.json", "old hi"},
		"0.3 with a named transport":  {strings.Replace(oldCard, `"url"`, `"preferredTransport":"JSONRPC","url"`, 1), "/.well-known/agent.json", "old hi"},
		"a relative address":          {strings.Replace(cardOf(false, "x"), "{base}", "", 1), "/.well-known/agent-card.json", "heard hi"},
		"a scheme nobody knows":       {strings.Replace(cardOf(false, "x"), `{`, `{"securitySchemes":{"a":{"type":"smoke"}},"security":7,`, 1), "/.well-known/agent-card.json", "heard hi"},
		"no version of the interface": {strings.Replace(cardOf(false, "x"), `"protocolVersion":"1.0",`, "", 1), "/.well-known/agent-card.json", "heard hi"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, tt.card, echo)
			f.set(func() { f.cardPath = tt.path })
			m := up(t, f, nil)
			expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusOK, tt.want)
		})
	}
}

func TestAnInterfaceOnAnotherOriginIsNotUsed(t *testing.T) {
	reached := make(chan string, 8)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.URL.Path }))
	defer other.Close()
	f := newFake(t, strings.ReplaceAll(cardOf(false, "x"), "{base}", other.URL), echo)
	o := quick(Endpoint{Name: "a", URL: f.srv.URL, Headers: http.Header{"X-Api-Key": {"secret-value"}}})
	m := start(t, o)
	s := waitState(t, m, "a", StateUnavailable)
	if !strings.Contains(s.Error, "another origin") || strings.Contains(s.Error, "127.0.0.1") {
		t.Errorf("error %q", s.Error)
	}
	if n := len(m.Catalogue().Tools()); n != 0 || len(reached) != 0 {
		t.Errorf("%d tools, %d requests to the other origin", n, len(reached))
	}

	// A second interface on the own origin is enough.
	f.set(func() {
		f.card = strings.Replace(f.card, `"supportedInterfaces":[`, `"supportedInterfaces":[{"url":"{base}/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"},`, 1)
	})
	waitState(t, m, "a", StateAvailable)
	expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusOK, "heard hi")
	if len(reached) != 0 {
		t.Error("the other origin was reached")
	}
}

func TestARedirectToAnotherHostIsNotFollowed(t *testing.T) {
	reached := make(chan http.Header, 8)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Header }))
	defer other.Close()
	redirect := func(w http.ResponseWriter, r *http.Request, _ rpcCall) {
		http.Redirect(w, r, other.URL+"/rpc", http.StatusTemporaryRedirect)
	}
	f := newFake(t, cardOf(false, "x"), redirect)
	m := up(t, f, func(o *Options) { o.Agents[0].Headers = http.Header{"X-Api-Key": {"secret-value"}} })
	expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusError, "another origin")

	f.set(func() { // within the origin it is followed: Python's web frameworks redirect to add a slash
		f.answer = func(w http.ResponseWriter, r *http.Request, c rpcCall) {
			if r.URL.Path == "/rpc" {
				http.Redirect(w, r, "/rpc/", http.StatusTemporaryRedirect)
				return
			}
			echo(w, r, c)
		}
	})
	expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusOK, "heard hi")

	// Nor for the card.
	moved := httptest.NewServer(http.RedirectHandler(other.URL+"/card.json", http.StatusMovedPermanently))
	defer moved.Close()
	m = start(t, quick(Endpoint{Name: "moved", URL: moved.URL, Headers: http.Header{"X-Api-Key": {"secret-value"}}}))
	if s := waitState(t, m, "moved", StateUnavailable); !strings.Contains(s.Error, "another origin") {
		t.Errorf("error %q", s.Error)
	}
	if len(reached) != 0 {
		t.Errorf("the other host got %v", <-reached)
	}
}

func TestHeadersGoToTheirOwnAgentOnly(t *testing.T) {
	one, two := newFake(t, cardOf(false, "x"), echo), newFake(t, cardOf(false, "x"), echo)
	m := start(t, quick(Endpoint{Name: "one", URL: one.srv.URL, Headers: http.Header{"X-Api-Key": {"secret-one"}}}, Endpoint{Name: "two", URL: two.srv.URL}))
	waitState(t, m, "one", StateAvailable)
	waitState(t, m, "two", StateAvailable)
	tell(t, m, "a2a_one_x", "hi")
	tell(t, m, "a2a_two_x", "hi")
	count := func(f *fake) (n int) {
		f.set(func() {
			for _, h := range f.headers {
				n += len(h["X-Api-Key"])
			}
		})
		return n
	}
	if got := count(two); got != 0 {
		t.Errorf("the other agent got the key %d times", got)
	}
	var all int
	one.set(func() { all = len(one.headers) })
	if got := count(one); got < all || got < 2 {
		t.Errorf("%d of %d requests had the key", got, all)
	}
}

func TestAnAgentMayBeDownAtStartAndUpLater(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	good := newFake(t, cardOf(false, "x"), echo)
	m := start(t, quick(Endpoint{Name: "down", URL: "http://" + address}, Endpoint{Name: "good", URL: good.srv.URL}))
	waitState(t, m, "good", StateAvailable) // one is not delayed by the other
	if s := waitState(t, m, "down", StateUnavailable); s.Error != "it refuses the connection" {
		t.Errorf("error %q", s.Error)
	}
	late := &fake{t: t, card: cardOf(false, "y"), cardPath: "/.well-known/agent-card.json", answer: echo}
	late.srv = httptest.NewUnstartedServer(late)
	if late.srv.Listener, err = net.Listen("tcp", address); err != nil {
		t.Skip("the port was taken meanwhile")
	}
	late.srv.Start()
	waitState(t, m, "down", StateAvailable)
	expect(t, tell(t, m, "a2a_down_y", "hi"), tools.StatusOK, "heard hi")

	before := m.Catalogue()
	late.srv.CloseClientConnections()
	late.srv.Close()
	s := waitState(t, m, "down", StateUnavailable)
	if len(s.Tools) != 0 || len(s.Card) == 0 || len(m.Catalogue().Tools()) != 1 {
		t.Errorf("got %+v and %d tools", s, len(m.Catalogue().Tools()))
	}
	if got := before.Call(t.Context(), "a2a_down_y", json.RawMessage(`{"message":"hi"}`)); !got.Failed || strings.Contains(got.Text, address) {
		t.Errorf("got %+v", got)
	}
	expect(t, tell(t, m, "a2a_down_y", "hi"), tools.StatusUnknownTool, "no such tool")
}

func TestACallThatCannotReachItsAgentHasItLookedAt(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), echo)
	m := up(t, f, func(o *Options) { o.RefreshInterval = time.Hour })
	f.srv.CloseClientConnections()
	f.srv.Close()
	if got := tell(t, m, "a2a_a_x", "hi"); !got.Failed {
		t.Errorf("got %+v", got)
	}
	waitState(t, m, "a", StateUnavailable)
}

func TestACardThatChangesIsTakenOver(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), echo)
	m := up(t, f, nil)
	before, was := m.Catalogue(), waitState(t, m, "a", StateAvailable)
	f.set(func() { f.card = cardOf(false, "y", "z") })
	eventually(t, "the new tools", func() bool { return len(m.Catalogue().Tools()) == 2 })
	expect(t, tell(t, m, "a2a_a_z", "hi"), tools.StatusOK, "heard hi")
	// A request that took the old snapshot goes on with it.
	expect(t, before.Call(t.Context(), "a2a_a_x", json.RawMessage(`{"message":"hi"}`)), tools.StatusOK, "heard hi")
	if now, _ := m.Agent("a"); now.CardHash == was.CardHash || !strings.Contains(string(now.Card), `"z"`) || !slices.Equal(now.Tools, []string{"a2a_a_y", "a2a_a_z"}) {
		t.Errorf("got %+v", now)
	}
	// Signatures and white space do not make another card.
	hash := hashOf([]byte(f.card))
	if hash != hashOf([]byte(strings.Replace(f.card, `{`, `{ "signatures":[{"signature":"x"}], `, 1))) {
		t.Error("a signature makes another card")
	}
}

func TestBadCardsMakeAnAgentUnavailable(t *testing.T) {
	tests := map[string]struct{ card, want string }{
		"none":          {"", "HTTP status 404"},
		"not JSON":      {"<html>", "cannot be read"},
		"a list":        {"[]", "cannot be read"},
		"null":          {"null", "no interface"},
		"wrong types":   {`{"skills":"all"}`, "cannot be read"},
		"gRPC only":     {strings.Replace(cardOf(false, "x"), "JSONRPC", "GRPC", 1), "no interface"},
		"protocol 9":    {strings.Replace(cardOf(false, "x"), `"1.0"`, `"9.0"`, 1), "no interface"},
		"too large":     {`{"name":"` + strings.Repeat("x", maxCard) + `"}`, "larger than allowed"},
		"null in lists": {`{"skills":[null],"supportedInterfaces":[null]}`, "no interface"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, tt.card, nil)
			m := start(t, quick(Endpoint{Name: "a", URL: f.srv.URL}))
			if s := waitState(t, m, "a", StateUnavailable); !strings.Contains(s.Error, tt.want) {
				t.Errorf("error %q, want %q", s.Error, tt.want)
			}
		})
	}
}

func TestSkillsBecomeTools(t *testing.T) {
	long := strings.Repeat("täglich ", 300)
	f := newFake(t, cardOf(false, "weather/today", "weather today", "", "日本", "same", "same", strings.Repeat("x", 100), long), echo)
	m := up(t, f, nil)
	list := m.Catalogue().Tools()
	if len(list) != 6 {
		t.Fatalf("%d tools", len(list))
	}
	names := map[string]bool{}
	for _, tool := range list {
		if !regexp.MustCompile(`^a2a_a_[A-Za-z0-9_-]{1,58}$`).MatchString(tool.Name) || names[tool.Name] {
			t.Errorf("name %q", tool.Name)
		}
		names[tool.Name] = true
		if len(tool.Description) > maxDescription || !json.Valid(tool.Schema) || tool.Source != "a2a" || tool.Server != "a" {
			t.Errorf("got %+v", tool)
		}
		expect(t, tell(t, m, tool.Name, "hi"), tools.StatusOK, "heard hi")
		if hint := f.asked(-1).Params.Message.Metadata["skillId"]; hint != tool.Original {
			t.Errorf("skillId %v, want %q", hint, tool.Original)
		}
	}
	if d := list[0].Description; d != "Does weather/today. (by the agent Fake)\nTags: t\nExamples:\n- e" {
		t.Errorf("description %q", d)
	}
	if !strings.HasSuffix(list[5].Description, "…") {
		t.Error("a long description is not cut")
	}
}

// Agent x with skill y_z and agent x_y with skill z would be one name.
func TestNamesOfTwoAgentsDoNotMeet(t *testing.T) {
	one, two := newFake(t, cardOf(false, "y_z"), echo), newFake(t, cardOf(false, "z"), echo)
	m := start(t, quick(Endpoint{Name: "x", URL: one.srv.URL}, Endpoint{Name: "x_y", URL: two.srv.URL}))
	eventually(t, "both", func() bool { return len(m.Catalogue().Tools()) == 2 })
	list := m.Catalogue().Tools()
	if list[0].Name != "a2a_x_y_z" || list[1].Name == list[0].Name {
		t.Fatalf("got %q and %q", list[0].Name, list[1].Name)
	}
	tell(t, m, list[1].Name, "hi")
	if len(one.methods()) != 0 || len(two.methods()) != 1 {
		t.Error("the wrong agent was called")
	}
	if s, _ := m.Agent("x_y"); !slices.Equal(s.Tools, []string{list[1].Name}) {
		t.Errorf("got %v", s.Tools)
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	for name, e := range map[string][]Endpoint{
		"no URL":      {{Name: "a", URL: "agent"}},
		"credentials": {{Name: "a", URL: "http://u:p@h"}},
		"no name":     {{URL: "http://h"}},
		"twice":       {{Name: "a", URL: "http://h"}, {Name: "a", URL: "http://i"}},
	} {
		if _, err := New(Options{Agents: e}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A card may be large; what it is read into must not be many times as large.
func TestACardOfVeryManySkills(t *testing.T) {
	base, err := url.Parse("http://agent.example/")
	if err != nil {
		t.Fatal(err)
	}
	card := []byte(`{"name":"a","url":"http://agent.example/","skills":[` + strings.Repeat("{},", maxCard/3-100) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read, err := readCard(card, base)
	runtime.ReadMemStats(&after)
	if err != nil || len(read.Skills) != mostListed {
		t.Errorf("%d skills, %v", len(read.Skills), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(100*len(card)) {
		t.Errorf("it took %d bytes", took)
	}
}
