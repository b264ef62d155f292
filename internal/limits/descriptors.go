package limits

// The words that Envoy's rate limit descriptors are made of. Envoy's configuration writes them, the gateway's counter
// reads them.
const (
	RuleEntry    = "limit"                 // the name of the rule that fits
	WhoEntry     = "who"                   // whose budget it is
	AddressEntry = "masked_remote_address" // likewise; Envoy's own name
	ClaimEntry   = "claim."                // with the claim's name behind it

	// EstimateEntry has what an answer may need in its hits: tokens as ext_proc reckons them, or the bytes of the body; and
	// whether there will be no answer that says what it took.
	EstimateEntry     = "estimate"
	EstimateTokens    = "tokens"
	EstimateBytes     = "bytes"
	EstimateUncounted = "uncounted"

	// DoneEntry tells of a request that has ended, what it held beside it: its status; one more than the tokens that it
	// took, 0 when nobody knows; or how many bytes of events its client got.
	DoneEntry  = "done"
	DoneStatus = "status"
	DoneTokens = "tokens"
	DoneEvents = "events"
	HoldEntry  = "hold"
)

// What the gateway's counter tells Envoy about a request, as dynamic metadata.
const (
	Namespace    = "igw.limits"
	HoldField    = "hold"    // what to settle when the request has ended
	RefusedField = "refused" // the answer has its body already
)

// BytesPerToken turns the size of a prompt into tokens, roughly: English has four characters to a token.
const BytesPerToken = 4

// BytesPerEvent turns the size of a stream into tokens, roughly: an event of a chat has one of them and 200 to 300 bytes
// around it.
const BytesPerEvent = 200
