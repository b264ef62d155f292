package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cells is shared memory with a version for each write.
type cells struct {
	data     map[int][]byte
	versions map[int]uint32
	meddle   func(cell int) // runs between a Load and its Store
}

func newCells() *cells { return &cells{data: map[int][]byte{}, versions: map[int]uint32{}} }

func (c *cells) Load(cell int) ([]byte, uint32) { return c.data[cell], c.versions[cell] }

func (c *cells) Store(cell int, data []byte, version uint32) bool {
	if meddle := c.meddle; meddle != nil {
		c.meddle = nil
		meddle(cell)
	}
	if version != c.versions[cell] {
		return false
	}
	c.data[cell] = append([]byte(nil), data...)
	c.versions[cell]++
	return true
}

func newTable(size int) (*Table, *cells, *int64) {
	now, c := int64(1000), newCells()
	return &Table{Cells: c, Size: size, Clock: func() int64 { return now }}, c, &now
}

func TestACounterBeginsAnewWithItsWindow(t *testing.T) {
	table, _, now := newTable(64)
	assert.Equal(t, int64(3), table.Add("a", 100, 1100, 3))
	assert.Equal(t, int64(5), table.Add("a", 100, 1100, 2))
	assert.Equal(t, int64(1), table.Add("b", 100, 1100, 1))
	assert.Equal(t, int64(0), table.Add("b", 100, 1100, -7), "never below nothing")
	*now = 1100
	assert.Equal(t, int64(1), table.Add("a", 100, 1200, 1))
	assert.Equal(t, int64(2), table.Add("a", 100, 1100, 1), "what comes late counts for the window that is running")
}

// A clock that was ahead for a moment, as before the first answer of a time server, does not close budgets until then.
func TestAClockThatWasAheadLeavesNoDebts(t *testing.T) {
	p := budgeted(t, `{"requests":1,"per":"1m"}`)
	table, _, now := newTable(64)
	*now += 365 * 24 * 3600
	assert.Equal(t, Pass, send(p, table).Verdict)
	assert.Equal(t, OverBudget, send(p, table).Outcome)
	*now -= 365 * 24 * 3600
	assert.Equal(t, Pass, send(p, table).Verdict)
	assert.Equal(t, OverBudget, send(p, table).Outcome)
	*now += 60
	assert.Equal(t, Pass, send(p, table).Verdict)
}

// A new policy whose rule of the same name counts something else, or in other windows, owes nothing of the old one.
func TestAnotherKindOfBudgetBeginsAnew(t *testing.T) {
	table, _, _ := newTable(64)
	day := budgeted(t, `{"requests":9,"per":"1d"}`)
	for range 9 {
		require.Equal(t, Pass, send(day, table).Verdict)
	}
	require.Equal(t, OverBudget, send(day, table).Outcome)
	assert.Equal(t, Pass, send(budgeted(t, `{"requests":5,"per":"1m"}`), table).Verdict)
	assert.Equal(t, Pass, send(budgeted(t, `{"tokens":5,"per":"1d"}`), table).Verdict)
	assert.Equal(t, OverBudget, send(budgeted(t, `{"requests":8,"per":"1d"}`), table).Outcome, "a lower limit holds at once")
	assert.Equal(t, Pass, send(budgeted(t, `{"requests":10,"per":"1d"}`), table).Verdict, "and a higher one")
}

func TestTwoWritersLoseNoCount(t *testing.T) {
	table, c, _ := newTable(64)
	c.meddle = func(int) { table.Add("a", 100, 1100, 10) }
	assert.Equal(t, int64(11), table.Add("a", 100, 1100, 1))
}

func TestMemoryIsBoundedWhateverKeysThereAre(t *testing.T) {
	const size = 32
	table, c, now := newTable(size)
	for i := range 10_000 {
		table.Add(fmt.Sprint("key", i), 100, 1100, 1)
	}
	assert.LessOrEqual(t, len(c.data), size)
	sum := int64(0)
	for _, data := range c.data {
		sum += readCell(data).sum
	}
	assert.Equal(t, int64(10_000), sum, "a key without a cell of its own counts in another's")
	*now = 1100
	assert.Equal(t, int64(1), table.Add("new", 100, 1200, 1), "and gets its own once windows are over")
}

