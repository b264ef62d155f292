package envoy

import "syscall"

// childAttributes put Envoy in a group of its own, so that Ctrl-C in a terminal reaches the gateway, which drains,
// and not Envoy, which would stop at once; and they end Envoy when the gateway is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
