package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// maxName is what OpenAI allows for a function's name, in the alphabet of legal.
const maxName = 64

// hashed is how many hex digits tell shortened names apart.
const hashed = 8

// InjectedName is the name under which a model sees a tool: made of [A-Za-z0-9_-], at most 64 characters, the same in
// every process. A name that had to be changed or shortened ends in a hash of what it was, so that two tools whose
// names differ only in what was lost stay two.
func InjectedName(source, server, tool string) string {
	full := source + "_" + server + "_" + tool
	name := legal(full)
	if name == full && len(name) <= maxName && tool != "" {
		return name
	}
	return withHash(name, source, server, tool)
}

// legal replaces what a function's name may not hold.
func legal(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		default:
			return '_'
		}
	}, s)
}

// withHash ends a name in a hash of parts, cutting the name to make room.
func withHash(name string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00")) // a hash never fails
	}
	name = strings.TrimRight(name[:min(len(name), maxName-hashed-1)], "_")
	return name + "_" + hex.EncodeToString(h.Sum(nil))[:hashed]
}

// freeName is the tool's name or, where that is taken, one made of its origin.
func freeName(t Tool, taken func(string) bool) string {
	name := t.Name
	for salt := 0; taken(name); salt++ {
		name = withHash(t.Name, t.Source, t.Server, t.Original, strconv.Itoa(salt))
	}
	return name
}

// quoted shows a name that a model made up: bounded and printable.
func quoted(name string) string {
	return strconv.QuoteToASCII(name[:min(len(name), 2*maxName)])
}
