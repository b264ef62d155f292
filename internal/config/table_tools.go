package config

import "time"

func mcpRows() []variable {
	rows := []variable{
		row("MCP_ENABLED", "false", toggle, func(c *Config) *bool { return &c.MCP.Enabled },
			"Offer the servers' tools to models."),
		row("MCP_EXPOSE", "false", toggle, func(c *Config) *bool { return &c.MCP.Expose },
			"Answer `/v1/mcp/tools` and `/v1/mcp/servers`."),
		row("MCP_SERVERS", "", namedURLs, func(c *Config) *[]NamedURL { return &c.MCP.Servers },
			"Servers, each a URL or `name=url`; an unnamed one is called by its host."),
		row("MCP_TOOL_MODE", "direct", oneOf("direct", "selector"), func(c *Config) *string { return &c.MCP.ToolMode },
			"`direct` shows every tool to the model, `selector` two tools that find and call the others."),
		row("MCP_INCLUDE_TOOLS", "", list, func(c *Config) *[]string { return &c.MCP.IncludeTools },
			"Only these tools are shown and run; unset: all."),
		row("MCP_EXCLUDE_TOOLS", "", list, func(c *Config) *[]string { return &c.MCP.ExcludeTools },
			"These tools are neither shown nor run."),
		row("MCP_MAX_ITERATIONS", "10", integer("count", 1, 1000), func(c *Config) *int { return &c.MCP.MaxIterations },
			"Most model calls in one tool loop after the first; the last of them may call no tool."),
		row("MCP_REQUEST_TIMEOUT", "30s", period, func(c *Config) *time.Duration { return &c.MCP.RequestTimeout },
			"Time for one tool call."),
		row("MCP_CLIENT_TIMEOUT", "30s", period, func(c *Config) *time.Duration { return &c.MCP.ClientTimeout },
			"Time for one HTTP exchange with a server."),
	}
	rows = append(rows, connectionRows("MCP", "a server", func(c *Config) *Connection { return &c.MCP.Connection })...)
	polling := func(c *Config) *Polling { return &c.MCP.Polling }
	return append(rows, pollingRows("MCP", "30s", "5s", "the servers' health", "Time for one answer.", polling)...)
}

func a2aRows() []variable {
	rows := []variable{
		row("A2A_ENABLED", "false", toggle, func(c *Config) *bool { return &c.A2A.Enabled },
			"Offer the agents to models."),
		row("A2A_EXPOSE", "false", toggle, func(c *Config) *bool { return &c.A2A.Expose },
			"Answer `/v1/a2a/agents`."),
		row("A2A_AGENTS", "", namedURLs, func(c *Config) *[]NamedURL { return &c.A2A.Agents },
			"Agents, each a URL or `name=url`; an unnamed one is called by its host."),
		row("A2A_CLIENT_TIMEOUT", "30s", period, func(c *Config) *time.Duration { return &c.A2A.ClientTimeout },
			"Time for one HTTP exchange with an agent."),
		row("A2A_MAX_POLL_ATTEMPTS", "30", integer("count", 1, 100000), func(c *Config) *int { return &c.A2A.MaxPollAttempts },
			"How often the state of one task is asked for."),
	}
	rows = append(rows, connectionRows("A2A", "an agent", func(c *Config) *Connection { return &c.A2A.Connection })...)
	// The intervals are those of the public project, where a task that takes longer than half a minute is given up.
	polling := func(c *Config) *Polling { return &c.A2A.Polling }
	return append(rows, pollingRows("A2A", "1s", "30s", "a task's state", "Longest wait for a task to end.", polling)...)
}

func connectionRows(prefix, peer string, at func(*Config) *Connection) []variable {
	return []variable{
		row(prefix+"_MAX_RETRIES", "3", integer("count", 0, 100), func(c *Config) *int { return &at(c).MaxRetries },
			"Further attempts to connect to "+peer+"."),
		row(prefix+"_RETRY_INTERVAL", "5s", period, func(c *Config) *time.Duration { return &at(c).RetryInterval },
			"Longest pause between attempts."),
		row(prefix+"_INITIAL_BACKOFF", "1s", period, func(c *Config) *time.Duration { return &at(c).InitialBackoff },
			"First pause between attempts; it doubles each time."),
		row(prefix+"_ENABLE_RECONNECT", "true", toggle, func(c *Config) *bool { return &at(c).Reconnect },
			"Connect again to "+peer+" that was lost."),
		row(prefix+"_RECONNECT_INTERVAL", "30s", period, func(c *Config) *time.Duration { return &at(c).ReconnectInterval },
			"Pause before connecting again."),
	}
}

func pollingRows(prefix, interval, timeout, what, timeoutDoc string, at func(*Config) *Polling) []variable {
	return []variable{
		row(prefix+"_POLLING_ENABLED", "true", toggle, func(c *Config) *bool { return &at(c).Enabled },
			"Ask for "+what+" again and again."),
		row(prefix+"_POLLING_INTERVAL", interval, period, func(c *Config) *time.Duration { return &at(c).Interval },
			"Pause between two questions."),
		row(prefix+"_POLLING_TIMEOUT", timeout, period, func(c *Config) *time.Duration { return &at(c).Timeout },
			timeoutDoc),
	}
}

// headersRow is the one variable that each server or agent brings.
func headersRow(prefix, name string, at func(*Config) *[]Header) variable {
	k := kind[[]Header]{"secret", parseHeaders, func(string) string { return mask }}
	v := row(prefix+"_"+upper(name)+"_HEADERS", "", k, at,
		"Headers for the server or agent of that name, `Name=value` or `Name: value`, separated by commas or one a line.")
	v.secret = true
	return v
}
