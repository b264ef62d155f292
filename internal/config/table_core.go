package config

import (
	"log/slog"
	"math"
	"time"
)

func generalRows() []variable {
	return []variable{
		row(envFileVariable, "", path, func(c *Config) *string { return &c.General.EnvFile },
			"Dotenv file that is read at the start and watched: a change is checked, then applied, or refused while the old configuration stays. The process environment wins over the file."),
		row("ENVIRONMENT", "production", text, func(c *Config) *string { return &c.General.Environment },
			"Name of the deployment. Nothing depends on it in this version."),
		row("LOG_LEVEL", "info", logLevel, func(c *Config) *slog.Level { return &c.General.LogLevel },
			"Least severe level that is logged."),
		row("LOG_FORMAT", "", oneOf("json", "text"), func(c *Config) *string { return &c.General.LogFormat },
			"Form of log lines; unset: text on a terminal, else JSON."),
		row("ALLOWED_MODELS", "", list, func(c *Config) *[]string { return &c.General.AllowedModels },
			"Models that may be used, any case, `provider/model` or a bare model, `*` for any run of characters; unset: all."),
		row("DISALLOWED_MODELS", "", list, func(c *Config) *[]string { return &c.General.DisallowedModels },
			"Models that may not be used, written likewise; wins over `ALLOWED_MODELS`."),
	}
}

func serverRows() []variable {
	return []variable{
		row("SERVER_HOST", "127.0.0.1", address, func(c *Config) *string { return &c.Server.Host },
			"Address to listen on; `0.0.0.0` for all of IPv4, `::` for all of IPv6 and IPv4."),
		row("SERVER_PORT", "8080", port, func(c *Config) *int { return &c.Server.Port },
			"Port to listen on; 0 takes a free one, and another whenever Envoy has to be started again."),
		row("SERVER_PROBE_PORT", "", integer("port", 1, 65535), func(c *Config) *int { return &c.Server.ProbePort },
			"Further port, on `SERVER_HOST`, that answers `/health` and `/ready` over plain HTTP and nothing else, also when `SERVER_MAX_CONNECTIONS` or `ENVOY_MAX_HEAP` is reached; unset: none."),
		row("SERVER_READ_TIMEOUT", "30s", limit, func(c *Config) *time.Duration { return &c.Server.ReadTimeout },
			"Time to receive a request; 0 for no limit."),
		row("SERVER_WRITE_TIMEOUT", "0", limit, func(c *Config) *time.Duration { return &c.Server.WriteTimeout },
			"Time for a whole answer, streams included; 0 for no limit."),
		row("SERVER_IDLE_TIMEOUT", "120s", limit, func(c *Config) *time.Duration { return &c.Server.IdleTimeout },
			"Time that an unused connection stays open; 0 for no limit."),
		row("SERVER_DRAIN_TIMEOUT", "30s", limit, func(c *Config) *time.Duration { return &c.Server.DrainTimeout },
			"Time that open streams get to finish at shutdown."),
		row("SERVER_MAX_REQUEST_BODY_SIZE", "10485760", integer[int64]("bytes", 1, math.MaxUint32), func(c *Config) *int64 { return &c.Server.MaxRequestBodySize },
			"Largest request body; a larger one is answered 413."),
		row("SERVER_MAX_REQUEST_BODIES_SIZE", "1073741824", integer[int64]("bytes", 1, math.MaxInt64), func(c *Config) *int64 { return &c.Server.MaxRequestBodiesSize },
			"Most bytes of request bodies that the gateway's process holds at once, to decide on them and for tool loops; more are answered 503. At least `SERVER_MAX_REQUEST_BODY_SIZE`."),
		row("SERVER_MAX_CONNECTIONS", "10000", integer("count", 1, math.MaxInt32), func(c *Config) *int { return &c.Server.MaxConnections },
			"Most client connections at a time."),
		row("SERVER_MAX_STREAMS", "128", integer("count", 1, 65536), func(c *Config) *int { return &c.Server.MaxStreams },
			"Most requests at a time on one HTTP/2 connection; clients wait with more."),
		row("SERVER_MAX_HEADERS", "100", integer("count", 16, 1024), func(c *Config) *int { return &c.Server.MaxHeaders },
			"Most headers of a request; more are answered 431."),
		row("SERVER_MAX_HEADER_SIZE", "60", integer("KiB", 4, 96), func(c *Config) *int { return &c.Server.MaxHeaderSize },
			"Largest head of a request, path and headers together; a larger one is answered 431."),
		row("SERVER_TLS_CERT_PATH", "", path, func(c *Config) *string { return &c.Server.TLS.CertPath },
			"PEM certificate chain; set together with the key to serve HTTPS. The files are watched."),
		row("SERVER_TLS_KEY_PATH", "", path, func(c *Config) *string { return &c.Server.TLS.KeyPath },
			"PEM private key of the certificate."),
		row("SERVER_TLS_CLIENT_CA_PATH", "", path, func(c *Config) *string { return &c.Server.TLS.ClientCAPath },
			"PEM file of the authorities whose client certificates are taken; a certificate's name becomes the caller. Watched too."),
		row("SERVER_TLS_CLIENT_AUTH", ClientAuthRequire, oneOf(ClientAuthRequire, ClientAuthOptional), func(c *Config) *string { return &c.Server.TLS.ClientAuth },
			"With `SERVER_TLS_CLIENT_CA_PATH`: whether every client must have a certificate. One that is shown must be good in both cases."),
		row("SERVER_HTTP_REDIRECT_PORT", "", integer("port", 1, 65535), func(c *Config) *int { return &c.Server.TLS.RedirectPort },
			"Second port, on `SERVER_HOST`, that answers plain HTTP with a redirect to HTTPS; unset: none."),
		row("SERVER_HTTP_REDIRECT_TO_PORT", "", integer("port", 1, 65535), func(c *Config) *int { return &c.Server.TLS.RedirectToPort },
			"Port that redirects name, where clients reach the gateway by another one than `SERVER_PORT`; unset: `SERVER_PORT`."),
		corsRow(),
	}
}

