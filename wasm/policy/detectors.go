package policy

import "strconv"

// detectors is a set of detectors of secrets.
type detectors uint32

// The detectors, each one bit of the set and one place in Found.
const (
	privateKey = iota
	awsAccessKey
	gcpAPIKey
	azureStorageKey
	openAIKey
	anthropicKey
	groqKey
	huggingFaceToken
	gitHubToken
	gitLabToken
	slackToken
	slackWebhook
	stripeKey
	npmToken
	sendGridKey
	numDetectors
)

const allDetectors = detectors(1<<numDetectors - 1)

// detectorNames are the names in policies, logs and replies.
var detectorNames = [numDetectors]string{
	"private_key", "aws_access_key", "gcp_api_key", "azure_storage_key", "openai_key", "anthropic_key", "groq_key",
	"huggingface_token", "github_token", "gitlab_token", "slack_token", "slack_webhook", "stripe_key", "npm_token", "sendgrid_key",
}

// Detectors lists the names of all detectors, in the order of Found. It is not to be changed.
func Detectors() []string { return detectorNames[:] }

// Found counts what each detector has found. It never holds what it was.
type Found [numDetectors]uint16

// Any says whether there is anything.
func (f Found) Any() bool { return f != Found{} }

// String is such as "aws_access_key 2, private_key 1".
func (f Found) String() string {
	var out []byte
	for i, n := range f {
		if n == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, ", "...)
		}
		out = append(out, detectorNames[i]...)
		out = append(out, ' ')
		out = strconv.AppendUint(out, uint64(n), 10)
	}
	return string(out)
}

// shape describes the secrets of a detector: a prefix, at least so many characters of a kind after it, and nothing of
// that kind before it (a word that only ends like the prefix is none). The publishers of these formats chose the
// prefixes so that scanners find them.
type shape struct {
	detector int
	prefix   string
	kind     charset
	least    int
	exact    bool // and no more of the kind after these
}

// charset is a set of kinds of characters.
type charset uint8

const (
	upper charset = 1 << iota
	lower
	digit
	dash // and underscore
	rest // of base64: + / =
	dot

	alnum  = upper | lower | digit
	word   = alnum | dash
	base64 = alnum | rest
)

// shapes are all but private keys, which begin with a line of their own. Of shapes with the same beginning, the longer
// prefix goes first.
var shapes = [...]shape{
	{awsAccessKey, "AKIA", upper | digit, 16, true},
	{awsAccessKey, "ASIA", upper | digit, 16, true},
	{gcpAPIKey, "AIza", word, 35, true},
	{azureStorageKey, "AccountKey=", base64, 80, false},
	{anthropicKey, "sk-ant-", word, 24, false},
	{openAIKey, "sk-proj-", word, 24, false},
	{openAIKey, "sk-svcacct-", word, 24, false},
	{openAIKey, "sk-admin-", word, 24, false},
	{openAIKey, "sk-", alnum, 32, false},
	{groqKey, "gsk_", alnum, 40, false},
	{huggingFaceToken, "hf_", alnum, 30, false},
	{gitHubToken, "ghp_", alnum, 36, false},
	{gitHubToken, "gho_", alnum, 36, false},
	{gitHubToken, "ghu_", alnum, 36, false},
	{gitHubToken, "ghs_", alnum, 36, false},
	{gitHubToken, "ghr_", alnum, 36, false},
	{gitHubToken, "github_pat_", word, 60, false},
	{gitLabToken, "glpat-", word, 20, false},
	{slackToken, "xoxb-", word, 20, false},
	{slackToken, "xoxp-", word, 20, false},
	{slackToken, "xoxa-", word, 20, false},
	{slackToken, "xoxr-", word, 20, false},
	{slackToken, "xoxs-", word, 20, false},
	{slackToken, "xoxe-", word, 20, false},
	{slackToken, "xoxe.xoxp-", word, 20, false},
	{slackToken, "xapp-", word, 20, false},
	{slackWebhook, "hooks.slack.com/services/", word | rest, 30, false},
	{stripeKey, "sk_live_", alnum, 16, false},
	{stripeKey, "rk_live_", alnum, 16, false},
	{npmToken, "npm_", alnum, 36, true},
	{sendGridKey, "SG.", word | dot, 60, false},
}
