package policy

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// hostRow ties upstream hosts to a provider's ID.
type hostRow struct {
	hosts patterns // lower case
	id    string
}

// knownHosts are the public hosts of the providers that the gateway knows (providers/catalog has their base URLs; a test
// holds the two together), and of clouds that serve the same models.
var knownHosts = [...][2]string{
	{"api.openai.com", "openai"},
	{"*.api.openai.com", "openai"},
	{"api.anthropic.com", "anthropic"},
	{"generativelanguage.googleapis.com", "google"},
	{"aiplatform.googleapis.com", "vertex"},
	{"*-aiplatform.googleapis.com", "vertex"},
	{"*.openai.azure.com", "azure"},
	{"*.services.ai.azure.com", "azure"},
	{"*.cognitiveservices.azure.com", "azure"},
	{"api.cloudflare.com", "cloudflare"},
	{"api.cohere.ai", "cohere"},
	{"api.cohere.com", "cohere"},
	{"api.deepseek.com", "deepseek"},
	{"api.groq.com", "groq"},
	{"api.minimax.io", "minimax"},
	{"api.mistral.ai", "mistral"},
	{"api.moonshot.ai", "moonshot"},
	{"integrate.api.nvidia.com", "nvidia"},
	{"ollama.com", "ollama_cloud"},
	{"api.z.ai", "zai"},
	{"openrouter.ai", "openrouter"},
}

// localProviders have no public host; a model's prefix names them.
var localProviders = [...]string{"ollama", "llamacpp"}

// hostTable puts a policy's own rows before the known ones.
func hostTable(own []hostRow) []hostRow {
	rows := own
	for _, k := range knownHosts {
		rows = append(rows, hostRow{hosts: patterns{catalog.NewPattern(k[0])}, id: k[1]})
	}
	for _, id := range localProviders {
		rows = append(rows, hostRow{id: id})
	}
	return rows
}

// providerOfHost gives the ID of the provider behind a host; empty when none is known.
func (p *Policy) providerOfHost(host string) string {
	if host == "" {
		return ""
	}
	for i := range p.hosts {
		if p.hosts[i].hosts.match(host) {
			return p.hosts[i].id
		}
	}
	return ""
}

// isProvider says whether the table has such an ID.
func (p *Policy) isProvider(id string) bool {
	for i := range p.hosts {
		if p.hosts[i].id == id {
			return true
		}
	}
	return false
}

// hostOnly cuts the port off an authority and makes it lower case.
func hostOnly(authority string) string {
	if authority == "" {
		return ""
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if strings.HasPrefix(authority, "[") {
		if end := strings.IndexByte(authority, ']'); end > 0 {
			return strings.ToLower(authority[1:end])
		}
	}
	if colon := strings.LastIndexByte(authority, ':'); colon >= 0 && strings.IndexByte(authority, ':') == colon {
		authority = authority[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(authority, "."))
}
