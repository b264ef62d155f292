// Command inference-gateway is one OpenAI-compatible endpoint for every provider, as an extension of Envoy. This
// package is the program: its commands, and the only wiring of the rooms. run.go is its life from the start to the end of
// the drain, gateway.go what a configuration is applied to, serve.go what Envoy calls. It must not decide on a request.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// version is set by the linker.
var version = "dev"

// The exit codes that scripts and supervisors rely on.
const (
	exitOK       = 0
	exitConfig   = 1 // the configuration is bad, or the gateway is not ready (healthcheck)
	exitNotStart = 2 // it could not start, or the command line is wrong
)

const usage = `inference-gateway: one OpenAI-compatible endpoint for every LLM provider, on Envoy

usage: inference-gateway [command]

  run           everything in one: control plane, ext_proc, API and an Envoy that it starts and watches (default)
  serve         the same without Envoy, for Envoys that run elsewhere: on this machine, or reached with mutual TLS
  bootstrap     print such an Envoy's bootstrap
  validate      read the configuration and print every problem; exit 1 when there is one
  config        print the effective configuration, secrets masked; --envoy, --ratelimit: as Envoy and the limits' service read it
  policy        check FILE, or test FILE CASES: print a policy's problems, or what it does with example requests
  keys          create, list and revoke API keys: see keys --help
  healthcheck   exit 0 when the gateway on this machine answers ready
  version       print the version

Configuration comes from the environment: docs/configuration.md explains each variable.
`

// configForms are the flags of config.
var configForms = []string{"--envoy", "--ratelimit"}

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

func command(args []string, stdout, stderr *os.File) int {
	name := "run"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if name == "policy" {
		return policyCommand(args, stdout, stderr)
	}
	if name == "keys" {
		return keysCommand(args, stdout, stderr)
	}
	if len(args) == 1 && slices.Contains([]string{"help", "--help", "-h"}, args[0]) {
		name, args = "help", nil
	}
	if len(args) > 0 && (name != "config" || len(args) > 1 || !slices.Contains(configForms, args[0])) {
		return misuse(stderr, "unexpected argument "+args[0])
	}
	switch name {
	case "run":
		return run(stdout, stderr, withEnvoy)
	case "serve":
		return run(stdout, stderr, withoutEnvoy)
	case "bootstrap":
		return printBootstrap(stdout, stderr)
	case "validate":
		return validate(stdout, stderr)
	case "config":
		return printConfig(stdout, stderr, append(args, "")[0])
	case "healthcheck":
		return healthcheck(stdout, stderr)
	case "version", "--version", "-v":
		_, _ = fmt.Fprintln(stdout, "inference-gateway", version)
		return exitOK
	case "help", "--help", "-h":
		_, _ = io.WriteString(stdout, usage)
		return exitOK
	}
	return misuse(stderr, "unknown command "+name)
}

func misuse(stderr io.Writer, problem string) int {
	_, _ = fmt.Fprintf(stderr, "inference-gateway: %s\n\n%s", problem, usage)
	return exitNotStart
}
