package config

import (
	"errors"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

const policyVariable = "POLICY_FILE"

// readPolicy reads the policy's file and checks it.
func (l *loader) readPolicy() {
	p := &l.cfg.Policy
	if p.File == "" {
		return
	}
	content, err := l.read(p.File)
	if err != nil { // the error's text is left out: it tells no more than the path and a reason
		l.add(policyVariable, shown(p.File), "a file that can be read")
		return
	}
	p.JSON, err = policyfile.Read(p.File, content)
	var wrong policyfile.Problems
	if errors.As(err, &wrong) {
		for _, problem := range wrong {
			l.problems = append(l.problems, Problem{
				Variable: policyVariable, Value: shown(p.File), Expected: "a good policy: " + problem.String(), line: problem.Line,
			})
		}
		return
	}
	if err != nil {
		l.add(policyVariable, shown(p.File), "a good policy: "+err.Error())
		return
	}
	ids := make([]string, len(l.cfg.Providers))
	for i := range l.cfg.Providers {
		ids[i] = l.cfg.Providers[i].ID
	}
	parsed, _ := policy.Parse(p.JSON, ids...) // Read has seen that there are no problems
	for _, id := range parsed.Strangers() {
		l.warn(policyVariable, "a rule asks for provider "+id+", which is none of this configuration: it holds for no request")
	}
	p.Open, p.CountsTokens = parsed.FailOpen(), parsed.NeedsUsage()
}