// Whoever can think of keys fills the table with counters of a minute, so that those of a day find no cell of their own when
// their day begins. They take one, and what was spent of them is known for the whole day.
func TestADayIsNotForgottenWithAMinute(t *testing.T) {
	const size, minute, day = 32, 60, 86_400
	table, _, now := newTable(size)
	*now = day
	flood := func() {
		for i := range 1000 {
			table.Add(fmt.Sprint("minute", i), minute, *now+minute, 1)
		}
	}
	flood()
	for hour := range int64(23) {
		assert.Equal(t, 10*(hour+1), table.Add("of a day", day, 2*day, 10))
		*now += 3600
		flood()
	}
	for i := range 1000 {
		table.Add(fmt.Sprint("day", i), day, 2*day, 1)
	}
	assert.GreaterOrEqual(t, table.Add("of a day", day, 2*day, 10), int64(240), "nor when there are more of a day than the table holds")
	assert.Greater(t, table.Add("another minute", minute, *now+minute, 1), int64(1), "which take nothing from each other, but share")
}

// budgeted makes a policy of one rule with a budget.
func budgeted(t *testing.T, budget string) *Policy {
	t.Helper()
	p, problems := Parse([]byte(`{"rules":[{"name":"b","act":{"budget":` + budget + `}}]}`))
	require.Empty(t, problems)
	return p
}

func send(p *Policy, b Budgets) Decision {
	body := []byte(`{"model":"m"}`)
	return p.Decide(&Request{Method: "POST", Path: "/v1/chat/completions", Budgets: b, Body: Body{State: Whole, Bytes: body}})
}

func TestRequestsArePaidUntilTheWindowEnds(t *testing.T) {
	p := budgeted(t, `{"requests":2,"per":"1m"}`)
	table, _, now := newTable(64)
	*now = 6_000 + 50
	assert.Equal(t, Pass, send(p, table).Verdict)
	assert.Equal(t, Pass, send(p, table).Verdict)
	d := send(p, table)
	assert.Equal(t, OverBudget, d.Outcome)
	assert.Equal(t, 429, d.Status)
	assert.Equal(t, int64(10), d.RetryAfter)
	assert.Equal(t, "b", d.Name)
	assert.Equal(t, []Step{{0, OverBudget, false}}, d.Steps)
	*now += d.RetryAfter
	assert.Equal(t, Pass, send(p, table).Verdict)
}

func TestTokensArePaidWhenTheyAreKnown(t *testing.T) {
	p := budgeted(t, `{"tokens":100,"per":"1h"}`)
	assert.True(t, p.NeedsUsage())
	table, _, now := newTable(64)
	first := send(p, table)
	require.Equal(t, Pass, first.Verdict)
	require.Len(t, first.Holds, 1)
	second := send(p, table)
	require.Equal(t, Pass, second.Verdict, "nothing is known of the first yet")
	Charge(table, first.Holds, 100)
	assert.Equal(t, OverBudget, send(p, table).Outcome)
	*now += 3600
	assert.Equal(t, Pass, send(p, table).Verdict)
	Charge(table, second.Holds, 99)
	assert.Equal(t, Pass, send(p, table).Verdict)
	Charge(table, second.Holds, 1)
	assert.Equal(t, OverBudget, send(p, table).Outcome)
}

func TestAReserveCountsUntilTheUsageIsKnown(t *testing.T) {
	p := budgeted(t, `{"tokens":100,"per":"1h","reserve":50}`)
	table, _, now := newTable(64)
	first, second := send(p, table), send(p, table)
	require.Equal(t, Pass, second.Verdict)
	assert.Equal(t, OverBudget, send(p, table).Outcome)
	Charge(table, first.Holds, 10)
	assert.Equal(t, OverBudget, send(p, table).Outcome, "10 and 50 are taken, and another 50 are too many")
	Charge(table, second.Holds, 0)
	assert.Equal(t, Pass, send(p, table).Verdict, "a request that failed gives its reserve back")
	*now += 3600
	Charge(table, first.Holds, 100)
	assert.Equal(t, OverBudget, send(p, table).Outcome, "in another window nothing is given back")
}

