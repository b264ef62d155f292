package config

import (
	"slices"
	"strings"
)

// forChildren are the variables that any program may need: where it finds files and names, how it writes times, and how
// it allocates memory.
var (
	forChildren         = []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH", "LD_PRELOAD", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "GLIBC_TUNABLES"}
	forChildrenPrefixes = []string{"LC_", "MALLOC_", "TCMALLOC_"}
)

// ChildEnviron is what another program gets of an environment, as exec wants it and sorted: nothing of the gateway's, whose
// variables hold secrets that are no business of that program, and that a crash of it could leave in a dump. It is
// never nil, which exec would take for everything.
func ChildEnviron(environ map[string]string) []string {
	out := []string{}
	for name, value := range environ {
		if slices.Contains(forChildren, name) || slices.ContainsFunc(forChildrenPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			out = append(out, name+"="+value)
		}
	}
	slices.Sort(out)
	return out
}
