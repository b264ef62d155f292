package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/policyfile"
)

// policyCommand checks a policy without a gateway: `policy check FILE` and `policy test FILE CASES`.
func policyCommand(args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 2 && args[0] == "check":
		return policyCheck(args[1], stdout, stderr)
	case len(args) == 3 && args[0] == "test":
		return policyTest(args[1], args[2], stdout, stderr)
	}
	return misuse(stderr, "expected: policy check FILE, or: policy test FILE CASES")
}

func policyCheck(file string, stdout, stderr io.Writer) int {
	p, err := policyfile.LoadPolicy(file)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitConfig
	}
	_, _ = fmt.Fprintf(stdout, "%s: the policy is good: %d rules\n", file, len(p.Rules()))
	if strangers := p.Strangers(); len(strangers) > 0 {
		_, _ = fmt.Fprintf(stdout, "note: rules ask for providers that are known only where a gateway's configuration or hosts name them: %s\n", strings.Join(strangers, ", "))
	}
	return exitOK
}

func policyTest(file, casesFile string, stdout, stderr io.Writer) int {
	p, err := policyfile.LoadPolicy(file)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitConfig
	}
	cases, err := policyfile.LoadCases(casesFile)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitConfig
	}
	report := policyfile.Run(p, cases)
	if err := report.Write(stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "policy test:", err)
		return exitConfig
	}
	if report.Failed > 0 {
		return exitConfig
	}
	return exitOK
}
