package demo

import (
	"iter"
	"slices"
	"unicode"
)

// maxPiece makes a token about four characters of English on average, as with real tokenizers.
const maxPiece = 8

// pieces cuts a text into what this provider calls tokens: a word with the space before it, long words in parts.
// Joined, the pieces are the text again, so that cutting after max_tokens pieces and counting them agree.
func pieces(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, runes, inWord := 0, 0, false
		for i, r := range text {
			space := unicode.IsSpace(r)
			if i > start && (space && inWord || runes >= maxPiece) {
				if !yield(text[start:i]) {
					return
				}
				start, runes = i, 0
			}
			runes++
			inWord = !space
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

func split(text string) []string { return slices.Collect(pieces(text)) }

func countTokens(text string) int {
	n := 0
	for range pieces(text) {
		n++
	}
	return n
}
