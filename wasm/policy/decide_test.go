package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFirstMatchDecides(t *testing.T) {
	p, problems := Parse([]byte(`{"default":"deny","rules":[
		{"name":"no-mini","match":{"model":"gpt-4o-mini"},"act":{"deny":{"status":451,"message":"not here"}}},
		{"name":"watch","match":{"model":"gpt-*"},"shadow":true},
		{"name":"bounded","match":{"provider":"openai","model":"gpt-4o*"},"act":{"cap":100,"set":{"user":"x"},"remove":"logit_bias","model":"gpt-4o-2024"}}
	]}`))
	require.Empty(t, problems)
	decide := func(body string) (*Request, Decision) {
		r := &Request{Method: "POST", Path: "/v1/chat/completions", Body: Body{State: Whole, Bytes: []byte(body), Size: int64(len(body))}}
		return r, p.Decide(r)
	}
	_, d := decide(`{"model":"openai/GPT-4o-mini"}`)
	assert.Equal(t, Refuse, d.Verdict)
	assert.Equal(t, 451, d.Status)
	assert.Equal(t, "no-mini", d.Name)
	assert.JSONEq(t, `{"error":{"message":"not here","type":"invalid_request_error","param":null,"code":"policy_denied"}}`, string(d.AppendReply(nil)))

	r, d := decide(`{"model":"openai/gpt-4o","logit_bias":{},"max_tokens":1e9}`)
	require.Equal(t, Pass, d.Verdict)
	assert.Equal(t, []Step{{1, Allowed, true}, {2, Edited, false}}, d.Steps)
	assert.Equal(t, `{"model":"openai/gpt-4o-2024","max_tokens":100,"user":"x"}`, string(d.AppendBody(nil, r)))

	_, d = decide(`{"model":"llama"}`)
	assert.Equal(t, Denied, d.Outcome)
	_, d = decide(`{"model":1}`)
	assert.Equal(t, NotReadable, d.Outcome)
	_, d = decide(`{"model":"a","MODEL":"b"}`)
	assert.Equal(t, NotReadable, d.Outcome)
}

func parse(t *testing.T, json string) *Policy {
	t.Helper()
	p, problems := Parse([]byte(json))
	require.Empty(t, problems)
	return p
}

// counting is Facts that counts what it is asked.
type counting struct {
	headersOnly
	asked map[string]int
}

func (c counting) Header(name string) (string, bool) {
	c.asked[name]++
	return c.headersOnly.Header(name)
}

func TestTheBodyIsWaitedForOnlyWhenARuleNeedsIt(t *testing.T) {
	p := parse(t, `{"default":"deny","rules":[
		{"name":"spend","continue":true,"act":{"budget":{"requests":1,"per":"1h"}}},
		{"name":"banned","match":{"model":"gpt*","headers":{"x-team":"banned"}},"shadow":true,"act":"deny"},
		{"name":"no-team","match":{"headers":{"x-team":false}},"act":"deny"},
		{"name":"small","match":{"headers":{"x-team":"red"},"body":{"max":100}},"act":"allow"},
		{"name":"capped","match":{"headers":{"x-team":["red","blue"]}},"act":{"cap":10}},
		{"name":"plain","match":{"headers":{"x-team":"green"}},"unless":{"tools":true},"act":"allow"},
		{"name":"other","match":{"endpoint":"other"},"act":"allow"}]}`)
	require.True(t, p.needsBody)
	table, _, _ := newTable(64)
	ask := func(path, team string, size int64) Decision {
		f := headersOnly{}
		if team != "" {
			f["x-team"] = team
		}
		return p.Decide(&Request{Method: "POST", Path: path, Facts: f, Budgets: table, Body: Body{State: Pending, Size: size}})
	}
	const chat = "/v1/chat/completions"
	for _, tt := range []struct {
		name, path, team string
		size             int64
		verdict          Verdict
		rule             string
	}{
		{"a header says enough", chat, "", -1, Refuse, "no-team"},
		{"a condition on the model", chat, "banned", -1, Undecided, ""},
		{"a size that is not known yet", chat, "red", -1, Undecided, ""},
		{"an act that edits", chat, "blue", -1, Undecided, ""},
		{"a condition of unless", chat, "green", -1, Undecided, ""},
		{"no rule", chat, "white", -1, Refuse, ""},
		{"nothing to read elsewhere", "/v1/files", "white", -1, Pass, "other"},
	} {
		d := ask(tt.path, tt.team, tt.size)
		assert.Equal(t, tt.verdict, d.Verdict, tt.name)
		assert.Equal(t, tt.rule, d.Name, tt.name)
		if d.Verdict == Undecided {
			assert.Equal(t, Decision{Rule: NoRule}, d, "nothing is said of a request before it is decided")
		}
	}
	d := p.Decide(&Request{Method: "POST", Path: chat, Facts: headersOnly{"x-team": "red"}, Body: Body{State: Pending, Size: 100}})
	assert.Equal(t, "small", d.Name, "a size that was declared needs no waiting")
}

