package config

func controlRows() []variable {
	return []variable{
		row("CONTROL_HOST", "", address, func(c *Config) *string { return &c.Control.Host },
			"Address on which `serve` listens for Envoys; unset: Unix sockets only."),
		row("CONTROL_PORT", "18000", integer("port", 1, 65535), func(c *Config) *int { return &c.Control.Port },
			"Port of it."),
		row("CONTROL_ADDRESS", "", hostPort, func(c *Config) *HostPort { return &c.Control.Address },
			"`host:port` under which Envoys reach the gateway, whose certificate must name that host; unset: `CONTROL_HOST` and `CONTROL_PORT`."),
		row("CONTROL_LOOPBACK_HOST", "127.0.0.1", address, func(c *Config) *string { return &c.Control.LoopbackHost },
			"Address on which each Envoy listens for the gateway, which asks providers through it."),
		row("CONTROL_LOOPBACK_PORT", "18001", integer("port", 1, 65535), func(c *Config) *int { return &c.Control.LoopbackPort },
			"Port of it."),
		row("CONTROL_LOOPBACK_ADDRESS", "", hostPort, func(c *Config) *HostPort { return &c.Control.Loopback },
			"`host:port` under which the gateway reaches an Envoy; unset: `CONTROL_LOOPBACK_HOST` and `CONTROL_LOOPBACK_PORT`."),
		row("CONTROL_TLS_CERT_PATH", "", path, func(c *Config) *string { return &c.Control.TLS.CertPath },
			"PEM certificate chain of this end: the gateway's for `serve`, Envoy's for `bootstrap`. The files are watched."),
		row("CONTROL_TLS_KEY_PATH", "", path, func(c *Config) *string { return &c.Control.TLS.KeyPath },
			"PEM private key of the certificate."),
		row("CONTROL_TLS_CA_PATH", "", path, func(c *Config) *string { return &c.Control.TLS.CAPath },
			"PEM file of the authorities that sign the certificates of both ends."),
		row("CONTROL_TLS_PEERS", "", list, func(c *Config) *[]string { return &c.Control.TLS.Peers },
			"Names of Envoys: an Envoy's certificate must have one of them, as a host name, an IP address or a URI (subject alternative names)."),
	}
}
