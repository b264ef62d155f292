package config

import "strings"

// FileReader gives a file's content. Load uses it for the *_FILE secrets and for the certificates that it checks.
type FileReader func(path string) ([]byte, error)

// Option changes how Load works.
type Option func(*loader)

// WithFiles reads files through read in place of the operating system.
func WithFiles(read FileReader) Option { return func(l *loader) { l.read = read } }

// loader carries one Load. It collects problems instead of stopping at the first.
type loader struct {
	env      map[string]string // belongs to the caller and is not changed
	read     FileReader
	cfg      *Config
	known    map[string]string // every name with a meaning -> the name to recommend for it
	problems Problems
	warnings []Warning
}

// Load makes a Config of the variables in environ; an empty variable counts as unset. The error is Problems, every one
// of them, and then there is no Config. Warnings come in both cases.
func Load(environ map[string]string, options ...Option) (*Config, []Warning, error) {
	l := newLoader(environ, options)
	for _, v := range rows() {
		l.apply(v)
	}
	l.headers("MCP", l.cfg.MCP.Servers)
	l.headers("A2A", l.cfg.A2A.Agents)
	l.providers()
	l.readPolicy()
	l.checkTogether()
	l.slips()
	l.unknown()
	if len(l.problems) > 0 {
		return nil, l.warnings, l.problems.sorted()
	}
	l.cfg.settings = sortedSettings(l.cfg.settings)
	return l.cfg, l.warnings, nil
}

func newLoader(environ map[string]string, options []Option) *loader {
	l := &loader{env: environ, read: readFile, cfg: &Config{}, known: map[string]string{}}
	for _, o := range options {
		o(l)
	}
	return l
}

// apply sets one variable, from its default when the environment has none, and says whether the environment had one.
// A value with a problem leaves the default, so that what is checked later does not complain of the same thing again.
func (l *loader) apply(v variable) bool {
	if v.def != "" {
		if err := v.set(l.cfg, v.def); err != nil { // a mistake in the table, which its test finds
			l.problem(v, v.def, err.Error())
		}
	}
	raw, source := l.value(v)
	setting := Setting{Variable: v.name, Value: v.def, Default: true, Source: "default", Doc: v.doc}
	if raw != "" {
		if err := v.set(l.cfg, raw); err != nil {
			l.problem(v, raw, err.Error())
		}
		setting.Value, setting.Default, setting.Source = v.show(raw), false, source
	}
	l.cfg.settings = append(l.cfg.settings, setting)
	return raw != ""
}

// value finds what the environment says under the variable's name or its other names, and under which.
func (l *loader) value(v variable) (raw, source string) {
	l.known[v.name] = v.name
	if v.secret {
		return l.fromFile(v)
	}
	raw, source = l.get(v.name), v.name
	if other, ok := alias(v.name); ok {
		l.known[other] = v.name
		second := l.get(other)
		switch a, errA := parseBool(raw); {
		case second == "":
		case raw == "":
			raw, source = second, other
		default:
			if b, errB := parseBool(second); errA != nil || errB != nil || a != b {
				l.problem(v, raw, "the same value in "+v.name+" and "+other+", or only one of them")
			}
		}
	}
	return raw, source
}

// fromFile gives a secret, from NAME_FILE when NAME itself is not set. It is not trimmed: a line break in a key says
// that something is wrong with how it was set, and better now than in a provider's 401.
func (l *loader) fromFile(v variable) (value, source string) {
	raw := l.env[v.name]
	file := v.name + "_FILE"
	l.known[file] = file
	name := l.get(file)
	switch {
	case name == "":
		return raw, v.name
	case raw != "":
		l.problem(v, raw, "only one of "+v.name+" and "+file)
		return "", v.name
	}
	content, err := l.read(name)
	if err != nil { // the error's text is left out: it tells no more than the path and a reason
		l.add(file, shown(name), "a file that can be read")
		return "", file
	}
	value = strings.TrimRight(string(content), "\r\n")
	if value == "" {
		l.add(file, shown(name), "a file that holds the secret, not an empty one")
	}
	return value, file
}

// get gives a value without the spaces around it, which nobody means.
func (l *loader) get(name string) string { return strings.TrimSpace(l.env[name]) }

func (l *loader) problem(v variable, raw, expected string) {
	value := mask
	if !v.secret {
		value = shown(v.show(raw))
	}
	l.add(v.name, value, expected)
}

func (l *loader) add(variable, value, expected string) {
	l.problems = append(l.problems, Problem{Variable: variable, Value: value, Expected: expected})
}

func (l *loader) warn(variable, message string) {
	l.warnings = append(l.warnings, Warning{variable, message})
}

// headers reads PREFIX_<NAME>_HEADERS of each server.
func (l *loader) headers(prefix string, servers []NamedURL) {
	for i := range servers {
		v := headersRow(prefix, servers[i].Name, func(*Config) *[]Header { return &servers[i].Headers })
		l.apply(v)
	}
}
