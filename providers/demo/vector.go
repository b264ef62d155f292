package demo

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"unicode"
)

const (
	defaultDimensions = 256
	maxDimensions     = 1536
)

// vector turns a text into a unit vector: the sum of one fixed random direction for each word, and a little of one for
// the whole text. Texts that share words are near each other, so that a search over these vectors is worth showing.
func vector(text string, dimensions int) []float32 {
	sum := make([]float64, dimensions)
	isWordEnd := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), isWordEnd) {
		add(sum, word, 1)
	}
	add(sum, "\x00"+text, 0.1) // texts without words have a direction too, and the sum is never zero

	var square float64
	for _, x := range sum {
		square += x * x
	}
	length := math.Sqrt(square)
	out := make([]float32, dimensions)
	for i, x := range sum {
		out[i] = float32(x / length)
	}
	return out
}

// add moves the sum along the word's direction, a corner of the cube: one random bit for each dimension.
func add(sum []float64, word string, weight float64) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word)) // a hash never fails
	source := rand.NewPCG(h.Sum64(), 0)
	var bits uint64
	for i := range sum {
		if i%64 == 0 {
			bits = source.Uint64()
		}
		if bits&1 == 1 {
			sum[i] += weight
		} else {
			sum[i] -= weight
		}
		bits >>= 1
	}
}
