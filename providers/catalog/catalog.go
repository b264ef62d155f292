// Package catalog says what providers exist and how each is spoken to: a provider is a table row. It is a leaf, pure
// data and pure functions: it must not know the environment, Envoy or any wire format.
package catalog

// Endpoint is one of the gateway's model endpoints.
type Endpoint string

// The model endpoints of the public listener.
const (
	ChatCompletions Endpoint = "chat/completions"
	Embeddings      Endpoint = "embeddings"
	Completions     Endpoint = "completions"
	Responses       Endpoint = "responses"
	Messages        Endpoint = "messages"
)

// Endpoints lists every model endpoint, in the order in which routes and documentation show them.
func Endpoints() []Endpoint {
	return []Endpoint{ChatCompletions, Embeddings, Completions, Responses, Messages}
}

// Path is the endpoint's path on the gateway, for example /v1/chat/completions.
func (e Endpoint) Path() string { return "/v1/" + string(e) }

// Auth says which request header carries a provider's key, and what stands before the key in it.
// The zero Auth sends no credential.
type Auth struct {
	Header string // lower case, for example authorization
	Prefix string // for example "Bearer ", or empty
}

// Bearer, XAPIKey and NoAuth are the common ways; HeaderAuth makes any other.
var (
	Bearer  = Auth{Header: "authorization", Prefix: "Bearer "}
	XAPIKey = Auth{Header: "x-api-key"}
	NoAuth  = Auth{}
)

// HeaderAuth sends the bare key in the named header.
func HeaderAuth(header string) Auth { return Auth{Header: header} }

// KeyNeed says whether a provider works without a key.
type KeyNeed int

// A provider counts as configured when its key is set (KeyRequired) or when its URL is set (KeyOptional, KeyNone).
const (
	KeyRequired KeyNeed = iota
	KeyOptional
	KeyNone
)

// ModelsFormat names the shape of a provider's model list.
type ModelsFormat string

// The known shapes of model lists.
const (
	ModelsOpenAI     ModelsFormat = "openai"     // {"data":[{"id":…}]}
	ModelsCohere     ModelsFormat = "cohere"     // {"models":[{"name":…}]}
	ModelsCloudflare ModelsFormat = "cloudflare" // {"result":[{"name":…}]}
)

// Header is a fixed header that a provider wants on every request.
type Header struct{ Name, Value string }

// Provider is one row of the catalogue.
type Provider struct {
	ID      string // lower case, [a-z0-9_-]; the part before the first slash of a model
	Name    string // for people
	BaseURL string // default of <ID>_API_URL, without a trailing slash; may hold {ACCOUNT_ID}
	Dialect string // wire format of its chat endpoint; "openai" needs no translation
	Auth    Auth
	KeyNeed KeyNeed
	Headers []Header
	// Paths gives, for each endpoint spoken natively, the path appended to BaseURL; an absent endpoint is refused.
	Paths        map[Endpoint]string
	ModelsPath   string // appended to BaseURL, query included
	ModelsFormat ModelsFormat
	UsageUnasked bool // its streams say what they took, and stream_options is an error
}
