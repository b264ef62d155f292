package config

import (
	"cmp"
	"slices"
)

// Setting is one variable as it took effect.
type Setting struct {
	Variable string
	Value    string // **** for a secret that is set; keys are hidden in URLs too
	Default  bool   // the environment does not set it
	Source   string // the variable that it came from (an alias or NAME_FILE, perhaps), "default" or "discovered"
	Doc      string
}

// Effective lists every variable with the value that it has, sorted by name: all of the fixed ones, and those of
// providers that are ready or spoken of. Empty for a Config that Load did not make.
func (c *Config) Effective() []Setting { return slices.Clone(c.settings) }

// sortedSettings sorts, and lets the last of two for one variable win.
func sortedSettings(all []Setting) []Setting {
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b Setting) int { return cmp.Compare(a.Variable, b.Variable) })
	return slices.CompactFunc(all, func(a, b Setting) bool { return a.Variable == b.Variable })
}
