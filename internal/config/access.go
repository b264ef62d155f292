package config

import (
	"errors"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

const (
	keysVariable  = "API_KEYS_FILE"
	rulesVariable = "ACCESS_FILE"
)

// Access is who may call and what callers may do.
type Access struct {
	KeysFile  string        // of API keys; "" when there are none
	RulesFile string        // of rights by group, claim and caller; "" when there are none
	Table     *access.Table // what both say; nil when neither is set
}

// On says that callers are looked at beyond what Envoy does by itself: with API keys, with rules, or both.
func (a Access) On() bool { return a.KeysFile != "" || a.RulesFile != "" }

// Keys says that API keys are in use.
func (a Access) Keys() bool { return a.KeysFile != "" }

// Restricts says that some caller's models, providers or answer lengths are restricted, so that the body of a model
// request has to be read by something that knows the caller.
func (a Access) Restricts() bool { return a.Table.Restricts() }

// CallersRequired says that a request without any identity is refused.
func (c *Config) CallersRequired() bool { return c.Auth.Enabled || c.Access.Keys() }

func accessRows() []variable {
	return []variable{
		row(keysVariable, "", path, func(c *Config) *string { return &c.Access.KeysFile },
			"YAML file of API keys, by their hashes; when set, every request but `/health` and `/ready` needs one, or a token. `inference-gateway keys` edits it."),
		row(rulesVariable, "", path, func(c *Config) *string { return &c.Access.RulesFile },
			"YAML file of what callers may do, by group, claim and caller."),
	}
}

// readAccess reads the two files and checks them.
func (l *loader) readAccess() {
	a := &l.cfg.Access
	table, problems := loadAccess(*a, l.read)
	a.Table = table
	l.problems = append(l.problems, problems...)
}

// ReloadAccess gives the configuration with both files read anew, and everything else as it is. The error is Problems.
func (c *Config) ReloadAccess(options ...Option) (*Config, error) {
	l := &loader{read: readFile}
	for _, o := range options {
		o(l)
	}
	table, problems := loadAccess(c.Access, l.read)
	if len(problems) > 0 {
		return nil, problems
	}
	next := *c
	next.Access.Table = table
	if next.Limits.Set, problems = next.withOwnLimits(); len(problems) > 0 {
		return nil, problems
	}
	return &next, nil
}

func loadAccess(a Access, read FileReader) (*access.Table, Problems) {
	if !a.On() {
		return nil, nil
	}
	var problems Problems
	source := func(variable, name string) *access.Source {
		if name == "" {
			return nil
		}
		content, err := read(name)
		if err != nil { // the error's text is left out: it tells no more than the path and a reason
			problems = append(problems, Problem{Variable: variable, Value: shown(name), Expected: "a file that can be read"})
			return nil
		}
		return &access.Source{Name: variable, Content: content}
	}
	keys, rules := source(keysVariable, a.KeysFile), source(rulesVariable, a.RulesFile)
	table, err := access.Load(keys, rules)
	var wrong access.Problems
	if errors.As(err, &wrong) {
		for _, p := range wrong {
			name := a.KeysFile
			if p.File == rulesVariable {
				name = a.RulesFile
			}
			problems = append(problems, Problem{Variable: p.File, Value: shown(name), Expected: inFile(p.Problem), line: p.Line})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return table, nil
}

// KeysFile gives API_KEYS_FILE of this process's environment and dotenv file, whatever else is in them. The error is
// Problems.
func KeysFile() (string, error) {
	environ, err := WithEnvFile(Environ())
	if err != nil {
		return "", err
	}
	l := &loader{env: environ}
	return l.get(keysVariable), nil
}
