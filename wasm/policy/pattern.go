package policy

import "strings"

// pattern is a text in which a * stands for any run of characters, cut at its stars.
type pattern struct {
	text           string // as written
	prefix, suffix string
	middle         []string // the non-empty pieces between stars, in order
	star           bool     // without one, prefix is the whole text
	slash          bool     // the text holds a slash
}

func newPattern(text string) pattern {
	pieces := strings.Split(text, "*")
	p := pattern{text: text, prefix: pieces[0], star: len(pieces) > 1, slash: strings.Contains(text, "/")}
	if !p.star {
		return p
	}
	p.suffix = pieces[len(pieces)-1]
	for _, s := range pieces[1 : len(pieces)-1] {
		if s != "" {
			p.middle = append(p.middle, s)
		}
	}
	return p
}

// match takes the leftmost place of each piece. A later place could only leave less for the rest, so there is nothing
// to go back to, and a pattern with many stars costs no more than one walk of the text.
func (p *pattern) match(s string) bool {
	if !p.star {
		return s == p.prefix
	}
	if len(s) < len(p.prefix)+len(p.suffix) || !strings.HasPrefix(s, p.prefix) || !strings.HasSuffix(s, p.suffix) {
		return false
	}
	s = s[len(p.prefix) : len(s)-len(p.suffix)]
	for _, piece := range p.middle {
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return true
}

// patterns match when one of them does. Without any, there is no condition: callers ask first.
type patterns []pattern

func (ps patterns) match(s string) bool {
	for i := range ps {
		if ps[i].match(s) {
			return true
		}
	}
	return false
}
