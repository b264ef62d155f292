package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// fake repeats characters to a secret's length. The texts are put together here so that scanners of this repository find
// no secret in it.
func fake(prefix string, n int) string {
	return prefix + strings.Repeat("a1B2c3D4", n/8+1)[:n]
}

var secrets = map[string][]string{
	"private_key": {
		"-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN RSA " + "PRIVATE KEY-----", "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
		"-----BEGIN ENCRYPTED " + "PRIVATE KEY-----", "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
	},
	"aws_access_key":    {"AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "IOSFODNN7EXAMPLE"},
	"aws_bedrock_key":   {fake("ABSK"+"QmVkcm9ja0FQSUtleS", 110) + "=", fake("bedrock-api-key-"+"YmVkcm9jay5hbWF6b25hd3MuY29t", 400)},
	"gcp_api_key":       {fake("AIza", 35), fake("AQ.Ab"+"8RN6", 43) + "-"},
	"azure_api_key":     {fake(fake("", 52)+"JQQJ99", 26)},
	"azure_storage_key": {fake("AccountKey=", 86) + "=="},
	"openai_key":        {fake("sk-", 48), fake("sk-proj-", 60), fake("sk-svcacct-", 60), fake("sk-admin-", 40), fake("sk-or-v1-", 64)},
	"anthropic_key":     {fake("sk-ant-api03-", 93)},
	"groq_key":          {fake("gsk_", 52)},
	"nvidia_key":        {fake("nvapi-", 63) + "_"},
	"huggingface_token": {fake("hf_", 34)},
	"github_token":      {fake("ghp_", 36), fake("gho_", 36), fake("ghu_", 36), fake("ghs_", 36), fake("ghs_123456_eyJ", 60) + fake(".eyJ", 300) + fake(".", 300) + "_-x", fake("ghr_", 36), fake("github_pat_", 82)},
	"gitlab_token":      {fake("glpat-", 20)},
	"slack_token":       {fake("xoxb-", 50), fake("xoxp-", 50), fake("xoxa-", 50), fake("xoxr-", 50), fake("xoxs-", 50), fake("xoxe-", 50), fake("xoxe.xoxp-", 50), fake("xapp-", 50)},
	"slack_webhook":     {fake("hooks.slack.com/services/", 44)},
	"stripe_key":        {fake("sk_live_", 24), fake("rk_live_", 24)},
	"npm_token":         {fake("npm_", 36)},
	"sendgrid_key":      {fake("SG.", 66)},
}

func found(t *testing.T, body string) string {
	t.Helper()
	doc, err := jsonedit.Parse([]byte(body))
	require.NoError(t, err, body)
	return (&seen{}).detect(allDetectors, doc.Body()).String()
}

func inPrompt(text string) string {
	return `{"messages":[{"role":"user","content":` + string(jsonedit.AppendQuote(nil, text)) + `}]}`
}

func TestEveryDetectorFindsItsSecrets(t *testing.T) {
	assert.Len(t, secrets, numDetectors)
	for detector, list := range secrets {
		require.Contains(t, Detectors(), detector)
		for _, secret := range list {
			want := detector + " 1"
			for _, text := range []string{
				secret, "my key is " + secret + ".", "(" + secret + ")", `KEY="` + secret + `"`, "a\n" + secret + "\nb", "é" + secret + "é",
				"https://x.y/?key=" + secret + "&z",
			} {
				assert.Equal(t, want, found(t, inPrompt(text)), text)
			}
			assert.Equal(t, detector+" 2", found(t, inPrompt(secret+" "+secret)))
			assert.Equal(t, want, found(t, inPrompt(`{"args":"x\n`+secret+`"}`)), "JSON inside of JSON: %s", secret)
		}
	}
}

func TestEscapesHideNoSecret(t *testing.T) {
	for detector, list := range secrets {
		for _, secret := range list {
			var escaped strings.Builder
			for _, c := range []byte(secret) {
				escaped.WriteString(`\u00` + string("0123456789abcdef"[c>>4]) + string("0123456789ABCDEF"[c&15]))
			}
			assert.Equal(t, detector+" 1", found(t, `{"a":"`+escaped.String()+`"}`))
			assert.Equal(t, detector+" 1", found(t, inPrompt(`{"args":"`+escaped.String()+`"}`)), "in JSON inside of JSON: %s", secret)
			assert.Equal(t, detector+" 1", found(t, inPrompt(`{"args":"x\n`+strings.ReplaceAll(secret, "/", `\/`)+`"}`)))
			assert.Equal(t, detector+" 1", found(t, `{"a":{"b":"x \u002f `+strings.ReplaceAll(secret, "/", `\/`)+`"}}`))
		}
	}
}

// What looks like an escape and is none is let be, wherever a text ends.
func TestEscapesThatAreNone(t *testing.T) {
	for _, text := range []string{`\`, `\\`, `\u`, `\u00`, `\u004`, `\u00g1`, `\u0080`, `\uD83D\uDE00`, `\\u0041`, `a\n\`} {
		_, ok := (&seen{}).unescapeAgain([]byte(text))
		assert.False(t, ok, text)
	}
	for text, want := range map[string]string{`\/`: `/`, `x\u0041y\/\u00`: `xAy/\u00`, `\\\u0041`: `\\A`, `\u0041\`: `A\`} {
		got, ok := (&seen{}).unescapeAgain([]byte(text))
		assert.True(t, ok, text)
		assert.Equal(t, want, string(got))
	}
}

func TestWhatIsNoSecretIsNotFound(t *testing.T) {
	for _, text := range []string{
		"-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "-----BEGIN ", "-----", "-----BEGIN PRIVATE KEY",
		"AKIA", "AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLEX", "XAKIAIOSFODNN7EXAMPLE", "akiaiosfodnn7example", "AIzaShort",
		"sk-learn is a library", "task-0123456789abcdef0123456789abcdef0123456789abcdef", "sk-", "risk-free", "sk-" + strings.Repeat("word-", 20),
		"sk-proj-your-openai-api-key-goes-here", "sk-ant-api03-your-anthropic-api-key-goes-here", "ghs_token", "nvapi-your-key", "AQ.About this", "ABSK",
		fake(fake("", 51)+"JQQJ99", 26), fake(fake("", 53)+"JQQJ99", 26), fake(fake("", 52)+"JQQJ99", 27), "JQQJ99", "bedrock-api-key-goes-here",
		"ghp_short", "github_pat_", "hf_hub_download(repo_id)", "xoxb-", "npm_config_registry", fake("npm_", 37), "AccountKey=;",
		"see SG.1 and Fig.2", strings.Repeat("A", 10_000), strings.Repeat("-", 10_000), strings.Repeat("sk-", 5_000), strings.Repeat("AKIA", 5_000),
		strings.Repeat("AIza-", 1<<20), // would take hours if it were read once for each beginning
	} {
		assert.Empty(t, found(t, inPrompt(text)), text[:min(len(text), 60)])
	}
}

func TestOnlyTheDetectorsAskedForLook(t *testing.T) {
	p, problems := Parse([]byte(`{"rules":[{"name":"s","act":{"secrets":["aws_access_key","private_key"]}}]}`))
	require.Empty(t, problems)
	decide := func(text string) Decision {
		body := []byte(inPrompt(text))
		return p.Decide(&Request{Method: "POST", Path: "/v1/chat/completions", Body: Body{State: Whole, Bytes: body, Size: int64(len(body))}})
	}
	assert.Equal(t, Pass, decide(secrets["github_token"][0]).Verdict)
	d := decide(secrets["aws_access_key"][0] + " " + secrets["github_token"][0])
	require.Equal(t, HasSecret, d.Outcome)
	assert.Equal(t, 403, d.Status)
	assert.Equal(t, "the request holds what looks like a secret (aws_access_key 1): remove it and send the request again", d.Message)
	assert.NotContains(t, string(d.AppendReply(nil)), "IOSFODNN", "a reply never holds the secret")
}

func TestCountsStopAtTheirMost(t *testing.T) {
	var f Found
	for range 1 << 17 {
		f.count(awsAccessKey)
	}
	assert.Equal(t, "aws_access_key 65535", f.String())
}

func BenchmarkDetect(b *testing.B) {
	prose := strings.Repeat("It was the best of times, it was the worst of times - an AGE of wisdom. See docs/api_keys.md or sk-learn.\n", 100)
	body := []byte(inPrompt(prose))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var s seen
	for b.Loop() {
		if s.detect(allDetectors, body).Any() {
			b.Fatal("there is none")
		}
	}
}