func TestARefusedRequestPaysNothing(t *testing.T) {
	p, problems := Parse([]byte(`{"rules":[
		{"name":"mine","continue":true,"act":{"budget":[{"requests":9,"per":"1h"},{"tokens":100,"per":"1h","reserve":40}]}},
		{"name":"watched","shadow":true,"act":{"budget":{"requests":1,"per":"1h"}}},
		{"name":"ours","continue":true,"act":{"budget":{"requests":1,"per":"1h","key":["header:x-team","model"]}}},
		{"name":"never","match":{"headers":{"x-team":"red"}},"act":"deny"}]}`))
	require.Empty(t, problems)
	table, c, _ := newTable(64)
	ask := func(team string) Decision {
		body := []byte(`{"model":"m"}`)
		return p.Decide(&Request{
			Method: "POST", Path: "/v1/chat/completions", Budgets: table, Facts: headersOnly{"x-team": team},
			Body: Body{State: Whole, Bytes: body},
		})
	}
	assert.Equal(t, Denied, ask("red").Outcome)
	assert.Empty(t, c.data, "a denied request has touched no counter")

	require.Equal(t, Pass, ask("blue").Verdict)
	d := ask("blue")
	assert.Equal(t, "ours", d.Name)
	assert.Equal(t, OverBudget, d.Outcome)
	assert.Equal(t, []Step{{0, Allowed, false}, {1, OverBudget, true}, {2, OverBudget, false}}, d.Steps)
	d = ask("green")
	assert.Equal(t, Pass, d.Verdict, "another key, and the reserve of the refused request was given back")
	assert.Len(t, d.Holds, 1)
	assert.Equal(t, OverBudget, ask("white").Outcome, "80 of 100 tokens are reserved")
}

// Each part of a key has budgets of its own, and parts do not run into each other.
func TestEachValueOfAKeyHasItsOwnBudget(t *testing.T) {
	ask := func(key, path, model, a, b string) func(*Table) Outcome {
		p := budgeted(t, `{"requests":1,"per":"1h","key":`+key+`}`)
		return func(table *Table) Outcome {
			body := []byte(`{"model":"` + model + `"}`)
			d := p.Decide(&Request{
				Method: "POST", Path: path, Budgets: table, Facts: headersOnly{"a": a, "b": b}, Body: Body{State: Whole, Bytes: body},
			})
			return d.Outcome
		}
	}
	const chat = "/v1/chat/completions"
	for name, c := range map[string]struct {
		first, other func(*Table) Outcome
	}{
		"model":    {ask(`"model"`, chat, "openai/m", "", ""), ask(`"model"`, chat, "openai/n", "", "")},
		"provider": {ask(`"provider"`, chat, "openai/m", "", ""), ask(`"provider"`, chat, "groq/m", "", "")},
		"header":   {ask(`"header:a"`, chat, "m", "x", ""), ask(`"header:a"`, chat, "m", "y", "")},
		"two":      {ask(`["header:a","header:b"]`, chat, "m", "xy", "z"), ask(`["header:a","header:b"]`, chat, "m", "x", "yz")},
	} {
		table, _, _ := newTable(64)
		assert.Equal(t, Allowed, c.first(table), name)
		assert.Equal(t, OverBudget, c.first(table), name)
		assert.Equal(t, Allowed, c.other(table), name)
	}
	table, _, _ := newTable(64)
	assert.Equal(t, Allowed, ask(`"model"`, chat, "openai/m", "", "")(table))
	assert.Equal(t, OverBudget, ask(`"model"`, chat, "groq/M", "", "")(table), "one model, whoever serves it and however it is spelled")
}

func TestLongKeysAreShortenedAndStayApart(t *testing.T) {
	p := budgeted(t, `{"requests":1,"per":"1h","key":"header:x-team"}`)
	table, _, _ := newTable(64)
	long := fmt.Sprintf("%01000d", 7)
	for i, team := range []string{long + "a", long + "b"} {
		d := p.Decide(&Request{Method: "GET", Path: "/", Budgets: table, Facts: headersOnly{"x-team": team}})
		assert.Equal(t, Pass, d.Verdict, i)
	}
	d := p.Decide(&Request{Method: "GET", Path: "/", Budgets: table, Facts: headersOnly{"x-team": long + "a"}})
	assert.Equal(t, OverBudget, d.Outcome)
}

// headersOnly is Facts of headers.
type headersOnly map[string]string

func (h headersOnly) Header(name string) (string, bool) {
	v, ok := h[name]
	return v, ok
}
func (headersOnly) Principal() string                            { return "" }
func (headersOnly) PeerNamespace() string                        { return "" }
func (headersOnly) NodeNamespace() string                        { return "" }
func (headersOnly) NodeLabel(string) (string, bool)              { return "", false }
func (headersOnly) AppendClaims(dst []string, _ string) []string { return dst }
