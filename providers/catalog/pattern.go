package catalog

import "strings"

// Pattern is a text cut at its stars, each of which stands for any run of characters. Case counts. It is what a star
// means wherever this program looks: in lists of models, in rights, in policies.
type Pattern struct {
	Text           string   // as written
	Prefix, Suffix string   // before the first star and after the last; without a star, Prefix is all of it
	Star, Slash    bool     // whether the text has one
	middle         []string // the non-empty pieces between stars, in order
}

// NewPattern compiles a text. Without a star it matches itself alone.
func NewPattern(text string) Pattern {
	pieces := strings.Split(text, "*")
	p := Pattern{Text: text, Prefix: pieces[0], Star: len(pieces) > 1, Slash: strings.Contains(text, "/")}
	if !p.Star {
		return p
	}
	p.Suffix = pieces[len(pieces)-1]
	for _, s := range pieces[1 : len(pieces)-1] {
		if s != "" {
			p.middle = append(p.middle, s)
		}
	}
	return p
}

// Match says whether the pattern fits all of s. It takes the leftmost place of each piece: a later place could only
// leave less for the rest, so there is nothing to go back to, and a pattern with many stars costs no more than one walk
// of the string.
func (p *Pattern) Match(s string) bool {
	if !p.Star {
		return s == p.Prefix
	}
	if len(s) < len(p.Prefix)+len(p.Suffix) || !strings.HasPrefix(s, p.Prefix) || !strings.HasSuffix(s, p.Suffix) {
		return false
	}
	s = s[len(p.Prefix) : len(s)-len(p.Suffix)]
	for _, piece := range p.middle {
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return true
}