func clientRows() []variable {
	return []variable{
		row("CLIENT_TIMEOUT", "0", limit, func(c *Config) *time.Duration { return &c.Client.Timeout },
			"Time for a provider's whole answer, streams included; 0 for no limit."),
		row("CLIENT_RESPONSE_HEADER_TIMEOUT", "5m", limit, func(c *Config) *time.Duration { return &c.Client.ResponseHeaderTimeout },
			"Time to the first byte of an answer: models think for minutes; 0 for no limit. When it is shorter than `CLIENT_STREAM_IDLE_TIMEOUT`, a provider that is too slow is asked again, as `CLIENT_MAX_RETRIES` allows."),
		row("CLIENT_STREAM_IDLE_TIMEOUT", "5m", limit, func(c *Config) *time.Duration { return &c.Client.StreamIdleTimeout },
			"Longest silence within an answer; 0 for no limit."),
		row("CLIENT_IDLE_CONN_TIMEOUT", "30s", limit, func(c *Config) *time.Duration { return &c.Client.IdleConnTimeout },
			"Time that an unused connection to a provider stays open; 0 for no limit."),
		row("CLIENT_CONNECT_TIMEOUT", "5s", period, func(c *Config) *time.Duration { return &c.Client.ConnectTimeout },
			"Time to connect to a provider."),
		row("CLIENT_TLS_MIN_VERSION", "TLS12", oneOf("TLS12", "TLS13"), func(c *Config) *string { return &c.Client.TLSMinVersion },
			"Oldest TLS version spoken with providers."),
		row("CLIENT_TLS_CA_PATH", "", path, func(c *Config) *string { return &c.Client.TLSCAPath },
			"PEM file of the authorities to trust for providers, in place of the system's."),
		row("CLIENT_MAX_RETRIES", "2", integer("count", 0, 100), func(c *Config) *int { return &c.Client.MaxRetries },
			"Further attempts after a failed connection, a reset before the first byte, or a 429 or 503; never after a byte was sent to the client, nor with a body of more than 1 MiB."),
	}
}

func telemetryRows() []variable {
	return []variable{
		row("TELEMETRY_ENABLED", "false", toggle, func(c *Config) *bool { return &c.Telemetry.Enabled },
			"Serve metrics."),
		row("TELEMETRY_METRICS_HOST", "127.0.0.1", address, func(c *Config) *string { return &c.Telemetry.MetricsHost },
			"Address of the metrics endpoint."),
		row("TELEMETRY_METRICS_PORT", "9464", port, func(c *Config) *int { return &c.Telemetry.MetricsPort },
			"Port of the metrics endpoint; 0 takes a free one."),
		row("TELEMETRY_TRACING_ENABLED", "false", toggle, func(c *Config) *bool { return &c.Telemetry.TracingEnabled },
			"Send traces."),
		row("TELEMETRY_TRACING_OTLP_ENDPOINT", "", endpoint, func(c *Config) *string { return &c.Telemetry.OTLPEndpoint },
			"OTLP endpoint for traces; unset: `OTEL_EXPORTER_OTLP_ENDPOINT`, else the SDK's default."),
	}
}

func processRows() []variable {
	return []variable{
		row("ENVOY_PATH", "", path, func(c *Config) *string { return &c.Envoy.Path },
			"The Envoy binary; unset: `envoy` on `PATH`, else the copy that `make envoy` installs."),
		row("ENVOY_MAX_HEAP", "2147483648", integer[int64]("bytes", 0, math.MaxInt64), func(c *Config) *int64 { return &c.Envoy.MaxHeap },
			"Memory of Envoy's heap near which it sheds load: from 95 % on requests are answered 503. 0 for no limit."),
		row("CONTROL_SOCKET_DIR", "", path, func(c *Config) *string { return &c.Control.SocketDir },
			"Directory of the Unix sockets between Envoy and the gateway; unset: a temporary one."),
	}
}
