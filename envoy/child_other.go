//go:build !linux

package envoy

import "syscall"

// childAttributes put Envoy in a group of its own, so that Ctrl-C reaches the gateway alone. Only Linux can also end
// Envoy with a killed gateway.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
