package config

// variable is one row of the table: what loading, unknown-name detection, Effective and docs/configuration.md share.
type variable struct {
	name   string
	def    string // as it would be written; "" for none
	unit   string
	doc    string
	secret bool // masked everywhere, and NAME_FILE reads it from a file
	show   func(string) string
	set    func(*Config, string) error // the error's text completes "expected …"
}

// group is a chapter of the table.
type group struct {
	title, note string
	rows        []variable
}

// row ties a variable to its field.
func row[T any](name, def string, k kind[T], field func(*Config) *T, doc string) variable {
	_, isSecret := any(*new(T)).(Secret)
	return variable{
		name: name, def: def, unit: k.unit, doc: doc, secret: isSecret, show: k.show,
		set: func(c *Config, raw string) error {
			v, err := k.parse(raw)
			if err == nil {
				*field(c) = v
			}
			return err
		},
	}
}

// groups is the table, without the variables that providers and tool servers bring by their names.
func groups() []group {
	return []group{
		{"General", "", generalRows()},
		{"Server", "The public listener.", serverRows()},
		{"Client", "Calls to providers.", clientRows()},
		{"MCP", "Tools of Model Context Protocol servers.", mcpRows()},
		{"A2A", "Agents of the Agent2Agent protocol.", a2aRows()},
		{"Auth", "Bearer tokens of OpenID Connect issuers and the browser login, both by Envoy on the public listener: [auth.md](auth.md).", authRows()},
		{"Access", "API keys and what callers may do; both files are watched. Their grammar: [access.md](access.md).", accessRows()},
		{"Limits", "Requests and tokens for each caller: [limits.md](limits.md).", limitsRows()},
		{"Telemetry", "Understood and without effect in this version: `TELEMETRY_ENABLED` and `TELEMETRY_TRACING_ENABLED` print a warning.", telemetryRows()},
		{"Wasm", "The filter inside Envoy.", wasmRows()},
		{"Processes", "", processRows()},
		{
			"Control", "The link between `serve` and Envoys on other machines: mutual TLS, see [operations.md](operations.md#envoys-on-other-machines). Nothing of it matters to `run`.",
			controlRows(),
		},
	}
}

// rows is the table without its chapters.
func rows() []variable {
	var all []variable
	for _, g := range groups() {
		all = append(all, g.rows...)
	}
	return all
}
