package config

import "strings"

// keySlips end names that a newcomer sets for <ID>_API_KEY, to find that the demo provider answers.
var keySlips = []string{"KEY", "TOKEN", "API_TOKEN", "SECRET_KEY"}

// otherNames are where the programs of some providers themselves look for the key.
var otherNames = map[string][]string{
	"anthropic": {"CLAUDE_API_KEY"},
	"google":    {"GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"},
	"moonshot":  {"KIMI_API_KEY"},
}

// slips warns of values that have the right form and are likely wrong all the same: the gateway would start, and the
// provider would refuse each request.
func (l *loader) slips() {
	for _, p := range l.cfg.Providers {
		switch {
		case p.State == SwitchedOff || p.KeyVariable == "":
		case p.Key == "":
			l.keyElsewhere(p)
		default:
			l.oddKey(p)
		}
	}
}

func (l *loader) keyElsewhere(p Provider) {
	names := otherNames[p.ID]
	for _, slip := range keySlips {
		names = append(names, upper(p.ID)+"_"+slip)
	}
	for _, name := range names {
		if _, known := l.known[name]; !known && l.get(name) != "" {
			l.warn(name, "is not read; is "+p.KeyVariable+" meant?")
		}
	}
}

func (l *loader) oddKey(p Provider) {
	key := p.Key.Reveal()
	if n := len(key); n > 1 && key[0] == key[n-1] && strings.ContainsRune(`"'`, rune(key[0])) {
		l.warn(p.KeyVariable, "is in quotes, which are sent with it: write it without (docker's --env-file keeps them)")
	}
	if prefix := p.Auth.Prefix; prefix != "" && len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) {
		l.warn(p.KeyVariable, "begins with "+strings.TrimSpace(prefix)+", which the gateway writes itself: write the key alone")
	}
}
