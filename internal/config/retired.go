package config

// Why a variable of the public Inference Gateway (github.com/inference-gateway/inference-gateway) means nothing here.
const (
	envoyPools   = "Envoy keeps the connections to providers"
	toolPools    = "MCP_CLIENT_TIMEOUT and MCP_REQUEST_TIMEOUT cover every step of a call"
	noGuardrails = "its policies do not exist here, so NOTHING is enforced; POLICY_FILE names rules of another form"
	noRouting    = "model aliases do not exist here; requests name provider/model"
	ownDebugLog  = "bodies are never logged"
	noDiscovery  = "agents are named by A2A_AGENTS"
	healthLogs   = "health checks are logged at debug level only"
)

// retired maps each of them to the reason. Older names come with their successor.
var retired = map[string]string{
	"CLIENT_MAX_IDLE_CONNS":          envoyPools,
	"CLIENT_MAX_IDLE_CONNS_PER_HOST": envoyPools,
	"CLIENT_DISABLE_COMPRESSION":     "bytes are passed on as the provider sends them",
	"CLIENT_EXPECT_CONTINUE_TIMEOUT": "Envoy does not wait for 100-continue",
	"CLIENT_TLS_HANDSHAKE_TIMEOUT":   "CLIENT_CONNECT_TIMEOUT covers the handshake",

	"MCP_DIAL_TIMEOUT":             toolPools,
	"MCP_TLS_HANDSHAKE_TIMEOUT":    toolPools,
	"MCP_RESPONSE_HEADER_TIMEOUT":  toolPools,
	"MCP_EXPECT_CONTINUE_TIMEOUT":  toolPools,
	"MCP_DISABLE_HEALTHCHECK_LOGS": healthLogs,
	"A2A_DISABLE_HEALTHCHECK_LOGS": healthLogs,

	"A2A_SERVICE_DISCOVERY_ENABLE":           noDiscovery,
	"A2A_SERVICE_DISCOVERY_ENABLED":          noDiscovery,
	"A2A_SERVICE_DISCOVERY_NAMESPACE":        noDiscovery,
	"A2A_SERVICE_DISCOVERY_POLLING_INTERVAL": noDiscovery,

	"TELEMETRY_METRICS_PUSH_ENABLE":  "metrics are only scraped; clients cannot push them",
	"TELEMETRY_METRICS_PUSH_ENABLED": "metrics are only scraped; clients cannot push them",

	"GUARDRAILS_ENABLE":           noGuardrails,
	"GUARDRAILS_ENABLED":          noGuardrails,
	"GUARDRAILS_POLICY_DIR":       noGuardrails,
	"GUARDRAILS_FAIL_MODE":        noGuardrails,
	"GUARDRAILS_EXTERNAL_URL":     noGuardrails,
	"GUARDRAILS_EXTERNAL_TIMEOUT": noGuardrails,

	"ROUTING_ENABLE":      noRouting,
	"ROUTING_ENABLED":     noRouting,
	"ROUTING_CONFIG_PATH": noRouting,

	"ENABLE_VISION":                "images are always passed on",
	"ENABLE_IMAGES":                "the image endpoints are reached through /proxy/{provider}/",
	"DEBUG_CONTENT_TRUNCATE_WORDS": ownDebugLog,
	"DEBUG_MAX_MESSAGES":           ownDebugLog,

	"ENABLE_TELEMETRY":   "it is called TELEMETRY_ENABLED now",
	"ENABLE_AUTH":        "it is called AUTH_ENABLED now",
	"ENABLE_MCP":         "it is called MCP_ENABLED now",
	"EXPOSE_MCP":         "it is called MCP_EXPOSE now",
	"OIDC_ISSUER_URL":    "it is called AUTH_OIDC_ISSUER now",
	"OIDC_CLIENT_ID":     "it is called AUTH_OIDC_CLIENT_ID now",
	"OIDC_CLIENT_SECRET": "it is called AUTH_OIDC_CLIENT_SECRET now",
}
