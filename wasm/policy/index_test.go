package policy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The index finds the same rules as asking each pattern does, however the patterns' ends are.
func TestTheIndexFindsWhatPatternsMatch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(most int) string {
		out := make([]byte, random.IntN(most))
		for i := range out {
			out[i] = "ab/"[random.IntN(3)]
		}
		return string(out)
	}
	long := strings.Repeat("a", mostEnds)
	indexed := 0
	for range 300 {
		rules := make([]patterns, 20)
		w := newWants(1)
		w.spellings = random.IntN(2) == 0
		for i := range rules {
			pieces := []string{text(2), text(2)}
			for range random.IntN(2) {
				pieces = append(pieces, text(2))
			}
			if random.IntN(9) == 0 {
				pieces[0] = long + pieces[0]
			}
			rules[i] = newPatterns([]string{strings.Join(pieces, "*")})
			w.add(rules[i], i, 1)
		}
		w.index()
		indexed += min(1, len(w.ends))
		for range 20 {
			words := []string{text(6), text(6)}
			if random.IntN(9) == 0 {
				words[0] = long + words[0]
			}
			s := &seen{set: []uint64{1<<len(rules) - 1}}
			w.keep(s, words...)
			for i, ps := range rules {
				want := ps.match(words[0]) || (!w.spellings || ps[0].Slash) && ps.match(words[1])
				assert.Equal(t, want, s.set[0]&(1<<i) != 0, "%q of %q", ps[0].Text, words)
			}
		}
	}
	assert.Positive(t, indexed)
	assert.Less(t, indexed, 300, "and some are asked one after the other")
}
