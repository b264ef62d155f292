package policy

import "strconv"

// detectors is a set of detectors of secrets.
type detectors uint32

// The detectors, each one bit of the set and one place in Found.
const (
	privateKey = iota
	awsAccessKey
	awsBedrockKey
	gcpAPIKey
	azureAPIKey
	azureStorageKey
	openAIKey
	anthropicKey
	groqKey
	nvidiaKey
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
	"private_key", "aws_access_key", "aws_bedrock_key", "gcp_api_key", "azure_api_key", "azure_storage_key", "openai_key", "anthropic_key",
	"groq_key", "nvidia_key", "huggingface_token", "github_token", "gitlab_token", "slack_token", "slack_webhook", "stripe_key", "npm_token", "sendgrid_key",
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
// prefixes so that scanners find them. Numbers are below the real lengths, which change, and above those of examples in
// texts, such as sk-proj-your-api-key-goes-here.
type shape struct {
	detector int
	prefix   string
	kind     charset
	least    int
	exact    bool // and no more of the kind after these
	inside   int  // the mark that stands for a prefix comes after so many characters of the kind
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
	{awsAccessKey, "AKIA", upper | digit, 16, true, 0},
	{awsAccessKey, "ASIA", upper | digit, 16, true, 0},
	{awsBedrockKey, "ABSKQmVkcm9ja0FQSUtleS", base64, 60, false, 0},
	{awsBedrockKey, "bedrock-api-key-", base64, 60, false, 0},
	{gcpAPIKey, "AIza", word, 35, true, 0},
	{gcpAPIKey, "AQ.Ab", word, 40, false, 0},
	{azureAPIKey, "JQQJ99", alnum, 26, true, 52},
	{azureStorageKey, "AccountKey=", base64, 80, false, 0},
	{anthropicKey, "sk-ant-", word, 60, false, 0},
	{openAIKey, "sk-proj-", word, 40, false, 0},
	{openAIKey, "sk-svcacct-", word, 40, false, 0},
	{openAIKey, "sk-admin-", word, 40, false, 0},
	{openAIKey, "sk-or-v1-", alnum, 40, false, 0},
	{openAIKey, "sk-", alnum, 32, false, 0},
	{groqKey, "gsk_", alnum, 40, false, 0},
	{nvidiaKey, "nvapi-", word, 50, false, 0},
	{huggingFaceToken, "hf_", alnum, 30, false, 0},
	{gitHubToken, "ghp_", alnum, 36, false, 0},
	{gitHubToken, "gho_", alnum, 36, false, 0},
	{gitHubToken, "ghu_", alnum, 36, false, 0},
	{gitHubToken, "ghs_", word | dot, 36, false, 0}, // or the number of an app, and a JWT
	{gitHubToken, "ghr_", alnum, 36, false, 0},
	{gitHubToken, "github_pat_", word, 60, false, 0},
	{gitLabToken, "glpat-", word, 20, false, 0},
	{slackToken, "xoxb-", word, 20, false, 0},
	{slackToken, "xoxp-", word, 20, false, 0},
	{slackToken, "xoxa-", word, 20, false, 0},
	{slackToken, "xoxr-", word, 20, false, 0},
	{slackToken, "xoxs-", word, 20, false, 0},
	{slackToken, "xoxe-", word, 20, false, 0},
	{slackToken, "xoxe.xoxp-", word, 20, false, 0},
	{slackToken, "xapp-", word, 20, false, 0},
	{slackWebhook, "hooks.slack.com/services/", word | rest, 30, false, 0},
	{stripeKey, "sk_live_", alnum, 16, false, 0},
	{stripeKey, "rk_live_", alnum, 16, false, 0},
	{npmToken, "npm_", alnum, 36, true, 0},
	{sendGridKey, "SG.", word | dot, 60, false, 0},
}
