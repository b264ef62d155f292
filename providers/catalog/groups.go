//go:build !wasip1

package catalog

import (
	"net/url"
	"slices"
	"strings"
)

// SplitGroups reads the list of groups that travels in GroupsHeader: separated by commas, and percent-encoded where a name
// holds what could end a header or a name.
func SplitGroups(header string) []string {
	if header == "" {
		return nil
	}
	var out []string
	for g := range strings.SplitSeq(header, ",") {
		g = strings.TrimSpace(g)
		if plain, err := url.PathUnescape(g); err == nil {
			g = plain
		}
		if g != "" {
			out = append(out, g)
		}
	}
	return out
}

// JoinGroups writes what SplitGroups reads, each group once.
func JoinGroups(groups []string) string {
	var out []string
	for _, g := range groups {
		if g = encoded(g); g != "" && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return strings.Join(out, ",")
}

// encoded leaves as they are the characters that the control plane's script for tokens leaves (snapshot/lua), so that a
// group has one spelling wherever it comes from.
func encoded(g string) string {
	const kept = "-._~!$&'()*+/:;=?@|#^`{}\\[]\"<>"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(g) {
		c := g[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(kept, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