func TestARequestAsksTheHostOnceAndForgetsItWithReset(t *testing.T) {
	p := parse(t, `{"rules":[
		{"name":"a","match":{"headers":{"x-team":"r*"},"model":"b*"},"act":"deny"},
		{"name":"b","match":{"headers":{"X-Team":"red"}},"unless":{"headers":{"x-team":"red"}},"act":"deny"},
		{"name":"c","match":{"headers":{"x-team":true}},"act":{"set":{"user":"c"},"budget":{"requests":5,"per":"1h","key":"header:x-team"}}}]}`)
	table, _, _ := newTable(64)
	var r Request
	for i := range 3 {
		facts := counting{headersOnly{"x-team": "red"}, map[string]int{}}
		r.Reset()
		r.Method, r.Path, r.Facts, r.Budgets = "POST", "/v1/chat/completions", facts, table
		body := []byte(`{"model":"a"}`)
		r.Body = Body{State: Whole, Bytes: body, Size: int64(len(body))}
		d := p.Decide(&r)
		assert.Equal(t, "c", d.Name)
		assert.Equal(t, `{"model":"a","user":"c"}`, string(d.AppendBody(nil, &r)), i)
		assert.Equal(t, map[string]int{"x-team": 1, contentType: 1}, facts.asked)
		provider, model := p.Named(&r)
		assert.Equal(t, ":a", provider+":"+model)
	}
	r.Reset()
	r.Method, r.Path = "POST", "/v1/chat/completions"
	r.Body = Body{State: Whole, Bytes: []byte(`{"model":"b"}`)}
	d := p.Decide(&r)
	assert.Equal(t, NoRule, d.Rule, "without Facts there is no header")
	assert.Equal(t, Pass, d.Verdict)
}

func TestSettingsOfAPolicy(t *testing.T) {
	p := parse(t, `{}`)
	assert.False(t, p.needsBody || p.NeedsUsage() || p.FailOpen())
	assert.Equal(t, int64(10<<20), p.MaxBody())
	p = parse(t, `{"on_error":"open","max_body":"1MiB","rules":[{"name":"a","act":"allow"},{"name":"b","match":{"provider":"x"},"act":"allow"}]}`)
	assert.True(t, p.needsBody && p.FailOpen())
	assert.Equal(t, []string{"a", "b"}, p.Rules())
	p = parse(t, `{"rules":[{"name":"a","act":{"budget":{"tokens":1e+06,"per":"1d","key":"model"}}}]}`)
	assert.True(t, p.needsBody && p.NeedsUsage())
}

func TestProvidersOfTheConfigurationMayStandBeforeAModel(t *testing.T) {
	const json = `{"rules":[{"name":"a","match":{"provider":"mine","model":"m"},"act":{"model":"n"}}]}`
	body := []byte(`{"model":"Mine/m"}`)
	request := func() *Request {
		return &Request{Method: "POST", Path: "/v1/chat/completions", Body: Body{State: Whole, Bytes: body}}
	}
	assert.Empty(t, parse(t, json).Decide(request()).Name)
	p, problems := Parse([]byte(json), "mine")
	require.Empty(t, problems)
	d := p.Decide(request())
	assert.Equal(t, "a", d.Name)
	assert.Equal(t, "Mine/n", d.Model)
}

func TestLimitsOfAPolicy(t *testing.T) {
	for name, json := range map[string]string{
		"too many rules":      `{"rules":[` + strings.TrimSuffix(strings.Repeat(`{},`, maxRules+1), ",") + `]}`,
		"too many entries":    `{"rules":[{"name":"a","act":"allow","match":{"model":[` + strings.TrimSuffix(strings.Repeat(`"m",`, maxEntries+1), ",") + `]}}]}`,
		"too long a text":     `{"rules":[{"name":"a","act":"allow","match":{"model":"` + strings.Repeat("m", maxText+1) + `"}}]}`,
		"too long a name":     `{"rules":[{"name":"` + strings.Repeat("m", maxName+1) + `","act":"allow"}]}`,
		"too long altogether": `{"x":"` + strings.Repeat("m", maxPolicy) + `"}`,
		"too deep":            `{"rules":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`,
		"no JSON":             `{"rules":`,
	} {
		p, problems := Parse([]byte(json))
		assert.Nil(t, p, name)
		assert.NotEmpty(t, problems, name)
		assert.LessOrEqual(t, len(problems), maxProblems, name)
		for _, problem := range problems {
			assert.Less(t, len(problem.String()), 400, name)
		}
	}
}

func TestManyRulesAreStillInOrder(t *testing.T) {
	var rules []string
	for i := range 200 {
		rules = append(rules, fmt.Sprintf(`{"name":"r%d","match":{"model":["m%d","x*"]},"act":"deny"}`, i, i))
	}
	p := parse(t, `{"rules":[`+strings.Join(rules, ",")+`]}`)
	for model, want := range map[string]string{"m0": "r0", "m63": "r63", "m64": "r64", "m199": "r199", "xm7": "r0", "m200": ""} {
		d := p.Decide(&Request{Method: "POST", Path: "/v1/chat/completions", Body: Body{State: Whole, Bytes: []byte(`{"model":"` + model + `"}`)}})
		assert.Equal(t, want, d.Name, model)
	}
}
