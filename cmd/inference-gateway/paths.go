package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/control-plane/link"
	"github.com/inference-gateway/envoy-inference-gateway/control-plane/snapshot"
	"github.com/inference-gateway/envoy-inference-gateway/envoy"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

// layout is where the Unix sockets of one gateway are, and the link that takes their place when Envoys are elsewhere.
type layout struct {
	dir      string
	envoy    envoy.Endpoints
	snapshot snapshot.Sockets
	remote   *link.Remote // nil: only this machine
}

// layoutOf is the layout of a gateway with its directory. Only `serve` has Envoys elsewhere.
func layoutOf(c *config.Config, m mode, dir string) layout {
	l := sockets(dir)
	if m == withEnvoy || c.Control.Host == "" {
		return l
	}
	l.remote = &link.Remote{
		Host: c.Control.Address.Host, Port: uint32(c.Control.Address.Port),
		LoopbackHost: c.Control.LoopbackHost, LoopbackPort: uint32(c.Control.LoopbackPort),
		Dir: dir,
	}
	l.envoy.Remote = l.remote
	return l
}

func sockets(dir string) layout {
	in := func(name string) string { return filepath.Join(dir, name+".sock") }
	return layout{
		dir:   dir,
		envoy: envoy.Endpoints{XDS: in("xds"), Admin: in("admin")},
		snapshot: snapshot.Sockets{
			ExtProc: in("extproc"), Authz: in("authz"), RateLimit: in("ratelimit"), API: in("api"), Demo: in("demo"), Loopback: in("loopback"), Loop: in("loop"),
		},
	}
}

// controlDir is the directory that `serve` and `bootstrap` must agree on without talking to each other.
func controlDir(c *config.Config) string {
	if c.Control.SocketDir != "" {
		return c.Control.SocketDir
	}
	return filepath.Join(os.TempDir(), "inference-gateway-"+strconv.Itoa(os.Getuid()))
}

// privateDir makes the directory for the sockets, which only this user may enter: whoever can open a socket in it can
// use the providers' keys. cleanup removes what was made.
func privateDir(c *config.Config, m mode) (dir string, cleanup func(), err error) {
	dir, cleanup, err = makeDir(c, m)
	if err != nil {
		return "", nil, fmt.Errorf("the directory for sockets (CONTROL_SOCKET_DIR; without it, one in TMPDIR): %w", err)
	}
	// The kernel itself says no more than "invalid argument" (unix(7): 108 bytes with a zero at the end).
	if longest := sockets(dir).snapshot.RateLimit; len(longest) > 107 {
		cleanup()
		return "", nil, fmt.Errorf("%s is too long for the path of a Unix socket: set CONTROL_SOCKET_DIR to a shorter one", dir)
	}
	return dir, cleanup, nil
}

func makeDir(c *config.Config, m mode) (dir string, cleanup func(), err error) {
	if m == withEnvoy && c.Control.SocketDir == "" {
		dir, err = os.MkdirTemp("", "inference-gateway-") // 0700
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	dir, err = filepath.Abs(controlDir(c))
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return "", nil, fmt.Errorf("%s must be a directory that only its owner may write to (chmod 700)", dir)
	}
	// In /tmp anybody can make the directory first, and whoever owns it can put other sockets in place of ours.
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Getuid() {
		return "", nil, fmt.Errorf("%s belongs to another user: set CONTROL_SOCKET_DIR to a directory of your own", dir)
	}
	return dir, func() {}, nil
}

// listen opens a Unix socket, in place of one that a process left behind.
func listen(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s is in use by another gateway: set CONTROL_SOCKET_DIR to another directory", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
